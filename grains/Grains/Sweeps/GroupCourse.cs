using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Grains;

/// <summary>
/// What a device group has still to do, decided from its plan, its passes and the committed results of its trials alone. No calls, no clock, no state of its own
/// beyond an index of the results: the same three always give the same answer, before and after a crash.
/// </summary>
internal sealed class GroupCourse(string sweep, int group, ResolvedPlan plan)
{
    private readonly Dictionary<TrialId, TrialResult> _results = [];

    public ResolvedPlan Plan => plan;
    public IReadOnlyDictionary<TrialId, TrialResult> Results => _results;
    public int Valid { get; private set; }

    /// <summary>Takes note of a committed result; those of other groups are not its business.</summary>
    public void Add(TrialResult result)
    {
        if (result.Trial.Block == group && _results.TryAdd(result.Trial, result) && result.Outcome == TrialOutcome.Valid) Valid++;
    }

    public static string PassName(PassRow pass) => $"{pass.Group}/b{pass.Block}/p{pass.Pass}";

    /// <summary>The cells of a pass in the order in which they run.</summary>
    public IEnumerable<PlannedCell> Order(PassRow pass)
    {
        var cells = Group(pass.Group).Cells;
        return PassOrders.Of(plan.OrderSeed, pass.Group, cells.Length, pass.Block, pass.Pass).Order.Select(i => cells[i]);
    }

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

    /// <summary>Whether any trial of the pass is committed.</summary>
    public bool HasResults(PassRow pass) => Group(pass.Group).Cells.Any(c => _results.ContainsKey(Identity(pass, c)));

    /// <summary>The passes as the results tell: one that was noted as done and lacks a result, because the journal's torn end was cut off, is open.</summary>
    public ImmutableArray<PassRow> AsCommitted(ImmutableArray<PassRow> passes) =>
        [.. passes.Select(p => p.Phase == PassPhase.Done && Next(p) is not null ? p with { Phase = PassPhase.Open } : p)];

    /// <summary>Whether a finished pass adds to the estimate: its baseline is valid, or where there is none, any cell is.</summary>
    public bool Useful(PassRow pass)
    {
        var cells = Group(pass.Group);
        return cells.Cells.Any(c => (cells.Baseline is null || c.Label == cells.Baseline) && _results.GetValueOrDefault(Identity(pass, c))?.Outcome == TrialOutcome.Valid);
    }

    /// <summary>
    /// The pass to run next: the open one, else a new one of the match group with the fewest passes here that still needs one; null when all have theirs. An
    /// unsuccessful pass is replaced, up to the plan's maximum.
    /// </summary>
    public PassRow? NextPass(ImmutableArray<PassRow> passes, ImmutableDictionary<string, int> targets)
    {
        PassRow? best = null;
        var fewest = int.MaxValue;
        // Each device group takes the match groups in an order of its own, so that time of day is not confounded with one of them.
        foreach (var index in PassOrders.Of(plan.OrderSeed, "match groups", plan.Groups.Length, group, 0).Order)
        {
            var cells = plan.Groups[index];
            var mine = passes.Where(p => p.Group == cells.Name).ToArray();
            if (mine.FirstOrDefault(p => p.Phase == PassPhase.Open) is { } open) return open;
            var done = mine.Where(p => p.Phase == PassPhase.Done).ToArray();
            var target = targets.GetValueOrDefault(cells.Name);
            if (done.Count(Useful) >= target || done.Length >= Math.Max(plan.Replication.Max, target) || done.Length >= fewest) continue;
            fewest = done.Length;
            best = new PassRow(cells.Name, group, mine.Length == 0 ? 0 : mine.Max(p => p.Pass) + 1, PassPhase.Open, 1, "");
        }
        return best;
    }

    /// <summary>Trials of all passes that are wanted, as far as is known; of a group that runs no more, of those that ran.</summary>
    public int Planned(ImmutableArray<PassRow> passes, ImmutableDictionary<string, int> targets, bool ended)
    {
        var planned = 0;
        foreach (var cells in plan.Groups)
        {
            var mine = passes.Where(p => p.Group == cells.Name).ToArray();
            var ran = mine.Count(p => p.Phase != PassPhase.Void);
            var target = targets.GetValueOrDefault(cells.Name);
            var wanted = Math.Min(target + mine.Count(p => p.Phase == PassPhase.Done && !Useful(p)), Math.Max(plan.Replication.Max, target));
            planned += cells.Cells.Length * (ended ? ran : Math.Max(ran, wanted));
        }
        return planned;
    }

    private MatchGroup Group(string name) => plan.Groups.First(g => g.Name == name);

    private TrialId Identity(PassRow pass, PlannedCell cell) => new(sweep, pass.Group, cell.Label, cell.ConfigurationSha256, pass.Block, pass.Pass);
}
