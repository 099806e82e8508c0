using System.Collections.Frozen;
using System.Diagnostics;

namespace EnergyGrid.Grains;

/// <summary>
/// For tests of crashes: a place in the code, by name, at which the process can be made to end as by kill -9. The environment variable
/// <c>ENERGYGRID_CRASH</c> says where: <c>committed</c>, or <c>committed:3</c> for the third time it is passed; several are separated by commas.
/// Where it is unset, to pass costs nothing.
/// </summary>
public static class CrashPoint
{
    /// <summary>The environment variable that names points.</summary>
    public const string Variable = "ENERGYGRID_CRASH";

    private static readonly FrozenDictionary<string, Countdown>? Points = Read(Environment.GetEnvironmentVariable(Variable));

    /// <summary>Between the lease of a device group's devices and the first order on them.</summary>
    public const string Leased = "leased";

    /// <summary>Between the registration of an order and its start on a device.</summary>
    public const string Registered = "registered";

    /// <summary>Between a trial's trace and the commit of its result.</summary>
    public const string TraceWritten = "trace-written";

    /// <summary>Between a commit and its answer.</summary>
    public const string Committed = "committed";

    /// <summary>Between a write of a sweep's or device group's state and what follows from it.</summary>
    public const string StateWritten = "state-written";

    /// <summary>Between the publication of a sweep's documents and the state that says that it has ended.</summary>
    public const string Published = "published";

    /// <summary>Ends the process here, if that was asked for; it does not return then.</summary>
    public static void Pass(string point)
    {
        if (Points is not null) End(point);
    }

    private static void End(string point)
    {
        if (!Points!.TryGetValue(point, out var left) || Interlocked.Decrement(ref left.Passes) != 0) return;
        // Whoever reads the log can tell this end from every other.
        Console.Error.WriteLine($"crash point {point}");
        using var self = Process.GetCurrentProcess();
        self.Kill();
    }

    private static FrozenDictionary<string, Countdown>? Read(string? points)
    {
        if (string.IsNullOrEmpty(points)) return null;
        return points.Split(',').Select(p => p.Split(':')).ToFrozenDictionary(p => p[0], p => new Countdown { Passes = p.Length > 1 ? int.Parse(p[1], System.Globalization.CultureInfo.InvariantCulture) : 1 });
    }

    private sealed class Countdown
    {
        public int Passes;
    }
}
