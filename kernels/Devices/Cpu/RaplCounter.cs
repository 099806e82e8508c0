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

    /// <summary>No package draws more, W: a step that implies more, in either direction, is a broken counter and no energy.</summary>
    public const double MostPackageWatts = 2000;

    /// <summary>A counter that has not moved for so long is no counter, s: they step about every millisecond, and nothing draws no power.</summary>
    public const double StillSeconds = 1;

    // Where the sum begins, and how far it goes back to begin anew, J: what matters is only that who integrates sees each break.
    private const double FirstJoules = 1e6, BreakJoules = 1;

    private readonly RaplZone[] _zones;

    /// <summary>As they were at the last reading, µJ: one that did not come about loses nothing.</summary>
    private double[] _last;
    private double _seconds;
    private double _joules = FirstJoules;
    private bool _isBroken;

    internal RaplCounter(IEnumerable<RaplZone> zones, string name)
    {
        (_zones, Name) = ([.. zones], name);
        _last = Look();
    }

    /// <summary>What is in it and what is not, for example <c>rapl package-0 + package-0/dram</c> or <c>rapl package-0, without DRAM</c>.</summary>
    public string Name { get; }

    /// <summary>Energy since some instant, J; goes back where a counter was reset, jumped or stood still, so that who integrates sees the break.</summary>
    /// <param name="elapsedSeconds">Since the last look, s.</param>
    /// <exception cref="IOException">A counter has gone, stands still, or made a step that is none: there is no reading, and the message says why.</exception>
    /// <exception cref="FormatException">A counter says something that is no number.</exception>
    public double Joules(double elapsedSeconds) => Joules(Look(), elapsedSeconds);

    /// <summary>All counters as they stand, µJ.</summary>
    /// <exception cref="IOException">One cannot be read.</exception>
    /// <exception cref="FormatException">One says something that is no number.</exception>
    internal double[] Look() => Array.ConvertAll(_zones, z => z.Microjoules());

    /// <summary>As <see cref="Joules(double)"/>, of a look that was taken before.</summary>
    /// <param name="now">What it saw.</param>
    /// <param name="elapsedSeconds">Since the last look that saw something, s, and no less: by this a step is judged.</param>
    internal double Joules(double[] now, double elapsedSeconds)
    {
        _seconds += elapsedSeconds;
        var (sum, still, broken) = (0.0, "", "");
        for (var i = 0; i < _zones.Length; i++)
        {
            var (zone, step) = (_zones[i], now[i] - _last[i]);
            if (step == 0)
            {
                still = zone.Identity;
                continue;
            }
            if (step < 0) step += zone.ModulusMicrojoules;
            var most = 1e6 * zone.MostWatts * _seconds;
            // In so long a silence it may have wrapped unseen.
            var isLost = _seconds > StillSeconds && most >= zone.ModulusMicrojoules;
            if (isLost || !(step >= 0 && step <= most))
                broken = FormattableString.Invariant($"{zone.Identity} went from {_last[i] / 1e6:0.###} to {now[i] / 1e6:0.###} J in {_seconds:0.###} s, which is no energy that it can have drawn");
            sum += step;
        }
        if (broken.Length == 0 && still.Length > 0)
        {
            // What the others counted meanwhile is not lost: it comes with the next reading.
            if (_seconds < StillSeconds) throw new IOException($"{still} has not moved since the last look.");
            _isBroken = true;
            throw new IOException($"{still} has stood still for {StillSeconds:0} s.");
        }
        (_last, _seconds) = (now, 0);
        if (broken.Length > 0)
        {
            _isBroken = true;
            throw new IOException($"{broken}.");
        }
        // What a broken counter missed nobody knows: from here on it is another one.
        _joules += _isBroken ? -BreakJoules : sum / 1e6;
        _isBroken = false;
        return _joules >= 0 ? _joules : throw new IOException("The counters of the processor have begun anew too often.");
    }

    /// <summary>What is known of it without looking: Intel states that it steps about every millisecond, and nothing of its accuracy.</summary>
    /// <param name="ratedWatts">Declared power of the packages with all threads busy, W.</param>
    /// <param name="at">Now.</param>
    public static SensorQualification Qualification(double ratedWatts, DateTimeOffset at) => new(
        0.001, double.NaN, double.NaN, double.NaN, "nothing: no meter of the node was there to step the packages' load against", ratedWatts, at,
        "not looked at: Intel states that RAPL counters step about every millisecond");
}
