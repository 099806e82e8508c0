using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Devices;

/// <summary>What a simulated site consists of.</summary>
public sealed record SimulatedSiteOptions
{
    /// <summary>Its name.</summary>
    public string Name { get; init; } = "simulated";

    /// <summary>The silo that serves it: hosts are named <c>{silo}~r{rack}n{node}</c>, counted from 1.</summary>
    public string Silo { get; init; } = "local";

    public int Racks { get; init; } = 2;

    public int NodesPerRack { get; init; } = 4;

    public int GpusPerNode { get; init; } = 8;

    public SimulatedProfile Profile { get; init; } = SimulatedProfile.H100;

    public SimulatedDefects Defects { get; init; } = new();

    /// <summary>Decides every gain, offset, variation and noise.</summary>
    public ulong Seed { get; init; } = 1;
}

/// <summary>A simulated site: racks of nodes, a PDU meter for each rack, a facility meter that is consistent with them.</summary>
public sealed class SimulatedSite
{
    private const double PduEfficiency = 0.985;

    private SimulatedSite(string name, IReadOnlyList<SimulatedNode> nodes, IMeter facility) => (Name, Nodes, Facility) = (name, nodes, facility);

    public string Name { get; }

    public IReadOnlyList<SimulatedNode> Nodes { get; }

    /// <summary>Everything: what the PDUs deliver, UPS losses, cooling. Its PUE falls with the load.</summary>
    public IMeter Facility { get; }

    /// <summary>Builds one whose time begins now.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No rack, node or GPU.</exception>
    public static SimulatedSite Create(SimulatedSiteOptions options, TimeProvider time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Racks, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.NodesPerRack, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.GpusPerNode, 1);
        var nodes = new List<SimulatedNode>();
        var defects = options.Defects with { Sensor = options.Defects.Sensor.OfSite(options.Seed) };
        for (var rack = 1; rack <= options.Racks; rack++)
        {
            var first = nodes.Count;
            for (var node = 1; node <= options.NodesPerRack; node++)
            {
                var seed = SeededRandom.Mix(options.Seed, (ulong)((rack << 16) + node));
                nodes.Add(new SimulatedNode($"{options.Silo}~r{rack}n{node}", options.Name, $"r{rack}", options.GpusPerNode, options.Profile, defects, seed, time));
            }
            // One agent of the rack reads its PDU, as one would in a real one. The names carry the silo: several of them may simulate parts of one site.
            var members = nodes[first..];
            var rated = members.Sum(n => n.RatedWatts) / PduEfficiency;
            var pdu = new MeterInfo($"{options.Name}/r{rack}/{options.Silo}/pdu", SourceKind.RackInput, false, rated);
            nodes[first].AddMeter(new SumMeter(pdu, members, time, watts => watts / PduEfficiency));
        }
        var ratedAll = nodes.Sum(n => n.RatedWatts) / PduEfficiency;
        var facility = new MeterInfo($"{options.Name}/{options.Silo}/facility", SourceKind.FacilityInput, true, 1.6 * ratedAll);
        return new SimulatedSite(options.Name, nodes, new SumMeter(facility, nodes, time, watts => FacilityWatts(watts, ratedAll)));
    }

    /// <summary>Power of the whole facility at a power of all node inputs, W: PDU, UPS (0.96), fixed plant (6 % of the rating), cooling (12 %, and more when full).</summary>
    public static double FacilityWatts(double nodeInputWatts, double ratedWatts)
    {
        var delivered = nodeInputWatts / PduEfficiency;
        var load = delivered / ratedWatts;
        return delivered / 0.96 + 0.06 * ratedWatts + delivered * (0.12 + 0.04 * load * load);
    }

    /// <summary>A counter over the input energies of nodes, read at whole seconds.</summary>
    private sealed class SumMeter : IMeter
    {
        private readonly Lock _gate = new();
        private readonly SimulatedNode[] _nodes;
        private readonly TimeProvider _time;
        private readonly Func<double, double> _upstream;
        private long _next;
        private double _before = double.NaN;
        private double _joules;

        public SumMeter(MeterInfo info, IEnumerable<SimulatedNode> nodes, TimeProvider time, Func<double, double> upstream)
        {
            (Info, _nodes, _time, _upstream) = (info, [.. nodes], time, upstream);
            Profile = new SensorProfile(SensorQuantity.Counter, 1, 0, info.RatedWatts, Provenance.Modelled, UpdatePeriodSeconds: 1);
            _next = _time.GetUtcNow().ToUnixTimeSeconds() + 1;
        }

        public MeterInfo Info { get; }

        public SensorProfile Profile { get; }

        public void Drain(List<MeterReading> readings)
        {
            lock (_gate)
            {
                for (var now = _time.GetUtcNow().ToUnixTimeSeconds(); _next <= now; _next++)
                {
                    var input = 0.0;
                    foreach (var node in _nodes) input += node.InputJoulesAt(_next);
                    // Nobody looked for longer than the nodes remember: the counter goes on from here, as one that was unplugged.
                    if (double.IsFinite(input) && double.IsFinite(_before)) _joules += _upstream(input - _before);
                    _before = input;
                    if (double.IsFinite(input)) readings.Add(new MeterReading(_next * UtcNanoseconds.PerSecond, _joules));
                }
            }
        }
    }
}
