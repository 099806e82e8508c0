namespace EnergyGrid.Devices;

/// <summary>
/// Virtual time: it stands still while there is work and jumps to the next timer when everything waits. One thread does all the work in a
/// fixed order, so a run is deterministic and as fast as the processor. What runs in it must wait by this provider's timers and must not
/// leave the thread (no <c>Task.Run</c>, no <c>ConfigureAwait(false)</c>).
/// </summary>
public sealed class JumpingTimeProvider : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly PriorityQueue<(VirtualTimer Timer, int Version), (long Due, long Order)> _timers = new();
    private readonly DateTimeOffset _start;
    private long _elapsedTicks;
    private long _order;

    /// <param name="start">UTC at the beginning.</param>
    public JumpingTimeProvider(DateTimeOffset start) => _start = start;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override DateTimeOffset GetUtcNow() => _start.AddTicks(GetTimestamp());

    public override long GetTimestamp() => Interlocked.Read(ref _elapsedTicks);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new VirtualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Runs work on the calling thread to its end, jumping over the times in which nothing is to do.</summary>
    /// <exception cref="InvalidOperationException">Everything waits, and for no timer: the work would never end.</exception>
    public void Run(Func<Task> work) => Run<object?>(async () =>
    {
        await work();
        return null;
    });

    /// <inheritdoc cref="Run(Func{Task})"/>
    public T Run<T>(Func<Task<T>> work)
    {
        var before = SynchronizationContext.Current;
        var turns = new Turns();
        SynchronizationContext.SetSynchronizationContext(turns);
        try
        {
            var main = work();
            while (!main.IsCompleted)
            {
                if (turns.TryRunOne() || TryJump()) continue;
                if (!main.IsCompleted) throw new InvalidOperationException("All work waits, and for no timer of this provider: it would never end.");
            }
            return main.GetAwaiter().GetResult();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    private bool TryJump()
    {
        VirtualTimer timer;
        lock (_gate)
        {
            while (true)
            {
                if (!_timers.TryDequeue(out var next, out var at)) return false;
                if (next.Version != next.Timer.Version) continue;
                timer = next.Timer;
                if (at.Due > _elapsedTicks) Interlocked.Exchange(ref _elapsedTicks, at.Due);
                if (timer.PeriodTicks > 0) Enqueue(timer, at.Due + timer.PeriodTicks);
                break;
            }
        }
        timer.Fire();
        return true;
    }

    private void Enqueue(VirtualTimer timer, long due) => _timers.Enqueue((timer, timer.Version), (due, _order++));

    private sealed class VirtualTimer(JumpingTimeProvider time, TimerCallback callback, object? state) : ITimer
    {
        public int Version;
        public long PeriodTicks;
        private bool _disposed;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._gate)
            {
                if (_disposed) return false;
                Version++;
                PeriodTicks = Math.Max(0, period.Ticks);
                if (dueTime >= TimeSpan.Zero) time.Enqueue(this, time._elapsedTicks + dueTime.Ticks);
                return true;
            }
        }

        public void Fire() => callback(state);

        public void Dispose()
        {
            lock (time._gate)
            {
                _disposed = true;
                Version++;
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }

    private sealed class Turns : SynchronizationContext
    {
        private readonly Lock _gate = new();
        private readonly Queue<(SendOrPostCallback Callback, object? State)> _queue = new();

        public override void Post(SendOrPostCallback d, object? state)
        {
            lock (_gate) _queue.Enqueue((d, state));
        }

        public override void Send(SendOrPostCallback d, object? state) => d(state);

        public override SynchronizationContext CreateCopy() => this;

        public bool TryRunOne()
        {
            (SendOrPostCallback Callback, object? State) turn;
            lock (_gate)
            {
                if (!_queue.TryDequeue(out turn)) return false;
            }
            turn.Callback(turn.State);
            return true;
        }
    }
}
