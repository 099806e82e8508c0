using System.Net;
using System.Net.Sockets;
using EnergyGrid.Grains;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using Orleans.Hosting;
using StackExchange.Redis;

namespace EnergyGrid.Silo;

/// <summary>Orleans as this grid uses it: one machine without a server, or many through Redis.</summary>
public static class GridClustering
{
    /// <summary>The one storage name that grains use.</summary>
    public const string Storage = "grid";

    private const string RedisStorage = "redis";

    // Gateways are for Orleans clients outside the cluster, and there are none: what is outside speaks HTTP.
    private const int NoGateway = 0;

    public static IHostApplicationBuilder AddGridClustering(this IHostApplicationBuilder builder, Action<ClusteringOptions> configure)
    {
        var options = new ClusteringOptions();
        configure(options);
        return builder.UseOrleans(silo =>
        {
            silo.AddGridGrains(options);
            silo.Configure<Orleans.Configuration.SiloOptions>(o => o.SiloName = options.Host);
            if (options.Redis is null)
            {
                silo.UseLocalhostClustering(options.SiloPort ?? FreePort(), NoGateway, serviceId: "energygrid", clusterId: "energygrid");
            }
            else
            {
                silo.Configure<ClusterOptions>(o => (o.ServiceId, o.ClusterId) = ("energygrid", "energygrid"));
                var port = options.SiloPort ?? EndpointOptions.DEFAULT_SILO_PORT;
                if (options.SiloAddress is { } address) silo.ConfigureEndpoints(address, port, NoGateway);
                else silo.ConfigureEndpoints(Dns.GetHostName(), port, NoGateway);
                silo.UseRedisClustering(o => o.ConfigurationOptions = ConfigurationOptions.Parse(options.Redis));
                // A dead host is known after some 5 s instead of 15.
                silo.Configure<ClusterMembershipOptions>(o => (o.ProbeTimeout, o.NumMissedProbesLimit, o.TableRefreshTimeout) = (TimeSpan.FromSeconds(1), 3, TimeSpan.FromSeconds(5)));
            }
        });
    }

    // A silo alone still listens, because Orleans' membership wants an address. Free a moment ago; should another process be faster, the start fails and says so.
    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Everything but clustering: placement, state, timeouts. Test clusters bring their own clustering.</summary>
    public static ISiloBuilder AddGridGrains(this ISiloBuilder silo, ClusteringOptions options)
    {
        silo.Services.TryAddSingleton(TimeProvider.System);
        silo.Services.AddSingleton(options);
        silo.AddIncomingGrainCallFilter<FaultFilter>();
        silo.AddPlacementDirector<HostPlacement, HostPlacementDirector>();
        silo.Configure<SiloMessagingOptions>(o => (o.ResponseTimeout, o.CancelRequestOnTimeout) = (options.ResponseTimeout, true));
        silo.Configure<GrainCollectionOptions>(o => (o.CollectionAge, o.CollectionQuantum) = (options.IdleAfter, options.IdleScan));
        if (options.Redis is null)
        {
            silo.Services.TryAddSingleton(_ => new StateFiles(options.StateDirectory));
            silo.Services.AddKeyedSingleton<IGrainStorage, FileGrainStorage>(Storage);
        }
        else
        {
            silo.AddRedisGrainStorage(RedisStorage, o =>
            {
                o.ConfigurationOptions = ConfigurationOptions.Parse(options.Redis);
                o.GrainStorageSerializer = new StateJson();
            });
            silo.Services.AddKeyedSingleton<IGrainStorage>(Storage, (services, _) => new DeclaredStorage(services.GetRequiredKeyedService<IGrainStorage>(RedisStorage)));
        }
        return silo;
    }
}
