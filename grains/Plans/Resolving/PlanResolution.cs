using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Plans;

/// <summary>A plan with nothing left open, or why there is none. Exactly one of the two is there.</summary>
/// <param name="Plan">Null if there are problems.</param>
/// <param name="Problems">In the order of the file, at most 50; empty if there is a plan.</param>
public sealed record PlanResolution(ResolvedPlan? Plan, ImmutableArray<PlanProblem> Problems);
