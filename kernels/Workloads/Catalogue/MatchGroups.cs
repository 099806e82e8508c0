using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads;

/// <summary>Cells that may be compared, and against what.</summary>
/// <param name="Name">For example <c>attention-b8</c>.</param>
/// <param name="Baseline">Workload code that ratios divide by; null: absolute values only.</param>
/// <param name="Members">Workload codes, the baseline first.</param>
/// <param name="Batch">Batch of every member; null: the workload's own.</param>
public sealed record CatalogueGroup(string Name, string? Baseline, ImmutableArray<string> Members, int? Batch)
{
    /// <summary>The members resolved on one device, with one L' pair.</summary>
    /// <param name="profile">The device that decides L'.</param>
    /// <param name="overrides">What the plan changes in every member; <see cref="ConfigurationRequest.Workload"/> of it is ignored. A batch here wins over the group's.</param>
    /// <exception cref="ConfigurationRefusedException">A member cannot be so.</exception>
    public ImmutableArray<Configuration> Resolve(DeviceProfile profile, ConfigurationRequest? overrides = null)
    {
        var common = overrides ?? new ConfigurationRequest(Members[0]);
        var members = Members.Select(code => Catalogue.Resolve(common with { Workload = code, Batch = common.Batch ?? Batch }, profile)).ToArray();
        return common.ShortLayers is null && common.LongLayers is null ? LayerPairs.Share(members, profile) : [.. members];
    }
}

/// <summary>The comparisons that hold everything but one thing fixed.</summary>
public static class MatchGroups
{
    private static readonly ImmutableArray<string> Attention = ["A", "B", "C", "D", "E", "F", "D'", "E'", "F'"];

    /// <summary>A to F' at batch 8 and at 24 against A; G against G0; I and I0' against I0; H, J and K alone.</summary>
    public static ImmutableArray<CatalogueGroup> Standard { get; } =
    [
        new("attention-b8", "A", Attention, 8),
        new("attention-b24", "A", Attention, 24),
        new("sparse", "G0", ["G0", "G"], null),
        new("linear", "I0", ["I0", "I0'", "I"], null),
        new("compressed-1m", null, ["H"], null),
        new("distilled-13b", null, ["J"], null),
        new("distilled-7b", null, ["K"], null),
    ];

    /// <summary>The paper's printed rows at their own batches: to be shown only as "unmatched, the paper's layout", without intervals.</summary>
    public static CatalogueGroup PaperLayout { get; } = new("unmatched, the paper's layout", "A", ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K"], null);

    /// <summary>The baseline's code of a workload in its standard match group; null where it has none.</summary>
    /// <exception cref="ConfigurationRefusedException">No such workload.</exception>
    public static string? BaselineOf(string workload)
    {
        _ = Catalogue.Definition(workload);
        return Standard.First(g => g.Members.Contains(workload)).Baseline;
    }

    /// <summary>Whether two models have the same number of parameters, to 0.1 %: the condition of Phi_system.</summary>
    public static bool HaveEqualParameters(Configuration a, Configuration b)
    {
        var (x, y) = (a.ModelLayers * Catalogue.Cost(a).Parameters, b.ModelLayers * Catalogue.Cost(b).Parameters);
        return Math.Abs(x - y) <= 1e-3 * Math.Max(x, y);
    }
}
