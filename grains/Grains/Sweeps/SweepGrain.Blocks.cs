using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

// How a sweep drives its device groups: lease a whole pass, run its trials one after the other, commit each, give the devices back.
public sealed partial class SweepGrain
{
    private readonly Dictionary<int, Holding> _held = [];

    /// <summary>A device group that is held for a pass, with what is known of the trial on it.</summary>
    private sealed class Holding(PassRow pass, ImmutableArray<long> epochs, long now)
    {
        public PassRow Pass { get; } = pass;
        public ImmutableArray<long> Epochs { get; } = epochs;
        public TrialId? Ordered { get; set; }
        public long LastAnswer { get; set; } = now;
        public GpuStatus? Status { get; set; }
        public System.Diagnostics.Activity? Span { get; init; }
    }

    // Since when a device group does not answer, and how often a trial was lost. Not on disk: a restart is no fault of a device.
    private readonly Dictionary<int, long> _silent = [];
    private readonly Dictionary<TrialId, int> _lost = [];

    private async Task Drive(CancellationToken stop)
    {
        var work = state.State.Blocks.Where(b => !b.Lost).Select(b => (Block: b, Task: DriveBlock(b, stop))).ToArray();
        var idle = true;
        // One after the other: what they commit and keep is written in turns of this grain anyway; the calls to the devices overlap.
        List<Exception>? failures = null;
        foreach (var (block, task) in work)
        {
            try { idle &= !await task; }
            catch (Exception e) when (OfTheDisk(e)) { (failures ??= []).Add(e); idle = false; }
            catch (Exception e) when (e is not OperationCanceledException || !stop.IsCancellationRequested)
            {
                idle = false;
                await NoAnswer(block, e);
            }
        }
        if (failures is not null) throw failures[0];
        if (idle && Going) await StageDone(stop);
    }

    /// <returns>Whether the block still has something to do.</returns>
    private async Task<bool> DriveBlock(BlockRow block, CancellationToken stop)
    {
        if (!_held.TryGetValue(block.Block, out var held))
        {
            if (!Going) return true;
            if (_course!.NextPass(block.Block, state.State.Passes, state.State.Targets) is not { } pass) return false;
            held = await Lease(block, pass);
            if (held is null) return true;
        }

        var status = await Ask(block, held);
        (held.LastAnswer, held.Status) = (time.GetTimestamp(), status);
        _silent.Remove(block.Block);
        if (status.Epoch != held.Epochs[0])
        {
            // Somebody else took the device after our signs of life stopped: what ran there is not ours any more.
            _held.Remove(block.Block);
            return true;
        }
        if (held.Ordered is { } ordered)
        {
            if (status.Trial == ordered && status.Phase != TrialPhase.Ended) return true;
            if (status.Trial == ordered && status.Result is { } result)
            {
                if (result.Outcome != TrialOutcome.Cancelled) await Commit(result);
                held.Ordered = null;
            }
            else
            {
                // Ended without a result, or the activation that ran it is gone: unknown, never failed. A new lease, a higher epoch, the same trial.
                await TrialLost(block, held);
                return true;
            }
        }
        if (_course!.Next(held.Pass) is not { } next)
        {
            await PassDone(block, held);
            return true;
        }
        if (!Going) return true;
        await Start(block, held, next.Trial, next.Cell);
        return true;
    }

    private async Task<Holding?> Lease(BlockRow block, PassRow pass)
    {
        var request = new LeaseRequest(Id, SweepCourse.PassName(pass), pace.Lease.TotalSeconds);
        var leases = await Task.WhenAll(block.Devices.Select(d => Gpu(d).Acquire(request)));
        if (leases.Any(l => !l.Granted))
        {
            await Task.WhenAll(block.Devices.Zip(leases).Where(p => p.Second.Granted).Select(p => Gpu(p.First).Release(p.Second.Epoch)));
            return null;
        }
        var leased = pass with { Leases = pass.Leases + 1 };
        if (await Rebound(block) is { } reason && pass.Leases > 0)
        {
            await KeepPass(leased with { Phase = PassPhase.Void, Reason = reason });
            await Tell("void", $"{SweepCourse.PassName(pass)}: {reason}");
            await Task.WhenAll(block.Devices.Zip(leases).Select(p => Gpu(p.First).Release(p.Second.Epoch)));
            return null;
        }
        await KeepPass(leased);
        return _held[block.Block] = new Holding(leased, [.. leases.Select(l => l.Epoch)], time.GetTimestamp()) { Span = GridTelemetry.Begin("pass", Id)?.SetTag("energygrid.pass", SweepCourse.PassName(leased)) };
    }

    private async Task<ImmutableArray<NodeInventory>> NodesUp() => [.. (await GrainFactory.GetGrain<IInventoryGrain>("grid").Nodes()).Where(n => n.Up).Select(n => n.Inventory)];

    // A pass is bound to its devices' driver and power limit.
    private async Task<string?> Rebound(BlockRow block)
    {
        var nodes = await NodesUp();
        var node = nodes.FirstOrDefault(n => n.Host == block.Host);
        if (node is null) return null; // it has not announced itself again yet; its devices answered, so it is there
        var devices = block.Devices.Select(key => node.Devices.FirstOrDefault(d => d.Key == key)).ToArray();
        if (devices.Any(d => d is null)) return $"a device of the group is gone from '{block.Host}'";
        var binding = SweepCourse.Binding(devices!);
        if (binding == block.Binding) return null;
        await Keep(s => s.Blocks = s.Blocks.Replace(s.Blocks.First(b => b.Block == block.Block), block with { Binding = binding }));
        return $"driver or power limit changed: {block.Binding} is now {binding}";
    }

    private async Task<GpuStatus> Ask(BlockRow block, Holding held)
    {
        // Every member is asked: being asked by its holder is what keeps a lease alive.
        var all = await Task.WhenAll(block.Devices.Select((d, i) => Gpu(d).Status(held.Epochs[i])));
        return all[0];
    }

    private async Task Start(BlockRow block, Holding held, TrialId trial, PlannedCell cell)
    {
        var plan = _course!.Plan;
        var keep = plan.KeepTraces == "all" || (plan.KeepTraces == "first-pass" && trial is { Block: 0, Pass: 0 });
        var order = new TrialOrder(trial, [.. block.Devices.Select(d => HostPlacement.Split(d).Device)], held.Epochs[0], held.Pass.Leases - 1,
            cell.Configuration, cell.Cost, SweepCourse.Legs(cell.Configuration, trial.Pass), plan.Timing, plan.Guards, keep);
        try
        {
            System.Diagnostics.Activity.Current = held.Span;
            held.Status = await Gpu(block.Devices[0]).Start(order);
            held.Ordered = trial;
        }
        catch (StaleEpochException)
        {
            _held.Remove(block.Block); // superseded: lease anew at the next look
        }
    }

    private async Task Commit(TrialResult result)
    {
        await store.Commit(Id, result);
        GridTelemetry.TrialsCommitted.Add(1, new KeyValuePair<string, object?>("outcome", result.Outcome.ToString()));
        _course!.Add(result);
        if (result.Outcome != TrialOutcome.Valid) await Tell("trial", $"{result.Trial} on {result.Host}: {result.Outcome.ToString().ToLowerInvariant()}: {string.Join("; ", result.Reasons)}");
    }

    private async Task PassDone(BlockRow block, Holding held)
    {
        await KeepPass(held.Pass with { Phase = PassPhase.Done });
        held.Span?.Stop();
        _held.Remove(block.Block);
        // The next pass of this sweep takes over the same lease; only a block without one gives its devices back.
        if (_course!.NextPass(block.Block, state.State.Passes, state.State.Targets) is null) await GiveBack(block, held);
    }

    private async Task TrialLost(BlockRow block, Holding held)
    {
        _held.Remove(block.Block);
        var trial = held.Ordered!;
        var times = _lost[trial] = _lost.GetValueOrDefault(trial) + 1;
        await Tell("trial", $"{trial} on {block.Host}: outcome unknown, attempt {held.Pass.Leases}");
        // A quarantined device is not offered any more: there is nothing to try again. Its host is sound, and another device of it may take over.
        var nodes = await NodesUp();
        var offered = nodes.FirstOrDefault(n => n.Host == block.Host)?.Devices;
        var quarantined = offered is null ? null : block.Devices.FirstOrDefault(key => !offered.Value.Any(d => d.Key == key));
        if (quarantined is null && times < pace.MostAttempts) return;
        _lost.Remove(trial);
        await LoseBlock(block, quarantined is null ? $"{trial} was lost {times} times" : $"{quarantined} is quarantined: {trial} was lost on it", hostIsSound: true);
    }

    private async Task NoAnswer(BlockRow block, Exception error)
    {
        if (!_silent.TryGetValue(block.Block, out var since))
        {
            // Said once; the next looks find the same until it answers or is given up.
            LogNoAnswer(error, Id, block.Devices[0]);
            since = _silent[block.Block] = time.GetTimestamp();
        }
        if (time.GetElapsedTime(since) > pace.HostPatience) await LoseBlock(block, $"host '{block.Host}' did not answer for {pace.HostPatience}: {error.Message}");
    }

    // A dead host voids its pass. A whole new pass is leased elsewhere if there is an elsewhere.
    private async Task LoseBlock(BlockRow block, string reason, bool hostIsSound = false)
    {
        _held.Remove(block.Block);
        _silent.Remove(block.Block);
        foreach (var open in state.State.Passes.Where(p => p.Block == block.Block && p.Phase == PassPhase.Open))
        {
            await KeepPass(open with { Phase = PassPhase.Void, Reason = reason });
            await Tell("void", $"{SweepCourse.PassName(open)}: {reason}");
        }
        var nodes = await NodesUp();
        var other = Other([.. nodes.Where(n => hostIsSound || n.Host != block.Host)]);
        if (other.IsDefaultOrEmpty && state.State.Blocks.All(b => b.Lost || b.Block == block.Block))
        {
            // With nothing left to run on, a sweep does not end: somebody must see to the host, and then it goes on.
            var why = $"device group {block.Block} on '{block.Host}', the last one: {reason}";
            await Keep(s => (s.Phase, s.Reason, s.SeenUtc) = (SweepPhase.Paused, why, time.GetUtcNow()));
            await Tell("paused", why);
            return;
        }
        await Keep(s =>
        {
            s.Blocks = s.Blocks.Replace(s.Blocks.First(b => b.Block == block.Block), block with { Lost = true });
            if (other.IsDefaultOrEmpty) return;
            s.Blocks = s.Blocks.Add(new BlockRow(s.Blocks.Length, [.. other.Select(d => d.Key)], SweepCourse.Binding(other), false));
            s.Devices = [.. s.Devices, .. other];
        });
        await Tell("void", $"device group {block.Block} on '{block.Host}' is given up: {reason}; {(other.IsDefaultOrEmpty ? "no other is free" : $"'{other[0].Host}' takes its place")}");
    }

    // A device group of these nodes that this sweep does not have yet; default if there is none.
    private ImmutableArray<DeviceInfo> Other(ImmutableArray<NodeInventory> nodes)
    {
        var taken = state.State.Blocks.SelectMany(b => b.Devices).ToHashSet();
        var all = _course!.Plan with { Hardware = _course.Plan.Hardware with { Devices = null } };
        try { return SweepCourse.DeviceGroups(all, nodes).FirstOrDefault(g => !g.Any(d => taken.Contains(d.Key))); }
        catch (RefusedException) { return default; } // nothing else has such devices
    }

    private static ImmutableArray<PassRow> WithoutOpen(ImmutableArray<PassRow> passes, string reason)
        => [.. passes.Select(p => p.Phase == PassPhase.Open ? p with { Phase = PassPhase.Void, Reason = reason } : p)];

    private async Task GiveBack(BlockRow block, Holding held)
    {
        try { await Task.WhenAll(block.Devices.Select((d, i) => Gpu(d).Release(held.Epochs[i]))); }
        catch (Exception e) when (e is not OperationCanceledException) { LogNoAnswer(e, Id, block.Devices[0]); } // its lease runs out by itself
    }

    private async Task LetGo()
    {
        foreach (var (number, held) in _held.ToArray()) await GiveBack(state.State.Blocks.First(b => b.Block == number), held);
        _held.Clear();
    }

    private Task KeepPass(PassRow pass) => Keep(s =>
    {
        var at = -1;
        for (var i = s.Passes.Length - 1; i >= 0 && at < 0; i--)
            if ((s.Passes[i].Group, s.Passes[i].Block, s.Passes[i].Pass) == (pass.Group, pass.Block, pass.Pass)) at = i;
        s.Passes = at < 0 ? s.Passes.Add(pass) : s.Passes.SetItem(at, pass);
    });

    private IGpuGrain Gpu(string device) => GrainFactory.GetGrain<IGpuGrain>(device);

    private ImmutableArray<RunningTrial> RunningNow() =>
    [
        .. _held.OrderBy(h => h.Key).Where(h => h.Value is { Ordered: not null, Status: not null })
            .Select(h => new RunningTrial(h.Value.Status!.Device, h.Value.Ordered!.ToString(), h.Value.Status.Phase, h.Value.Status.Fraction, h.Value.Status.Watts, h.Value.Status.Celsius)),
    ];
}
