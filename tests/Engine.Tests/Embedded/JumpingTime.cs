using System.Collections.Concurrent;

namespace EnergyGrid.Engine.Tests;

/// <summary>The system's time, and jumps ahead of it: a timer that is due after a jump fires at once.</summary>
public sealed class JumpingTime : TimeProvider
{
    private readonly ConcurrentDictionary<Alarm, byte> _alarms = [];
    private long _ahead; // ticks

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Volatile.Read(ref _ahead));

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => System.GetElapsedTime(0).Ticks + Volatile.Read(ref _ahead);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new Alarm(this, callback, state, dueTime, period);

    public void Jump(TimeSpan by)
    {
        Interlocked.Add(ref _ahead, by.Ticks);
        foreach (var alarm in _alarms.Keys) alarm.Set();
    }

    private sealed class Alarm : ITimer
    {
        private readonly JumpingTime _time;
        private readonly ITimer _real;
        private TimeSpan _period;
        private long _dueAt;

        public Alarm(JumpingTime time, TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _time = time;
            _real = System.CreateTimer(given =>
            {
                Volatile.Write(ref _dueAt, _period == Timeout.InfiniteTimeSpan ? long.MaxValue : time.GetTimestamp() + _period.Ticks);
                callback(given);
            }, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            time._alarms[this] = 0;
            Change(dueTime, period);
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            _period = period;
            Volatile.Write(ref _dueAt, dueTime == Timeout.InfiniteTimeSpan ? long.MaxValue : _time.GetTimestamp() + dueTime.Ticks);
            return _real.Change(dueTime, period);
        }

        public void Set()
        {
            var due = Volatile.Read(ref _dueAt);
            if (due != long.MaxValue) _real.Change(TimeSpan.FromTicks(Math.Max(0, due - _time.GetTimestamp())), _period);
        }

        public void Dispose()
        {
            _time._alarms.TryRemove(this, out _);
            _real.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
