using System.Collections.Immutable;
using EnergyGrid.Contracts;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Grains;

/// <summary>One node as the inventory keeps it.</summary>
/// <param name="Inventory">What it last said it consists of.</param>
/// <param name="Silo">The silo that said so, with its generation: a process that began later is another one and must say so itself. Empty if it was not seen in the cluster.</param>
/// <param name="Up">Whether it was up when that was last written.</param>
/// <param name="SinceUtc">Since when.</param>
public sealed record InventoryRow(NodeInventory Inventory, string Silo, bool Up, DateTimeOffset SinceUtc);

/// <summary>All nodes that ever announced themselves and were not forgotten.</summary>
public sealed class InventoryState
{
    public ImmutableArray<InventoryRow> Nodes { get; set; } = [];
}

/// <summary>
/// What stands where. It is kept; what is up is not: that is what the cluster's membership says of the silo that announced a node. A node whose silo is gone, or came
/// back without it, is down, and stays in the list until somebody takes it out.
/// </summary>
/// <remarks>Reentrant, so that a slow disk holds up who waits for it and nobody who only asks: changes that come meanwhile share the next write.</remarks>
[ControlPlacement, KeepAlive, Reentrant]
public sealed partial class InventoryGrain(
    IClusterMembershipService membership,
    TimeProvider time,
    ILogger<InventoryGrain> log,
    [PersistentState("inventory", "grid")] IPersistentState<InventoryState> state) : Grain, IInventoryGrain
{
    private static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(2);

    private readonly SortedDictionary<string, InventoryRow> _rows = new(StringComparer.Ordinal);
    private ImmutableArray<NodeStanding>? _list;
    private Task _writing = Task.CompletedTask;
    private long _changed;
    private long _kept;
    private bool _toldTrouble;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        foreach (var row in state.State.Nodes) _rows[row.Inventory.Host] = row;
        this.RegisterGrainTimer(KeepWhatChanged, new GrainTimerCreationOptions(LookPeriod, LookPeriod) { Interleave = true });
        return Task.CompletedTask;
    }

    public async Task Announce(NodeInventory node)
    {
        node = node with { Devices = node.Devices.IsDefault ? [] : node.Devices, Meters = node.Meters.IsDefault ? [] : node.Meters };
        // A silo that has just joined may speak before this one has heard of it.
        if (SiloOf(node.Host) is not { Length: > 0 }) await membership.Refresh();
        var silo = SiloOf(node.Host);
        var known = _rows.GetValueOrDefault(node.Host);
        if (known is null || known.Silo != silo || !Same(known.Inventory, node))
        {
            var up = silo.Length > 0;
            Change(new InventoryRow(node, silo, up, known is { Up: true } && known.Silo == silo && up ? known.SinceUtc : time.GetUtcNow()));
        }
        Look();
        await Keep(_changed);
    }

    public Task<ImmutableArray<NodeStanding>> Nodes()
    {
        Look();
        return Task.FromResult(_list ??= [.. _rows.Values.Select(r => new NodeStanding(r.Inventory, r.Up, r.SinceUtc))]);
    }

    public Task<ImmutableArray<NodeInventory>> InRack(string site, string rack) =>
        Task.FromResult<ImmutableArray<NodeInventory>>([.. _rows.Values.Select(r => r.Inventory).Where(n => n.Site == site && n.Rack == rack)]);

    public async Task<bool> Forget(string host)
    {
        Look();
        if (!_rows.TryGetValue(host, out var row)) return false;
        if (row.Up) throw new RefusedException($"Host '{host}' is up: it would announce itself again. Stop it first; only a host that is down can be forgotten.");
        _rows.Remove(host);
        (_list, _changed) = (null, _changed + 1);
        await Keep(_changed);
        await GrainFactory.GetGrain<IRackGrain>($"{row.Inventory.Site}/{row.Inventory.Rack}").Forget(host);
        return true;
    }

    // By contents: records that hold collections compare those by reference.
    private static bool Same(NodeInventory a, NodeInventory b) =>
        (a.Host, a.Site, a.Rack) == (b.Host, b.Site, b.Rack) && a.Devices.SequenceEqual(b.Devices) && a.Meters.SequenceEqual(b.Meters) && a.Stacks.Select(Text).SequenceEqual(b.Stacks.Select(Text));

    private static string Text(StackOffer s) => $"{s.Name}|{s.Engine}|{string.Join(',', s.Models)}|{string.Join(',', s.Parameters)}";

    private string SiloOf(string host)
    {
        var name = HostPlacement.SiloOf($"{host}/");
        return membership.CurrentSnapshot.Members.Values.Where(m => m.Status == SiloStatus.Active && m.Name == name)
            .MaxBy(m => m.SiloAddress.Generation)?.SiloAddress.ToParsableString() ?? "";
    }

    private void Change(InventoryRow row)
    {
        _rows[row.Inventory.Host] = row;
        (_list, _changed) = (null, _changed + 1);
    }

    // What membership says now.
    private void Look()
    {
        var active = membership.CurrentSnapshot.Members.Values.Where(m => m.Status == SiloStatus.Active).Select(m => m.SiloAddress.ToParsableString()).ToHashSet(StringComparer.Ordinal);
        foreach (var row in _rows.Values.Where(r => r.Up != active.Contains(r.Silo)).ToArray()) Change(row with { Up = !row.Up, SinceUtc = time.GetUtcNow() });
    }

    private async Task KeepWhatChanged(CancellationToken stop)
    {
        Look();
        try { await Keep(_changed); }
        catch (StorageTroubleException e)
        {
            if (!_toldTrouble) LogNotKept(FaultText.Of(e));
            _toldTrouble = true;
        }
    }

    private async Task Keep(long change)
    {
        while (_kept < change)
        {
            // A write that is under way may have begun before this change; if it fails, so does everything that waits.
            if (!_writing.IsCompleted) await _writing;
            else await (_writing = Write());
        }
    }

    private async Task Write()
    {
        var change = _changed;
        state.State.Nodes = [.. _rows.Values];
        try
        {
            await state.WriteStateAsync();
        }
        catch (InconsistentStateException)
        {
            // Another activation wrote, or a write that seemed to fail did not: the next one reads again, and nodes announce themselves again.
            DeactivateOnIdle();
            throw new StorageTroubleException("The inventory was written by somebody else; it is read again.");
        }
        (_kept, _toldTrouble) = (change, false);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The inventory could not be written; it is tried again: {Reason}")]
    private partial void LogNotKept(string reason);
}
