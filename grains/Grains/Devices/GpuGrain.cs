using System.Runtime.CompilerServices;
using EnergyGrid.Contracts;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Grains;

/// <summary>What a device must remember across a restart: the highest epoch it has granted, and to whom.</summary>
[GenerateSerializer, Alias("GpuState")]
public sealed class GpuState
{
    [Id(0)] public long Epoch { get; set; }
    [Id(1)] public string Sweep { get; set; } = "";
    [Id(2)] public string Pass { get; set; } = "";
    [Id(3)] public double LeaseSeconds { get; set; }
}

/// <summary>
/// One device. It is held by one pass at a time, under an epoch that only grows; the trial runs on threads of the node agent, and turns only
/// start it, look at it and stop it.
/// </summary>
[HostPlacement, Immovable, KeepAlive]
public sealed partial class GpuGrain(
    INodeAgents agents,
    TimeProvider time,
    ILogger<GpuGrain> log,
    [PersistentState("gpu", "grid")] IPersistentState<GpuState> state) : Grain, IGpuGrain
{
    private (string Host, string Device) _key;
    private INodeAgent _agent = null!;
    private long _lastSign;
    private TrialOrder? _order;
    private TrialProgress _progress;
    private TrialResult? _result;
    private CancellationTokenSource? _stop;
    private Task _work = Task.CompletedTask;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _key = HostPlacement.Split(this.GetPrimaryKeyString());
        _agent = agents.Find(_key.Host) is { } agent && agent.Inventory.Devices.Any(d => d.Uuid == _key.Device)
            ? agent
            : throw new HostUnavailableException($"Device '{_key.Device}' of host '{_key.Host}' is not here.");
        _lastSign = time.GetTimestamp();
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _stop?.Cancel();
        await _work.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    public async Task<Lease> Acquire(LeaseRequest request)
    {
        if (Held && state.State.Sweep != request.Sweep) return new Lease(false, state.State.Epoch, $"{state.State.Sweep} {state.State.Pass}");

        await EndTrial();
        // The epoch is on disk before the answer: after a crash no older order can be obeyed.
        await Keep(state.State.Epoch + 1, request.Sweep, request.Pass, request.Seconds);
        _lastSign = time.GetTimestamp();
        return new Lease(true, state.State.Epoch, $"{request.Sweep} {request.Pass}");
    }

    public async Task Release(long epoch)
    {
        if (epoch != state.State.Epoch) return;
        await EndTrial();
        await Keep(epoch, "", "", 0);
    }

    public async Task<GpuStatus> Start(TrialOrder order)
    {
        if (order.Epoch != state.State.Epoch || state.State.Sweep != order.Trial.Sweep)
            throw new StaleEpochException($"Epoch {order.Epoch} of sweep '{order.Trial.Sweep}' does not hold '{this.GetPrimaryKeyString()}'; epoch {state.State.Epoch} of '{state.State.Sweep}' does.", order.Epoch, state.State.Epoch);
        _lastSign = time.GetTimestamp();
        // Field by field, never record equality: collections inside compare by reference.
        if (_order is { } known && (known.Trial, known.Epoch, known.Attempt) == (order.Trial, order.Epoch, order.Attempt)) return Look();

        await EndTrial();
        Launch(order);
        return Look();
    }

    public Task<GpuStatus> Status(long epoch)
    {
        if (epoch == state.State.Epoch) _lastSign = time.GetTimestamp();
        return Task.FromResult(Look());
    }

    public Task<bool> Stop(long epoch)
    {
        var running = _order?.Epoch == epoch && !_work.IsCompleted;
        if (running) _stop!.Cancel();
        return Task.FromResult(running);
    }

    public async IAsyncEnumerable<PowerSample> WatchPower(double hertz, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (!(hertz > 0)) throw new RefusedException($"A rate of {hertz} Hz cannot be watched: it must be above 0.");
        await foreach (var sample in _agent.Watch(_key.Device, hertz, cancellationToken)) yield return sample;
    }

    // A lease lives as long as its holder shows signs of life.
    private bool Held => state.State.Sweep.Length > 0 && time.GetElapsedTime(_lastSign).TotalSeconds < state.State.LeaseSeconds;

    private async Task Keep(long epoch, string sweep, string pass, double seconds)
    {
        var kept = state.State;
        state.State = new GpuState { Epoch = epoch, Sweep = sweep, Pass = pass, LeaseSeconds = seconds };
        try
        {
            await state.WriteStateAsync();
        }
        catch
        {
            // What is in memory must not run ahead of the disk. The next call reads the record again.
            state.State = kept;
            DeactivateOnIdle();
            throw;
        }
    }

    private async Task EndTrial()
    {
        _stop?.Cancel();
        await _work;
        (_order, _result, _progress) = (null, null, default);
    }

    private void Launch(TrialOrder order)
    {
        var stop = new CancellationTokenSource();
        (_order, _result, _progress, _stop) = (order, null, new TrialProgress(TrialPhase.Waiting, 0, double.NaN), stop);
        var agent = _agent;
        // Off the scheduler: nothing inside touches a field of the grain but the progress box, which is written whole.
        var progress = new ProgressBox();
        _box = progress;
        var run = Task.Run(() => agent.Run(order, progress.Set, stop.Token));
        _work = Await(order, run, stop);
    }

    private async Task Await(TrialOrder order, Task<TrialResult> run, CancellationTokenSource stop)
    {
        TrialResult? result = null;
        try { result = await run; }
        catch (Exception e) { LogLost(e, order.Trial, this.GetPrimaryKeyString()); } // unknown: the status says ended without a result, and the sweep leases anew
        finally { stop.Dispose(); }
        if (!ReferenceEquals(_order, order)) return;
        (_result, _stop) = (result, null);
        _progress = new TrialProgress(TrialPhase.Ended, 1, 0);
        _box = null;
        Tell(order.Trial.Sweep);
    }

    // The sweep would find out at its next look; this saves the wait. Nothing depends on it.
    private void Tell(string sweep) => GrainFactory.GetGrain<ISweepGrain>(sweep).Nudge().ContinueWith(static t => _ = t.Exception, TaskScheduler.Default);

    private GpuStatus Look()
    {
        var (watts, celsius) = _agent.Latest(_key.Device);
        var progress = _box?.Get() ?? _progress;
        return new GpuStatus(this.GetPrimaryKeyString(), state.State.Epoch, Held ? $"{state.State.Sweep} {state.State.Pass}" : "",
            _order?.Trial, _order?.Attempt ?? 0, _order is null ? TrialPhase.Idle : progress.Phase, progress.Fraction, progress.SecondsLeft, watts, celsius, _result);
    }

    private ProgressBox? _box;

    [LoggerMessage(Level = LogLevel.Error, Message = "Trial {Trial} on {Device} ended without a result: its outcome is unknown")]
    private partial void LogLost(Exception error, TrialId trial, string device);

    /// <summary>
    /// Written by the trial's thread, read in turns. That the trial has ended is not its thread's to say: a status that said so before the grain
    /// has the result would be that of a trial that was lost.
    /// </summary>
    private sealed class ProgressBox
    {
        private readonly Lock _lock = new();
        private TrialProgress _value = new(TrialPhase.Waiting, 0, double.NaN);

        public void Set(TrialProgress value)
        {
            // A trial has ended when its result is here, not when its work is done: ended without a result means lost.
            lock (_lock) _value = value.Phase == TrialPhase.Ended ? _value with { Fraction = 1, SecondsLeft = 0 } : value;
        }

        public TrialProgress Get()
        {
            lock (_lock) return _value;
        }
    }
}
