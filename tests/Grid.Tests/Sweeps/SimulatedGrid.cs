using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Grains;
using EnergyGrid.Node;
using EnergyGrid.Results;
using EnergyGrid.Silo;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Grid.Tests.Sweeps;

/// <summary>A grid in this process: the engine, the grains, simulated nodes under scaled time, results as files. No HTTP.</summary>
public sealed class SimulatedGrid : IAsyncDisposable
{
    private readonly IHost _host;
    private readonly DirectoryInfo? _owned;

    private SimulatedGrid(IHost host, string directory, DirectoryInfo? owned) => (_host, Directory, _owned) = (host, directory, owned);

    public string Directory { get; }

    public IGrainFactory Grains => _host.Services.GetRequiredService<IGrainFactory>();

    public IResultStore Store => _host.Services.GetRequiredService<IResultStore>();

    public FileResultStore Files => _host.Services.GetRequiredService<FileResultStore>();

    public static async Task<SimulatedGrid> Start(SimulatedSiteOptions? site = null, double scale = 1000, string? directory = null, SweepPace? pace = null,
        Func<IResultStore, IResultStore>? store = null, Func<INodeAgents, INodeAgents>? agents = null)
    {
        var owned = directory is null ? System.IO.Directory.CreateTempSubdirectory("energygrid-") : null;
        directory ??= owned!.FullName;
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Critical);
        builder.AddGridClustering(o =>
        {
            o.Host = (site ?? new SimulatedSiteOptions()).Silo;
            o.StateDirectory = Path.Combine(directory, "state");
        });
        var services = builder.Services;
        services.AddSingleton(new GridIdentity("test", "test"));
        services.AddSingleton(pace ?? new SweepPace { Tick = TimeSpan.FromMilliseconds(20) });
        services.AddSingleton(WindowPace.Scaled(scale));
        services.AddSingleton(s => new FileResultStore(Path.Combine(directory, "results"), s.GetRequiredService<TimeProvider>()));
        services.AddSingleton(s => store is null ? s.GetRequiredService<FileResultStore>() : store(s.GetRequiredService<FileResultStore>()));
        services.AddSingleton<ITrialFiles>(s => s.GetRequiredService<FileResultStore>());
        services.AddNodeAgents(nodes => nodes.AddSimulatedSite(site ?? new SimulatedSiteOptions { Racks = 1, NodesPerRack = 1, GpusPerNode = 2 }, new ScaledTimeProvider(scale)));
        if (agents is not null) services.AddSingleton(s => agents(s.GetRequiredService<NodeAgents>()));
        var host = builder.Build();
        await host.StartAsync();
        var grid = new SimulatedGrid(host, directory, owned);
        var expected = (site?.Racks ?? 1) * (site?.NodesPerRack ?? 1);
        await Until(async () => (await grid.Grains.GetGrain<IInventoryGrain>("grid").Nodes()).Length == expected, "all nodes announced themselves");
        return grid;
    }

    /// <summary>What stands there.</summary>
    public async Task<System.Collections.Immutable.ImmutableArray<NodeInventory>> Nodes() => [.. (await Grains.GetGrain<IInventoryGrain>("grid").Nodes()).Select(n => n.Inventory)];

    public ISweepGrain Sweep(string id) => Grains.GetGrain<ISweepGrain>(id);

    public async Task<SweepStatus> Ended(string id, int seconds = 60)
    {
        SweepStatus? status = null;
        await Until(async () => (status = await Sweep(id).Status()).HasEnded, $"sweep {id} ended", seconds, () => $"{status}");
        return status!;
    }

    /// <summary>Waits for something that must come; says what did not.</summary>
    public static async Task Until(Func<Task<bool>> holds, string what, int seconds = 30, Func<string>? now = null)
    {
        var deadline = DateTime.UtcNow.AddSeconds(seconds);
        while (!await holds())
        {
            if (DateTime.UtcNow > deadline) throw new TimeoutException($"After {seconds} s it does not hold that {what}. {now?.Invoke()}");
            await Task.Delay(20);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        if (_host is IAsyncDisposable disposable) await disposable.DisposeAsync();
        _owned?.Delete(recursive: true);
    }
}
