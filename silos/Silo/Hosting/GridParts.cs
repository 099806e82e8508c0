using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Grains;
using EnergyGrid.Node;
using EnergyGrid.Silo.Results;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EnergyGrid.Silo;

/// <summary>The one place where the parts behind the ports are chosen: result store, pace of the grains, node agents and what they serve.</summary>
internal static class GridParts
{
    public static void AddGridParts(this IHostApplicationBuilder builder, SiloOptions options)
    {
        var services = builder.Services;
        services.AddSingleton(s => new FileResultStore(options.ResultsDirectory, s.GetRequiredService<TimeProvider>()));
        services.AddSingleton<IResultStore>(s => s.GetRequiredService<FileResultStore>());
        services.AddSingleton<IResultFiles>(s => s.GetRequiredService<FileResultStore>());
        services.AddSingleton<ITraceSink>(s => s.GetRequiredService<FileResultStore>());
        services.AddSingleton(new GridIdentity(GridApi.ProductVersion, GridApi.EngineName, GridApi.RuntimeText));
        services.AddSingleton(new SweepPace());
        // One pace for all racks of the process: the fastest clock among its sites decides how many windows lie between two reports.
        services.AddSingleton(WindowPace.Scaled(options.Simulated?.TimeScale ?? 1));
        services.AddNodeAgents(nodes =>
        {
            if (options.Simulated is { } site) nodes.AddSimulatedSite(Site(options, site), site.TimeScale > 1 ? new ScaledTimeProvider(site.TimeScale) : TimeProvider.System);
        });
    }

    private static SimulatedSiteOptions Site(SiloOptions options, SimulatedSiteChoice site) => new()
    {
        Name = site.Name,
        Silo = options.Name,
        Racks = site.Racks,
        NodesPerRack = site.NodesPerRack,
        GpusPerNode = site.GpusPerNode,
        Profile = site.Model.StartsWith("H200", StringComparison.Ordinal) ? SimulatedProfile.H200 : SimulatedProfile.H100,
        Seed = (ulong)site.Seed,
    };
}
