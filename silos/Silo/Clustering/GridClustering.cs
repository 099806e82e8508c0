using System.Net;
using System.Net.Sockets;
using EnergyGrid.Grains;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Clustering.Redis;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.Persistence;
using Orleans.Runtime.MembershipService.SiloMetadata;
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
        // Before Orleans adds its own, which ends the process with the dump of a crash.
        builder.Services.AddSingleton<IFatalErrorHandler, SiloEnd>();
        return builder.UseOrleans(silo =>
        {
            if (options.Redis is null)
            {
                silo.AddGridGrains(options);
                silo.UseLocalhostClustering(options.SiloPort ?? FreePort(), NoGateway, serviceId: options.Cluster, clusterId: options.Cluster);
            }
            else
            {
                silo.AddRedis(options, RedisString.Parse(options.Redis, options.Tls?.AuthorityFile));
                silo.AddGridGrains(options);
            }
            silo.Configure<Orleans.Configuration.SiloOptions>(o => o.SiloName = options.Host);
        });
    }

    // A silo alone still listens, because Orleans' membership wants an address. Free a moment ago; should another process be faster, the start fails and says so.
    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static void AddRedis(this ISiloBuilder silo, ClusteringOptions options, ConfigurationOptions redis)
    {
        var services = silo.Services;
        services.AddSingleton(_ => new RedisLink(redis));
        services.AddSingleton(s => s.GetRequiredService<RedisLink>().Connection);
        services.AddSingleton<ClusterJoin>();
        services.AddHostedService<MembershipGuard>();
        silo.Configure<ClusterOptions>(o => (o.ServiceId, o.ClusterId) = (options.Cluster, options.Cluster));
        services.AddOptions<EndpointOptions>().Configure<ClusterJoin>((o, join) =>
            (o.AdvertisedIPAddress, o.SiloPort, o.GatewayPort) = (join.Address, options.SiloPort ?? EndpointOptions.DEFAULT_SILO_PORT, NoGateway));
        silo.Configure<ClusterMembershipOptions>(MembershipPace.Apply);
        // Each silo's load is told to every other, by default once a second: messages that grow with the square of the silos, a million a second among 1,000. It is for placement by load, and
        // nothing here is placed so (devices are where their host is, the rest by hashing).
        silo.Configure<DeploymentLoadPublisherOptions>(o => o.DeploymentLoadPublisherRefreshTime = TimeSpan.FromHours(1));
        options.Tls?.Apply(silo);
        silo.UseRedisClustering(o => o.ConfigurationOptions = redis);
        services.AddOptions<RedisClusteringOptions>().Configure<RedisLink>((o, link) => o.CreateMultiplexer = _ => Task.FromResult((link.Connection, IsShared: true)));
        // A directory in Redis, and not Orleans' own, which is spread over the silos: that one forgets what a dead silo's part held, and until its grains are called and found again two of
        // them may live. A sweep that is driven twice is fenced off by its store, but it would drive devices twice meanwhile. The price is that nothing is activated anew while Redis is
        // away; what has state could not be anyway, and what is active is found in each silo's cache and goes on.
        silo.UseRedisGrainDirectoryAsDefault(o => o.Configure<RedisLink>((o, link) => (o.ConfigurationOptions, o.CreateMultiplexer) = (redis, _ => Task.FromResult((link.Connection, IsShared: true)))));
        silo.AddRedisGrainStorage(RedisStorage, o => o.Configure<RedisLink>((o, link) =>
        {
            (o.ConfigurationOptions, o.CreateMultiplexer) = (redis, _ => Task.FromResult((link.Connection, IsShared: true)));
            o.GrainStorageSerializer = new StateJson();
        }));
    }

    /// <summary>Everything but clustering: placement, state, timeouts. Test clusters bring their own clustering.</summary>
    public static ISiloBuilder AddGridGrains(this ISiloBuilder silo, ClusteringOptions options)
    {
        silo.Services.TryAddSingleton(TimeProvider.System);
        silo.Services.AddSingleton(options);
        silo.AddIncomingGrainCallFilter<FaultFilter>();
        silo.UseSiloMetadata(ControlPlacementDirector.MetadataOf(options.Control));
        silo.AddPlacementDirector<HostPlacement, HostPlacementDirector>();
        silo.AddPlacementDirector<ControlPlacement, ControlPlacementDirector>();
        silo.Configure<SiloMessagingOptions>(o => (o.ResponseTimeout, o.CancelRequestOnTimeout) = (options.ResponseTimeout, true));
        silo.Configure<GrainCollectionOptions>(o => (o.CollectionAge, o.CollectionQuantum) = (options.IdleAfter, options.IdleScan));
        if (options.Redis is null)
        {
            silo.Services.TryAddSingleton(_ => new StateFiles(options.StateDirectory));
            silo.Services.AddKeyedSingleton<IGrainStorage, FileGrainStorage>(Storage);
        }
        else
        {
            silo.Services.AddKeyedSingleton<IGrainStorage>(Storage, (services, _) => new DeclaredStorage(services.GetRequiredKeyedService<IGrainStorage>(RedisStorage)));
        }
        return silo;
    }
}
