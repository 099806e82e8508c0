using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>What only the devices at hand can decide about a plan.</summary>
internal static class SweepDesignRules
{
    /// <summary>The fewest independent units that a first stage may have (measurement.md, two-stage replication).</summary>
    public const int LeastUnits = 5;

    /// <exception cref="RefusedException">The plan could never give an interval on these devices.</exception>
    public static void Check(ResolvedPlan plan, ImmutableArray<ImmutableArray<DeviceInfo>> groups)
    {
        var nodes = groups.Select(g => g[0].Host).Distinct().Count();
        var units = nodes > 1 ? nodes : groups.Length > 1 ? groups.Length : plan.Replication.Min;
        var kind = nodes > 1 ? "nodes" : groups.Length > 1 ? "device groups" : "passes";
        if (units == plan.Replication.Min && kind == "passes" && units < LeastUnits)
            throw new RefusedException($"passes.min: with one device group the passes are the independent units of the interval: at least {LeastUnits} are needed, {units} were given.");
    }
}
