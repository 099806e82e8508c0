using EnergyGrid.Contracts;
using EnergyGrid.Devices;

namespace EnergyGrid.Node;

/// <summary>All sensors of one node.</summary>
internal sealed class NodeSampler
{
    private readonly MeterInfo[] _meters;
    private NodeInventory? _inventory;
    private int _offered = -1;

    public NodeSampler(INode node, TimeProvider time)
    {
        (Node, Time) = (node, time);
        Devices = [.. node.Devices.Select(d => new DeviceSampler(d))];
        Meters = [.. node.Meters.Select(m => new MeterSampler(m))];
        Input = Meters.FirstOrDefault(m => m.Meter.Info.Kind == SourceKind.NodeInput);
        // Where no meter sees the whole node, its devices' own readings are what accounts.
        var accounting = node.Meters.Any(m => m.Info.Accounting)
            ? node.Meters.Select(m => m.Info)
            : [.. node.Meters.Select(m => m.Info), .. Devices.Select(d => new MeterInfo(d.Device.Info.Key, d.Kind, true, d.Device.Info.RatedWatts))];
        _meters = [.. accounting];
    }

    public INode Node { get; }

    public TimeProvider Time { get; }

    /// <summary>What the node offers: another one when a device has been quarantined. A meter stays though its device is gone: its silence must show in the coverage.</summary>
    public NodeInventory Inventory
    {
        get
        {
            DeviceInfo[] sound = [.. Devices.Where(d => d.Device.Quarantine is null).Select(d => d.Device.Info)];
            if (_inventory is null || _offered != sound.Length) (_inventory, _offered) = (new NodeInventory(Node.Host, Node.Site, Node.Rack, [.. sound], [.. _meters]), sound.Length);
            return _inventory;
        }
    }

    public IReadOnlyList<DeviceSampler> Devices { get; }

    public IReadOnlyList<MeterSampler> Meters { get; }

    /// <summary>The node's input meter, if it has one.</summary>
    public MeterSampler? Input { get; }

    public DeviceSampler? Find(string uuid) => Devices.FirstOrDefault(d => d.Device.Info.Uuid == uuid);

    /// <summary>Drains everything, and moves what closed to <paramref name="windows"/>.</summary>
    public void Sample(List<PowerWindow> windows)
    {
        var error = Node.ClockErrorSeconds;
        foreach (var device in Devices) device.Pump(error);
        foreach (var meter in Meters) meter.Pump(error);
        var now = Time.UtcNowNanoseconds();
        foreach (var device in Devices) device.Take(windows, now);
        foreach (var meter in Meters) meter.Take(windows, now);
    }
}
