using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>
/// The sources of one rack and which of them account: exactly one accounting meter lies on each path from facility to device. Feeds A and B
/// are siblings of one kind and add.
/// </summary>
/// <param name="Meters">All sources, with the accounting ones as resolved.</param>
/// <param name="Hosts">The node of each source, in the same order.</param>
/// <param name="Faults">Where the inventory breaks the rule, and what was done about it.</param>
/// <param name="UnmeteredWatts">Rated power of nodes without an accounting meter, W: expected, never covered.</param>
public sealed record MeterTree(ImmutableArray<MeterInfo> Meters, ImmutableArray<string> Hosts, ImmutableArray<string> Faults, double UnmeteredWatts)
{
    /// <summary>
    /// Resolves a rack's inventory. A device that is not among its node's meters is a source too, and accounts if its node names no
    /// accounting meter above it. Where two levels of one path both claim to account, the outer one does, and the fault is named: energy is
    /// never counted twice.
    /// </summary>
    public static MeterTree Of(IEnumerable<NodeInventory> nodes)
    {
        var meters = new List<(MeterInfo Meter, string Host)>();
        var faults = new List<string>();
        foreach (var node in nodes.OrderBy(n => n.Host, StringComparer.Ordinal)) Gather(node, meters, faults);
        var rackAccounts = meters.Any(m => m.Meter is { Accounting: true, Kind: SourceKind.RackInput });
        var nodeAccounts = meters.Where(m => m.Meter is { Accounting: true, Kind: SourceKind.NodeInput }).Select(m => m.Host).ToHashSet(StringComparer.Ordinal);
        var resolved = ImmutableArray.CreateBuilder<MeterInfo>(meters.Count);
        foreach (var (meter, host) in meters)
        {
            var outer = meter.Kind switch
            {
                SourceKind.FacilityInput => "the facility's meters, which are no part of a rack",
                SourceKind.RackInput => null,
                _ when rackAccounts => "the rack's meter",
                SourceKind.NodeInput => null,
                _ when nodeAccounts.Contains(host) => "the node's meter",
                _ => null,
            };
            if (meter.Accounting && outer is not null) faults.Add($"{meter.Source} claims to account below or beside {outer}: not counted.");
            resolved.Add(outer is null ? meter : meter with { Accounting = false });
        }
        var unmetered = 0.0;
        foreach (var host in meters.Where(m => m.Meter.Kind < SourceKind.RackInput).GroupBy(m => m.Host))
        {
            if (rackAccounts || host.Any(m => m.Meter.Accounting)) continue;
            faults.Add($"{host.Key} has no accounting meter: its energy is not counted.");
            unmetered += Math.Max(
                host.Where(m => m.Meter.Kind == SourceKind.NodeInput).Sum(m => m.Meter.RatedWatts),
                host.Where(m => m.Meter.Kind != SourceKind.NodeInput).Sum(m => m.Meter.RatedWatts));
        }
        return new MeterTree(resolved.MoveToImmutable(), [.. meters.Select(m => m.Host)], [.. faults], unmetered);
    }

    private static void Gather(NodeInventory node, List<(MeterInfo, string)> meters, List<string> faults)
    {
        var own = node.Meters.IsDefault ? [] : node.Meters;
        var named = new HashSet<string>(StringComparer.Ordinal);
        foreach (var meter in own)
        {
            if (!named.Add(meter.Source)) faults.Add($"{meter.Source} stands twice in the inventory of {node.Host}: the first counts.");
            else if (!(double.IsFinite(meter.RatedWatts) && meter.RatedWatts > 0))
            {
                faults.Add($"{meter.Source} has no rated power: its absence cannot be weighed.");
                meters.Add((meter with { RatedWatts = 0 }, node.Host));
            }
            else meters.Add((meter, node.Host));
        }
        var outer = own.Any(m => m.Accounting && m.Kind is SourceKind.NodeInput or SourceKind.RackInput);
        foreach (var device in node.Devices.IsDefault ? [] : node.Devices)
        {
            if (!named.Add(device.Key)) continue;
            var rated = double.IsFinite(device.RatedWatts) && device.RatedWatts > 0 ? device.RatedWatts : 0;
            meters.Add((new MeterInfo(device.Key, device.Kind == DeviceKind.Cpu ? SourceKind.Cpu : SourceKind.Gpu, !outer, rated), node.Host));
        }
    }
}
