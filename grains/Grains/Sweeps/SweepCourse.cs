using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Grains;

/// <summary>
/// What a sweep has still to do, decided from its plan, its passes and the committed results alone. No calls, no clock, no state of its own
/// beyond an index of the results: the same three always give the same answer, before and after a crash.
/// </summary>
internal sealed class SweepCourse
{
    private readonly Dictionary<TrialId, TrialResult> _results = [];

    public SweepCourse(string sweep, ResolvedPlan plan, IEnumerable<TrialResult> results)
    {
        (Sweep, Plan) = (sweep, plan);
        foreach (var result in results) Add(result);
    }

    public string Sweep { get; }
    public ResolvedPlan Plan { get; }
    public IReadOnlyDictionary<TrialId, TrialResult> Results => _results;
    public int Valid { get; private set; }

    public void Add(TrialResult result)
    {
        if (_results.TryAdd(result.Trial, result) && result.Outcome == TrialOutcome.Valid) Valid++;
    }

    public static string PassName(PassRow pass) => $"{pass.Group}/b{pass.Block}/p{pass.Pass}";

    public MatchGroup Group(string name) => Plan.Groups.First(g => g.Name == name);

    /// <summary>The cells of a pass in the order in which they run.</summary>
    public IEnumerable<PlannedCell> Order(PassRow pass)
    {
        var group = Group(pass.Group);
        return PassOrders.Of(Plan.OrderSeed, group.Name, group.Cells.Length, pass.Block, pass.Pass).Order.Select(i => group.Cells[i]);
    }

    public TrialId Identity(PassRow pass, PlannedCell cell) => new(Sweep, pass.Group, cell.Label, cell.ConfigurationSha256, pass.Block, pass.Pass);

    /// <summary>The first trial of the pass that has no committed result; null if all have.</summary>
    public (TrialId Trial, PlannedCell Cell)? Next(PassRow pass)
    {
        foreach (var cell in Order(pass))
        {
            var trial = Identity(pass, cell);
            if (!_results.ContainsKey(trial)) return (trial, cell);
        }
        return null;
    }

    /// <summary>The passes as the results tell: one that was noted as done and lacks a result, because the journal's torn end was cut off, is open.</summary>
    public ImmutableArray<PassRow> AsCommitted(ImmutableArray<PassRow> passes) =>
        [.. passes.Select(p => p.Phase == PassPhase.Done && Next(p) is not null ? p with { Phase = PassPhase.Open } : p)];

    /// <summary>Whether a finished pass adds to the estimate: its baseline is valid, or where there is none, any cell is.</summary>
    public bool Useful(PassRow pass)
    {
        var group = Group(pass.Group);
        return group.Cells.Any(c => (group.Baseline is null || c.Label == group.Baseline) && _results.GetValueOrDefault(Identity(pass, c))?.Outcome == TrialOutcome.Valid);
    }

    /// <summary>
    /// The pass to run next on a block: the open one, else a new one of the match group with the fewest passes there that still needs one; null
    /// when the block has all. An unsuccessful pass is replaced, up to the plan's maximum.
    /// </summary>
    public PassRow? NextPass(int block, ImmutableArray<PassRow> passes, ImmutableDictionary<string, int> targets)
    {
        PassRow? best = null;
        var fewest = int.MaxValue;
        // Each block takes the groups in an order of its own, so that time of day is not confounded with a group.
        foreach (var index in PassOrders.Of(Plan.OrderSeed, "match groups", Plan.Groups.Length, block, 0).Order)
        {
            var group = Plan.Groups[index];
            var mine = passes.Where(p => p.Block == block && p.Group == group.Name).ToArray();
            if (mine.FirstOrDefault(p => p.Phase == PassPhase.Open) is { } open) return open;
            var done = mine.Where(p => p.Phase == PassPhase.Done).ToArray();
            var useful = done.Count(Useful);
            if (useful >= targets[group.Name] || done.Length >= Math.Max(Plan.Replication.Max, targets[group.Name]) || done.Length >= fewest) continue;
            fewest = done.Length;
            best = new PassRow(group.Name, block, mine.Length == 0 ? 0 : mine.Max(p => p.Pass) + 1, PassPhase.Open, 0, "");
        }
        return best;
    }

    /// <summary>Trials of all passes that are wanted, as far as is known.</summary>
    public int Planned(ImmutableArray<BlockRow> blocks, ImmutableArray<PassRow> passes, ImmutableDictionary<string, int> targets)
    {
        var planned = 0;
        foreach (var group in Plan.Groups)
        {
            var rows = passes.Where(p => p.Group == group.Name).ToLookup(p => p.Block);
            foreach (var block in blocks)
            {
                var ran = rows[block.Block].Count(p => p.Phase != PassPhase.Void);
                var useless = rows[block.Block].Count(p => p.Phase == PassPhase.Done && !Useful(p));
                planned += group.Cells.Length * (block.Lost ? ran : Math.Max(ran, Math.Min(targets[group.Name] + useless, Math.Max(Plan.Replication.Max, targets[group.Name]))));
            }
        }
        return planned;
    }

    /// <summary>The legs of a trial: both L', the shorter one first in even passes.</summary>
    public static ImmutableArray<int> Legs(Configuration configuration, int pass) => configuration.ShortLayers == configuration.LongLayers
        ? [configuration.LongLayers]
        : pass % 2 == 0 ? [configuration.ShortLayers, configuration.LongLayers] : [configuration.LongLayers, configuration.ShortLayers];

    /// <summary>The device groups that a plan can use among what stands there: one device each, or all matching devices of a node.</summary>
    /// <exception cref="RefusedException">None matches; the message says what there is.</exception>
    public static ImmutableArray<ImmutableArray<DeviceInfo>> DeviceGroups(ResolvedPlan plan, ImmutableArray<NodeInventory> nodes)
    {
        var wanted = plan.Hardware;
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

    /// <summary>What a pass is bound to: driver and power limits of its devices.</summary>
    public static string Binding(IEnumerable<DeviceInfo> devices) => string.Join(';', devices.Select(d => FormattableString.Invariant($"{d.Uuid}|{d.Driver}|{d.PowerLimitWatts:R}")));

    private static bool Matches(HardwareRequirement wanted, DeviceInfo device) => wanted.Model == "any-cpu" ? device.Kind == DeviceKind.Cpu : device.Model == wanted.Model;
}
