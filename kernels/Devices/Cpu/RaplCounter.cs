using System.Globalization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Devices;

/// <summary>
/// The energy counters of the processor packages (<c>powercap</c>), summed and unwrapped: each wraps at its <c>max_energy_range_uj</c>, so
/// it must be read more often than that. Readable by root only on most systems.
/// </summary>
public sealed class RaplCounter
{
    /// <summary>Where Linux shows them.</summary>
    public const string SystemRoot = "/sys/class/powercap";

    private readonly (string File, double ModulusMicrojoules)[] _packages;
    private readonly double[] _last;
    private double _microjoules;

    private RaplCounter((string, double)[] packages, string name)
    {
        (_packages, Name) = (packages, name);
        _last = [.. packages.Select(p => Read(p.Item1))];
    }

    /// <summary>For example <c>rapl package-0</c>.</summary>
    public string Name { get; }

    /// <summary>Opens what is readable below <paramref name="root"/>; null if nothing is.</summary>
    public static RaplCounter? TryOpen(string root = SystemRoot)
    {
        if (!Directory.Exists(root)) return null;
        var found = new List<(string File, double Modulus, string Name)>();
        foreach (var zone in Directory.EnumerateFileSystemEntries(root).Order(StringComparer.Ordinal))
        {
            var (name, energy, range) = (Path.Combine(zone, "name"), Path.Combine(zone, "energy_uj"), Path.Combine(zone, "max_energy_range_uj"));
            try
            {
                // Only whole packages: what lies inside one (core, uncore, dram) is part of it.
                if (!File.Exists(name) || File.ReadAllText(name).Trim() is not { } zoneName || !zoneName.StartsWith("package", StringComparison.Ordinal)) continue;
                Read(energy);
                found.Add((energy, Read(range), zoneName));
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException or FormatException)
            {
                // Not for us to read: then it is absent, never zero.
            }
        }
        return found.Count == 0 ? null : new RaplCounter([.. found.Select(f => (f.File, f.Modulus))], "rapl " + string.Join("+", found.Select(f => f.Name)));
    }

    /// <summary>No package draws more, W: a step back that implies more is a reset and no wrap.</summary>
    public const double MostPackageWatts = 2000;

    /// <summary>Energy since it was opened, J; begins anew at zero where a package's counter was reset, so that who integrates sees the break.</summary>
    /// <param name="elapsedSeconds">Since the last call, s.</param>
    /// <exception cref="IOException">A package has gone.</exception>
    public double Joules(double elapsedSeconds)
    {
        var reset = false;
        for (var i = 0; i < _packages.Length; i++)
        {
            var now = Read(_packages[i].File);
            var step = now - _last[i];
            if (step < 0) step += _packages[i].ModulusMicrojoules;
            reset |= now < _last[i] && !(step >= 0 && step / 1e6 < 1.5 * MostPackageWatts * elapsedSeconds);
            _microjoules += step;
            _last[i] = now;
        }
        if (reset) _microjoules = 0;
        return _microjoules / 1e6;
    }

    /// <summary>What is known of it without looking: Intel states that it steps about every millisecond, and nothing of its accuracy.</summary>
    /// <param name="ratedWatts">Declared power of the packages with all threads busy, W.</param>
    /// <param name="at">Now.</param>
    public static SensorQualification Qualification(double ratedWatts, DateTimeOffset at) => new(
        0.001, double.NaN, double.NaN, double.NaN, "nothing: no meter of the node was there to step the packages' load against", ratedWatts, at,
        "not looked at: Intel states that RAPL counters step about every millisecond");

    private static double Read(string file) => double.Parse(File.ReadAllText(file), CultureInfo.InvariantCulture);
}
