using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;

namespace EnergyGrid.Node;

/// <summary>All sensors of one node. Devices may come to it while it is at work.</summary>
internal sealed class NodeSampler
{
    private readonly Lock _gate = new();
    private readonly double _tickSeconds;
    private ImmutableArray<DeviceSampler> _devices = [];
    private NodeInventory? _inventory;

    /// <param name="node">Whose.</param>
    /// <param name="time">The node's.</param>
    /// <param name="tickSeconds">How often it is sampled, s.</param>
    public NodeSampler(INode node, TimeProvider time, double tickSeconds)
    {
        (Node, Time, _tickSeconds) = (node, time, tickSeconds);
        Meters = [.. node.Meters.Select(m => new MeterSampler(m))];
        Input = Meters.FirstOrDefault(m => m.Meter.Info.Kind == SourceKind.NodeInput);
    }

    /// <summary>Serving engines that may run here.</summary>
    public ImmutableArray<StackOffer> Stacks { get; init; } = [];

    public INode Node { get; }

    public TimeProvider Time { get; }

    /// <summary>
    /// What the node offers: another one when a device has come, was quarantined or is sound again. A meter stays though its device is gone: its silence must show in the coverage.
    /// </summary>
    public NodeInventory Inventory
    {
        get
        {
            var devices = Devices;
            ImmutableArray<DeviceInfo> sound = [.. devices.Where(d => d.Quarantine is null).Select(d => d.Device.Info)];
            // Where no meter sees the whole node, its devices' own readings are what accounts.
            IEnumerable<MeterInfo> own = Meters.Select(m => m.Meter.Info);
            ImmutableArray<MeterInfo> meters = Meters.Any(m => m.Meter.Info.Accounting)
                ? [.. own]
                : [.. own, .. devices.Select(d => new MeterInfo(d.Device.Info.Key, d.Kind, true, d.Device.Info.RatedWatts))];
            lock (_gate)
            {
                if (_inventory is null || !_inventory.Devices.SequenceEqual(sound) || !_inventory.Meters.SequenceEqual(meters))
                    _inventory = new NodeInventory(Node.Host, Node.Site, Node.Rack, sound, meters) { Stacks = Stacks };
                return _inventory;
            }
        }
    }

    /// <summary>A sampler for each of the node's devices, in the node's order.</summary>
    public ImmutableArray<DeviceSampler> Devices
    {
        get
        {
            lock (_gate)
            {
                var there = Node.Devices;
                if (there.Count != _devices.Length) _devices = [.. there.Select(d => _devices.FirstOrDefault(s => ReferenceEquals(s.Device, d)) ?? new DeviceSampler(d, Time, _tickSeconds))];
                return _devices;
            }
        }
    }

    public IReadOnlyList<MeterSampler> Meters { get; }

    /// <summary>The node's input meter, if it has one.</summary>
    public MeterSampler? Input { get; }

    public DeviceSampler? Find(string uuid) => Devices.FirstOrDefault(d => d.Device.Info.Uuid == uuid);

    /// <summary>The clock's latest setting after a jump; null where the node's time cannot jump, or did not.</summary>
    public ClockStep? LastStep => (Time as NodeClock)?.LastStep;

    /// <summary>Sets the node's clock anew if the wall clock was moved, and says so.</summary>
    public ClockStep? FollowClock()
    {
        if ((Time as NodeClock)?.Follow() is not { } step) return null;
        foreach (var device in Devices) device.Restart();
        foreach (var meter in Meters) meter.Restart();
        return step;
    }

    /// <summary>Drains everything, and moves what closed to <paramref name="windows"/>.</summary>
    public void Sample(List<PowerWindow> windows)
    {
        var error = Node.ClockErrorSeconds;
        var devices = Devices;
        foreach (var device in devices) device.Pump(error);
        foreach (var meter in Meters) meter.Pump(error);
        var now = Time.UtcNowNanoseconds();
        foreach (var device in devices) device.Take(windows, now);
        foreach (var meter in Meters) meter.Take(windows, now);
    }
}
