namespace EnergyGrid.Stacks;

/// <summary>What the client itself did to the times that it measured, over a window.</summary>
/// <param name="Added">From the writing of a chunk of known sending time on this machine to the client's stamp of it; see <see cref="Canary"/>.</param>
/// <param name="Lateness">Sent − scheduled, of requests that were sent within the window.</param>
public sealed record ClientFigures(LatencyFigures Added, LatencyFigures Lateness)
{
    /// <summary>
    /// At the 99th percentile either may be this much. A decode step of a large model is 10 ms and more, so it is a small part of any time that is told; a client that adds more is short of processors, and
    /// it is the client that is then measured, not the engine.
    /// </summary>
    public static readonly TimeSpan Most = TimeSpan.FromMilliseconds(2);

    /// <summary>Why nothing that was measured through this client counts; null if it does.</summary>
    /// <param name="most">What either may be; <see cref="Most"/> if null.</param>
    public string? Refusal(TimeSpan? most = null)
    {
        var limit = most ?? Most;
        if (Added.Percentile(99) is not { } added) return "nobody measured what the client adds within the window";
        if (added > limit) return FormattableString.Invariant($"the client adds {added.TotalMilliseconds:0.00} ms at the 99th percentile, and more than {limit.TotalMilliseconds:0.##} ms is the client's time, not the engine's: give it more processors");
        return Lateness.Percentile(99) is { } late && late > limit
            ? FormattableString.Invariant($"requests were sent {late.TotalMilliseconds:0.00} ms late at the 99th percentile, and more than {limit.TotalMilliseconds:0.##} ms are other arrivals than those that were drawn")
            : null;
    }

    /// <summary>Of a window.</summary>
    /// <param name="rows">All requests of the run.</param>
    /// <param name="canary">What it measured within the window.</param>
    /// <param name="from">µs since the trial's origin, included.</param>
    /// <param name="to">µs, excluded.</param>
    public static ClientFigures Of(IEnumerable<RequestRow> rows, LatencyFigures canary, double from, double to)
    {
        var lateness = new LatencyFigures();
        foreach (var row in rows)
        {
            if (row.Sent >= from && row.Sent < to) lateness.Add(TimeSpan.FromMicroseconds(row.Sent - row.Scheduled));
        }

        return new ClientFigures(canary, lateness);
    }
}
