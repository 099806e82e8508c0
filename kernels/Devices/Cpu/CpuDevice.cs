using EnergyGrid.Contracts;
using EnergyGrid.Devices.Engines;
using EnergyGrid.Metrology;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices;

/// <summary>How this machine's processor is used and metered.</summary>
public sealed record CpuDeviceOptions
{
    /// <summary>Threads of a step.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Declared power of the idle processor, W: used only where no energy counter is readable.</summary>
    public double IdleWatts { get; init; } = 20;

    /// <summary>Declared power with all threads busy, W.</summary>
    public double MaxWatts { get; init; } = 120;

    /// <summary>Share of the available memory that a working set may take.</summary>
    public double MemoryShare { get; init; } = 0.6;

    /// <summary>Declared bound of its stamps' error beyond that of the node's clock, s: readings and steps of this device bear one clock.</summary>
    public double ClockErrorSeconds { get; init; } = 0.005;

    /// <summary>Where energy counters are looked for.</summary>
    public string PowercapRoot { get; init; } = RaplCounter.SystemRoot;

    /// <summary>What runs decode steps here beside the reference.</summary>
    public IReadOnlyList<CpuStack> Stacks { get; init; } = [];

    /// <summary>Where the file of weights lies that a configuration's data name; null where nobody said.</summary>
    public Func<Configuration, string?> WeightsPath { get; init; } = static c => c.WeightsPath;
}

/// <summary>
/// This machine's processor: it really executes decode steps, the reference's on a thread of its own and those of other stacks where these run. Time and tokens are measured. Energy
/// is measured where RAPL is readable; otherwise it is <see cref="Provenance.Modelled"/> from a declared idle and maximum power and the share of the processors that this
/// process and those that work for it take.
/// </summary>
public sealed class CpuDevice : IDevice
{
    private const double PeriodSeconds = 0.1;
    private const int MostPending = 20_000;

    private readonly TimeProvider _time;
    private readonly CpuDeviceOptions _options;
    private readonly RaplCounter? _rapl;
    private readonly Lock _gate = new();
    private readonly List<DeviceReading> _readings = [];
    private readonly CpuEngines _engines;
    private readonly WeightSource _weights;
    private readonly ProcessorTime _processors = new();
    private readonly Thread _sensor;
    private readonly ManualResetEventSlim _ending = new();
    private readonly NodeClock _clock;
    private double _joules;
    private DeviceUse _use = DeviceUse.Unknown;
    private volatile string? _silence;
    private volatile IReadOnlyCollection<int> _admitted = [];

    /// <summary>Opens it; measures bandwidth and peak for about 0.4 s.</summary>
    public CpuDevice(string host, string site, string rack, TimeProvider time, CpuDeviceOptions? options = null)
    {
        (_time, _options) = (time, options ?? new());
        _clock = time as NodeClock ?? new NodeClock(time);
        _engines = new CpuEngines([CpuStack.Reference(_options.Threads), .. _options.Stacks], _clock.Time);
        _weights = new WeightSource(_options.WeightsPath);
        var rapl = RaplSearch.Of(_options.PowercapRoot);
        _rapl = rapl.Counter;
        var provenance = _rapl is null ? Provenance.Modelled : Provenance.Measured;
        Info = new DeviceInfo(
            host, "cpu-0", "cpu", DeviceKind.Cpu, site, rack, 0, Math.Floor(_options.MemoryShare * MachineProbe.AvailableBytes()),
            MachineProbe.CopyBytesPerSecond(_options.Threads), Provenance.Measured, MachineProbe.PeakFlopsPerSecond(_options.Threads),
            _options.MaxWatts, _options.MaxWatts, $"{MachineProbe.ProcessorName()}, .NET {Environment.Version}, {_options.Threads} threads",
            _rapl?.Name ?? $"declared {_options.IdleWatts:F0} W idle, {_options.MaxWatts:F0} W busy × utilisation{(rapl.IsThere ? $"; not RAPL: {rapl.Says}" : "")}", provenance,
            _rapl is null ? null : RaplCounter.Qualification(_options.MaxWatts, time.GetUtcNow()));
        Sensor = new DeviceSensor(
            new SensorProfile(SensorQuantity.Counter, PeriodSeconds, 0, Math.Max(_options.MaxWatts, 1), provenance, UpdatePeriodSeconds: PeriodSeconds),
            PollSeconds: _rapl is null ? PeriodSeconds : 0.001, PowerIsIndependent: false);
        _sensor = new Thread(Sense) { IsBackground = true, Name = "cpu sensor" };
        _sensor.Start();
    }

    public DeviceInfo Info { get; }

    public DeviceSensor Sensor { get; }

    public string? Silence => _silence;

    public DeviceUse Use
    {
        get { lock (_gate) return _use; }
    }

    public string? Quarantine => _engines.Lost is { } reason ? $"{Info.Key} is quarantined until it answers again: {reason}" : null;

    public Task<bool> Revive() => _engines.Revive();

    public DeviceCondition Condition() => new(double.NaN, double.NaN, Info.PowerLimitWatts, 0, _options.ClockErrorSeconds + _clock.ErrorSeconds, _engines.Fault);

    public string? Refusal(Configuration configuration, StepCost cost, int layers)
    {
        if (_engines.Stack(configuration.Stack) is not { } stack) return $"stack '{configuration.Stack}' does not run here; the cpu runs {string.Join(", ", _engines.Names.Select(n => $"'{n}'"))}";
        if (StepLayers.Refusal(configuration, layers) is { } refusal) return refusal;
        if (_weights.Refusal(configuration) is { } data) return data;
        if (stack.Refusal(configuration, layers) is { } other) return other;
        var bytes = stack.ResidentBytes(configuration, layers);
        return bytes <= Info.MemoryBytes ? null : $"{bytes / 1e9:F2} GB are needed for {StepLayers.Name(layers)}, {Info.MemoryBytes / 1e9:F2} GB may be used";
    }

    public Task Load(Configuration configuration, StepCost cost, int layers, CancellationToken stop)
    {
        if (Quarantine is { } reason) return Task.FromException(new DeviceLostException(reason));
        var expected = layers * Math.Max(cost.Bytes / Info.BandwidthBytesPerSecond, cost.Flops / Info.PeakFlopsPerSecond);
        var located = configuration with { WeightsPath = _options.WeightsPath(configuration) };
        return _engines.Load(new StepLoad(located, layers, expected, layers * cost.ResidentBytes), stop);
    }

    public void Start() => _engines.Start();

    public Task Stop() => _engines.Stop();

    public Task Unload() => _engines.Unload();

    public void Admit(IReadOnlyCollection<int> processes) => _admitted = processes;

    public double Attend(bool closely)
    {
        _engines.Attend(closely);
        return 0;
    }

    public void Drain(List<DeviceReading> readings, List<StepMark> steps)
    {
        lock (_gate)
        {
            readings.AddRange(_readings);
            _readings.Clear();
        }
        _engines.Drain(steps, _clock);
    }

    public void Dispose()
    {
        if (_ending.IsSet) return;
        _ending.Set();
        _engines.Dispose();
        _sensor.Join();
        _weights.Dispose();
    }

    private void Sense()
    {
        var (last, lastBusy, tick) = (_time.GetTimestamp(), Busy(), 0L);
        var (start, lastLook) = (last, last);
        var lastUse = MachineUse.Ticks();
        while (true)
        {
            // To a fixed raster: what one wait is late, the next one is not.
            var due = TimeSpan.FromSeconds(++tick * PeriodSeconds) - _time.GetElapsedTime(start);
            if (_ending.Wait(due > TimeSpan.Zero ? due : TimeSpan.Zero)) return;
            LookAtUse(ref lastUse, tick);
            // What passed is not told by a clock that may be set anew.
            var (now, busy) = (_time.GetTimestamp(), Busy());
            if (_time.GetElapsedTime(last, now) <= TimeSpan.Zero) continue;
            var before = _joules;
            try
            {
                if (_rapl is not null)
                {
                    var seen = _rapl.Look();
                    var looked = _time.GetTimestamp();
                    // The look saw the counters somewhere between; a step is judged by all the time that it may have taken.
                    var most = _time.GetElapsedTime(lastLook, looked).TotalSeconds;
                    (lastLook, now) = (now, now + (looked - now) / 2);
                    _joules = _rapl.Joules(seen, most);
                }
                else
                {
                    var span = _time.GetElapsedTime(last, now).TotalSeconds;
                    var share = Math.Clamp((busy - lastBusy).TotalSeconds / (span * Environment.ProcessorCount), 0, 1);
                    _joules += (_options.IdleWatts + (_options.MaxWatts - _options.IdleWatts) * share) * span;
                }
                _silence = null;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException or FormatException)
            {
                // No reading is a gap, not a zero.
                _silence = error.Message;
                continue;
            }
            var seconds = _time.GetElapsedTime(last, now).TotalSeconds;
            (last, lastBusy) = (now, busy);
            lock (_gate)
            {
                if (_readings.Count >= MostPending) _readings.RemoveRange(0, MostPending / 2);
                // Where the counter began anew nothing is known of the power across the break.
                var watts = _joules < before || (_rapl is not null && before == 0) ? double.NaN : (_joules - before) / seconds;
                _readings.Add(new DeviceReading(_clock.At(now), _joules, watts, double.NaN, double.NaN, double.NaN, double.NaN, double.NaN));
            }
        }
    }

    // Of the whole machine, once a second: as nvidia-smi tells a board's, whoever keeps it busy.
    private void LookAtUse(ref (double Busy, double All)? before, long tick)
    {
        if (tick % (long)(1 / PeriodSeconds) != 0 || MachineUse.Ticks() is not var (busy, all)) return;
        var share = before is { } from && all > from.All ? Math.Clamp((busy - from.Busy) / (all - from.All), 0, 1) : double.NaN;
        var use = new DeviceUse(share, MachineUse.MemoryUsedBytes());
        lock (_gate) _use = use;
        before = (busy, all);
    }

    private TimeSpan Busy() => _processors.Look(_engines.Processes.Concat(_admitted));
}
