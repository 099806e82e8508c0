using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;

namespace EnergyGrid.Silo;

/// <summary>Devices as the inventory knows them, with what the running sweeps or the device itself said last.</summary>
internal sealed class DeviceSnapshots
{
    private readonly SiteSnapshots _sites;
    private readonly SweepSnapshots _sweeps;
    private readonly Coalesced<string, GpuStatus> _status;

    public DeviceSnapshots(SiteSnapshots sites, SweepSnapshots sweeps, IGrainFactory grains, TimeProvider time)
    {
        (_sites, _sweeps) = (sites, sweeps);
        _status = new(key => grains.GetGrain<IGpuGrain>(key).Status(), SweepSnapshots.Freshness, time);
    }

    public async Task<ImmutableArray<DeviceLine>> All(CancellationToken stop)
    {
        var nodes = _sites.Fresh().Nodes;
        var running = new Dictionary<string, (string Sweep, RunningTrial Trial)>(StringComparer.Ordinal);
        foreach (var sweep in await _sweeps.Live(stop))
            foreach (var trial in sweep.Running) running[trial.Device] = (sweep.Id, trial);
        return [.. nodes.SelectMany(n => n.Inventory.Devices.Select(d => !n.Up ? Down(n, d)
            : running.TryGetValue(d.Key, out var at)
            ? new DeviceLine(d, Known(at.Trial.Watts), Known(at.Trial.Celsius), at.Trial.Phase, at.Sweep, at.Trial.Trial)
            : new DeviceLine(d, null, null, TrialPhase.Idle, null, null)))];
    }

    // What a sweep or the device said last is not the present of a host that is down.
    private static DeviceLine Down(NodeStanding node, DeviceInfo device) => new(device, null, null, TrialPhase.Idle, null, null, Up: false, node.SinceUtc);

    /// <exception cref="UnknownException">There is no such device.</exception>
    public async Task<DeviceLine> One(string host, string uuid, CancellationToken stop)
    {
        var device = Require(host, uuid);
        if (_sites.Fresh().Nodes.FirstOrDefault(n => n.Inventory.Host == host) is { Up: false } down) return Down(down, device);
        var status = await _status.Get(device.Key, stop);
        var busy = status.Phase is not (TrialPhase.Idle or TrialPhase.Ended);
        return new(device, Known(status.Watts), Known(status.Celsius), status.Phase, busy ? status.Trial?.Sweep : null, busy ? status.Trial?.ToString() : null);
    }

    public DeviceInfo Require(string host, string uuid) => _sites.Fresh().Device(host, uuid)
        ?? throw new UnknownException($"There is no device '{host}/{uuid}'; GET /v1/devices lists them.");

    private static double? Known(double value) => double.IsFinite(value) ? value : null;
}
