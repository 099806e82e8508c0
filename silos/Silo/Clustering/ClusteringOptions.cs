using System.Net;

namespace EnergyGrid.Silo;

/// <summary>What Orleans is told: who this silo is, where state is kept, how others reach it.</summary>
public sealed class ClusteringOptions
{
    /// <summary>The cluster unless another is named.</summary>
    public const string DefaultCluster = "energygrid";

    /// <summary>The name of this silo; keys of nodes and devices begin with it.</summary>
    public string Host { get; set; } = Dns.GetHostName();

    /// <summary>The name of the grid: service id, cluster id and the beginning of every key in Redis, so that two grids share one Redis without meeting.</summary>
    public string Cluster { get; set; } = DefaultCluster;

    /// <summary>Whether control grains prefer this silo: building a matrix must not draw power on a measured node.</summary>
    public bool Control { get; set; }

    /// <summary>Where state is kept as files. Null and no Redis: in memory, gone with the process.</summary>
    public string? StateDirectory { get; set; }

    /// <summary>A Redis connection string: many processes.</summary>
    public string? Redis { get; set; }

    /// <summary>Whether a Redis that forgets (no append-only file, keys dropped when it is full) is taken, with a warning.</summary>
    public bool RedisMayForget { get; set; }

    /// <summary>The port at which other silos reach this one. Null: 11111 in a cluster, any free one on loopback for a silo alone.</summary>
    public int? SiloPort { get; set; }

    /// <summary>The IP address at which other silos reach this one. Null: the one that leads to Redis. Of no meaning without Redis.</summary>
    public IPAddress? SiloAddress { get; set; }

    /// <summary>TLS between silos; null for none, on loopback alone.</summary>
    internal SiloTls? Tls { get; set; }

    /// <summary>How long a call may take unless its method says otherwise.</summary>
    public TimeSpan ResponseTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>An activation unused for this long goes, unless its class is [KeepAlive]. Orleans wants at least a minute and a quantum below it.</summary>
    public TimeSpan IdleAfter { get; set; } = TimeSpan.FromMinutes(15);
    public TimeSpan IdleScan { get; set; } = TimeSpan.FromMinutes(1);
}
