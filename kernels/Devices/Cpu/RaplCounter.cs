using System.Globalization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Devices;

/// <summary>
/// The energy of this machine's processor packages and of their memory (<c>powercap</c>), each joule once, summed and unwrapped: every counter wraps
/// at its <c>max_energy_range_uj</c>, so it must be read more often than that. Readable by root only on most systems.
/// </summary>
public sealed class RaplCounter
{
    /// <summary>Where Linux shows the counters.</summary>
    public const string SystemRoot = "/sys/class/powercap";

    /// <summary>No package draws more, W: a step back that implies more is a reset and no wrap.</summary>
    public const double MostPackageWatts = 2000;

    /// <summary>A counter that has not moved for so long is no counter, s: they step about every millisecond, and nothing draws no power.</summary>
    public const double StillSeconds = 1;

    private readonly RaplZone[] _zones;
    private readonly double[] _last;
    private readonly double[] _still;
    private double _microjoules;

    internal RaplCounter(IEnumerable<RaplZone> zones, string name)
    {
        (_zones, Name) = ([.. zones], name);
        _last = [.. _zones.Select(z => z.Microjoules())];
        _still = new double[_zones.Length];
    }

    /// <summary>What is in it and what is not, for example <c>rapl package-0 + package-0/dram</c> or <c>rapl package-0, without DRAM</c>.</summary>
    public string Name { get; }

    /// <summary>Energy since it was opened, J; begins anew at zero where a counter was reset, so that who integrates sees the break.</summary>
    /// <param name="elapsedSeconds">Since the last call, s.</param>
    /// <exception cref="IOException">A counter has gone or stands still.</exception>
    public double Joules(double elapsedSeconds)
    {
        var now = Array.ConvertAll(_zones, z => z.Microjoules());
        var (reset, dead) = (false, -1);
        for (var i = 0; i < _zones.Length; i++)
        {
            var step = now[i] - _last[i];
            _still[i] = step == 0 ? _still[i] + elapsedSeconds : 0;
            if (_still[i] >= StillSeconds) dead = i;
            if (step < 0) step += _zones[i].ModulusMicrojoules;
            reset |= now[i] < _last[i] && !(step >= 0 && step / 1e6 < 1.5 * MostPackageWatts * elapsedSeconds);
            _microjoules += step;
            _last[i] = now[i];
        }
        if (reset) _microjoules = 0;
        return dead < 0 ? _microjoules / 1e6 : throw new IOException($"{_zones[dead].Identity} has stood still for {StillSeconds:0} s.");
    }

    /// <summary>What is known of it without looking: Intel states that it steps about every millisecond, and nothing of its accuracy.</summary>
    /// <param name="ratedWatts">Declared power of the packages with all threads busy, W.</param>
    /// <param name="at">Now.</param>
    public static SensorQualification Qualification(double ratedWatts, DateTimeOffset at) => new(
        0.001, double.NaN, double.NaN, double.NaN, "nothing: no meter of the node was there to step the packages' load against", ratedWatts, at,
        "not looked at: Intel states that RAPL counters step about every millisecond");
}

/// <summary>One counter as Linux shows it: a directory <c>TYPE:PACKAGE[:PART]</c> with a name.</summary>
/// <param name="Directory">Where.</param>
/// <param name="Type">The interface that it is read by: <c>intel-rapl</c> (model-specific registers), <c>intel-rapl-mmio</c>, <c>intel-rapl-tpmi</c>.</param>
/// <param name="Name">Its own: <c>package-0</c>, <c>package-0-die-1</c>, <c>core</c>, <c>uncore</c>, <c>dram</c>, <c>psys</c>.</param>
/// <param name="Identity">What it counts: the same however it is read.</param>
/// <param name="ModulusMicrojoules">Where it wraps, µJ.</param>
internal sealed record RaplZone(string Directory, string Type, string Name, string Identity, double ModulusMicrojoules)
{
    /// <summary>A processor package, or a die of one: memory beside it is not in it.</summary>
    public bool IsPackage => Name.StartsWith("package", StringComparison.Ordinal);

    public bool IsMemory => Name == "dram";

    /// <summary>The whole machine as its firmware adds it up, the packages among it.</summary>
    public bool IsPlatform => Name == "psys";

    public double Microjoules() => Number(Path.Combine(Directory, "energy_uj"));

    internal static double Number(string file) => double.Parse(File.ReadAllText(file), NumberStyles.Float, CultureInfo.InvariantCulture);
}
