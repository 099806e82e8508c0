using EnergyGrid.Contracts;
using EnergyGrid.Metrology;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices;

/// <summary>
/// A simulated board. It does nothing while nobody looks: each look advances it to the present in steps of its sensor, with exact
/// timestamps, so the pace and the jitter of the wall never touch an energy. All figures are modelled.
/// </summary>
public sealed class SimulatedGpu : IDevice
{
    private const int MostPending = 20_000;
    private const double ResidentBytesPerSecond = 25e9;

    private readonly SimulatedNode _node;
    private readonly SimulatedProfile _profile;
    private readonly SimulatedDefects _defects;
    private readonly TransferCurve _curve;
    private readonly double _staticWatts;
    private readonly double _boardFactor;
    private readonly double _period;
    private readonly double _phase;
    private readonly double _instantFrom;
    private readonly double _tickDecay;
    private readonly double[] _lastInstants = new double[10];
    private readonly List<DeviceReading> _readings = [];
    private readonly List<StepMark> _marks = [];
    private SeededRandom _random;

    // Physics, in seconds since the node's origin.
    private double _now;
    private double _nextTick;
    private double _nextSecond;
    private long _ticks;
    private double _celsius;
    private double _joules;
    private double _sensedJoules;
    private double _joulesAtSecond;
    private double _instantJoules;
    private double _steps;
    private double _capSeconds;
    private double _thermalSeconds;
    private double _megahertz;
    private double _resetJoules;
    private bool _wasReset;
    private bool _marked;

    // What it does.
    private bool _context;
    private bool _running;
    private double _residentBytes;
    private double _stepsPerSecond;
    private double _dynamicWatts;
    private bool _isLoaded;
    private double _powerLimit;
    private int _otherProcesses;

    internal SimulatedGpu(SimulatedNode node, int index, SimulatedProfile profile, SimulatedDefects defects, ulong seed, double now)
    {
        (_node, _profile, _defects) = (node, profile, defects);
        _random = new SeededRandom(seed);
        _curve = defects.Sensor.CurveOf(1 + defects.GainSpread * (2 * _random.Uniform() - 1), profile.RatedWatts, seed);
        var board = Math.Exp(defects.BoardVariation * _random.Normal());
        _staticWatts = profile.StaticWatts * board;
        _boardFactor = Math.Exp(defects.BoardVariation * _random.Normal());
        _period = defects.StepSeconds * (1 + 0.01 * (2 * _random.Uniform() - 1));
        _phase = now + _period * _random.Uniform();
        _instantFrom = Math.Min(defects.IntegratedSeconds, _period);
        _tickDecay = Math.Exp(-_period / profile.ThermalSeconds);
        _powerLimit = double.IsNaN(defects.PowerLimitWatts) ? profile.RatedWatts : defects.PowerLimitWatts;
        _otherProcesses = defects.OtherProcesses;
        _now = now;
        _nextTick = _phase;
        _nextSecond = Math.Floor(now) + 1;
        _celsius = profile.CoolantCelsius + profile.CelsiusPerWatt * profile.IdleWatts;
        Array.Fill(_lastInstants, _curve.Reads(profile.IdleWatts));
        _megahertz = 345;
        Info = new DeviceInfo(
            node.Host, $"GPU-sim-{seed:x16}", profile.Shape.Name, DeviceKind.Simulated, node.Site, node.Rack, index,
            profile.Shape.MemoryBytes, profile.Shape.BandwidthBytesPerSecond, Provenance.Modelled, profile.Shape.DatasheetFlopsPerSecond,
            profile.RatedWatts, _powerLimit, "simulated", "simulated energy counter", Provenance.Modelled, defects.Declared(profile.RatedWatts, node.Time.GetUtcNow()),
            ScaledTimeProvider.ScaleOf(node.Time) is var scale && scale != 1 ? scale : null);
        Sensor = new DeviceSensor(
            new SensorProfile(SensorQuantity.Counter, _period, 0, profile.RatedWatts, Provenance.Modelled, UpdatePeriodSeconds: defects.StepSeconds),
            Math.Max(defects.PollSeconds, 1e-4), PowerIsIndependent: true);
    }

    public DeviceInfo Info { get; }

    public DeviceSensor Sensor { get; }

    public DeviceCondition Condition()
    {
        lock (_node.Gate)
        {
            _node.Advance();
            return new(_celsius, _megahertz, _powerLimit, _otherProcesses, _node.ClockErrorSeconds);
        }
    }

    public DeviceUse Use
    {
        get { lock (_node.Gate) return new(_running ? 1 : 0, _residentBytes); }
    }

    public string? Refusal(Configuration configuration, StepCost cost, int layers)
    {
        if (StepLayers.Refusal(configuration, layers) is { } refusal) return refusal;
        var (unit, units) = Units(configuration, cost, layers);
        var bytes = unit.ResidentBytes * units;
        return bytes <= _profile.Shape.UsableBytes
            ? null
            : $"{bytes / 1e9:F1} GB are needed for {StepLayers.Name(layers)}, the device has {_profile.Shape.UsableBytes / 1e9:F1} GB: needs {Math.Ceiling(bytes / _profile.Shape.UsableBytes)} devices";
    }

    public async Task Load(Configuration configuration, StepCost cost, int layers, CancellationToken stop)
    {
        if (Refusal(configuration, cost, layers) is { } reason) throw new InvalidOperationException(reason);
        lock (_node.Gate)
        {
            AdvanceExactly();
            _running = false;
            _context = true;
        }
        var (unit, units) = Units(configuration, cost, layers);
        await Task.Delay(TimeSpan.FromSeconds(0.5 + unit.ResidentBytes * units / ResidentBytesPerSecond), _node.Time, stop);
        lock (_node.Gate)
        {
            AdvanceExactly();
            var speed = Math.Exp(_defects.SpeedVariation * _random.Normal());
            var power = Math.Exp(_defects.PowerVariation * _random.Normal()) * _boardFactor;
            _isLoaded = true;
            _residentBytes = unit.ResidentBytes * units;
            _stepsPerSecond = speed / StepSeconds(unit, units);
            _dynamicWatts = power * DynamicJoules(unit, units) * _stepsPerSecond;
        }
    }

    public void Start()
    {
        lock (_node.Gate)
        {
            if (!_isLoaded) throw new InvalidOperationException("Nothing is loaded.");
            AdvanceExactly();
            _running = true;
            _marked = false;
            Mark();
        }
    }

    public Task Stop()
    {
        lock (_node.Gate)
        {
            AdvanceExactly();
            if (_running) Mark();
            _running = false;
        }
        return Task.CompletedTask;
    }

    public Task Unload()
    {
        lock (_node.Gate)
        {
            AdvanceExactly();
            (_running, _context, _isLoaded, _residentBytes) = (false, false, false, 0);
        }
        return Task.CompletedTask;
    }

    public void Drain(List<DeviceReading> readings, List<StepMark> steps)
    {
        lock (_node.Gate)
        {
            _node.Advance();
            readings.AddRange(_readings);
            steps.AddRange(_marks);
            _readings.Clear();
            _marks.Clear();
        }
    }

    public void Dispose()
    {
    }

    /// <summary>Changes what the device stands under, as an operator or a neighbour would. Takes effect now.</summary>
    public void Disturb(double? powerLimitWatts = null, int? otherProcesses = null, double? celsius = null)
    {
        lock (_node.Gate)
        {
            AdvanceExactly();
            _powerLimit = powerLimitWatts ?? _powerLimit;
            _otherProcesses = otherProcesses ?? _otherProcesses;
            _celsius = celsius ?? _celsius;
        }
    }

    /// <summary>The truth that the sensors only approach. For tests: nothing that measures may ask.</summary>
    internal SimulatedTruth Truth
    {
        get
        {
            lock (_node.Gate)
            {
                AdvanceExactly();
                return new SimulatedTruth(_joules, _sensedJoules, _steps, _curve, _celsius);
            }
        }
    }

    /// <summary>
    /// True joules per step at L' layers in thermal balance, without the variation between loads. Power: the limit where it binds.
    /// </summary>
    internal double TrueStepJoules(StepCost cost, int layers)
    {
        var seconds = StepSeconds(cost, layers);
        var dynamic = _boardFactor * DynamicJoules(cost, layers);
        // P = P_static + k·(T − T_ref) + P_dyn and T = T_coolant + R·P.
        var (k, r) = (_profile.LeakWattsPerCelsius, _profile.CelsiusPerWatt);
        var watts = (_staticWatts + k * (_profile.CoolantCelsius - _profile.ReferenceCelsius) + dynamic / seconds) / (1 - k * r);
        if (watts <= _powerLimit) return watts * seconds;
        var leak = _staticWatts + k * (_profile.CoolantCelsius + r * _powerLimit - _profile.ReferenceCelsius);
        return _powerLimit * dynamic / (_powerLimit - leak);
    }

    /// <summary>True joules per token and layer: the slope over two L'.</summary>
    internal double TrueTokenLayerJoules(StepCost cost, int batch, int shortLayers, int longLayers) =>
        (TrueStepJoules(cost, longLayers) - TrueStepJoules(cost, shortLayers)) / (longLayers - shortLayers) / batch;

    /// <summary>Advances to every boundary at or before an instant; under the node's gate.</summary>
    internal void AdvanceTo(double to, bool exactly)
    {
        while (true)
        {
            var next = Math.Min(_nextTick, _nextSecond);
            if (next > to) break;
            Live(next);
            if (next == _nextTick) Tick();
            if (next == _nextSecond) EndSecond();
        }
        if (exactly && to > _now) Live(to);
    }

    private void AdvanceExactly()
    {
        _node.Advance();
        AdvanceTo(_node.Now, exactly: true);
    }

    /// <summary>What a step repeats, and how often.</summary>
    private static (StepCost Cost, int Times) Units(Configuration configuration, StepCost cost, int layers) =>
        layers == StepLayers.HeadAlone ? (LmHead.Cost(configuration), 1) : (cost, layers);

    private double StepSeconds(StepCost cost, int layers) =>
        layers * _profile.Shape.FloorPhasesSeconds(cost) / _profile.AchievedFraction + _profile.LaunchSeconds;

    private double DynamicJoules(StepCost cost, int layers) =>
        layers * (8 * cost.Bytes * _profile.JoulesPerBit + cost.Flops * _profile.JoulesPerFlop);

    /// <summary>One piece of constant power, from now to <paramref name="to"/>.</summary>
    private void Live(double to)
    {
        var span = to - _now;
        double watts;
        if (_running)
        {
            var leaking = _staticWatts + _profile.LeakWattsPerCelsius * (_celsius - _profile.ReferenceCelsius);
            var speed = 1.0;
            if (_celsius >= _profile.SlowdownCelsius)
            {
                speed = 0.5;
                _thermalSeconds += span;
            }
            var capped = (_powerLimit - leaking) / _dynamicWatts;
            if (capped < speed)
            {
                speed = Math.Max(capped, 0.01);
                _capSeconds += span;
            }
            watts = leaking + speed * _dynamicWatts;
            _steps += speed * _stepsPerSecond * span;
            _megahertz = speed * _profile.BoostMegahertz;
        }
        else
        {
            watts = _context ? _profile.IdleContextWatts : _profile.IdleWatts;
            _megahertz = _context ? _profile.BoostMegahertz : 345;
        }
        _joules += watts * span;
        var told = _curve.Reads(watts);
        _sensedJoules += told * span;
        var seen = to - Math.Max(_now, _nextTick - _instantFrom);
        if (seen > 0) _instantJoules += told * seen;
        var target = _profile.CoolantCelsius + _profile.CelsiusPerWatt * watts;
        var decay = Math.Abs(span - _period) < 1e-9 ? _tickDecay : Math.Exp(-span / _profile.ThermalSeconds);
        _celsius = target + (_celsius - target) * decay;
        _now = to;
    }

    private void Tick()
    {
        var instant = _instantJoules / _instantFrom * (1 + _defects.AliasFraction * _random.Flat());
        _instantJoules = 0;
        _lastInstants[(int)(_ticks % _lastInstants.Length)] = instant;
        var average = 0.0;
        foreach (var one in _lastInstants) average += one;
        if (!_wasReset && _now - _node.StartSeconds >= _defects.CounterResetAfterSeconds) (_wasReset, _resetJoules) = (true, _sensedJoules);
        var counter = Math.Floor((_sensedJoules - _resetJoules) * 1000) / 1000;
        var seen = _now + _defects.PollSeconds * _random.Uniform();
        if (_readings.Count >= MostPending) _readings.RemoveRange(0, MostPending / 2);
        _readings.Add(new DeviceReading(_node.Stamp(seen), counter, instant, average / _lastInstants.Length, _celsius, _megahertz, _capSeconds, _thermalSeconds));
        if (_running || !_marked) Mark();
        _ticks++;
        _nextTick = _phase + _ticks * _period;
    }

    private void Mark()
    {
        if (_marks.Count >= MostPending) _marks.RemoveRange(0, MostPending / 2);
        var stamp = _node.Stamp(_now);
        if (_marks.Count == 0 || _marks[^1].TimeNanoseconds < stamp) _marks.Add(new StepMark(stamp, _steps));
        _marked = true;
    }

    private void EndSecond()
    {
        _node.AddGpuSecond((long)_nextSecond - 1, _joules - _joulesAtSecond, _running ? 1 : 0);
        _joulesAtSecond = _joules;
        _nextSecond += 1;
    }
}

/// <summary>What is true of a simulated device now.</summary>
/// <param name="Joules">Energy since it was made, J.</param>
/// <param name="SensedJoules">What its sensor made of that, J.</param>
/// <param name="Steps">Steps since it was made.</param>
/// <param name="Curve">Of its sensors.</param>
/// <param name="Celsius">°C.</param>
internal readonly record struct SimulatedTruth(double Joules, double SensedJoules, double Steps, TransferCurve Curve, double Celsius);
