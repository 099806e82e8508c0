using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Plans;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Grains;

/// <summary>
/// One device group of a sweep. This part is its life: orders, activation, what it says of itself; <c>DeviceGroupGrain.Passes.cs</c> is how it gets through a pass.
/// It looks at its devices at every tick and whenever one of them calls; looks never overlap. A silent host holds up nobody but itself.
/// </summary>
[ControlPlacement]
[GrainType("device-group")]
public sealed partial class DeviceGroupGrain(
    IResultStore store,
    SweepPace pace,
    TimeProvider time,
    ILogger<DeviceGroupGrain> log,
    [PersistentState("device-group", "grid")] IPersistentState<DeviceGroupState> state) : Grain, IDeviceGroupGrain
{
    private readonly Kept<DeviceGroupState> _kept = new(state);
    private Looks _looks = null!; // from activation on
    private string _sweep = "";
    private int _number;
    private GroupOrders? _orders;
    private GroupCourse? _course;

    // What could not be kept, told to people until it can.
    private string _trouble = "";
    private string _waiting = "";
    private bool _idle;
    private long _sequence;
    private GroupReport? _told;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var key = this.GetPrimaryKeyString();
        var slash = key.LastIndexOf('/');
        if (slash <= 0 || !int.TryParse(key.AsSpan(slash + 1), out _number)) throw new RefusedException($"'{key}' is no key of a device group: it must be 'sweep/number'.");
        _sweep = key[..slash];
        _looks = new(this, Look);
        return Task.CompletedTask;
    }

    public async Task<GroupReport> Drive(GroupOrders orders)
    {
        if (orders.SweepFence < _kept.Now.SweepFence || orders.SweepFence < (_orders?.SweepFence ?? 0))
            throw new SupersededException($"Activation {Math.Max(_kept.Now.SweepFence, _orders?.SweepFence ?? 0)} of sweep '{_sweep}' has given orders since activation {orders.SweepFence}.");
        if (_orders is null || (orders.SweepFence, orders.Version).CompareTo((_orders.SweepFence, _orders.Version)) > 0)
        {
            _orders = orders;
            _idle = false;
        }
        _looks.Begin(pace.Tick, first: pace.Tick);
        _looks.Soon().Ignore();
        return await Report();
    }

    public Task<GroupReport> Report() => Task.FromResult(Say());

    public async Task<GroupReport> End(long sweepFence, string reason)
    {
        if (sweepFence < _kept.Now.SweepFence) throw new SupersededException($"Activation {_kept.Now.SweepFence} of sweep '{_sweep}' has given orders since activation {sweepFence}.");
        try
        {
            await _looks.Alone(async () =>
            {
                // Nothing of it can be committed from here on; what runs is ended because nobody wants it, not because something might come of it.
                await _kept.Take();
                await store.Take(_sweep, Fence);
                await Withdraw();
                (_given, _status, _waiting) = (null, null, "");
                await GiveBack(always: true);
                // Last: a group that says that it has ended is not asked again.
                await _kept.Change(s => (s.Phase, s.Reason, s.SweepFence) = (GroupPhase.Ended, reason, sweepFence));
                _looks.End();
            });
            return Say();
        }
        catch (SupersededException)
        {
            Retire();
            throw;
        }
    }

    public async Task Forget()
    {
        await state.ClearStateAsync();
        Retire();
    }

    public Task Nudge()
    {
        // Without orders it is of no use to look; its sweep gives them again when it is asked for.
        if (_orders is null) return Task.CompletedTask;
        _asked = null;
        _looks.Soon().Ignore();
        return Task.CompletedTask;
    }

    private async Task Look()
    {
        await LookOnce();
        // Who was superseded has nothing to tell.
        if (_looks.Going) Tell();
    }

    private async Task LookOnce()
    {
        if (_orders is null || _kept.Now.Phase == GroupPhase.Ended) return;
        try
        {
            await Take();
            await Step();
            _trouble = "";
        }
        catch (StorageTroubleException e)
        {
            // The disk is full, or Redis is away. Nothing more is started; what runs goes on and is kept when it can be. No host is to blame.
            if (_trouble.Length == 0) LogTrouble(this.GetPrimaryKeyString(), e.Message);
            _trouble = FaultText.Unkept(e);
            _silentSince = null;
        }
        catch (SupersededException e)
        {
            LogSuperseded(this.GetPrimaryKeyString(), e.Message);
            Retire();
        }
        catch (Exception e) when (IsSilence(e))
        {
            await Silent(e);
        }
        catch (Exception e)
        {
            // One failed look is not the end of a sweep: it is said, and the next look tries again.
            LogLookFailed(e, this.GetPrimaryKeyString());
            _trouble = $"a look of device group {_number} at its devices failed, and the next tries again: {FaultText.Of(e)}";
        }
    }

    // Its number first: from then on an older copy of this group can write nothing. What it ordered goes on and is adopted.
    private async Task Take()
    {
        if (_course is not null) return;
        await _kept.Take();
        var registered = await store.Take(_sweep, Fence);
        var course = new GroupCourse(_sweep, _number, Resolve(_orders!.PlanText));
        var results = await store.Results(_sweep);
        foreach (var result in results) course.Add(result);
        (_read, _registered) = (results.Length, registered);
        var voided = _kept.Now.Phase != GroupPhase.Fresh && time.GetUtcNow() - _kept.Now.SeenUtc > pace.LongestPause;
        await _kept.Change(s =>
        {
            s.SweepFence = _orders.SweepFence;
            s.Devices = [.. _orders.Devices.Select(d => d.Key)];
            s.Passes = course.AsCommitted(s.Passes);
            // The devices' surroundings are no longer the same.
            if (voided) s.Passes = WithoutOpen(s.Passes, $"not driven for more than {pace.LongestPause}");
            if (s.Phase == GroupPhase.Fresh) (s.Phase, s.Binding, s.Tries) = (GroupPhase.Running, DeviceChoice.Binding(_orders.Devices), _orders.Tries);
            s.SeenUtc = time.GetUtcNow();
        });
        (_course, _seenAt) = (course, time.GetTimestamp());
    }

    private static ResolvedPlan Resolve(string planText) => PlanFile.Load(planText, "plan") switch
    {
        { Plan: { } plan } => plan,
        { Problems: var problems } => throw new RefusedException(string.Join('\n', problems)),
    };

    private Fence Fence => new(Fence.GroupActor(_number), _kept.Now.Fence);

    private string Host => HostPlacement.Split(_kept.Now.Devices[0]).Host;

    private bool Going => _orders!.Going;

    private INodeGrain Node => GrainFactory.GetGrain<INodeGrain>(Host);

    private IGpuGrain Lead => GrainFactory.GetGrain<IGpuGrain>(_kept.Now.Devices[0]);

    private void Retire()
    {
        _looks.End();
        DeactivateOnIdle();
    }

    // What a call says whose answer nobody knows: a timeout, a silo that is gone or going, a host that nobody serves now.
    private static bool IsSilence(Exception e) => e is TimeoutException or HostUnavailableException or SiloUnavailableException or OrleansMessageRejectionException or InconsistentStateException;

    private GroupReport Say()
    {
        var s = _kept.Now;
        var ended = s.Phase is GroupPhase.Ended or GroupPhase.Sick;
        var planned = _course is { } course && _orders is { } orders ? course.Planned(s.Passes, orders.Targets, ended) : 0;
        var heeded = _course is null ? null : _orders;
        return new GroupReport(_number, s.Fence, ++_sequence, heeded?.SweepFence ?? 0, heeded?.Version ?? 0, s.Phase, s.Reason, s.Tries, _idle, _waiting, _trouble,
            _course?.Results.Count ?? 0, _course?.Valid ?? 0, planned, s.Passes, Running());
    }

    // At every change of what matters; how far a trial is, its sweep asks for while somebody looks.
    private void Tell()
    {
        if (_course is null && _trouble.Length == 0) return;
        var report = Say();
        if (_told is { } told && (told.Fence, told.SweepFence, told.Version, told.Phase, told.Reason, told.Tries, told.Idle, told.Waiting, told.Trouble, told.Committed, told.Valid, told.Planned)
                == (report.Fence, report.SweepFence, report.Version, report.Phase, report.Reason, report.Tries, report.Idle, report.Waiting, report.Trouble, report.Committed, report.Valid, report.Planned)
            && told.Passes.SequenceEqual(report.Passes) && told.Running.Select(r => (r.Device, r.Trial, r.Phase)).SequenceEqual(report.Running.Select(r => (r.Device, r.Trial, r.Phase)))) return;
        _told = report;
        GrainFactory.GetGrain<ISweepGrain>(_sweep).Told(report).Ignore();
    }

    private static ImmutableArray<PassRow> WithoutOpen(ImmutableArray<PassRow> passes, string reason)
        => [.. passes.Select(p => p.Phase == PassPhase.Open ? p with { Phase = PassPhase.Void, Reason = reason } : p)];

    [LoggerMessage(Level = LogLevel.Error, Message = "Device group {Group}: a look at its devices failed; it will look again")]
    private partial void LogLookFailed(Exception error, string group);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Device group {Group} waits: {Reason}")]
    private partial void LogTrouble(string group, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Device group {Group} goes on elsewhere: {Reason}")]
    private partial void LogSuperseded(string group, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Device group {Group}: '{Host}' does not answer: {Reason}")]
    private partial void LogSilent(string group, string host, string reason);
}
