using System.Reflection;
using System.Runtime.InteropServices;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace EnergyGrid.Silo;

/// <summary>The HTTP API: everything a person, a script or a dashboard may ask of the grid.</summary>
internal static class GridApi
{
    public static void AddGridApi(this IServiceCollection services)
    {
        services.ConfigureHttpJsonOptions(o =>
        {
            o.SerializerOptions.NumberHandling = DocumentJson.Compact.NumberHandling;
            o.SerializerOptions.Encoder = DocumentJson.Compact.Encoder;
            foreach (var converter in DocumentJson.Compact.Converters) o.SerializerOptions.Converters.Add(converter);
        });
        // Whatever the environment: a parameter that cannot be read is answered and not thrown.
        services.Configure<RouteHandlerOptions>(o => o.ThrowOnBadRequest = false);
        services.AddResponseCompression(o =>
        {
            // Over TLS too: no answer holds a secret beside what its caller sent, so nothing can be guessed from lengths.
            o.EnableForHttps = true;
            // Not event streams, each line of which is to arrive at once.
            o.MimeTypes = ["application/json", Problems.MediaType, "application/schema+json", "application/openapi+json", "application/x-ndjson", "application/yaml", "text/csv", "text/html", "text/plain"];
        });
        services.AddSingleton<HomePage>();
        services.AddGridDocument();
    }

    public static void MapGridApi(this WebApplication app)
    {
        app.MapOpenApi("/openapi/{documentName}.json").RequireAuthorization(Roles.Viewer);
        app.MapGet("/", (HttpContext context, HomePage page) => page.Show(context)).RequireAuthorization(Roles.Viewer)
            .WithSummary("The grid as a page.").WithTags("grid").Produces<string>(200, "text/html").RefusesAsAll();
        foreach (var alive in (string[])["/livez", "/healthz"])
            app.MapGet(alive, () => TypedResults.Text("ok\n")).AllowAnonymous().WithSummary("The process answers. Touches neither storage nor grains.").WithTags("health")
                .Produces<string>(200, "text/plain").ProducesProblem(403).ProducesProblem(421);
        app.MapGet("/readyz", Ready).AllowAnonymous().WithSummary("A member of the cluster, its storage answers, and its view of the grid is fresh.").WithTags("health")
            .Produces<string>(200, "text/plain").ProducesProblem(403).ProducesProblem(421).ProducesProblem(503);
        app.MapGet("/metrics", (Metrics metrics, CancellationToken stop) => metrics.Page(stop)).RequireAuthorization(Roles.Viewer)
            .WithSummary("Prometheus text format.").WithTags("health").Produces<string>(200, "text/plain").RefusesAsAll();

        var v1 = app.MapGroup("/v1").RequireAuthorization(Roles.Viewer).RefusesAsAll();
        v1.MapGet("/version", (SiloOptions options, IStorageHealth storage, TimeProvider time) => TypedResults.Ok(Version(options, time) with { Storage = storage.Now })).WithSummary("What answers.").WithTags("grid");
        v1.MapSilos();
        v1.MapSites();
        v1.MapNodes();
        v1.MapDevices();
        v1.MapPlans();
        v1.MapSweeps();
        v1.MapRetention();
    }

    public static VersionInfo Version(SiloOptions options, TimeProvider time) =>
        new("EnergyGrid", ProductVersion, RuntimeName, options.Name, time.GetUtcNow());

    /// <summary>.NET and the operating system.</summary>
    public static string RuntimeName { get; } = $".NET {Environment.Version} on {RuntimeInformation.OSDescription} {RuntimeInformation.OSArchitecture}";

    public static string ProductVersion { get; } =
        typeof(GridApi).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    // Not an exception: a probe that is told no once a second is no failure to be logged.
    private static async Task Ready(HttpContext context, SiteSnapshots sites, IStorageHealth storage, IClusterMembershipService membership, ILocalSiloDetails self)
    {
        var missing = new List<string>();
        if (membership.CurrentSnapshot.GetSiloStatus(self.SiloAddress) is var status and not SiloStatus.Active) missing.Add($"this silo is no member of the cluster: it is {status.ToString().ToLowerInvariant()}");
        if (!storage.Now.Answers) missing.Add(storage.Now.Says);
        try { _ = sites.Fresh(); }
        catch (UnreachableException e) { missing.Add(e.Message.TrimEnd('.')); }
        if (missing.Count == 0) await context.Response.WriteAsync("ready\n");
        else await Problems.Write(context, StatusCodes.Status503ServiceUnavailable, $"Not ready: {string.Join("; ", missing)}.");
    }
}
