using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.TestingHost;

namespace EnergyGrid.Silo.Tests;

/// <summary>Silos of its own for one test, which stops some of them; their state outlives each of them.</summary>
internal sealed class PowerCluster : IAsyncDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("energygrid-power-");
    private readonly StateFiles _files;

    private PowerCluster(int silos)
    {
        _files = new StateFiles(_directory.FullName);
        var builder = new InProcessTestClusterBuilder((short)silos);
        builder.ConfigureHost(host => host.Logging.SetMinimumLevel(LogLevel.Critical));
        builder.ConfigureSilo((silo, engine) =>
        {
            engine.Services.AddSingleton(_files);
            engine.Services.AddSingleton(new WindowPace { SitePeriod = TimeSpan.FromSeconds(1) });
            engine.AddGridGrains(new ClusteringOptions { Host = silo.SiloName, ResponseTimeout = TimeSpan.FromSeconds(10) });
        });
        Silos = builder.Build();
    }

    public InProcessTestCluster Silos { get; }

    public string StateDirectory => _directory.FullName;

    public IGrainFactory Grains => Silos.Client;

    public static async Task<PowerCluster> Start(int silos)
    {
        var cluster = new PowerCluster(silos);
        await cluster.Silos.DeployAsync();
        return cluster;
    }

    /// <summary>Ends a silo's process in good order and begins another of its name; returns when the client has found the cluster again.</summary>
    public async Task Restart(int silo)
    {
        await Silos.RestartSiloAsync(Silos.Silos[silo]);
        await Until(async () =>
        {
            try { return !(await Grains.GetGrain<IInventoryGrain>("grid").Nodes()).IsDefault; }
            catch (Exception e) when (e is OrleansException or TimeoutException or System.Net.Sockets.SocketException) { return false; }
        }, "the client has found the cluster again");
    }

    /// <summary>Waits for something that must come; says what did not.</summary>
    public static async Task Until(Func<Task<bool>> holds, string what)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            if (TimeProvider.System.GetElapsedTime(began) > TimeSpan.FromSeconds(40)) throw new TimeoutException($"It does not hold that {what}.");
            await Task.Delay(50);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Silos.DisposeAsync();
        _files.Dispose();
        _directory.Delete(recursive: true);
    }
}
