namespace EnergyGrid.Devices;

/// <summary>
/// Time that runs <see cref="Scale"/> times as fast as an inner provider's: UTC, timestamps and timers alike. Timers never fire early;
/// they may be late by the inner provider's resolution times the scale, so what needs exact instants must read them, not count ticks.
/// </summary>
public sealed class ScaledTimeProvider : TimeProvider
{
    private readonly TimeProvider _inner;
    private readonly long _innerStart;
    private readonly DateTimeOffset _start;

    /// <param name="scale">How many seconds pass for one of the inner provider's; above 0.</param>
    /// <param name="inner">The system's time when null.</param>
    /// <param name="start">UTC at the beginning; the inner provider's when null.</param>
    /// <exception cref="ArgumentOutOfRangeException">A scale that is not positive and finite.</exception>
    public ScaledTimeProvider(double scale, TimeProvider? inner = null, DateTimeOffset? start = null)
    {
        if (!(scale > 0 && double.IsFinite(scale))) throw new ArgumentOutOfRangeException(nameof(scale), scale, "The scale of time must be positive and finite.");
        Scale = scale;
        _inner = inner ?? System;
        _innerStart = _inner.GetTimestamp();
        _start = start ?? _inner.GetUtcNow();
    }

    /// <summary>Seconds of this time for one second of the inner one.</summary>
    public double Scale { get; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => _inner.LocalTimeZone;

    public override DateTimeOffset GetUtcNow() => _start.AddTicks(GetTimestamp());

    public override long GetTimestamp() => (long)(_inner.GetElapsedTime(_innerStart).Ticks * Scale);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new ScaledTimer(this, _inner.CreateTimer(callback, state, Inner(dueTime), Inner(period)));

    /// <summary>The clock that a time is scaled from; the time itself where it is not scaled.</summary>
    public static TimeProvider WallOf(TimeProvider time) => time is ScaledTimeProvider scaled ? WallOf(scaled._inner) : time;

    /// <summary>How fast a provider runs against the wall: 1 for any but a scaled one.</summary>
    public static double ScaleOf(TimeProvider time) => time is ScaledTimeProvider scaled ? scaled.Scale * ScaleOf(scaled._inner) : 1;

    // The system's timers count whole milliseconds and cut fractions off; a period of 0 would mean "once".
    private TimeSpan Inner(TimeSpan span) =>
        span <= TimeSpan.Zero ? span : TimeSpan.FromMilliseconds(Math.Ceiling(span.TotalMilliseconds / Scale));

    private sealed class ScaledTimer(ScaledTimeProvider time, ITimer inner) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => inner.Change(time.Inner(dueTime), time.Inner(period));

        public void Dispose() => inner.Dispose();

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
