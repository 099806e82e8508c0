using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Cuda.Sensing;
using EnergyGrid.Devices.Workers;
using EnergyGrid.Grains;
using EnergyGrid.LlamaCpp;
using EnergyGrid.Node;
using EnergyGrid.Results;
using EnergyGrid.Stacks;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EnergyGrid.Silo;

/// <summary>The one place where the parts behind the ports are chosen: result store, node agents, what simulates a site.</summary>
internal static class GridParts
{
    public static void AddGridParts(this IHostApplicationBuilder builder, SiloOptions options, SiloClaims claims)
    {
        var services = builder.Services;
        var scale = options.Simulated?.TimeScale ?? (options.Node is { } given ? ScaledTimeProvider.ScaleOf(given.Time) : 1);
        services.AddSingleton(new GridIdentity(GridApi.ProductVersion, GridApi.RuntimeName));
        services.AddSingleton(new SweepPace());
        services.AddSingleton(WindowPace.Scaled(scale));
        services.AddResults(options);
        // What is refused is refused while the host is put together; nothing is opened before it has started.
        var local = new Lazy<(LocalNode? Node, IReadOnlyList<CudaBoard> Boards)>(() => LocalMachine(options, claims));
        var stacks = Stacks(options);
        services.AddNodeAgents(nodes =>
        {
            nodes.Stacks = stacks;
            if (options.Simulated is { } site) nodes.AddSimulatedSite(Simulation(options, site), new ScaledTimeProvider(site.TimeScale));
            if (options.Node is { } opened) nodes.AddNode(opened.Node, opened.Time);
            if (local.Value.Node is { } machine) nodes.AddNode(machine, machine.Clock);
        });
        // After Orleans, which has joined when this starts.
        services.AddHostedService(s => new GpuOpening(local.Value.Boards, Gpus(options), options.Workers, local.Value.Node, s.GetRequiredService<ILogger<GpuOpening>>()));
        if (options.RunLog is { } path)
        {
            var file = OpenRunLog(path);
            services.AddSingleton<INodeAgents>(s => new RunLog(s.GetRequiredService<NodeAgents>(), file, TimeProvider.System, s.GetRequiredService<ILogger<RunLog>>()));
        }
    }

    // Alone: files. In a cluster every silo must see the same results, so they are where the cluster's state is.
    private static void AddResults(this IServiceCollection services, SiloOptions options)
    {
        if (options.Redis is null)
        {
            services.AddSingleton(s => new FileResultStore(options.ResultsDirectory, s.GetRequiredService<TimeProvider>()));
            Ports<FileResultStore>(services);
            return;
        }
        services.AddSingleton(s => new RedisResultStore(s.GetRequiredService<IConnectionMultiplexer>(), $"{options.Cluster}/results", s.GetRequiredService<TimeProvider>()));
        Ports<RedisResultStore>(services);
    }

    private static void Ports<T>(IServiceCollection services) where T : class, IResultStore, IResultFiles, ITrialFiles, IResultRetention
    {
        services.AddSingleton<IResultStore>(s => s.GetRequiredService<T>());
        services.AddSingleton<IResultFiles>(s => s.GetRequiredService<T>());
        services.AddSingleton<ITrialFiles>(s => s.GetRequiredService<T>());
        services.AddSingleton<IResultRetention>(s => s.GetRequiredService<T>());
    }

    /// <summary>What plans may have started here.</summary>
    private static ServingStacks Stacks(SiloOptions options)
    {
        var path = options.StacksFile ?? Path.Combine(options.DataDirectory, "stacks.yaml");
        if (options.StacksFile is null && !File.Exists(path)) return ServingStacks.None;
        var read = StackFile.ReadFile(path);
        return read.File is { } file ? new ServingStacks(file, options.EnginesDirectory) : throw new SiloRefusedException(string.Join('\n', read.Problems));
    }

    private static FileStream OpenRunLog(string path)
    {
        try { return RunLog.Open(Path.GetFullPath(path)); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SiloRefusedException($"The run log {path} cannot be appended to: {FileFault.Words(e)}. Name another with --run-log.", e);
        }
    }

    /// <summary>Declared bound of this machine's clock against UTC, s, where the kernel does not tell.</summary>
    private const double ClockErrorSeconds = 0.005;

    /// <summary>This machine's node, with its processor alone at first, and the GPUs that are to be looked at.</summary>
    private static (LocalNode? Node, IReadOnlyList<CudaBoard> Boards) LocalMachine(SiloOptions options, SiloClaims claims)
    {
        IReadOnlyList<CudaBoard> boards = [];
        try
        {
            if (options.Gpus is not { Count: 0 }) boards = LocalGpus.Boards(Gpus(options));
            foreach (var board in boards) claims.Gpu(board.Uuid);
        }
        catch (DriverMissingException) when (options.Gpus is null)
        {
            // No GPU was asked for by name, and there is none: 'doctor' says what to install.
        }
        catch (Exception e) when (e is DriverMissingException or GpuRefusedException)
        {
            throw new SiloRefusedException($"{e.Message} 'up --gpus none' starts without this machine's GPUs.", e);
        }
        var clock = new NodeClock(TimeProvider.System, static () => KernelClock.MaxErrorSeconds() ?? ClockErrorSeconds);
        IDevice[] devices = options.LocalCpu ? [new CpuDevice(options.Name, SiteOf(options), options.Rack, clock, Cpu(options))] : [];
        return (devices.Length + boards.Count > 0 ? new LocalNode(options.Name, SiteOf(options), options.Rack, devices, clock) { IsOpening = boards.Count > 0 } : null, boards);
    }

    // llama.cpp ends the process that it is in where it asserts: without a process of its own it does not run.
    private static CpuDeviceOptions Cpu(SiloOptions options)
    {
        var cpu = new CpuDeviceOptions { ClockErrorSeconds = 0 };
        return options.Workers is { } workers ? cpu with { Stacks = [LlamaSteps.Stack(cpu.Threads, workers)] } : cpu;
    }

    private static LocalGpuOptions Gpus(SiloOptions options) => new(options.Name, SiteOf(options), options.Rack)
    {
        Which = options.Gpus,
        // That of the node's clock is all of it.
        ClockErrorSeconds = 0,
        Qualification = new QualificationOptions { WindowSeconds = options.QualificationSeconds, AliasSeconds = Math.Min(3, 0.3 * options.QualificationSeconds), SettleSeconds = Math.Min(2, 0.2 * options.QualificationSeconds) },
        Say = options.Say,
        Memory = options.DevicesDirectory,
        Requalify = options.Requalify,
    };

    private static SimulatedProfile[] Profiles => [SimulatedProfile.H100, SimulatedProfile.H200];

    private static string SiteOf(SiloOptions options) => options.Site ?? LocalNode.DefaultSite;

    private static SimulatedSiteOptions Simulation(SiloOptions options, SimulatedSiteChoice site) => new()
    {
        Name = options.Site ?? site.Name,
        Silo = options.Name,
        Racks = site.Racks,
        NodesPerRack = site.NodesPerRack,
        GpusPerNode = site.GpusPerNode,
        Profile = Profiles.FirstOrDefault(p => p.Shape.Name == site.Model)
            ?? throw new SiloRefusedException($"There is no simulated device '{site.Model}'; there are {string.Join(", ", Profiles.Select(p => p.Shape.Name))}."),
        Seed = (ulong)site.Seed,
    };
}
