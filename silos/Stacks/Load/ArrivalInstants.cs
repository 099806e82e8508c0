using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>When requests of an open loop are sent, whatever the engine does. The n-th gap follows from seed, pass and n alone, so that arms of a pass differ in nothing but their rate.</summary>
public static class ArrivalInstants
{
    /// <summary>Seconds since the start, never falling; without end but for a trace.</summary>
    /// <param name="load">Which process; not a closed loop's.</param>
    /// <param name="seed">The plan's.</param>
    /// <param name="pass">Which pass.</param>
    /// <param name="trace">Where the process is one.</param>
    /// <exception cref="ArgumentException">There are none of such a process.</exception>
    public static IEnumerable<double> Of(ServeLoad load, long seed, int pass, TraceFile? trace = null)
    {
        if (load.Arrivals is ArrivalProcess.Trace) return trace is null ? throw new ArgumentException("a trace without its file", nameof(trace)) : trace.Requests.Select(r => r.Seconds);
        if (!(load.RequestsPerSecond > 0 && double.IsFinite(load.RequestsPerSecond))) throw new ArgumentException(FormattableString.Invariant($"{load.RequestsPerSecond} requests a second"), nameof(load));
        return load.Arrivals switch
        {
            // Not summed up: a million gaps leave no error.
            ArrivalProcess.Constant => Numbers().Select(n => (n + 1) / load.RequestsPerSecond),
            ArrivalProcess.Poisson => Sum(n => new CountedDraws(seed, "arrival", pass, n).Exponential() / load.RequestsPerSecond),
            ArrivalProcess.Gamma when load.Shape > 0 && double.IsFinite(load.Shape) => Sum(n => new CountedDraws(seed, "arrival", pass, n).GammaOf(load.Shape) / load.RequestsPerSecond),
            ArrivalProcess.Gamma => throw new ArgumentException(FormattableString.Invariant($"a gamma distribution of shape {load.Shape}"), nameof(load)),
            _ => throw new ArgumentException($"{load.Arrivals} has no instants of its own", nameof(load)),
        };
    }

    private static IEnumerable<long> Numbers()
    {
        for (var n = 0L; ; n++) yield return n;
    }

    private static IEnumerable<double> Sum(Func<long, double> gap)
    {
        var at = 0.0;
        foreach (var n in Numbers()) yield return at += gap(n);
    }
}
