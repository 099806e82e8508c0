namespace EnergyGrid.Devices;

/// <summary>This machine as a node: its processor, its GPUs, and no meter at its input.</summary>
public sealed class LocalNode : INode, IDisposable
{
    private readonly IDevice[] _devices;

    /// <param name="host">Its name: the silo's.</param>
    /// <param name="site">Where it stands.</param>
    /// <param name="rack">Where it stands.</param>
    /// <param name="devices">Disposed with it.</param>
    /// <param name="clockErrorSeconds">Declared bound of the clock's error against UTC, s.</param>
    public LocalNode(string host, string site, string rack, IEnumerable<IDevice> devices, double clockErrorSeconds) =>
        (Host, Site, Rack, _devices, ClockErrorSeconds) = (host, site, rack, [.. devices], clockErrorSeconds);

    public const string DefaultSite = "local", DefaultRack = "r1";

    public string Host { get; }

    public string Site { get; }

    public string Rack { get; }

    public IReadOnlyList<IDevice> Devices => _devices;

    public IReadOnlyList<IMeter> Meters => [];

    public double ClockErrorSeconds { get; }

    public void Dispose()
    {
        foreach (var device in _devices) device.Dispose();
    }
}
