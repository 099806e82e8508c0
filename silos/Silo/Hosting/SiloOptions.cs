using System.Net;
using EnergyGrid.Devices;
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

/// <summary>What a silo is told. Refused as a whole by <see cref="SiloHost.Build"/> where it does not fit together.</summary>
public sealed record SiloOptions
{
    /// <summary>The silo's name, which is its host's: device keys begin with it. Without <c>/</c> and <c>~</c>, which end it there.</summary>
    public string Name { get; init; } = Environment.MachineName;

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

    /// <summary>Redis connection string for more than one silo.</summary>
    public string? Redis { get; init; }

    /// <summary>The port at which other silos reach this one; null for 11111 with Redis, and any free one on loopback without.</summary>
    public int? SiloPort { get; init; }

    /// <summary>The IP address at which other silos reach this one; null for what the machine's name resolves to. Without Redis nobody does.</summary>
    public IPAddress? SiloAddress { get; init; }

    /// <summary>A simulated site; null for none.</summary>
    public SimulatedSiteChoice? Simulated { get; init; }

    /// <summary>Whether this machine's processor is a device of the grid.</summary>
    public bool LocalCpu { get; init; } = true;

    /// <summary>This machine's GPUs that are devices of the grid: null for all that there are, if any; else by index, UUID or PCI bus id, and all of them must be there.</summary>
    public IReadOnlyList<string>? Gpus { get; init; } = [];

    /// <summary>How long each look at a GPU's sensors takes on start, s. Below 10 s the counter's check against power is coarse.</summary>
    public double QualificationSeconds { get; init; } = 10;

    /// <summary>Told what opening the GPUs is doing.</summary>
    public Action<string> Say { get; init; } = static _ => { };

    /// <summary>A further node of this machine under its own time, opened by the caller: one GPU while evidence is collected; null for none. The silo does not dispose of it.</summary>
    public (INode Node, TimeProvider Time)? Node { get; init; }

    /// <summary>Where every trial that a device of this silo begins and ends is logged, a line of JSON each; null for nowhere.</summary>
    public string? RunLog { get; init; }

    /// <summary>Least level that is logged, to standard error.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Warning;

    /// <summary>The last word on services: tests put their own parts here.</summary>
    public Action<IServiceCollection>? Services { get; init; }

    /// <summary>Whether the parts that reach hardware and disk are added; tests that bring their own say no.</summary>
    public bool WithParts { get; init; } = true;

    /// <summary>Directory of grain state.</summary>
    public string StateDirectory => Path.Combine(DataDirectory, "state");

    /// <summary>What was found about the sensors of this machine's GPUs, a file a device: the latest.</summary>
    public string DevicesDirectory => Path.Combine(DataDirectory, "devices");

    /// <summary>Directory of results, one directory a sweep.</summary>
    public string ResultsDirectory => Path.Combine(DataDirectory, "results");
}

/// <summary>A silo was told something that cannot be: the message says what is wrong and what would be right.</summary>
public sealed class SiloRefusedException(string message, Exception? inner = null) : Exception(message, inner);
