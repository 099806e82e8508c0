using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Devices;

/// <summary>
/// A simulated node: boards, processors, memory, fans and power supplies, and a meter at its input. Its second-by-second input energy
/// follows from what its boards truly draw.
/// </summary>
public sealed class SimulatedNode : INode
{
    private const int KeptSeconds = 256;
    private const double BaseWatts = 150;
    private const double SupplyEfficiency = 0.95;

    private readonly SimulatedGpu[] _gpus;
    private readonly double[] _gpuJoules = new double[KeptSeconds];
    private readonly int[] _active = new int[KeptSeconds];
    private readonly double[] _inputAt = new double[KeptSeconds];
    private readonly double _gpuRatedWatts;
    private readonly double _clockOffset;
    private readonly long _originNanoseconds;
    private readonly double _inputGain;
    private readonly SecondsMeter _input;
    private readonly SecondsMeter _cpu;
    private readonly SecondsMeter _dram;
    private readonly List<IMeter> _meters;
    private long _closed;
    private double _cpuJoules;
    private double _dramJoules;
    private double _inputJoules;

    internal SimulatedNode(string host, string site, string rack, int gpus, SimulatedProfile profile, SimulatedDefects defects, ulong seed, TimeProvider time)
    {
        (Host, Site, Rack, Time) = (host, site, rack, time);
        var random = new SeededRandom(seed);
        _clockOffset = defects.ClockErrorSeconds * (2 * random.Uniform() - 1);
        _inputGain = 1 + 0.2 * defects.GainSpread * (2 * random.Uniform() - 1);
        ClockErrorSeconds = defects.ClockErrorSeconds;
        var now = time.UtcNowNanoseconds();
        _originNanoseconds = now / UtcNanoseconds.PerSecond * UtcNanoseconds.PerSecond;
        Now = StartSeconds = (now - _originNanoseconds) / 1e9;
        _gpuRatedWatts = gpus * profile.RatedWatts;
        _gpus = [.. Enumerable.Range(0, gpus).Select(i => new SimulatedGpu(this, i, profile, defects, SeededRandom.Mix(seed, (ulong)i + 1), Now))];
        _cpu = new SecondsMeter(this, $"{host}/cpu", SourceKind.Cpu, accounting: false, 700);
        _dram = new SecondsMeter(this, $"{host}/dram", SourceKind.Dram, accounting: false, 150);
        _input = new SecondsMeter(this, $"{host}/input", SourceKind.NodeInput, accounting: true, (_gpuRatedWatts + 700 + 150 + BaseWatts + 900) / SupplyEfficiency);
        _meters = [_cpu, _dram, _input];
    }

    public string Host { get; }

    public string Site { get; }

    public string Rack { get; }

    public IReadOnlyList<IDevice> Devices => _gpus;

    public IReadOnlyList<IMeter> Meters => _meters;

    public double ClockErrorSeconds { get; }

    /// <summary>Its boards, with what only a simulation can do to them.</summary>
    public IReadOnlyList<SimulatedGpu> Gpus => _gpus;

    internal TimeProvider Time { get; }

    internal Lock Gate { get; } = new();

    /// <summary>Seconds since the origin; the node has lived to every sensor step before it.</summary>
    internal double Now { get; private set; }

    internal double StartSeconds { get; }

    /// <summary>Nominal power at the input, W.</summary>
    internal double RatedWatts => _input.Info.RatedWatts;

    internal void AddMeter(IMeter meter) => _meters.Add(meter);

    /// <summary>Advances to the present; under <see cref="Gate"/>.</summary>
    internal void Advance()
    {
        var now = (Time.UtcNowNanoseconds() - _originNanoseconds) / 1e9;
        if (now <= Now) return;
        // In pieces, so that the seconds of one board never run around the ring before those of the last one have come.
        while (Now < now)
        {
            Now = Math.Min(now, Math.Floor(Now) + KeptSeconds / 2);
            foreach (var gpu in _gpus) gpu.AdvanceTo(Now, exactly: false);
            for (var ended = (long)Math.Floor(Now); _closed < ended; _closed++) CloseSecond(_closed);
        }
    }

    /// <summary>A second's energy of one board; under <see cref="Gate"/>.</summary>
    internal void AddGpuSecond(long second, double joules, int active)
    {
        _gpuJoules[second % KeptSeconds] += joules;
        _active[second % KeptSeconds] += active;
    }

    /// <summary>The node's clock at a true instant, ns since the Unix epoch.</summary>
    internal long Stamp(double seconds) => _originNanoseconds + UtcNanoseconds.FromSeconds(seconds + _clockOffset);

    /// <summary>True energy at the input from the node's beginning to whole second <paramref name="utcSecond"/> (Unix), J; NaN where that is ahead or forgotten.</summary>
    internal double InputJoulesAt(long utcSecond)
    {
        lock (Gate)
        {
            Advance();
            var second = utcSecond - _originNanoseconds / UtcNanoseconds.PerSecond;
            if (second <= 0) return second == 0 ? 0 : double.NaN;
            return second > _closed || second <= _closed - KeptSeconds ? double.NaN : _inputAt[second % KeptSeconds];
        }
    }

    private void CloseSecond(long second)
    {
        var slot = second % KeptSeconds;
        var gpu = _gpuJoules[slot];
        var active = _active[slot];
        (_gpuJoules[slot], _active[slot]) = (0, 0);
        // The first second is only lived in part.
        var span = second == 0 ? 1 - StartSeconds : 1;
        var load = gpu / span / _gpuRatedWatts;
        var cpu = (180 + 12 * active) * span;
        var dram = (60 + 2 * active) * span;
        var fans = (90 + 400 * load * load * load) * span;
        var supplied = gpu + cpu + dram + fans + BaseWatts * span;
        // Power supplies are worst when nearly idle.
        var efficiency = SupplyEfficiency - 0.02 * Math.Exp(-8 * load);
        _cpuJoules += cpu;
        _dramJoules += dram;
        _inputJoules += supplied / efficiency;
        _inputAt[(second + 1) % KeptSeconds] = _inputJoules;
        var stamp = Stamp(second + 1);
        _cpu.Add(stamp, _cpuJoules);
        _dram.Add(stamp, _dramJoules);
        _input.Add(stamp, _inputGain * _inputJoules);
    }

    /// <summary>An energy counter that is read once a second, with steps of 1/16 J.</summary>
    private sealed class SecondsMeter(SimulatedNode node, string source, SourceKind kind, bool accounting, double ratedWatts) : IMeter
    {
        private readonly List<MeterReading> _pending = [];

        public MeterInfo Info { get; } = new(source, kind, accounting, ratedWatts);

        public SensorProfile Profile { get; } = new(SensorQuantity.Counter, 1, 0, ratedWatts, Provenance.Modelled, UpdatePeriodSeconds: 1);

        public void Add(long stamp, double joules)
        {
            if (_pending.Count >= 4096) _pending.RemoveRange(0, 2048);
            _pending.Add(new MeterReading(stamp, Math.Floor(16 * joules) / 16));
        }

        public void Drain(List<MeterReading> readings)
        {
            lock (node.Gate)
            {
                node.Advance();
                readings.AddRange(_pending);
                _pending.Clear();
            }
        }
    }
}
