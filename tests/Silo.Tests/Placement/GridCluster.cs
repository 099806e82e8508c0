using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.Runtime.MembershipService.SiloMetadata;
using Orleans.TestingHost;

namespace EnergyGrid.Silo.Tests;

/// <summary>Two silos in this process, with one owner of the state files.</summary>
public sealed class GridCluster : IAsyncLifetime
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("energygrid-");
    private InProcessTestCluster _cluster = null!;

    public IGrainFactory Grains => _cluster.Client;
    public StateFiles Files { get; private set; } = null!;
    /// <summary>The silo that prefers control grains: the second, so that a default of "the first" would show.</summary>
    public string ControlHost => "Silo_1";

    public string[] Hosts => [.. _cluster.Silos.Select(s => s.Name)];

    public async Task InitializeAsync()
    {
        Files = new StateFiles(_directory.FullName);
        var builder = new InProcessTestClusterBuilder(2);
        builder.ConfigureHost(host => host.Logging.SetMinimumLevel(LogLevel.Critical));
        builder.ConfigureSilo((silo, engine) =>
        {
            engine.Services.AddSingleton(new Here(silo.SiloName));
            engine.Services.AddSingleton(Files);
            engine.AddGridGrains(new ClusteringOptions { Host = silo.SiloName, Control = silo.SiloName == "Silo_1", IdleAfter = TimeSpan.FromSeconds(3), IdleScan = TimeSpan.FromSeconds(1), ResponseTimeout = TimeSpan.FromSeconds(10) });
        });
        builder.ConfigureClient(client => client.Configure<ClientMessagingOptions>(o => o.CancelRequestOnTimeout = true)); // as the silos have it
        _cluster = builder.Build();
        await _cluster.DeployAsync();
        // A silo's metadata is fetched after it has joined: until then it counts as one without --control.
        foreach (var silo in _cluster.Silos)
            while (_cluster.Silos.Any(s => s.Name == ControlHost && silo.ServiceProvider.GetRequiredService<ISiloMetadataCache>().GetSiloMetadata(s.SiloAddress).Metadata.IsEmpty)) await Task.Delay(20);
    }

    public async Task DisposeAsync()
    {
        await _cluster.DisposeAsync();
        Files.Dispose();
        _directory.Delete(recursive: true);
    }
}
