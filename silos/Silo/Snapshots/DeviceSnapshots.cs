using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;

namespace EnergyGrid.Silo;

/// <summary>Devices as the inventory knows them, with what their nodes measured last and what the sweeps that have not ended run on them.</summary>
internal sealed class DeviceSnapshots
{
    /// <summary>A node samples once a second: who asks more often hears the same.</summary>
    public static readonly TimeSpan Freshness = TimeSpan.FromSeconds(1);

    /// <summary>A host that is silent for longer keeps nobody waiting: its devices are shown without readings.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly SiteSnapshots _sites;
    private readonly SweepSnapshots _sweeps;
    private readonly Coalesced<string, ImmutableArray<LatestReading>> _readings;

    public DeviceSnapshots(SiteSnapshots sites, SweepSnapshots sweeps, IGrainFactory grains, TimeProvider time)
    {
        (_sites, _sweeps) = (sites, sweeps);
        _readings = new(async host =>
        {
            try { return await grains.GetGrain<INodeGrain>(host).Latest().WaitAsync(Patience, time); }
            catch (Exception) { return []; } // whether the host is there is the membership's to say; what is missing here is shown as unknown
        }, Freshness, time);
    }

    public Task<ImmutableArray<DeviceLine>> All(CancellationToken stop) => Of(_sites.Fresh().Nodes, stop);

    /// <exception cref="UnknownException">There is no such device.</exception>
    public async Task<DeviceLine> One(string host, string name, CancellationToken stop)
    {
        var device = Require(host, name);
        return (await Of([.. _sites.Fresh().Nodes.Where(n => n.Inventory.Host == host)], stop)).First(d => d.Device.Uuid == device.Uuid);
    }

    /// <summary>The device of a host by its UUID, the beginning of it, or its index.</summary>
    /// <exception cref="UnknownException">There is no such device, or more than one.</exception>
    public DeviceInfo Require(string host, string name)
    {
        var found = DeviceNames.Find(_sites.Fresh().Nodes.Where(n => n.Inventory.Host == host).SelectMany(n => n.Inventory.Devices), $"{host}/{name}");
        return found.Length == 1 ? found[0] : throw new UnknownException(found.IsEmpty
            ? $"There is no device '{host}/{name}'; GET /v1/devices lists them."
            : $"'{host}/{name}' is the beginning of {found.Length} devices: {string.Join(", ", found.Take(4).Select(d => d.Key))}.");
    }

    private async Task<ImmutableArray<DeviceLine>> Of(ImmutableArray<NodeStanding> nodes, CancellationToken stop)
    {
        var readings = Task.WhenAll(nodes.Where(n => n.Up).Select(async n => (n.Inventory.Host, Readings: await _readings.Get(n.Inventory.Host, stop))));
        var running = new Dictionary<string, (string Sweep, RunningTrial Trial)>(StringComparer.Ordinal);
        foreach (var sweep in await _sweeps.Live(stop))
            foreach (var trial in sweep.Running) running[trial.Device] = (sweep.Id, trial);
        var latest = new Dictionary<string, LatestReading>(StringComparer.Ordinal);
        foreach (var (host, told) in await readings)
            foreach (var reading in told) latest[$"{host}/{reading.Uuid}"] = reading;
        return
        [
            .. nodes.SelectMany(n => n.Inventory.Devices.Select(d => !n.Up ? Down(n, d)
                : Line(d, latest.TryGetValue(d.Key, out var told) ? told : LatestReading.None(d.Uuid), running.TryGetValue(d.Key, out var at) ? at : null))),
        ];
    }

    // What a sweep or the device said last is not the present of a host that is down.
    private static DeviceLine Down(NodeStanding node, DeviceInfo device) => new(device, null, null, TrialPhase.Idle, null, null, Up: false, node.SinceUtc);

    private static DeviceLine Line(DeviceInfo device, LatestReading latest, (string Sweep, RunningTrial Trial)? at) => new(
        device, Known(latest.Watts) ?? Known(at?.Trial.Watts), Known(latest.Celsius) ?? Known(at?.Trial.Celsius), at?.Trial.Phase ?? TrialPhase.Idle, at?.Sweep, at?.Trial.Trial,
        Megahertz: Known(latest.Megahertz), Fraction: Known(at?.Trial.Fraction), Utilisation: Known(latest.Utilisation), MemoryUsedBytes: Known(latest.MemoryUsedBytes));

    private static double? Known(double? value) => value is { } known && double.IsFinite(known) ? known : null;
}
