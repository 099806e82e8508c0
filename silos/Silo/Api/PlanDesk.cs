using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Plans;
using EnergyGrid.Sdk;

namespace EnergyGrid.Silo;

/// <summary>What became of a plan's text: a resolved plan, or faults.</summary>
public sealed record PlanVerdict(ResolvedPlan? Plan, ImmutableArray<PlanFault> Faults)
{
    /// <summary>What must be known before the plan runs, for example that the grid has fewer devices than it names.</summary>
    public ImmutableArray<PlanFault> Warnings { get; init; } = [];
}

/// <summary>Reads plans for the API and for the console's offline commands.</summary>
public interface IPlanDesk
{
    /// <summary>Reads, checks and resolves a plan.</summary>
    /// <param name="text">YAML or JSON.</param>
    /// <param name="file">Named in faults.</param>
    /// <param name="devices">What the grid has, to refuse hardware that nobody has; null where that is not known.</param>
    PlanVerdict Check(string text, string file, IReadOnlyCollection<DeviceInfo>? devices);

    /// <summary>The JSON schema of plans.</summary>
    string Schema { get; }
}

/// <inheritdoc cref="IPlanDesk"/>
public sealed class PlanDesk : IPlanDesk
{
    public string Schema => PlanSchema.Json();

    public PlanVerdict Check(string text, string file, IReadOnlyCollection<DeviceInfo>? devices)
    {
        var resolution = PlanFile.Load(text, file, devices);
        return new(resolution.Plan, Faults(resolution.Problems)) { Warnings = Faults(resolution.Warnings) };
    }

    private static ImmutableArray<PlanFault> Faults(ImmutableArray<PlanProblem> problems) => [.. problems.Select(p => new PlanFault(p.File, p.Line, p.Column, p.Key, p.Wrong, p.Right))];
}
