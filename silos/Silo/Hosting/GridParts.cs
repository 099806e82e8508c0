using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Cuda.Sensing;
using EnergyGrid.Grains;
using EnergyGrid.Node;
using EnergyGrid.Results;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Silo;

/// <summary>The one place where the parts behind the ports are chosen: result store, node agents, what simulates a site.</summary>
internal static class GridParts
{
    public static void AddGridParts(this IHostApplicationBuilder builder, SiloOptions options)
    {
        var services = builder.Services;
        var scale = options.Simulated?.TimeScale ?? (options.Node is { } given ? ScaledTimeProvider.ScaleOf(given.Time) : 1);
        services.AddSingleton(new GridIdentity(GridApi.ProductVersion, GridApi.RuntimeName));
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
            var local = LocalDevices(options);
            if (local.Count > 0) nodes.AddNode(new LocalNode(options.Name, LocalNode.DefaultSite, LocalNode.DefaultRack, local, ClockErrorSeconds), TimeProvider.System);
        });
        if (options.RunLog is { } path)
        {
            var file = OpenRunLog(path);
            services.AddSingleton<INodeAgents>(s => new RunLog(s.GetRequiredService<NodeAgents>(), file, TimeProvider.System, s.GetRequiredService<ILogger<RunLog>>()));
        }
    }

    private static FileStream OpenRunLog(string path)
    {
        try { return RunLog.Open(Path.GetFullPath(path)); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SiloRefusedException($"The run log {path} cannot be appended to: {e.Message} Name another with --run-log.", e);
        }
    }

    /// <summary>Declared bound of this machine's clock against UTC, s.</summary>
    private const double ClockErrorSeconds = 0.005;

    private static List<IDevice> LocalDevices(SiloOptions options)
    {
        var devices = new List<IDevice>();
        if (options.LocalCpu) devices.Add(new CpuDevice(options.Name, LocalNode.DefaultSite, LocalNode.DefaultRack, TimeProvider.System, new CpuDeviceOptions { ClockErrorSeconds = ClockErrorSeconds }));
        try
        {
            if (options.Gpus is not { Count: 0 }) devices.AddRange(LocalGpus.Open(Gpus(options), TimeProvider.System));
        }
        catch (DriverMissingException) when (options.Gpus is null)
        {
            // No GPU was asked for by name, and there is none: 'doctor' says what to install.
        }
        catch (Exception e) when (e is DriverMissingException or GpuRefusedException)
        {
            foreach (var device in devices) device.Dispose();
            throw new SiloRefusedException($"{e.Message} 'up --gpus none' starts without this machine's GPUs.", e);
        }
        return devices;
    }

    private static LocalGpuOptions Gpus(SiloOptions options) => new(options.Name, LocalNode.DefaultSite, LocalNode.DefaultRack)
    {
        Which = options.Gpus,
        ClockErrorSeconds = ClockErrorSeconds,
        Qualification = new QualificationOptions { WindowSeconds = options.QualificationSeconds, AliasSeconds = Math.Min(3, 0.3 * options.QualificationSeconds), SettleSeconds = Math.Min(2, 0.2 * options.QualificationSeconds) },
        Say = options.Say,
        Keep = found =>
        {
            Directory.CreateDirectory(options.DevicesDirectory);
            File.WriteAllText(Path.Combine(options.DevicesDirectory, $"{found.Uuid}.json"), found.ToJson());
        },
    };

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
