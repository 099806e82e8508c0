using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;
using EnergyGrid.Plans;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Grains;

/// <summary>
/// One sweep. This part is its life: submitted, running, paused, ended; <c>SweepGrain.Blocks.cs</c> drives the device groups. What to do next is
/// decided in <see cref="SweepCourse"/> from the plan, the passes and the committed results, so a sweep that was killed goes on where it was.
/// </summary>
[ControlPlacement, KeepAlive]
public sealed partial class SweepGrain(
    IResultStore store,
    GridIdentity identity,
    SweepPace pace,
    TimeProvider time,
    ILogger<SweepGrain> log,
    [PersistentState("sweep", "grid")] IPersistentState<SweepState> state) : Grain, ISweepGrain
{
    private readonly SemaphoreSlim _keeping = new(1, 1);
    private SweepCourse? _course;
    private SweepStatus? _status;
    private IGrainTimer? _timer;
    private bool _lookAgain;

    // What the disk could not take, told to people until it can: state itself may be what could not be written.
    private string _trouble = "";
    private long _startedAt;
    private int _committedAtStart;
    private long _publishedAt;
    private int _publishedTrials = -1;

    private string Id => this.GetPrimaryKeyString();

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        if (!state.RecordExists) return;
        if (Ended(state.State.Phase))
        {
            // Nothing is left to do, and what was done is still asked for. Results that cannot be read now leave its end to be told without them.
            try { await Take(cancellationToken); }
            catch (Exception e) when (OfTheDisk(e) || e is RefusedException) { LogUnread(e, Id); }
            return;
        }
        // What cannot be read or kept now must be seen and said, not tried over and over: the sweep is there, paused, with the reason.
        try { await TakeUp(cancellationToken); }
        catch (Exception e) when (OfTheDisk(e)) { Trouble($"it could not be taken up again: {e.Message}"); }
    }

    private async Task TakeUp(CancellationToken stop)
    {
        await Take(stop);
        // A pause of this length voids what was open: the devices' surroundings are no longer the same.
        var voided = time.GetUtcNow() - state.State.SeenUtc > pace.LongestPause;
        await Keep(s =>
        {
            s.Passes = _course!.AsCommitted(s.Passes);
            if (voided) s.Passes = WithoutOpen(s.Passes, $"not driven for more than {pace.LongestPause}");
            if (s.Phase == SweepPhase.Running) s.SeenUtc = time.GetUtcNow();
        });
        Begin();
    }

    public async Task<SweepStatus> Submit(string planText, string submittedBy)
    {
        if (state.RecordExists)
        {
            if (state.State.PlanText != planText) throw new RefusedException($"Sweep '{Id}' exists with another plan: submit under another id.");
            if (!Ended(state.State.Phase)) await Enter();
            return Look();
        }

        var plan = Resolve(planText);
        var nodes = await GrainFactory.GetGrain<IInventoryGrain>("grid").Nodes();
        var groups = SweepCourse.DeviceGroups(plan, nodes);
        await store.Create(Id, planText, plan);
        await Keep(s =>
        {
            (s.PlanText, s.Name, s.SubmittedBy, s.Phase) = (planText, plan.Name, submittedBy, SweepPhase.Running);
            s.SubmittedUtc = s.SeenUtc = time.GetUtcNow();
            s.Blocks = [.. groups.Select((devices, i) => new BlockRow(i, [.. devices.Select(d => d.Key)], SweepCourse.Binding(devices), false))];
            s.Targets = plan.Groups.ToImmutableDictionary(g => g.Name, _ => SteinReplication.FirstStagePasses(plan.Replication, groups.Length));
            s.Devices = [.. groups.SelectMany(g => g)];
        });
        // After the record: the index never names a sweep that does not exist. A crash between the two is mended by submitting again.
        await Enter();
        await Take();
        await Tell("submitted", $"{plan.Name}: cells {plan.Groups.Sum(g => g.Cells.Length)}, match groups {plan.Groups.Length}, device groups {groups.Length}");
        Begin();
        return Look();
    }

    private Task Enter() => GrainFactory.GetGrain<ISweepIndexGrain>("grid").Add(new SweepLine(Id, state.State.Name, state.State.SubmittedUtc, false));

    public Task<SweepStatus> Status()
    {
        if (!state.RecordExists) throw new RefusedException($"There is no sweep '{Id}'.");
        return Task.FromResult(_status ?? Look());
    }

    public async Task<SweepStatus> Pause(string reason)
    {
        MustBeAlive();
        if (state.State.Phase == SweepPhase.Running)
        {
            await Keep(s => (s.Phase, s.Reason, s.SeenUtc) = (SweepPhase.Paused, reason, time.GetUtcNow()));
            await Tell("paused", reason);
        }
        return Look();
    }

    public async Task<SweepStatus> Resume()
    {
        MustBeAlive();
        if (state.State.Phase != SweepPhase.Paused && _trouble.Length == 0) return Look();
        if (_timer is null)
        {
            try { await TakeUp(default); }
            catch (InvalidDataException e) { throw new RefusedException($"Sweep '{Id}' cannot go on: {e.Message}"); }
        }
        await Keep(s => (s.Phase, s.Reason, s.SeenUtc) = (SweepPhase.Running, "", time.GetUtcNow()));
        _trouble = "";
        await Tell("resumed", "");
        Begin();
        return Look();
    }

    public async Task<SweepStatus> Cancel(string reason)
    {
        if (!state.RecordExists) throw new RefusedException($"There is no sweep '{Id}'.");
        if (Ended(state.State.Phase)) return Look();
        // No tick may run on what is being taken down.
        _timer?.Dispose();
        _timer = null;
        await LetGo();
        await End(SweepPhase.Cancelled, reason);
        return Look();
    }

    public Task Nudge()
    {
        if (_timer is not null)
        {
            _lookAgain = true;
            _timer.Change(TimeSpan.Zero, pace.Tick);
        }
        return Task.CompletedTask;
    }

    private static bool Ended(SweepPhase phase) => phase is SweepPhase.Finished or SweepPhase.FinishedWithFailures or SweepPhase.Cancelled;

    private void MustBeAlive()
    {
        if (!state.RecordExists) throw new RefusedException($"There is no sweep '{Id}'.");
        if (Ended(state.State.Phase)) throw new RefusedException($"Sweep '{Id}' has ended ({state.State.Phase}).");
    }

    private static ResolvedPlan Resolve(string planText) => PlanFile.Load(planText, "plan") switch
    {
        { Plan: { } plan } => plan,
        { Problems: var problems } => throw new RefusedException(string.Join('\n', problems)),
    };

    private async Task Take(CancellationToken stop = default)
    {
        _course = new SweepCourse(Id, Resolve(state.State.PlanText), await store.Results(Id, stop));
        (_startedAt, _committedAtStart) = (time.GetTimestamp(), _course.Results.Count);
    }

    private void Begin()
    {
        Look();
        _timer ??= this.RegisterGrainTimer(Tick, new GrainTimerCreationOptions(TimeSpan.Zero, pace.Tick) { KeepAlive = true });
    }

    private async Task Tick(CancellationToken stop)
    {
        do
        {
            _lookAgain = false;
            try
            {
                await Drive(stop);
                await NoteTime();
                if (Going) await PublishNowAndThen(stop);
            }
            catch (Exception e) when (OfTheDisk(e))
            {
                await PauseFor($"what must be kept could not be written: {e.Message}");
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (InconsistentStateException e)
            {
                // Somebody else wrote this sweep's record: this activation ends, and the next one reads again.
                LogTickFailed(e, Id);
                _timer?.Dispose();
                _timer = null;
                DeactivateOnIdle();
                return;
            }
            catch (Exception e)
            {
                // One failed look is not the end of a sweep: it is said, and the next look tries again.
                LogTickFailed(e, Id);
            }
            Look();
        }
        while (_lookAgain && _timer is not null && !stop.IsCancellationRequested);
    }

    private async Task NoteTime()
    {
        var since = time.GetUtcNow() - state.State.SeenUtc;
        if (state.State.Phase == SweepPhase.Running && since > pace.Sign)
        {
            await Keep(s => s.SeenUtc = time.GetUtcNow());
        }
        else if (state.State.Phase == SweepPhase.Paused && since > pace.LongestPause && state.State.Passes.Any(p => p.Phase == PassPhase.Open))
        {
            await Keep(s => s.Passes = WithoutOpen(s.Passes, $"paused for more than {pace.LongestPause}"));
            await LetGo();
        }
    }

    // The disk is full or broken. Nothing that was committed is lost, nothing more is started; the trials that are running end and wait at their devices.
    private async Task PauseFor(string reason)
    {
        Trouble(reason);
        try
        {
            if (state.State.Phase == SweepPhase.Running) await Keep(s => (s.Phase, s.Reason) = (SweepPhase.Paused, reason));
        }
        catch (Exception e) when (OfTheDisk(e)) { /* Told through _trouble; after a restart the sweep tries again, which is right. */ }
    }

    private void Trouble(string reason)
    {
        if (_trouble.Length == 0) LogPaused(Id, reason);
        _trouble = reason;
        Look();
    }

    // What a full, broken or damaged disk says.
    private static bool OfTheDisk(Exception e) => e is StorageTroubleException or IOException or UnauthorizedAccessException or InvalidDataException;

    // Whether something may be started. A state that could not be written may still say running.
    private bool Going => state.State.Phase == SweepPhase.Running && _trouble.Length == 0;

    private async Task End(SweepPhase phase, string reason)
    {
        var now = time.GetUtcNow();
        // The last event before the manifest, which vouches for it; the phase after both, so that a crash between them ends the sweep again.
        await Tell(phase == SweepPhase.Cancelled ? "cancelled" : "finished", reason);
        await Publish(complete: phase != SweepPhase.Cancelled, phase, now, default);
        await Keep(s => (s.Phase, s.Reason, s.EndedUtc, s.SeenUtc) = (phase, reason, now, now));
        await GrainFactory.GetGrain<ISweepIndexGrain>("grid").End(Id);
        _timer?.Dispose();
        _timer = null;
        Look();
    }

    /// <summary>Changes the state on disk and in memory, or neither. One change at a time: device groups are driven side by side.</summary>
    private async Task Keep(Action<SweepState> change)
    {
        await _keeping.WaitAsync();
        try
        {
            var kept = state.State;
            state.State = kept.Copy();
            try
            {
                change(state.State);
                await state.WriteStateAsync();
            }
            catch
            {
                state.State = kept;
                throw;
            }
        }
        finally
        {
            _keeping.Release();
        }
    }

    private async Task Tell(string kind, string text)
    {
        try { await store.Append(Id, kind, text); }
        catch (Exception e) when (OfTheDisk(e)) { LogEventLost(e, Id, kind); } // an event is for people; the truth is in state and results
    }

    private SweepStatus Look()
    {
        var s = state.State;
        var course = _course;
        var planned = course?.Planned(s.Blocks, s.Passes, s.Targets) ?? 0;
        var committed = course?.Results.Count ?? 0;
        var valid = course?.Valid ?? 0;
        var paused = _trouble.Length > 0 && !Ended(s.Phase);
        return _status = new SweepStatus(Id, s.Name, paused ? SweepPhase.Paused : s.Phase, paused ? _trouble : s.Reason, Math.Max(planned, committed), committed, valid, committed - valid,
            s.Passes.Count(p => p.Phase == PassPhase.Void), s.Stage, SecondsLeft(planned - committed, committed), RunningNow(), s.SubmittedUtc, s.EndedUtc);
    }

    private double SecondsLeft(int left, int committed)
    {
        if (Ended(state.State.Phase)) return 0;
        var since = committed - _committedAtStart;
        return since <= 0 || state.State.Phase != SweepPhase.Running ? double.NaN : time.GetElapsedTime(_startedAt).TotalSeconds / since * Math.Max(0, left);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Sweep {Sweep}: a look at its devices failed; it will look again")]
    private partial void LogTickFailed(Exception error, string sweep);

    [LoggerMessage(Level = LogLevel.Error, Message = "Sweep {Sweep} pauses: {Reason}")]
    private partial void LogPaused(string sweep, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sweep {Sweep}: event '{Kind}' could not be kept")]
    private partial void LogEventLost(Exception error, string sweep, string kind);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The results of sweep {Sweep}, which has ended, cannot be read")]
    private partial void LogUnread(Exception error, string sweep);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sweep {Sweep}: {Device} does not answer")]
    private partial void LogNoAnswer(Exception error, string sweep, string device);
}
