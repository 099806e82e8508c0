using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

// How a device group gets through its passes: lease the devices for a whole pass, register an order, give it, wait until its result is kept, give the next.
public sealed partial class DeviceGroupGrain
{
    /// <summary>How often a lease that is refused is asked for again, and a host that is away looked for; what is freed calls by itself.</summary>
    private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(1);

    /// <summary>So long a group that has all its passes keeps its devices: its sweep may want more of it at once, and between two stages they are not a younger sweep's.</summary>
    private static readonly TimeSpan BetweenStages = TimeSpan.FromSeconds(2);

    // How often an order was lost on devices that had not been started anew meanwhile. Not on disk: a restart is no fault of a device.
    private readonly Dictionary<TrialId, int> _lost = [];
    private int _read;
    private string _registered = "";
    private System.Diagnostics.Activity? _span;
    private long _numbered;
    private Held? _held;
    private Given? _given;
    private GpuStatus? _status;
    private long? _silentSince;
    private long? _asked;
    private long? _idleSince;

    // When its state last said that it is driven, by a clock that nobody sets: SeenUtc is for the next activation.
    private long _seenAt;

    /// <summary>The lease on the devices.</summary>
    private sealed record Held(string Pass, long Epoch, long RenewedAt);

    /// <summary>The order that is out.</summary>
    /// <param name="Id">Registered with the results.</param>
    /// <param name="Trial">Of this trial.</param>
    /// <param name="Incarnation">Of the process that took it; empty if it never answered.</param>
    private sealed record Given(string Id, TrialId Trial, string Incarnation);

    private async Task Step()
    {
        var orders = _orders!;
        if (orders.Tries > _kept.Now.Tries)
            await _kept.Change(s =>
            {
                s.Tries = orders.Tries;
                if (s.Phase == GroupPhase.Sick) (s.Phase, s.Reason) = (GroupPhase.Running, "");
            });
        if (_kept.Now.Phase == GroupPhase.Sick) return;
        if (_kept.Now.Phase == GroupPhase.Away && !await IsBack()) return;
        // What can be said without the store is said first: while it is away, a result may be waiting for it under this lease.
        if (_given is not null && _status is { Phase: not TrialPhase.Ended }) await Renew();
        await NoteTime();
        // Bounded: whatever goes wrong over and over must not keep the look from ending.
        for (var left = 16; left > 0 && await Advance(); left--) { }
    }

    /// <returns>Whether there is something more to do at once.</returns>
    private async Task<bool> Advance()
    {
        if (_given is null && _registered.Length > 0) return await Adopt();
        if (_given is not null) return await Watch(_given);
        var orders = _orders!;
        if (_course!.NextPass(_kept.Now.Passes, orders.Targets) is not { } pass)
        {
            _waiting = "";
            _idleSince ??= time.GetTimestamp();
            if (time.GetElapsedTime(_idleSince.Value) > BetweenStages) await GiveBack();
            // Other orders may have come meanwhile.
            _idle = ReferenceEquals(orders, _orders);
            return !_idle;
        }
        (_idle, _idleSince) = (false, null);
        if (_course.Next(pass) is not { } next)
        {
            await KeepPass(pass with { Phase = PassPhase.Done });
            return true;
        }
        if (!Going)
        {
            _waiting = "";
            return false;
        }
        // On disk before anything is asked for it: a copy of this group that is behind finds out before it disturbs anybody.
        if (!_kept.Now.Passes.Contains(pass)) await KeepPass(pass);
        if (_held?.Pass != GroupCourse.PassName(pass)) return await Lease(pass);
        if (!await Renew()) return true;
        return await Start(pass, next.Trial, next.Cell);
    }

    // What an earlier activation ordered. If it still runs it is ours: its lease is asked for as it stands, and nothing is disturbed.
    private async Task<bool> Adopt()
    {
        var status = await Lead.Status();
        Answered();
        if (status.Order == _registered && status.Holder == this.GetPrimaryKeyString() && status.Trial is { } trial)
        {
            (_given, _status) = (new Given(_registered, trial, status.Incarnation), status);
            if (_kept.Now.Passes.FirstOrDefault(p => p.Phase == PassPhase.Open) is { } open && _held is null) await Lease(open, adopting: true);
            return true;
        }
        await Withdraw();
        await ReadOn();
        await NextAttempt();
        return true;
    }

    private async Task<bool> Watch(Given given)
    {
        var status = await Lead.Status();
        Answered();
        // The device knows nothing of it: its process has been started anew, or never got the order.
        if (status.Order != given.Id || status.Holder != this.GetPrimaryKeyString()) return await Lost(given, counts: status.Incarnation == given.Incarnation);
        _status = status;
        await Renew();
        if (status.Phase != TrialPhase.Ended)
        {
            if (status.Trouble.Length > 0) throw new StorageTroubleException(status.Trouble);
            return false;
        }
        switch (status.End)
        {
            case OrderEnd.Kept:
                await Committed(given, status.Result!);
                return true;
            case OrderEnd.KeptBefore:
                await ReadOn();
                (_given, _status, _registered) = (null, null, "");
                return true;
            case OrderEnd.Withdrawn:
                // Not by us: whoever did it has a higher number, which the store tells now.
                await store.Take(_sweep, Fence);
                return await Lost(given, counts: false);
            default:
                return await Lost(given, counts: status.End == OrderEnd.Lost);
        }
    }

    private async Task Committed(Given given, TrialResult result)
    {
        _course!.Add(result);
        _lost.Remove(given.Trial);
        if (result.Outcome != TrialOutcome.Valid)
            await Note($"trial/{given.Trial}", "trial", $"{result.Trial} on {result.Host}: {result.Outcome.ToString().ToLowerInvariant()}: {string.Join("; ", result.Reasons)}");
        (_given, _status, _registered) = (null, null, "");
    }

    // Unknown, never failed. The order is withdrawn first, so that from here on nothing can come of it; then the results tell whether something had.
    private async Task<bool> Lost(Given given, bool counts)
    {
        await Withdraw();
        await ReadOn();
        (_given, _status) = (null, null);
        if (_course!.Results.ContainsKey(given.Trial)) return true;
        await Note($"b{_number}/lost/{given.Id}", "trial", $"{given.Trial} on {Host}: outcome unknown; it is run again");
        if (counts)
        {
            var times = _lost[given.Trial] = _lost.GetValueOrDefault(given.Trial) + 1;
            // A quarantined device is not offered any more: there is nothing to try again.
            var offered = (await Node.View()).Devices;
            var quarantined = _orders!.Devices.FirstOrDefault(d => !offered.Any(o => o.Uuid == d.Uuid));
            if (quarantined is not null || times >= pace.MostAttempts)
            {
                _lost.Remove(given.Trial);
                await GiveUp(GroupPhase.Sick, quarantined is null ? $"{given.Trial} was lost {times} times" : $"{quarantined.Key} is quarantined: {given.Trial} was lost on it", lost: true);
                return false;
            }
        }
        await NextAttempt();
        return true;
    }

    private async Task<bool> Lease(PassRow pass, bool adopting = false)
    {
        if (!adopting && _waiting.Length > 0 && _asked is { } asked && time.GetElapsedTime(asked) < AskAgain) return false;
        _asked = time.GetTimestamp();
        var lease = await Node.Lease(new LeaseRequest(this.GetPrimaryKeyString(), Fence.Number, GroupCourse.PassName(pass), [.. _orders!.Devices.Select(d => d.Uuid)],
            _orders.Priority, _orders.SubmittedUtc, pace.Lease.TotalSeconds));
        Answered();
        if (lease.Gone)
        {
            await GiveUp(GroupPhase.Sick, lease.Why);
            return false;
        }
        _held = null;
        _waiting = lease.Granted ? "" : $"{Host}: {lease.Why}";
        if (!lease.Granted) return false;
        CrashPoint.Pass(CrashPoint.Leased);
        var binding = DeviceChoice.Binding(lease.Devices);
        if (binding != _kept.Now.Binding)
        {
            // A pass is bound to its devices' driver and power limit.
            var reason = $"driver or power limit changed: {_kept.Now.Binding} is now {binding}";
            var begun = IsBegun(pass);
            await _kept.Change(s =>
            {
                s.Binding = binding;
                if (begun) s.Passes = Replace(s.Passes, pass with { Phase = PassPhase.Void, Reason = reason });
            });
            if (begun)
            {
                await NoteVoid(pass, reason);
                return true;
            }
        }
        _held = new Held(GroupCourse.PassName(pass), lease.Epoch, time.GetTimestamp());
        _span ??= GridTelemetry.Begin("pass", _sweep)?.SetTag("energygrid.pass", GroupCourse.PassName(pass)).SetTag("energygrid.host", Host);
        return true;
    }

    private async Task<bool> Renew()
    {
        if (_held is not { } held) return false;
        if (time.GetElapsedTime(held.RenewedAt) < pace.Lease / 6) return true;
        var still = await Node.Renew(this.GetPrimaryKeyString(), held.Epoch);
        _held = still ? held with { RenewedAt = time.GetTimestamp() } : null;
        return still;
    }

    private async Task<bool> Start(PassRow pass, TrialId trial, PlannedCell cell)
    {
        var plan = _course!.Plan;
        var keep = plan.KeepTraces == "all" || (plan.KeepTraces == "first-pass" && trial is { Block: 0, Pass: 0 });
        // The epoch makes it the only one of its kind, even if a sweep of this name was here before and was removed.
        var id = $"{trial}.a{pass.Leases - 1}.e{_held!.Epoch}";
        var order = new TrialOrder(trial, [.. _orders!.Devices.Select(d => d.Uuid)], _held.Epoch, pass.Leases - 1, cell.Configuration, cell.Cost,
            LayerLegs.InPass(cell.Configuration, trial.Pass), plan.Timing, plan.Guards, keep, id, this.GetPrimaryKeyString(), Fence.Number, ++_numbered, plan.Sha256,
            cell.Configuration.Serve is null ? null : new ServiceLimits(cell.Disclosure.ServiceMilliseconds, cell.Disclosure.FirstTokenMilliseconds));
        try
        {
            await store.Register(_sweep, Fence, id);
        }
        catch (RefusedException e)
        {
            // The sweep has ended and could not tell.
            await _kept.Change(s => (s.Phase, s.Reason) = (GroupPhase.Ended, e.Message));
            await GiveBack();
            _looks.End();
            return false;
        }
        CrashPoint.Pass(CrashPoint.Registered);
        // From here on it may have begun, whatever the call says.
        (_registered, _given) = (id, new Given(id, trial, ""));
        try
        {
            // The trial on its node is a part of the pass.
            if (_span is not null) System.Diagnostics.Activity.Current = _span;
            _status = await Lead.Start(order);
        }
        catch (StaleEpochException)
        {
            // Somebody else has the devices. The order never began: it is withdrawn, and the devices are asked for again.
            await Withdraw();
            (_given, _status) = (null, null);
            await GiveBack();
            return true;
        }
        Answered();
        _given = _given with { Incarnation = _status.Incarnation };
        return _status.Phase == TrialPhase.Ended;
    }

    private void Answered() => _silentSince = null;

    private async Task Silent(Exception error)
    {
        if (_kept.Now.Phase == GroupPhase.Away || _course is null) return;
        if (_silentSince is not { } since)
        {
            // Said once; the next looks find the same until it answers or is given up.
            LogSilent(this.GetPrimaryKeyString(), Host, FaultText.Of(error));
            _silentSince = time.GetTimestamp();
            return;
        }
        if (time.GetElapsedTime(since) <= pace.HostPatience) return;
        try
        {
            await Withdraw();
            await GiveUp(GroupPhase.Away, $"host '{Host}' did not answer for {pace.HostPatience.TotalSeconds:0} s: {FaultText.Of(error)}");
        }
        catch (StorageTroubleException e)
        {
            (_trouble, _silentSince) = (e.Message, null);
        }
        catch (SupersededException e)
        {
            LogSuperseded(this.GetPrimaryKeyString(), e.Message);
            Retire();
        }
    }

    // A dead host voids the pass that is open there; so do devices that lose what they are given.
    // A pass of which a trial ran, kept or lost, is void; one of which nothing ran was none, and its number is free.
    private async Task GiveUp(GroupPhase phase, string reason, bool lost = false)
    {
        var open = _kept.Now.Passes.FirstOrDefault(p => p.Phase == PassPhase.Open);
        var begun = open is not null && (lost || IsBegun(open));
        await _kept.Change(s =>
        {
            (s.Phase, s.Reason) = (phase, reason);
            if (begun) s.Passes = Replace(s.Passes, open! with { Phase = PassPhase.Void, Reason = reason });
            else if (open is not null) s.Passes = s.Passes.Remove(open);
        });
        if (begun) await NoteVoid(open!, reason);
        (_given, _status, _silentSince, _waiting) = (null, null, null, "");
        if (phase == GroupPhase.Away) _held = null;
        else await GiveBack();
    }

    private async Task<bool> IsBack()
    {
        if (_asked is { } asked && time.GetElapsedTime(asked) < AskAgain) return false;
        _asked = time.GetTimestamp();
        var node = await Node.View();
        if (_orders!.Devices.FirstOrDefault(d => !node.Devices.Any(o => o.Uuid == d.Uuid)) is { } missing)
        {
            if (!node.Opening) await GiveUp(GroupPhase.Sick, $"host '{Host}' is back and does not offer {missing.Key}");
            return false;
        }
        await _kept.Change(s => (s.Phase, s.Reason, s.SeenUtc) = (GroupPhase.Running, "", time.GetUtcNow()));
        _seenAt = time.GetTimestamp();
        await Note($"b{_number}/back/{Fence.Number}/{_kept.Now.Passes.Count(p => p.Phase == PassPhase.Void)}", "resumed", $"device group {_number} on '{Host}' is back");
        return true;
    }

    // While the open pass is driven it is noted, now and then. Not driven for too long, by a pause or because nothing could be kept, it is void.
    private async Task NoteTime()
    {
        var since = time.GetElapsedTime(_seenAt);
        var open = _kept.Now.Passes.FirstOrDefault(p => p.Phase == PassPhase.Open);
        if (_given is null && since > pace.LongestPause)
        {
            if (open is not null && IsBegun(open))
            {
                var reason = $"not driven for more than {pace.LongestPause}";
                await KeepPass(open with { Phase = PassPhase.Void, Reason = reason });
                await NoteVoid(open, reason);
            }
            if (!Going) await GiveBack();
        }
        if (!Going || since <= pace.Sign || open is null) return;
        await _kept.Change(s => s.SeenUtc = time.GetUtcNow());
        _seenAt = time.GetTimestamp();
    }

    private bool IsBegun(PassRow pass) => pass.Leases > 1 || _given is not null || _course!.HasResults(pass);

    // The number of an attempt is used once, whatever became of it.
    private async Task NextAttempt()
    {
        if (_kept.Now.Passes.FirstOrDefault(p => p.Phase == PassPhase.Open) is { } open) await KeepPass(open with { Leases = open.Leases + 1 });
    }

    private async Task Withdraw()
    {
        await store.Register(_sweep, Fence, "");
        _registered = "";
    }

    private async Task ReadOn()
    {
        var results = await store.Results(_sweep, _read);
        foreach (var result in results) _course!.Add(result);
        _read += results.Length;
    }

    // A host that does not answer now lets the lease run out by itself.
    private async Task GiveBack(bool always = false)
    {
        if ((_held is null && !always) || _kept.Now.Devices.IsEmpty) return;
        _held = null;
        try { await Node.Release(this.GetPrimaryKeyString(), long.MaxValue); }
        catch (Exception e) when (IsSilence(e)) { /* As said. */ }
    }

    private async Task KeepPass(PassRow pass)
    {
        await _kept.Change(s =>
        {
            s.Passes = Replace(s.Passes, pass);
            if (pass.Phase != PassPhase.Void) s.SeenUtc = time.GetUtcNow();
        });
        if (pass.Phase != PassPhase.Void) _seenAt = time.GetTimestamp();
        if (pass.Phase == PassPhase.Open) return;
        _span?.SetTag("energygrid.outcome", $"{pass.Phase}").Stop();
        _span = null;
    }

    private static ImmutableArray<PassRow> Replace(ImmutableArray<PassRow> passes, PassRow pass)
    {
        for (var i = passes.Length - 1; i >= 0; i--)
            if ((passes[i].Group, passes[i].Pass) == (pass.Group, pass.Pass)) return passes.SetItem(i, pass);
        return passes.Add(pass);
    }

    private Task NoteVoid(PassRow pass, string reason) => Note($"b{_number}/void/{GroupCourse.PassName(pass)}", "void", $"{GroupCourse.PassName(pass)}: {reason}");

    // An event is for people: the truth is in state and results.
    private async Task Note(string key, string kind, string text)
    {
        try { await store.Append(_sweep, Fence, key, kind, text); }
        catch (Exception e) when (e is StorageTroubleException or RefusedException) { LogTrouble(this.GetPrimaryKeyString(), e.Message); }
    }

    private ImmutableArray<RunningTrial> Running() => _given is { } given && _status is { Phase: not TrialPhase.Ended } status
        ? [.. status.Members.Select(m => new RunningTrial($"{Host}/{m.Uuid}", given.Trial.ToString(), status.Phase, status.Fraction, m.Watts, m.Celsius))]
        : [];
}
