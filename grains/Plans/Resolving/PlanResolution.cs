using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Plans;

/// <summary>A plan with nothing left open, or why there is none. Exactly one of the two is there.</summary>
/// <param name="Plan">Null if there are problems.</param>
/// <param name="Problems">In the order of the file, at most 50; empty if there is a plan.</param>
public sealed record PlanResolution(ResolvedPlan? Plan, ImmutableArray<PlanProblem> Problems)
{
    /// <summary>What does not stand in the way of a plan and must be known before it runs, for example more devices than the grid has.</summary>
    public ImmutableArray<PlanProblem> Warnings { get; init; } = [];
}
