using System.Collections.Immutable;
using EnergyGrid.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace EnergyGrid.Silo;

/// <summary>The processes of the grid: who is up, and who has what in memory.</summary>
internal static class SiloEndpoints
{
    // One for each device and node: their places follow from their keys.
    private static readonly string[] Pinned = ["GpuGrain", "NodeGrain"];

    public static void MapSilos(this RouteGroupBuilder v1)
    {
        v1.MapGet("/silos", (IClusterMembershipService membership) => TypedResults.Ok(Silos(membership)))
            .WithSummary("The silos as this one knows them, the dead ones too. Asks nobody.").WithTags("grid");
        v1.MapGet("/activations", Activations).RequireAuthorization(Roles.Operator).Produces<ImmutableArray<ActivationLine>>()
            .WithSummary("Where grains are in memory: counts for devices and nodes, keys for all others. Asks every silo that is up; for finding faults.").WithTags("grid");
    }

    private static ImmutableArray<SiloLine> Silos(IClusterMembershipService membership) =>
    [
        .. membership.CurrentSnapshot.Members.Values
            .Select(m => new SiloLine(m.Name, $"{m.SiloAddress.Endpoint}", $"{m.Status}".ToLowerInvariant(), m.SiloAddress.Generation))
            .OrderBy(s => s.Name, StringComparer.Ordinal).ThenBy(s => s.Generation),
    ];

    private static async Task<IResult> Activations(IClusterMembershipService membership, IGrainFactory grains, CancellationToken stop)
    {
        var names = membership.CurrentSnapshot.Members.Values.Where(m => m.Status == SiloStatus.Active).ToDictionary(m => m.SiloAddress, m => m.Name);
        var all = await grains.GetGrain<IManagementGrain>(0).GetDetailedGrainStatistics(null, [.. names.Keys]).WaitAsync(stop);
        return TypedResults.Ok(all
            .Select(a => (Silo: names.GetValueOrDefault(a.SiloAddress) ?? "", Kind: Kind(a.GrainType), Key: a.GrainId.Key.ToString() ?? ""))
            .Where(a => a.Kind.Length > 0)
            .GroupBy(a => (a.Silo, a.Kind))
            .Select(g => new ActivationLine(g.Key.Silo, g.Key.Kind, g.Count(), Pinned.Contains(g.Key.Kind) ? [] : [.. g.Select(a => a.Key).Order(StringComparer.Ordinal)]))
            .OrderBy(a => a.Silo, StringComparer.Ordinal).ThenBy(a => a.Kind, StringComparer.Ordinal)
            .ToImmutableArray());
    }

    // "EnergyGrid.Grains.SweepGrain,EnergyGrid.Grains"; what is Orleans' own is not ours to list.
    private static string Kind(string type) => type.StartsWith("EnergyGrid.", StringComparison.Ordinal) ? type.Split(',')[0].Split('.')[^1] : "";
}
