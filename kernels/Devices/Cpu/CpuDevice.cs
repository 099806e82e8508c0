using EnergyGrid.Contracts;
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

    /// <summary>Where the file of weights lies that a configuration's data name; null where nobody said.</summary>
    public Func<Configuration, string?> WeightsPath { get; init; } = static c => c.WeightsPath;
}

/// <summary>
/// This machine's processor: it really executes the reference decode steps, on a thread of its own. Time and tokens are measured. Energy is
/// measured where RAPL is readable; otherwise it is <see cref="Provenance.Modelled"/> from a declared idle and maximum power and this
/// process's share of the processors.
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
    private readonly List<StepMark> _marks = [];
    private readonly Queue<Action> _jobs = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly Thread _worker;
    private readonly Thread _sensor;
    private readonly ManualResetEventSlim _ending = new();
    private readonly NodeClock _clock;
    private volatile bool _running;
    private DecodeStep? _step;
    private SafetensorsFile? _weights;
    private long _steps;
    private double _joules;
    private DeviceUse _use = DeviceUse.Unknown;
    private volatile string? _silence;

    /// <summary>Opens it; measures bandwidth and peak for about 0.4 s.</summary>
    public CpuDevice(string host, string site, string rack, TimeProvider time, CpuDeviceOptions? options = null)
    {
        (_time, _options) = (time, options ?? new());
        var rapl = RaplSearch.Of(_options.PowercapRoot);
        _rapl = rapl.Counter;
        _clock = time as NodeClock ?? new NodeClock(time);
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
        _worker = new Thread(Work) { IsBackground = true, Name = "cpu device" };
        _sensor = new Thread(Sense) { IsBackground = true, Name = "cpu sensor" };
        _worker.Start();
        _sensor.Start();
    }

    public DeviceInfo Info { get; }

    public DeviceSensor Sensor { get; }

    public string? Silence => _silence;

    public DeviceUse Use
    {
        get { lock (_gate) return _use; }
    }

    public DeviceCondition Condition() => new(double.NaN, double.NaN, Info.PowerLimitWatts, 0, _options.ClockErrorSeconds + _clock.ErrorSeconds);

    public string? Refusal(Configuration configuration, StepCost cost, int layers)
    {
        if (configuration.Stack is not "reference") return $"stack '{configuration.Stack}' does not run here; the cpu runs 'reference'";
        if (StepLayers.Refusal(configuration, layers) is { } refusal) return refusal;
        if (RefusalOfData(configuration) is { } data) return data;
        var bytes = DecodeStep.ResidentBytes(configuration, layers);
        return bytes <= Info.MemoryBytes ? null : $"{bytes / 1e9:F2} GB are needed for {StepLayers.Name(layers)}, {Info.MemoryBytes / 1e9:F2} GB may be used";
    }

    public Task Load(Configuration configuration, StepCost cost, int layers, CancellationToken stop) => OnWorker(() =>
    {
        stop.ThrowIfCancellationRequested();
        Drop();
        _step = DecodeStep.Create(configuration, layers, _options.Threads, weights: Weights(configuration, stop));
    });

    public void Start()
    {
        lock (_gate) _marks.Add(new StepMark(NowNanoseconds(), _steps));
        _running = true;
        _wake.Release();
    }

    public Task Stop()
    {
        _running = false;
        // Its turn comes after the running step.
        return OnWorker(static () => { });
    }

    public Task Unload() => OnWorker(Drop);

    public void Drain(List<DeviceReading> readings, List<StepMark> steps)
    {
        lock (_gate)
        {
            readings.AddRange(_readings);
            steps.AddRange(_marks);
            _readings.Clear();
            _marks.Clear();
        }
    }

    public void Dispose()
    {
        if (_ending.IsSet) return;
        _running = false;
        _ending.Set();
        _wake.Release();
        _worker.Join();
        _sensor.Join();
        Drop();
        _weights?.Dispose();
    }

    // What can be said without reading the file; the rest is said when it is loaded.
    private string? RefusalOfData(Configuration configuration)
    {
        if (configuration.Data is "normal" or "zeros") return null;
        if (!WeightFile.IsOne(configuration.Data)) return $"data '{configuration.Data}' are none that the cpu can make; it makes normal and zeros, and reads {WeightFile.Prefix}SHA256:PATTERN";
        try
        {
            _ = WeightFile.Parse(configuration.Data);
        }
        catch (WeightsRefusedException refused)
        {
            return refused.Message;
        }
        if (_options.WeightsPath(configuration) is not { } path) return "the data name a file of weights, and nobody said where it lies on this node";
        return File.Exists(path) ? null : $"the file of weights '{path}' is not there";
    }

    // On the worker. Once a file was found to be the right one it stays open: its hash is not taken again for every leg.
    private SafetensorsValues? Weights(Configuration configuration, CancellationToken stop)
    {
        if (!WeightFile.IsOne(configuration.Data)) return null;
        var choice = WeightFile.Parse(configuration.Data);
        var path = _options.WeightsPath(configuration) ?? throw new WeightsRefusedException("the data name a file of weights, and nobody said where it lies on this node");
        if (_weights is null || _weights.Path != path || _weights.Sha256 != choice.Sha256 || !_weights.IsUnchanged)
        {
            _weights?.Dispose();
            _weights = null;
            _weights = SafetensorsFile.Open(path, choice.Sha256, stop);
        }
        return _weights.Values(choice);
    }

    private void Drop()
    {
        _step?.Dispose();
        _step = null;
    }

    private Task OnWorker(Action job)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_ending.IsSet) return Task.FromException(new DeviceLostException("The cpu device is closed."));
        lock (_gate)
        {
            _jobs.Enqueue(() =>
            {
                try
                {
                    job();
                    done.SetResult();
                }
                catch (OperationCanceledException cancelled)
                {
                    done.SetCanceled(cancelled.CancellationToken);
                }
                catch (Exception error)
                {
                    done.SetException(error);
                }
            });
        }
        _wake.Release();
        return done.Task;
    }

    private void Work()
    {
        while (!_ending.IsSet)
        {
            Action? job;
            lock (_gate) _jobs.TryDequeue(out job);
            if (job is not null) job();
            else if (_running && _step is { } step)
            {
                step.Run();
                _steps++;
                Mark();
            }
            else _wake.Wait();
        }
    }

    private void Mark()
    {
        lock (_gate)
        {
            if (_marks.Count >= MostPending) _marks.RemoveRange(0, MostPending / 2);
            _marks.Add(new StepMark(NowNanoseconds(), _steps));
        }
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

    private static TimeSpan Busy() => Environment.CpuUsage.TotalTime;

    private long NowNanoseconds() => _clock.NowNanoseconds;
}
