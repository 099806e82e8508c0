using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>A lease as its node remembers it.</summary>
[GenerateSerializer, Immutable, Alias("LeaseRow")]
public sealed record LeaseRow(
    [property: Id(0)] string Holder,
    [property: Id(1)] long Fence,
    [property: Id(2)] string Pass,
    [property: Id(3)] long Epoch,
    [property: Id(4)] ImmutableArray<string> Devices,
    [property: Id(5)] double Seconds);

/// <summary>What a node must remember: the highest epoch it has granted, and to whom in which process.</summary>
[GenerateSerializer, Alias("NodeState")]
public sealed class NodeState
{
    [Id(0)] public long Epoch { get; set; }

    /// <summary>Of the process that granted the leases: with it went what ran under them.</summary>
    [Id(1)] public string Incarnation { get; set; } = "";
    [Id(2)] public ImmutableArray<LeaseRow> Leases { get; set; } = [];
}

/// <summary>
/// One node: who may use its devices. A device group gets all of its devices or none, under one epoch that only grows. A lease lives as long as its holder shows
/// signs of life. Those that wait stand in line: the higher priority first, then the older sweep; who does not ask any more has left. A pass is not broken off by a restart: whoever held devices
/// for one in an earlier process has them back before the line, if it asks soon.
/// </summary>
[HostPlacement, Immovable, KeepAlive]
[GrainType("node")]
public sealed class NodeGrain(
    INodeAgents agents,
    ILocalSiloDetails silo,
    TimeProvider time,
    [PersistentState("node", "grid")] IPersistentState<NodeState> state) : Grain, INodeGrain
{
    /// <summary>Who has not asked for so long has left the line.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>A holder of an earlier process that does not say within this whether its pass is still open is not waited for.</summary>
    private static readonly TimeSpan Answer = TimeSpan.FromSeconds(2);

    private readonly Dictionary<string, long> _signs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (LeaseRequest Request, long Asked)> _line = new(StringComparer.Ordinal);
    private INodeAgent _agent = null!;

    // Leases of an earlier process: of those not asked yet, and of those whose pass is still open.
    private ImmutableArray<LeaseRow> _earlier = [];
    private ImmutableArray<LeaseRow> _returning = [];
    private long _offeredAt;

    private string Host => this.GetPrimaryKeyString();

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _agent = agents.Find(Host) ?? throw new HostUnavailableException($"Host '{Host}' is not served by silo '{silo.Name}'.");
        // What an earlier process granted went with what ran there. What this one granted is given its time again.
        if (state.State.Incarnation != Incarnation) (_earlier, state.State.Leases) = (state.State.Leases, []);
        foreach (var lease in state.State.Leases) _signs[lease.Holder] = time.GetTimestamp();
        return Task.CompletedTask;
    }

    public async Task<Lease> Lease(LeaseRequest request)
    {
        var mine = Find(request.Holder);
        if (mine is not null && request.Fence < mine.Fence) throw new SupersededException($"Activation {mine.Fence} of '{request.Holder}' has asked since activation {request.Fence}.");
        if (_line.TryGetValue(request.Holder, out var before) && request.Fence < before.Request.Fence)
            throw new SupersededException($"Activation {before.Request.Fence} of '{request.Holder}' has asked since activation {request.Fence}.");
        var offered = _agent.Inventory.Devices;
        if (request.Devices.FirstOrDefault(uuid => !offered.Any(d => d.Uuid == uuid)) is { } missing)
        {
            if (!_agent.IsOpening) return Refused($"'{Host}' does not offer device '{missing}'", gone: true);
            // A device that has not been looked at since the start is not gone: who asks again finds it. Who asks now has its place, and nobody comes too late.
            _line[request.Holder] = (request, _offeredAt = time.GetTimestamp());
            return Refused("its devices are still being looked at since it was started");
        }

        // Past its time and taken by nobody, a lease is still its holder's: what ran under it went on.
        if (mine is not null && mine.Pass == request.Pass && mine.Devices.SequenceEqual(request.Devices))
        {
            if (request.Fence > mine.Fence) await Keep(state.State.Epoch, state.State.Leases.Replace(mine, mine with { Fence = request.Fence }));
            _signs[request.Holder] = time.GetTimestamp();
            return Granted(mine.Epoch, request, offered);
        }

        _line[request.Holder] = (request, time.GetTimestamp());
        await AskEarlier();
        _returning = _returning.RemoveAll(l => l.Holder == request.Holder ? l.Pass != request.Pass : !MayReturn(l));
        var returns = _returning.Any(l => l.Holder == request.Holder);
        if (!returns && _returning.FirstOrDefault(l => Overlap(l.Devices, request.Devices)) is { } returning)
            return Refused($"{returning.Holder} is first in line: it held them for {returning.Pass} when '{Host}' was started anew");
        if (state.State.Leases.FirstOrDefault(l => l.Holder != request.Holder && Alive(l) && Overlap(l.Devices, request.Devices)) is { } held)
            return Refused($"{held.Holder} holds them for {held.Pass}");
        if (!returns && Line().FirstOrDefault(w => w.Holder != request.Holder && Overlap(w.Devices, request.Devices) && Precedes(w, request)) is { } first)
        {
            // Between two passes the devices go to whoever is first in line.
            if (mine is not null) await Drop(mine);
            return Refused($"{first.Holder} is first in line");
        }

        // Whatever ran for a holder that was silent for too long, or for this one's last pass, ends before anything else may begin.
        var over = state.State.Leases.Where(l => l.Holder == request.Holder || Overlap(l.Devices, request.Devices)).ToArray();
        var epoch = state.State.Epoch + 1;
        // The epoch is on disk before the answer: after a crash no order of an older one can be obeyed.
        await Keep(epoch, [.. state.State.Leases.Except(over), new LeaseRow(request.Holder, request.Fence, request.Pass, epoch, request.Devices, request.Seconds)]);
        _signs[request.Holder] = time.GetTimestamp();
        _line.Remove(request.Holder);
        _returning = _returning.RemoveAll(l => l.Holder == request.Holder);
        await Task.WhenAll(over.SelectMany(l => l.Devices).Concat(request.Devices).Distinct().Select(uuid => Gpu(uuid).Yield(epoch)));
        return Granted(epoch, request, offered);
    }

    public Task<bool> Renew(string holder, long epoch)
    {
        if (Find(holder) is not { } lease || lease.Epoch != epoch) return Task.FromResult(false);
        _signs[holder] = time.GetTimestamp();
        return Task.FromResult(true);
    }

    public Task<bool> Holds(string holder, long epoch, ImmutableArray<string> devices) =>
        Task.FromResult(Find(holder) is { } lease && lease.Epoch == epoch && devices.All(lease.Devices.Contains));

    public async Task Release(string holder, long epoch)
    {
        _line.Remove(holder);
        _returning = _returning.RemoveAll(l => l.Holder == holder);
        _earlier = _earlier.RemoveAll(l => l.Holder == holder);
        if (Find(holder) is { } lease && lease.Epoch <= epoch) await Drop(lease);
    }

    public Task<NodeView> View() => Task.FromResult(new NodeView(Host, _agent.Inventory.Devices,
        [.. state.State.Leases.Where(Alive).Select(l => new HeldDevices(l.Holder, l.Pass, l.Epoch, l.Devices))], [.. Line().Select(w => w.Holder)], _agent.IsOpening));

    public Task<ImmutableArray<LatestReading>> Latest() => Task.FromResult<ImmutableArray<LatestReading>>([.. _agent.Inventory.Devices.Select(d => _agent.Latest(d.Uuid))]);

    private string Incarnation => silo.SiloAddress.ToString();

    // What is on disk may have been given back since; only the holder knows whether its pass is still open. Once.
    private async Task AskEarlier()
    {
        if (_earlier.IsEmpty) return;
        var open = await Task.WhenAll(_earlier.Select(async row =>
        {
            try
            {
                var report = await GrainFactory.GetGrain<IDeviceGroupGrain>(row.Holder).Report().WaitAsync(Answer, time);
                return report.Phase == GroupPhase.Running && report.Passes.Any(p => p.Phase == PassPhase.Open && GroupCourse.PassName(p) == row.Pass);
            }
            catch (Exception e) when (e is not OutOfMemoryException) { return false; } // who does not answer cannot have them
        }));
        (_returning, _earlier, _offeredAt) = ([.. _earlier.Where((_, i) => open[i])], [], time.GetTimestamp());
    }

    private bool MayReturn(LeaseRow lease) => time.GetElapsedTime(_offeredAt) < Patience && time.GetElapsedTime(_offeredAt).TotalSeconds < lease.Seconds;

    private LeaseRow? Find(string holder) => state.State.Leases.FirstOrDefault(l => l.Holder == holder);

    private bool Alive(LeaseRow lease) => _signs.TryGetValue(lease.Holder, out var sign) && time.GetElapsedTime(sign).TotalSeconds < lease.Seconds;

    private LeaseRequest[] Line()
    {
        foreach (var (holder, (_, asked)) in _line.ToArray())
            if (time.GetElapsedTime(asked) > Patience) _line.Remove(holder);
        return [.. _line.Values.Select(w => w.Request).Order(Comparer<LeaseRequest>.Create((a, b) => a == b ? 0 : Precedes(a, b) ? -1 : 1))];
    }

    private static bool Precedes(LeaseRequest a, LeaseRequest b) => a.Priority != b.Priority ? a.Priority > b.Priority
        : a.SinceUtc != b.SinceUtc ? a.SinceUtc < b.SinceUtc : string.CompareOrdinal(a.Holder, b.Holder) < 0;

    private static bool Overlap(ImmutableArray<string> a, ImmutableArray<string> b) => a.Any(b.Contains);

    // Not on disk: a lease that a later activation finds again runs out by itself.
    private async Task Drop(LeaseRow lease)
    {
        state.State.Leases = state.State.Leases.Remove(lease);
        _signs.Remove(lease.Holder);
        await Task.WhenAll(lease.Devices.Select(uuid => Gpu(uuid).Yield(lease.Epoch + 1)));
        // Whoever is next would ask again soon; this saves the wait.
        if (Line().FirstOrDefault(w => Overlap(w.Devices, lease.Devices)) is { } next) GrainFactory.GetGrain<IDeviceGroupGrain>(next.Holder).Nudge().Ignore();
    }

    private async Task Keep(long epoch, ImmutableArray<LeaseRow> leases)
    {
        var before = state.State;
        state.State = new NodeState { Epoch = epoch, Incarnation = Incarnation, Leases = leases };
        try
        {
            await state.WriteStateAsync();
        }
        catch
        {
            // What is in memory must not run ahead of the disk. The next call reads the record again.
            state.State = before;
            DeactivateOnIdle();
            throw;
        }
    }

    private static Lease Granted(long epoch, LeaseRequest request, ImmutableArray<DeviceInfo> offered) =>
        new(true, epoch, "", [.. request.Devices.Select(uuid => offered.First(d => d.Uuid == uuid))], false);

    private static Lease Refused(string why, bool gone = false) => new(false, 0, why, [], gone);

    private IGpuGrain Gpu(string uuid) => GrainFactory.GetGrain<IGpuGrain>($"{Host}/{uuid}");
}
