using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;
using EnergyGrid.Plans;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Grains;

/// <summary>
/// One sweep. This part is its life: submitted, running, paused, ended. <c>SweepGrain.Groups.cs</c> is what it wants of its device groups and what they tell it,
/// <c>SweepGrain.Stages.cs</c> how it gets from one stage to the next and to its end. Trials are the device groups' business: while a sweep is between two homes
/// they go on.
/// </summary>
[ControlPlacement]
[GrainType("sweep")]
public sealed partial class SweepGrain(
    IResultStore store,
    GridIdentity identity,
    SweepPace pace,
    IClusterMembershipService membership,
    TimeProvider time,
    ILogger<SweepGrain> log,
    [PersistentState("sweep", "grid")] IPersistentState<SweepState> state) : Grain, ISweepGrain
{
    private readonly Kept<SweepState> _kept = new(state);
    private Looks _looks = null!; // from activation on
    private ResolvedPlan? _plan;
    private bool _taken;

    // What could not be kept or read, told to people until it can.
    private string _trouble = "";
    private long _said;

    private string Id => this.GetPrimaryKeyString();

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _looks = new(this, Look);
        if (_kept.Exists && !HasEnded) Begin();
        return Task.CompletedTask;
    }

    public async Task<SweepStatus> Submit(string planText, string submittedBy, int priority)
    {
        if (_kept.Exists)
        {
            if (_kept.Now.PlanText != planText) throw new RefusedException($"Sweep '{Id}' exists with another plan: submit under another id.");
            await Enter();
            return Say();
        }

        var plan = Resolve(planText);
        var nodes = await NodesUp();
        var groups = DeviceChoice.Groups(plan, nodes);
        await store.Create(Id, planText, plan);
        await _kept.Change(s =>
        {
            (s.Fence, s.PlanText, s.ResolvedText, s.Name, s.SubmittedBy, s.Priority, s.Phase) = (1, planText, PlanWriter.ToYaml(plan), plan.Name, submittedBy, priority, SweepPhase.Running);
            s.SubmittedUtc = time.GetUtcNow();
            s.Groups = [.. groups.Select((devices, i) => new GroupRow(i, devices, false))];
            s.Targets = plan.Groups.ToImmutableDictionary(g => g.Name, _ => SteinReplication.FirstStagePasses(plan.Replication, groups.Length));
        });
        // After the record: the index never names a sweep that does not exist. A crash between the two is mended by submitting again.
        await Enter();
        Begin();
        return Say();
    }

    public Task<SweepStatus> Status()
    {
        if (!_kept.Exists) throw new RefusedException($"There is no sweep '{Id}'.");
        _lookedAt = time.GetTimestamp();
        return Task.FromResult(Say());
    }

    public async Task<SweepStatus> Pause(string reason)
    {
        MustBeAlive();
        if (_kept.Now.Phase == SweepPhase.Running)
        {
            await Guarded(async () =>
            {
                await _kept.Take();
                await _kept.Change(s =>
                {
                    if (s.Phase == SweepPhase.Running && s.Ending is null) (s.Phase, s.Reason) = (SweepPhase.Paused, reason);
                });
            });
            if (_kept.Now.Phase != SweepPhase.Paused) return Say();
            await Note($"paused/{_kept.Now.Fence}/{_said++}", "paused", reason);
            WantAnew();
        }
        return Say();
    }

    public async Task<SweepStatus> Resume()
    {
        MustBeAlive();
        if (_kept.Now.Ending is not null) throw new RefusedException($"Sweep '{Id}' is being ended: {_trouble}");
        if (_kept.Now.Phase != SweepPhase.Paused && _trouble.Length == 0) return Say();
        // Never beside a look, which may be taking up the same.
        await _looks.Alone(() => Guarded(async () =>
        {
            await TakeUp();
            if (_kept.Now.Phase == SweepPhase.Paused) await _kept.Change(s => (s.Phase, s.Reason, s.Tries) = (SweepPhase.Running, "", s.Tries + 1));
        }));
        _trouble = "";
        await Note($"resumed/{_kept.Now.Fence}/{_said++}", "resumed", "");
        WantAnew();
        Begin();
        return Say();
    }

    public async Task<SweepStatus> Cancel(string reason)
    {
        if (!_kept.Exists) throw new RefusedException($"There is no sweep '{Id}'.");
        if (HasEnded) return Say();
        await _looks.Alone(() => Guarded(async () =>
        {
            if (HasEnded) return;
            // A plan that this version cannot read is no reason why its sweep could not be ended.
            await _kept.Take();
            await store.Take(Id, Fence);
            // An end that has begun stays what it was: its documents may be frozen already.
            if (_kept.Now.Ending is { } ending) await End(ending, _kept.Now.Reason);
            else await End(SweepPhase.Cancelled, reason);
        }));
        return Say();
    }

    public async Task Wake()
    {
        if (!_kept.Exists) return;
        // A crash between the end of a sweep and that of its line in the index leaves it there as live.
        if (HasEnded) await GrainFactory.GetGrain<ISweepIndexGrain>("grid").End(Id);
        else Begin();
    }

    public async Task Forget()
    {
        if (!_kept.Exists) return;
        if (!HasEnded) throw new RefusedException($"Sweep '{Id}' has not ended: cancel it first.");
        await Task.WhenAll(_kept.Now.Groups.Select(g => Group(g.Number).Forget()));
        await state.ClearStateAsync();
        DeactivateOnIdle();
    }

    private bool HasEnded => _kept.Now.Phase is SweepPhase.Finished or SweepPhase.FinishedWithFailures or SweepPhase.Cancelled;

    // Whether something may be started. A state that could not be written may still say running.
    private bool Going => _kept.Now.Phase == SweepPhase.Running;

    private string PlanInForce => _kept.Now.ResolvedText.Length > 0 ? _kept.Now.ResolvedText : _kept.Now.PlanText;

    private Fence Fence => new("sweep", _kept.Now.Fence);

    private void MustBeAlive()
    {
        if (!_kept.Exists) throw new RefusedException($"There is no sweep '{Id}'.");
        if (HasEnded) throw new RefusedException($"Sweep '{Id}' has ended ({_kept.Now.Phase}).");
    }

    private Task Enter() => GrainFactory.GetGrain<ISweepIndexGrain>("grid").Add(new SweepLine(Id, _kept.Now.Name, _kept.Now.SubmittedUtc, HasEnded));

    private static ResolvedPlan Resolve(string planText) => PlanFile.Load(planText, "plan") switch
    {
        { Plan: { } plan } => plan,
        { Problems: var problems } => throw new RefusedException(string.Join('\n', problems)),
    };

    private void Begin() => _looks.Begin(pace.Tick, first: TimeSpan.Zero);

    // Its number first: from then on an older copy of this sweep can write nothing and order nothing.
    private async Task TakeUp()
    {
        if (_taken) return;
        await _kept.Take();
        await store.Take(Id, Fence);
        _plan = Resolve(PlanInForce);
        await ReadOn();
        var plan = _plan;
        await Note("submitted", "submitted", $"{plan.Name}: {Count(plan.Groups.Sum(g => g.Cells.Length), "cell")} in {Count(plan.Groups.Length, "match group")} on {Count(_kept.Now.Groups.Length, "device group")}");
        _taken = true;
    }

    private async Task Look()
    {
        if (HasEnded || !_looks.Going) return;
        try
        {
            if (_kept.Now.Ending is { } ending)
            {
                await _kept.Take();
                await store.Take(Id, Fence);
                await End(ending, _kept.Now.Reason);
                return;
            }
            await TakeUp();
            AskGroups();
            await Consider();
            if (!HasEnded) await PublishNowAndThen();
            Trouble(_lines.Values.Select(l => l.Report?.Trouble).FirstOrDefault(t => t is { Length: > 0 }) is { } trouble ? trouble : "");
        }
        catch (StorageTroubleException e)
        {
            Trouble(FaultText.Unkept(e));
        }
        catch (RefusedException e)
        {
            // Written by a version that allowed what this one does not.
            Trouble($"its plan cannot be read by this version: {e.Message}");
        }
        catch (SupersededException e)
        {
            LogSuperseded(Id, e.Message);
            Retire();
        }
        catch (Exception e)
        {
            // One failed look is not the end of a sweep: it is said, and the next look tries again.
            LogLookFailed(e, Id);
            Trouble($"a look at its device groups failed, and the next tries again: {FaultText.Of(e)}");
        }
    }

    // Calls from outside tell their caller what went wrong; a copy that is behind ends besides.
    private async Task Guarded(Func<Task> act)
    {
        try
        {
            await act();
        }
        catch (SupersededException)
        {
            Retire();
            throw;
        }
    }

    private void Retire()
    {
        _looks.End();
        DeactivateOnIdle();
    }

    // Said once, however often it is met again before it is over.
    private void Trouble(string reason)
    {
        if (_trouble.Length == 0 && reason.Length > 0) LogTrouble(Id, reason);
        _trouble = reason;
    }

    private async Task Note(string key, string kind, string text)
    {
        try { await store.Append(Id, Fence, key, kind, text); }
        catch (Exception e) when (e is StorageTroubleException or RefusedException) { LogEventLost(Id, kind, e.Message); } // an event is for people; the truth is in state and results
    }

    private SweepStatus Say()
    {
        var s = _kept.Now;
        if (HasEnded)
        {
            // What was cancelled keeps what it had before it; what has finished has done what was planned.
            var intended = s.Phase == SweepPhase.Cancelled ? Math.Max(s.Planned, s.Committed) : s.Committed;
            return new SweepStatus(Id, s.Name, s.Phase, s.Reason, intended, s.Committed, s.Valid, s.Committed - s.Valid, s.Voided, s.Stage, 0, [], s.SubmittedUtc, s.EndedUtc, "", s.Priority, s.SubmittedBy);
        }
        var reports = _lines.Values.Select(l => l.Report).OfType<GroupReport>().ToArray();
        var trouble = _trouble.Length > 0 ? _trouble : reports.FirstOrDefault(r => r.Trouble.Length > 0) is { } troubled ? troubled.Trouble : "";
        var committed = Math.Max(reports.Sum(r => r.Committed), _results.Count);
        var valid = Math.Max(reports.Sum(r => r.Valid), _results.Count(r => r.Outcome == TrialOutcome.Valid));
        var phase = trouble.Length > 0 ? SweepPhase.Paused : s.Phase;
        return new SweepStatus(Id, s.Name, phase, trouble.Length > 0 ? trouble : s.Reason, Math.Max(Planned(), committed), committed, valid, committed - valid,
            reports.Sum(r => r.Passes.Count(p => p.Phase == PassPhase.Void)), s.Stage, phase == SweepPhase.Running ? _seen.SecondsLeft() : double.NaN,
            [.. reports.OrderBy(r => r.Group).SelectMany(r => r.Running)], s.SubmittedUtc, s.EndedUtc, Waiting(reports), s.Priority, s.SubmittedBy);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Sweep {Sweep}: a look at its device groups failed; it will look again")]
    private partial void LogLookFailed(Exception error, string sweep);

    [LoggerMessage(Level = LogLevel.Error, Message = "Sweep {Sweep} pauses: {Reason}")]
    private partial void LogTrouble(string sweep, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Sweep {Sweep} goes on elsewhere: {Reason}")]
    private partial void LogSuperseded(string sweep, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sweep {Sweep}: event '{Kind}' could not be kept: {Reason}")]
    private partial void LogEventLost(string sweep, string kind, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sweep {Sweep}: {What} does not answer: {Reason}")]
    private partial void LogNoAnswer(string sweep, string what, string reason);
}
