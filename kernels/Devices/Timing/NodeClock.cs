namespace EnergyGrid.Devices;

/// <summary>That a node's clock was set anew.</summary>
/// <param name="Number">1 is the first.</param>
/// <param name="Seconds">By how much the wall clock had gone from it, s; forward is positive.</param>
public sealed record ClockStep(int Number, double Seconds)
{
    public override string ToString() => FormattableString.Invariant($"the wall clock was moved {(Seconds < 0 ? "back" : "forward")} by {Math.Abs(Seconds):0.###} s against the time that passed: it was set, or the machine was suspended");
}

/// <summary>
/// The one clock that everything on a node stamps by: monotonic, set to UTC, and set anew only where <see cref="Follow"/> finds that the wall clock was moved. So a wall clock that
/// jumps never tears devices, meters and trials of a node apart; what was measured across a jump cannot be held against other nodes, and says so.
/// </summary>
/// <param name="wall">Where time comes from.</param>
/// <param name="errorSeconds">How far the wall clock may be from UTC, s; null where nothing is known of it.</param>
public sealed class NodeClock(TimeProvider wall, Func<double>? errorSeconds = null) : TimeProvider
{
    /// <summary>What the wall clock may go from this one before it counts as moved, s: NTP steps from 128 ms on, and slews below.</summary>
    public const double StepSeconds = 0.128;

    private static readonly TimeSpan MostBetween = TimeSpan.FromMilliseconds(10);

    private readonly Lock _gate = new();
    private volatile Setting _setting = Setting.Of(wall);
    private volatile ClockStep? _last;

    /// <summary>Where the time comes from.</summary>
    public TimeProvider Time { get; } = wall;

    /// <summary>Now, ns since the Unix epoch.</summary>
    public long NowNanoseconds => At(Time.GetTimestamp());

    /// <summary>How far the wall clock is from this one, s: stamps may be off by that much more.</summary>
    public double DriftSeconds => Math.Abs(Time.UtcNowNanoseconds() - NowNanoseconds) / 1e9;

    /// <summary>How far stamps may be from UTC, s.</summary>
    public double ErrorSeconds => (errorSeconds?.Invoke() ?? 0) + DriftSeconds;

    /// <summary>The latest setting after a jump; null if there was none.</summary>
    public ClockStep? LastStep => _last;

    public override long TimestampFrequency => Time.TimestampFrequency;

    public override TimeZoneInfo LocalTimeZone => Time.LocalTimeZone;

    /// <summary>A timestamp of <see cref="Time"/> as ns since the Unix epoch.</summary>
    public long At(long timestamp) => _setting is var s ? s.Nanoseconds + Time.GetElapsedTime(s.Timestamp, timestamp).Ticks * 100 : 0;

    public override DateTimeOffset GetUtcNow() => UtcNanoseconds.ToInstant(NowNanoseconds);

    public override long GetTimestamp() => Time.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => Time.CreateTimer(callback, state, dueTime, period);

    /// <summary>Sets it anew if the wall clock was moved since it was last looked at; null if it was not. Call it about once a second.</summary>
    public ClockStep? Follow()
    {
        lock (_gate)
        {
            var (timestamp, wall) = Both(Time);
            var away = (wall - At(timestamp)) / 1e9;
            if (Math.Abs(away) < StepSeconds) return null;
            _setting = Setting.Of(Time);
            return _last = new ClockStep((_last?.Number ?? 0) + 1, away);
        }
    }

    // Both clocks at one moment: whoever was held between the two reads would take that for a step.
    private static (long Timestamp, long Nanoseconds) Both(TimeProvider time)
    {
        for (var tries = 5; ; tries--)
        {
            var (before, wall, after) = (time.GetTimestamp(), time.UtcNowNanoseconds(), time.GetTimestamp());
            if (tries <= 1 || time.GetElapsedTime(before, after) <= MostBetween) return (before, wall);
        }
    }

    private sealed record Setting(long Timestamp, long Nanoseconds)
    {
        public static Setting Of(TimeProvider time)
        {
            var (timestamp, nanoseconds) = Both(time);
            return new(timestamp, nanoseconds);
        }
    }
}
