namespace EnergyGrid.Devices;

/// <summary>This machine as a node: its processor, its GPUs as they are found fit, and no meter at its input.</summary>
public sealed class LocalNode : INode, IDisposable
{
    private readonly Lock _gate = new();
    private IDevice[] _devices;
    private bool _isClosed;

    /// <param name="host">Its name: the silo's.</param>
    /// <param name="site">Where it stands.</param>
    /// <param name="rack">Where it stands.</param>
    /// <param name="devices">Those that it has from the beginning; disposed with it.</param>
    /// <param name="clock">What everything on it stamps by.</param>
    public LocalNode(string host, string site, string rack, IEnumerable<IDevice> devices, NodeClock clock) =>
        (Host, Site, Rack, _devices, Clock) = (host, site, rack, [.. devices], clock);

    public const string DefaultSite = "local", DefaultRack = "r1";

    public string Host { get; }

    public string Site { get; }

    public string Rack { get; }

    /// <summary>Another list whenever a device is added; none ever goes.</summary>
    public IReadOnlyList<IDevice> Devices => Volatile.Read(ref _devices);

    public IReadOnlyList<IMeter> Meters => [];

    public NodeClock Clock { get; }

    public double ClockErrorSeconds => Clock.ErrorSeconds;

    public bool IsOpening { get; set; }

    /// <summary>Adds a device that was found fit while the node was already at work; disposed with it.</summary>
    public void Offer(IDevice device)
    {
        lock (_gate)
        {
            if (!_isClosed)
            {
                Volatile.Write(ref _devices, [.. _devices, device]);
                return;
            }
        }
        device.Dispose();
    }

    public void Dispose()
    {
        lock (_gate) _isClosed = true;
        foreach (var device in _devices) device.Dispose();
    }
}
