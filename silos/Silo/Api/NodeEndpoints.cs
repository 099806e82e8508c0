using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace EnergyGrid.Silo;

internal static class NodeEndpoints
{
    public static void MapNodes(this RouteGroupBuilder v1)
    {
        v1.MapGet("/nodes", (SiteSnapshots sites) => TypedResults.Ok(sites.Fresh().Nodes
                .Select(n => new NodeLine(n.Inventory.Host, n.Inventory.Site, n.Inventory.Rack, n.Up, n.SinceUtc, n.Inventory.Devices.Length)).ToImmutableArray()))
            .WithSummary("All nodes, those that are down included.").WithTags("devices");

        v1.MapGet("/stacks", (SiteSnapshots sites) => TypedResults.Ok(sites.Fresh().Nodes.SelectMany(n => n.Inventory.Stacks.Select(s => new StackLine(n.Inventory.Host, n.Up, s))).ToImmutableArray()))
            .WithSummary("Serving engines that nodes may run.").WithTags("devices");

        v1.MapDelete("/nodes/{host}", async (string host, IGrainFactory grains) => await grains.GetGrain<IInventoryGrain>("grid").Forget(host)
                ? TypedResults.NoContent()
                : throw new UnknownException($"There is no node '{host}'; GET /v1/nodes lists them."))
            .RequireAuthorization(Roles.Operator).WithSummary("Takes a node that is down out of the inventory.").WithTags("devices").ProducesProblem(404).ProducesProblem(409);
    }
}
