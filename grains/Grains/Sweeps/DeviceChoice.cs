using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>Which devices a plan gets of those that stand there.</summary>
public static class DeviceChoice
{
    /// <summary>The device groups that a plan can use among what stands there: one device each, or all matching devices of a node.</summary>
    /// <exception cref="RefusedException">None matches; the message says what there is.</exception>
    public static ImmutableArray<ImmutableArray<DeviceInfo>> Groups(ResolvedPlan plan, ImmutableArray<NodeInventory> nodes)
    {
        var wanted = plan.Hardware;
        nodes = Serving(plan, nodes);
        var matching = nodes.Where(n => wanted.Site is null || n.Site == wanted.Site)
            .Select(n => n.Devices.Where(d => Matches(wanted, d)).OrderBy(d => d.Index).ToImmutableArray())
            .Where(devices => devices.Length > 0)
            .ToArray();
        if (matching.Length == 0)
        {
            var there = nodes.SelectMany(n => n.Devices).GroupBy(d => (d.Model, d.Site)).Select(g => $"{g.Count()} × {g.Key.Model} at site '{g.Key.Site}'").Order(StringComparer.Ordinal).ToArray();
            throw new RefusedException($"hardware.model: no device '{wanted.Model}'{(wanted.Site is null ? "" : $" at site '{wanted.Site}'")}; there is {(there.Length == 0 ? "no device at all" : string.Join(", ", there))}.");
        }
        // Nodes take turns: a plan that wants few devices gets them from as many nodes as there are.
        var groups = plan.Fill == Fill.Node
            ? matching.ToArray()
            : [.. Enumerable.Range(0, matching.Max(m => m.Length)).SelectMany(i => matching.Where(m => i < m.Length).Select(m => ImmutableArray.Create(m[i])))];
        var most = plan.Hardware.Devices ?? int.MaxValue;
        var taken = ImmutableArray.CreateBuilder<ImmutableArray<DeviceInfo>>();
        var devices = 0;
        foreach (var group in groups)
        {
            if (devices + group.Length > most) break;
            devices += group.Length;
            taken.Add(group);
        }
        if (taken.Count == 0) throw new RefusedException($"hardware.devices: {most} devices were asked for, and a device group of fill '{plan.Fill.ToString().ToLowerInvariant()}' has {groups[0].Length}.");
        foreach (var cell in plan.Groups.SelectMany(g => g.Cells))
        {
            var least = taken.SelectMany(g => g).Min(d => d.MemoryBytes);
            var needed = cell.Cost.ResidentBytes * cell.Configuration.LongLayers;
            if (needed > 0.95 * least)
                throw new RefusedException($"cell '{cell.Label}': {cell.Configuration.LongLayers} layers need {needed / 1e9:F1} GB, and 95 % of '{wanted.Model}' is {0.95 * least / 1e9:F1} GB; at most {Math.Floor(0.95 * least / cell.Cost.ResidentBytes):F0} layers fit.");
        }
        return taken.ToImmutable();
    }

    // A pass runs all cells of its group in one place: what serves one of them must be able to serve all.
    private static ImmutableArray<NodeInventory> Serving(ResolvedPlan plan, ImmutableArray<NodeInventory> nodes)
    {
        var wanted = plan.Groups.SelectMany(g => g.Cells).Where(c => c.Configuration.Serve is not null).Select(c => (c.Label, c.Configuration.Stack, c.Configuration.Serve!.Model, c.Configuration.Serve.Parameters)).ToArray();
        if (wanted.Length == 0) return nodes;
        ImmutableArray<NodeInventory> serving = [.. nodes.Where(n => wanted.All(w => Offers(n, w.Stack, w.Model)))];
        if (serving.Length > 0)
        {
            foreach (var (label, stack, _, parameters) in wanted)
                if (parameters.Keys.FirstOrDefault(p => serving.All(n => n.Stacks.All(s => s.Name != stack || !s.Parameters.Contains(p)))) is { } unknown)
                    throw new RefusedException($"cell '{label}': stack '{stack}' has no parameter '{unknown}'; it has {string.Join(", ", serving.SelectMany(n => n.Stacks).First(s => s.Name == stack).Parameters)}.");
            return serving;
        }
        var missing = wanted.FirstOrDefault(w => nodes.All(n => !Offers(n, w.Stack, w.Model)), wanted[0]);
        var offered = nodes.SelectMany(n => n.Stacks.Select(s => $"{s.Name} with {string.Join(", ", s.Models)} on {n.Host}")).Take(MostOffers).ToArray();
        throw new RefusedException($"cell '{missing.Label}': no node that is up may run stack '{missing.Stack}' with model '{missing.Model}'{(wanted.Length > 1 ? " and all other cells" : "")}; {(offered.Length == 0 ? "no node has a stacks.yaml (up --stacks FILE)" : $"there is {string.Join("; ", offered)}")}.");
    }

    private const int MostOffers = 8;

    private static bool Offers(NodeInventory node, string stack, string model) => node.Stacks.Any(s => s.Name == stack && s.Models.Contains(model));

    /// <summary>What a pass is bound to: driver and power limits of its devices.</summary>
    public static string Binding(IEnumerable<DeviceInfo> devices) => string.Join(';', devices.Select(d => FormattableString.Invariant($"{d.Uuid}|{d.Driver}|{d.PowerLimitWatts:R}")));

    private static bool Matches(HardwareRequirement wanted, DeviceInfo device) => wanted.Model == "any-cpu" ? device.Kind == DeviceKind.Cpu : device.Model == wanted.Model;
}
