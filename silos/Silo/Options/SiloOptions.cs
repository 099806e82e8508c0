using System.Net;
using EnergyGrid.Devices;
using EnergyGrid.Devices.Workers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Silo;

/// <summary>A simulated site: racks of nodes of GPUs whose every figure is modelled.</summary>
/// <param name="Name">The site's name.</param>
/// <param name="Racks">Racks.</param>
/// <param name="NodesPerRack">Nodes in each rack.</param>
/// <param name="GpusPerNode">GPUs in each node.</param>
/// <param name="Model">Hardware class, for example <c>H100-SXM-80GB</c>.</param>
/// <param name="TimeScale">How many seconds of device time pass in one second of the wall clock.</param>
/// <param name="Seed">Of sensor gains, thermal drift and noise.</param>
public sealed record SimulatedSiteChoice(
    string Name = "sim", int Racks = 2, int NodesPerRack = 4, int GpusPerNode = 8, string Model = "H100-SXM-80GB", double TimeScale = 1, long Seed = 1);

/// <summary>What a silo is told. Refused as a whole by <c>SiloHost.Build</c> where it does not fit together.</summary>
public sealed record SiloOptions
{
    /// <summary>A plan is text: a longer body is refused with 413.</summary>
    public const long MaxBodyBytes = 1 << 20;

    /// <summary>The silo's name, which is its host's as the system says it; device keys begin with it, so of two hosts of one name the second is refused.</summary>
    public string Name { get; init; } = Dns.GetHostName();

    /// <summary>Grain state lies below <c>state/</c>, results below <c>results/</c>.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>Where HTTP is served: scheme, IP address or <c>localhost</c>, and port; port 0 is any free one (see <see cref="SiloHost.AddressOf"/>).</summary>
    public string Url { get; init; } = "http://127.0.0.1:7070";

    /// <summary>Who may do what; null for loopback only, where every caller is an operator.</summary>
    public string? TokenFile { get; init; }

    /// <summary>PEM certificate chain for https.</summary>
    public string? CertificateFile { get; init; }

    /// <summary>PEM key of the certificate.</summary>
    public string? KeyFile { get; init; }

    /// <summary>Redis connection string for more than one silo (see <see cref="RedisString.Choose"/>).</summary>
    public string? Redis { get; init; }

    /// <summary>Whether a Redis that forgets is taken, with a warning.</summary>
    public bool RedisMayForget { get; init; }

    /// <summary>The name of the grid: two of them share one Redis without meeting.</summary>
    public string Cluster { get; init; } = ClusteringOptions.DefaultCluster;

    /// <summary>Where this machine stands; null for <c>local</c>, and for <c>sim</c> with a simulated site.</summary>
    public string? Site { get; init; }

    /// <summary>Where this machine stands.</summary>
    public string Rack { get; init; } = LocalNode.DefaultRack;

    /// <summary>Whether control grains prefer this silo.</summary>
    public bool Control { get; init; }

    /// <summary>The port at which other silos reach this one; null for 11111 with Redis, and any free one on loopback without.</summary>
    public int? SiloPort { get; init; }

    /// <summary>The IP address at which other silos reach this one; null for the one that leads to Redis. Without Redis nobody does.</summary>
    public IPAddress? SiloAddress { get; init; }

    /// <summary>PEM certificate that this silo shows to others.</summary>
    public string? SiloCertificateFile { get; init; }

    /// <summary>PEM key of it; null where it is in the same file.</summary>
    public string? SiloKeyFile { get; init; }

    /// <summary>PEM certificates of the authority that all silos' certificates come from, and Redis' may.</summary>
    public string? SiloAuthorityFile { get; init; }

    /// <summary>A simulated site; null for none.</summary>
    public SimulatedSiteChoice? Simulated { get; init; }

    /// <summary>Whether this machine's processor is a device of the grid.</summary>
    public bool LocalCpu { get; init; } = true;

    /// <summary>This machine's GPUs that are devices of the grid: null for all that there are, if any; else by index, UUID or PCI bus id, and all of them must be there.</summary>
    public IReadOnlyList<string>? Gpus { get; init; } = [];

    /// <summary>How long each look at a GPU's sensors takes on start, s. Below 10 s the counter's check against power is coarse.</summary>
    public double QualificationSeconds { get; init; } = 10;

    /// <summary>How the processes are started and looked after that run the work on this machine's GPUs, and llama.cpp; null in a program that cannot be its own worker: there this process runs the GPUs' work, and llama.cpp does not run.</summary>
    public WorkerOptions? Workers { get; init; } = WorkerCommand.OfThisProgram() is { } command ? new WorkerOptions(command) : null;

    /// <summary>Whether the GPUs' sensors are looked at as long as on the first start, whatever is remembered of them.</summary>
    public bool Requalify { get; init; }

    /// <summary>Told what opening the GPUs is doing.</summary>
    public Action<string> Say { get; init; } = static _ => { };

    /// <summary>A further node of this machine under its own time, opened by the caller: one GPU while evidence is collected; null for none. The silo does not dispose of it.</summary>
    public (INode Node, TimeProvider Time)? Node { get; init; }

    /// <summary>A collector of traces and metrics, over OTLP in HTTP; null for the one that <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> names, if any.</summary>
    public Uri? Otlp { get; init; }

    /// <summary>Whether Orleans' dashboard is served under <c>/orleans</c>, for operators. It profiles every call: some per cent of the silo's time.</summary>
    public bool Dashboard { get; init; }

    /// <summary>Where every trial that a device of this silo begins and ends is logged, a line of JSON each; null for nowhere.</summary>
    public string? RunLog { get; init; }

    /// <summary>Which serving engines plans may have started on this machine; null for <c>stacks.yaml</c> in the data directory, where there is one.</summary>
    public string? StacksFile { get; init; }

    /// <summary>Least level that is logged, to standard error. From information on, with stack traces and Orleans' own lines.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Warning;

    /// <summary>The last word on services: tests put their own parts here.</summary>
    public Action<IServiceCollection>? Services { get; init; }

    /// <summary>Whether the parts that reach hardware and disk are added; tests that bring their own say no.</summary>
    public bool WithParts { get; init; } = true;

    /// <summary>Directory of grain state.</summary>
    public string StateDirectory => Path.Combine(DataDirectory, "state");

    /// <summary>What was found about the sensors of this machine's GPUs, a file a device: remembered from one start to the next.</summary>
    public string DevicesDirectory => Path.Combine(DataDirectory, "devices");

    /// <summary>What serving engines said, a file a trial: the newest are kept.</summary>
    public string EnginesDirectory => Path.Combine(DataDirectory, "engines");

    /// <summary>Directory of results, one directory a sweep.</summary>
    public string ResultsDirectory => Path.Combine(DataDirectory, "results");
}
