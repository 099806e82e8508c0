using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Grains;
using EnergyGrid.Node;
using EnergyGrid.Silo.Results;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EnergyGrid.Silo;

/// <summary>The one place where the parts behind the ports are chosen: result store, node agents, what simulates a site.</summary>
internal static class GridParts
{
    public static void AddGridParts(this IHostApplicationBuilder builder, SiloOptions options)
    {
        var services = builder.Services;
        var scale = options.Simulated?.TimeScale ?? (options.Node is { } given ? ScaledTimeProvider.ScaleOf(given.Time) : 1);
        services.AddSingleton(new GridIdentity(GridApi.ProductVersion, GridApi.EngineName, GridApi.RuntimeName));
        services.AddSingleton(new SweepPace());
        services.AddSingleton(WindowPace.Scaled(scale));
        services.AddSingleton(s => new FileResultStore(options.ResultsDirectory, s.GetRequiredService<TimeProvider>()));
        services.AddSingleton<IResultStore>(s => s.GetRequiredService<FileResultStore>());
        services.AddSingleton<IResultFiles>(s => s.GetRequiredService<FileResultStore>());
        services.AddSingleton<ITraceSink>(s => s.GetRequiredService<FileResultStore>());
        services.AddNodeAgents(nodes =>
        {
            if (options.Simulated is { } site) nodes.AddSimulatedSite(Simulation(options.Name, site), new ScaledTimeProvider(site.TimeScale));
            if (options.Node is { } opened) nodes.AddNode(opened.Node, opened.Time);
            if (options.LocalCpu) nodes.AddNode(new LocalNode(options.Name, TimeProvider.System), TimeProvider.System);
        });
    }

    private static SimulatedProfile[] Profiles => [SimulatedProfile.H100, SimulatedProfile.H200];

    private static SimulatedSiteOptions Simulation(string silo, SimulatedSiteChoice site) => new()
    {
        Name = site.Name,
        Silo = silo,
        Racks = site.Racks,
        NodesPerRack = site.NodesPerRack,
        GpusPerNode = site.GpusPerNode,
        Profile = Profiles.FirstOrDefault(p => p.Shape.Name == site.Model)
            ?? throw new SiloRefusedException($"There is no simulated device '{site.Model}'; there are {string.Join(", ", Profiles.Select(p => p.Shape.Name))}."),
        Seed = (ulong)site.Seed,
    };
}
