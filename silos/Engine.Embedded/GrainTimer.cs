namespace EnergyGrid.Engine.Embedded;

/// <summary>A timer of a grain: each tick is a request like any other.</summary>
internal sealed class GrainTimer : IGrainTimer
{
    private readonly Activation _activation;
    private readonly Func<CancellationToken, Task> _callback;
    private readonly GrainTimerCreationOptions _options;
    private readonly CancellationTokenSource _stop = new();
    private readonly ITimer _clock;
    private TimeSpan _period;

    public GrainTimer(Activation activation, Func<CancellationToken, Task> callback, GrainTimerCreationOptions options)
    {
        (_activation, _callback, _options) = (activation, callback, options);
        using var _ = ExecutionContext.SuppressFlow();
        _clock = activation.Runtime.Time.CreateTimer(_ => Tick(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Change(TimeSpan dueTime, TimeSpan period)
    {
        _period = period;
        _clock.Change(dueTime, Timeout.InfiniteTimeSpan); // one shot: the next is set when this tick has ended
    }

    private void Tick() => _activation.TryEnqueue(new TickRequest(this) { Interleave = _options.Interleave, IsUse = _options.KeepAlive });

    public void Dispose()
    {
        _activation.Detach(this);
        _stop.Cancel();
        _clock.Dispose();
    }

    private sealed class TickRequest(GrainTimer timer) : Request
    {
        public override bool Abandoned => timer._stop.IsCancellationRequested;

        public override async Task Run(Grain grain)
        {
            try
            {
                if (!Abandoned) await timer._callback(timer._stop.Token);
            }
            catch (Exception e) when (e is not InconsistentStateException)
            {
                if (!Abandoned) timer._activation.Runtime.Report(e, $"A timer of {timer._activation.Type.Name}/{timer._activation.Key} failed");
            }
        }

        public override void Complete()
        {
            if (!Abandoned) timer._clock.Change(timer._period, Timeout.InfiniteTimeSpan);
        }

        public override void Fail(Exception error) { }
    }
}
