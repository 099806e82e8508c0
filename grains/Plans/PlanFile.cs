using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Plans;

/// <summary>A plan with nothing left open, or why there is none. Exactly one of the two is there.</summary>
/// <param name="Plan">Null if there are problems.</param>
/// <param name="Problems">In the order of the file, at most 50; empty if there is a plan.</param>
public sealed record PlanResolution(ResolvedPlan? Plan, ImmutableArray<PlanProblem> Problems);

/// <summary>From a file or its text to a resolved plan in one step.</summary>
public static class PlanFile
{
    /// <summary>Reads and resolves text.</summary>
    /// <param name="text">YAML or JSON.</param>
    /// <param name="fileName">For the problems only.</param>
    /// <param name="devices">What the grid has, to refuse hardware that nobody has; null: not checked.</param>
    public static PlanResolution Load(string text, string fileName, IReadOnlyCollection<DeviceInfo>? devices = null) => Resolve(PlanReader.Read(text, fileName), devices);

    /// <summary>Reads and resolves a file.</summary>
    public static PlanResolution LoadFile(string path, IReadOnlyCollection<DeviceInfo>? devices = null) => Resolve(PlanReader.ReadFile(path), devices);

    private static PlanResolution Resolve(PlanReadResult read, IReadOnlyCollection<DeviceInfo>? devices) =>
        read.Plan is { } plan ? PlanResolver.Resolve(plan, devices) : new PlanResolution(null, read.Problems);
}
