using System.Collections.Immutable;
using EnergyGrid.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace EnergyGrid.Silo;

internal static class SiteEndpoints
{
    public static void MapSites(this RouteGroupBuilder v1)
    {
        v1.MapGet("/sites", (SiteSnapshots sites) => TypedResults.Ok(sites.Fresh().Sites.Values.ToImmutableArray()))
            .WithSummary("All sites at their latest closed window.").WithTags("sites");

        v1.MapGet("/sites/{site}", (string site, SiteSnapshots sites) => TypedResults.Ok(Require(sites, site)))
            .WithSummary("One site at its latest closed window: P_IT, ratio, coverage, racks, closure.").WithTags("sites").ProducesProblem(404);

        v1.MapGet("/sites/{site}/ratio", async (string site, long from, long to, SiteSnapshots sites, IGrainFactory grains) =>
            {
                Require(sites, site);
                if (from >= to) throw new MalformedException($"from={from} is not before to={to}; both are seconds since the Unix epoch, and to is one past the last window.");
                if (to - from > MaxRatioSeconds) throw new MalformedException($"{to - from} windows; at most {MaxRatioSeconds} (a day) may be asked for at once.");
                return TypedResults.Ok(await grains.GetGrain<ISiteGrain>(site).Ratio(from, to)
                    ?? throw new UnknownException($"Site '{site}' has no facility meters, or no closed window of [{from}, {to}) any more."));
            })
            .WithSummary("Facility over IT energy for windows [from, to), with everything that must be said with it.").WithTags("sites")
            .RequireAuthorization(Roles.Viewer).ProducesProblem(400).ProducesProblem(404);

        v1.MapGet("/events/windows", Windows).WithSummary("Site views as their windows close.").WithTags("sites").Produces<SiteView>(200, "text/event-stream");
    }

    private const long MaxRatioSeconds = 86_400;

    private static SiteView Require(SiteSnapshots sites, string site) => sites.Fresh().Sites.TryGetValue(site, out var view)
        ? view : throw new UnknownException($"There is no site '{site}'; GET /v1/sites lists them.");

    private static async Task Windows(HttpContext context, SiteSnapshots sites)
    {
        using var stream = await EventStream.Begin(context);
        await stream.Run(async () =>
        {
            var seen = new Dictionary<string, (long Window, long Revisions)>(StringComparer.Ordinal);
            for (var version = -1L; ;)
            {
                (var snapshot, version) = await stream.Await(sites.Current.After(version, stream.End));
                foreach (var view in snapshot.Sites.Values)
                {
                    if (view.Window == 0 || seen.GetValueOrDefault(view.Site) == (view.Window, view.Revisions)) continue;
                    seen[view.Site] = (view.Window, view.Revisions);
                    await stream.Send("window", view.Window, view);
                }
            }
        });
    }
}
