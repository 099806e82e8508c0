using System.Runtime.CompilerServices;
using EnergyGrid.Contracts;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Grains;

/// <summary>
/// One device: the trial on it, its status, its live power. The trial runs on threads of the node agent; turns only start it, look at it and end it. What it
/// measured is kept from here, its files before its result and under the order's id, so it needs nobody else to be alive when it ends.
/// </summary>
[HostPlacement, Immovable, KeepAlive]
[GrainType("gpu")]
public sealed partial class GpuGrain(
    INodeAgents agents,
    IResultStore store,
    ITrialFiles files,
    ILocalSiloDetails silo,
    TimeProvider time,
    ILogger<GpuGrain> log) : Grain, IGpuGrain
{
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(2);

    private (string Host, string Device) _key;
    private INodeAgent _agent = null!;
    private long _floor;
    private Work? _work;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _key = HostPlacement.Split(this.GetPrimaryKeyString());
        _agent = agents.Find(_key.Host) is { } agent && agent.Inventory.Devices.Any(d => d.Uuid == _key.Device)
            ? agent
            : throw new HostUnavailableException($"Device '{_key.Device}' of host '{_key.Host}' is not here.");
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        if (_work is not { } work) return;
        work.Stop.Cancel();
        await work.Done.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    public async Task<GpuStatus> Start(TrialOrder order)
    {
        if (!await Node.Holds(order.Holder, order.Epoch, order.Devices) || order.Epoch < _floor)
            throw new StaleEpochException($"'{order.Holder}' does not hold '{this.GetPrimaryKeyString()}' and the rest of its group under epoch {order.Epoch}.", order.Epoch, _floor);
        if (_work is { } known)
        {
            if (known.Order.Id == order.Id && known.Order.Trial.Sweep == order.Trial.Sweep) return Look();
            // Of one lease the fence and the number say which is later; of two leases the epoch does.
            var sameLease = known.Order.Holder == order.Holder && known.Order.Epoch == order.Epoch;
            if (sameLease && order.Fence < known.Order.Fence)
                throw new SupersededException($"Activation {known.Order.Fence} of '{order.Holder}' has given orders since activation {order.Fence}.");
            if (sameLease && (order.Fence, order.Number).CompareTo((known.Order.Fence, known.Order.Number)) <= 0)
                throw new StaleEpochException($"Order '{order.Id}' comes after '{known.Order.Id}', which was given later.", order.Epoch, _floor);
            await End(known);
            // Others may have come in between.
            if (order.Epoch < _floor || !ReferenceEquals(_work, known)) throw new StaleEpochException($"Epoch {order.Epoch} of '{order.Holder}' was superseded.", order.Epoch, _floor);
        }
        _floor = order.Epoch;
        Launch(order);
        return Look();
    }

    public Task<GpuStatus> Status() => Task.FromResult(Look());

    public async Task<bool> Stop(string order)
    {
        if (_work is not { } work || work.Order.Id != order || work.Done.IsCompleted) return false;
        await End(work);
        return true;
    }

    public async Task Yield(long epoch)
    {
        _floor = Math.Max(_floor, epoch);
        if (_work is { } work && work.Order.Epoch < epoch && !work.Done.IsCompleted) await End(work);
    }

    public async IAsyncEnumerable<PowerSample> WatchPower(double hertz, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (!(hertz > 0)) throw new RefusedException($"A rate of {hertz} Hz cannot be watched: it must be above 0.");
        await foreach (var sample in _agent.Watch(_key.Device, hertz, cancellationToken)) yield return sample;
    }

    private INodeGrain Node => GrainFactory.GetGrain<INodeGrain>(_key.Host);

    private static async Task End(Work work)
    {
        work.Stop.Cancel();
        await work.Done;
    }

    private void Launch(TrialOrder order)
    {
        var work = new Work(order);
        _work = work;
        var agent = _agent;
        // Off the scheduler: nothing inside touches the grain but the progress, which is written whole.
        var run = Task.Run(() => agent.Run(order, work.Set, work.Stop.Token));
        work.Done = Await(work, run);
    }

    private async Task Await(Work work, Task<TrialRun> run)
    {
        TrialRun? ran = null;
        try { ran = await run; }
        catch (Exception e) { LogLost(work.Order.Trial, this.GetPrimaryKeyString(), FaultText.Of(e)); } // unknown, never failed: the sweep runs it again
        var end = ran is null ? OrderEnd.Lost : ran.Result.Outcome == TrialOutcome.Cancelled ? OrderEnd.Stopped : await Keep(work, ran);
        work.Ended(end);
        // The group would find out at its next look; this saves the wait. Nothing depends on it.
        GrainFactory.GetGrain<IDeviceGroupGrain>(work.Order.Holder).Nudge().Ignore();
    }

    // The trace before the result that names it. What cannot be kept now is tried again until it is, or nobody wants it any more.
    private async Task<OrderEnd> Keep(Work work, TrialRun ran)
    {
        var (sweep, result) = (work.Order.Trial.Sweep, ran.Result);
        work.Set(new TrialProgress(TrialPhase.Keeping, 1, 0));
        for (var wait = FirstWait; ; wait = TimeSpan.FromTicks(Math.Min(2 * wait.Ticks, LongestWait.Ticks)))
        {
            try
            {
                if (!ran.Trace.IsEmpty && result.Trace.Length == 0)
                {
                    var (name, sha256) = await files.Write(sweep, work.Order.Trial, TrialFileKind.Trace, ran.Trace, work.Stop.Token);
                    result = result with { Trace = name, TraceSha256 = sha256 };
                    CrashPoint.Pass(CrashPoint.TraceWritten);
                }
                if (!ran.Requests.IsEmpty && result.Served is { Requests.Length: 0 } served)
                {
                    var (name, sha256) = await files.Write(sweep, work.Order.Trial, TrialFileKind.Requests, ran.Requests, work.Stop.Token);
                    result = result with { Served = served with { Requests = name, RequestsSha256 = sha256 } };
                }
                var answer = await store.Commit(sweep, work.Order.Id, result, work.Stop.Token);
                CrashPoint.Pass(CrashPoint.Committed);
                work.Trouble = "";
                if (answer == CommitAnswer.Committed)
                {
                    work.Result = result;
                    GridTelemetry.TrialsCommitted.Add(1, new KeyValuePair<string, object?>("outcome", result.Outcome.ToString()));
                }
                return answer switch { CommitAnswer.Committed => OrderEnd.Kept, CommitAnswer.AlreadyThere => OrderEnd.KeptBefore, _ => OrderEnd.Withdrawn };
            }
            catch (StorageTroubleException e)
            {
                if (work.Trouble.Length == 0) LogUnkept(work.Order.Trial, e.Message);
                work.Trouble = e.Message;
                GrainFactory.GetGrain<IDeviceGroupGrain>(work.Order.Holder).Nudge().Ignore();
                await Task.Delay(wait, time, work.Stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            }
            catch (RefusedException) { return OrderEnd.Withdrawn; } // the sweep has ended: nothing is added to it any more
            catch (OperationCanceledException) { /* Told below. */ }
            catch (Exception e)
            {
                LogLost(work.Order.Trial, this.GetPrimaryKeyString(), FaultText.Of(e));
                return OrderEnd.Lost;
            }
            if (work.Stop.IsCancellationRequested) return OrderEnd.Stopped;
        }
    }

    private GpuStatus Look()
    {
        var latest = _agent.Latest(_key.Device);
        if (_work is not { } work) return new GpuStatus(this.GetPrimaryKeyString(), silo.SiloAddress.ToString(), "", "", null, TrialPhase.Idle, 0, 0, latest.Watts, latest.Celsius, OrderEnd.None, null, "", []);
        var progress = work.Progress;
        return new GpuStatus(this.GetPrimaryKeyString(), silo.SiloAddress.ToString(), work.Order.Id, work.Order.Holder, work.Order.Trial, progress.Phase, progress.Fraction, progress.SecondsLeft,
            latest.Watts, latest.Celsius, work.End, work.Result, work.Trouble, [.. work.Order.Devices.Select(uuid => Member(uuid == _key.Device ? latest : _agent.Latest(uuid)))]);
    }

    private static MemberStatus Member(LatestReading latest) => new(latest.Uuid, latest.Watts, latest.Celsius);

    [LoggerMessage(Level = LogLevel.Error, Message = "Trial {Trial} on {Device} ended without a result, its outcome is unknown: {Reason}")]
    private partial void LogLost(TrialId trial, string device, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The result of trial {Trial} cannot be kept yet: {Reason}. It is tried again until it is kept.")]
    private partial void LogUnkept(TrialId trial, string reason);

    /// <summary>An order and what has become of it.</summary>
    private sealed class Work(TrialOrder order)
    {
        private readonly Lock _lock = new();
        private TrialProgress _progress = new(TrialPhase.Waiting, 0, double.NaN);

        public TrialOrder Order { get; } = order;
        public CancellationTokenSource Stop { get; } = new();
        public Task Done { get; set; } = Task.CompletedTask;
        public OrderEnd End { get; private set; }
        public TrialResult? Result { get; set; }
        public string Trouble { get; set; } = "";

        public TrialProgress Progress
        {
            get { lock (_lock) return _progress; }
        }

        /// <summary>
        /// Told by the trial's thread. That the trial has ended is not its thread's to say: it has when its result is kept, not when its work is done.
        /// </summary>
        public void Set(TrialProgress value)
        {
            lock (_lock) _progress = value.Phase == TrialPhase.Ended ? _progress with { Fraction = 1, SecondsLeft = 0 } : value;
        }

        public void Ended(OrderEnd end)
        {
            End = end;
            lock (_lock) _progress = new TrialProgress(TrialPhase.Ended, 1, 0);
        }
    }
}
