using EnergyGrid.Devices.Cuda.Nvml;

namespace EnergyGrid.Devices.Cuda.Sensing;

/// <summary>How a device is polled.</summary>
public sealed record NvmlSensorOptions
{
    /// <summary>How often the energy counter is looked at, s: a step of it is seen at most so much later.</summary>
    public double PollSeconds { get; init; } = 0.01;

    /// <summary>How often the counter steps, s: two and a half of these without a step make a reading that says so.</summary>
    public double UpdatePeriodSeconds { get; init; } = 0.1;

    /// <summary>How often power is read where energy is integrated from it, s. Every reading counts, also one that repeats the last.</summary>
    public double PowerPeriodSeconds { get; init; } = 0.02;

    /// <summary>Whether energy is integrated from power: the device has no counter, or one that does not agree with its power.</summary>
    public bool Integrate { get; init; }

    /// <summary>Readings that are kept until they are drained; beyond, the oldest go.</summary>
    public int MostPending { get; init; } = 20_000;
}

/// <summary>
/// Meters one device on a thread of its own. Where it has an energy counter, one reading per step of the counter; else one per power
/// period. A counter that goes backwards is passed on as it is: that begins a new epoch for whoever sums it up; one that jumps by more than the board can draw is passed on so
/// that it goes backwards, and a power beyond that is no reading. A read that fails is a gap; where all have failed for some seconds, or the device says that it is lost, it is
/// lost until a later look is answered. A counter that has stood still for some seconds tells nothing.
/// </summary>
public sealed class NvmlSensor : IDisposable
{
    private const double Nano = 1e-9;
    private const double SilentPeriods = 2.5;
    private const double MostWait = 0.05;

    /// <summary>Reads that fail for so long make the device lost, s.</summary>
    private const double MostFailingSeconds = 3;

    /// <summary>A counter that has not stepped for so long is dead, s: nothing draws no power.</summary>
    private const double MostStillSeconds = 3;

    /// <summary>How far a counter that jumped is put back, J: what matters is only that who sums it up sees the break.</summary>
    private const double BreakJoules = 1;

    /// <summary>Between two looks at how busy the device is, s: for people, and no part of what is measured.</summary>
    private const double UsePeriodSeconds = 1;

    /// <summary>Between two looks at a lost device, s.</summary>
    private const double LostPollSeconds = 2;

    // Bits of the throttle reasons, for drivers without the time counters.
    private const ulong PowerCapBit = 0x4, ThermalBits = 0x8 | 0x20 | 0x40 | 0x80;

    private static readonly FieldQuery[] Queries =
    [
        new(NvmlField.InstantPower), new(NvmlField.AveragePower), new(NvmlField.PowerCapTime),
        new(NvmlField.SoftwareThermalTime), new(NvmlField.HardwareThermalTime), new(NvmlField.PowerBrakeTime),
    ];

    private readonly NvmlDevice _device;
    private readonly NodeClock _clock;
    private readonly NvmlSensorOptions _options;
    private readonly Lock _gate = new();
    private readonly Queue<DeviceReading> _pending = new();
    private readonly ManualResetEventSlim _ending = new();
    private readonly bool _capIsTold;
    private readonly bool _thermalIsTold;
    private readonly double _impossibleWatts;
    private Thread? _thread;

    // Timestamps: what passed is not told by a clock that may be set anew.
    private long _lastStamp;
    private long _failingSince;
    private double _lastJoules = double.NaN;

    // The counter as the device tells it, when it told another value last, and what is taken off it since it jumped.
    private double _toldJoules = double.NaN;
    private long _toldStamp;
    private double _offsetJoules;
    private double _sampledCapSeconds;
    private double _sampledThermalSeconds;
    private DeviceUse _use = DeviceUse.Unknown;
    private long _useStamp;
    private volatile DeviceLostException? _lost;
    private volatile string? _silence;
    private volatile bool _isSlow;

    /// <param name="device">What is polled.</param>
    /// <param name="clock">Stamps the readings.</param>
    /// <param name="options">How.</param>
    public NvmlSensor(NvmlDevice device, NodeClock clock, NvmlSensorOptions? options = null)
    {
        (_device, _clock, _options) = (device, clock, options ?? new());
        Span<double> fields = stackalloc double[Queries.Length];
        device.Fields(Queries, fields);
        _impossibleWatts = device.ImpossibleWatts();
        HasInstantPower = !double.IsNaN(fields[0]);
        _capIsTold = !double.IsNaN(fields[2]);
        _thermalIsTold = !(double.IsNaN(fields[3]) && double.IsNaN(fields[4]) && double.IsNaN(fields[5]));
        HasCounter = !_options.Integrate && !double.IsNaN(device.EnergyJoules());
        ThrottleSource = _capIsTold && _thermalIsTold ? "time counters" : device.ThrottleReasons() is not null ? "sampled reasons" : _capIsTold || _thermalIsTold ? "some time counters" : "none";
    }

    /// <summary>Whether readings are steps of an energy counter.</summary>
    public bool HasCounter { get; }

    /// <summary>Whether the device tells its power of the moment (field 186); else the mean of a second stands for it where energy is integrated.</summary>
    public bool HasInstantPower { get; }

    /// <summary>Where the seconds of slowdown come from.</summary>
    public string ThrottleSource { get; }

    /// <summary>How often the counter began anew.</summary>
    public int CounterEpoch { get; private set; }

    /// <summary>Reads that failed for another reason than that the device says that it is lost.</summary>
    public long FailedReads { get; private set; }

    /// <summary>Readings that were dropped because nobody drained them.</summary>
    public long Dropped { get; private set; }

    /// <summary>Why the device does not answer any more; null while it does.</summary>
    public DeviceLostException? Lost => _lost;

    /// <summary>Why it tells no energy just now; null while it does.</summary>
    public string? Silence => _lost?.Message ?? _silence;

    /// <summary>How busy the device was when that was looked at last.</summary>
    public DeviceUse Use
    {
        get { lock (_gate) return _use; }
    }

    /// <summary>Whether it is read once a second only, at the second: whatever is summed by the second loses nothing by that.</summary>
    public bool IsSlow { get => _isSlow; set => _isSlow = value; }

    /// <summary>Between the readings that are drained, s.</summary>
    public double ReadingPeriodSeconds => HasCounter ? _options.UpdatePeriodSeconds : _options.PowerPeriodSeconds;

    private double PollSeconds => HasCounter ? _options.PollSeconds : _options.PowerPeriodSeconds;

    /// <summary>Begins to poll.</summary>
    public void Start()
    {
        if (_thread is not null) return;
        _thread = new Thread(Sense) { IsBackground = true, Name = $"sensor {_device.Uuid}", Priority = ThreadPriority.AboveNormal };
        _thread.Start();
    }

    /// <summary>Moves what was read to <paramref name="readings"/>, in strict time order.</summary>
    public void Drain(List<DeviceReading> readings)
    {
        lock (_gate)
        {
            readings.AddRange(_pending);
            _pending.Clear();
        }
    }

    /// <summary>Looks once; false when the device is lost.</summary>
    internal bool Poll()
    {
        try
        {
            Look();
            (_failingSince, _lost) = (0, null);
            return true;
        }
        catch (DeviceLostException lost)
        {
            _lost = lost;
        }
        catch (NvmlException error)
        {
            FailedReads++;
            _silence = error.Message;
            if (_failingSince == 0) _failingSince = _clock.GetTimestamp();
            if (_clock.GetElapsedTime(_failingSince).TotalSeconds >= MostFailingSeconds) _lost = new DeviceLostException($"Its sensors could not be read for {MostFailingSeconds:F0} s: {error.Message}", error);
        }
        return _lost is null;
    }

    public void Dispose()
    {
        if (_ending.IsSet) return;
        _ending.Set();
        _thread?.Join();
    }

    private void Sense()
    {
        // The raster leaves out the instants that a longer wait has missed.
        var raster = new Raster(_clock.Time, PollSeconds);
        while (IsSlow ? SleepToSecond() : raster.Next(_ending))
            if (!Poll() && !Raster.Sleep(_clock.Time, TimeSpan.FromSeconds(LostPollSeconds), _ending)) return;
    }

    private void Look()
    {
        var before = _clock.GetTimestamp();
        var joules = _device.EnergyJoules();
        // The read saw the counter somewhere between.
        var stamp = before + (_clock.GetTimestamp() - before) / 2;
        if (stamp <= _lastStamp) return;
        if (HasCounter)
        {
            joules = Followed(stamp, joules);
            if (!double.IsNaN(joules) && joules < _lastJoules) CounterEpoch++;
            var stepped = !double.IsNaN(joules) && joules != _lastJoules;
            if (!stepped && SecondsSinceLast(stamp) < SilentPeriods * _options.UpdatePeriodSeconds) return;
        }
        if (!double.IsNaN(joules)) _lastJoules = joules;
        Emit(stamp, joules);
    }

    // What the device tells, less the steps that are none; NaN where that is nothing.
    private double Followed(long stamp, double told)
    {
        if (double.IsNaN(told))
        {
            _silence = "it does not tell its energy counter";
            return double.NaN;
        }
        var seconds = double.IsNaN(_toldJoules) ? 0 : _clock.GetElapsedTime(_toldStamp, stamp).TotalSeconds;
        if (told == _toldJoules)
        {
            if (seconds <= Math.Max(MostStillSeconds, SilentPeriods * _options.UpdatePeriodSeconds)) return told - _offsetJoules;
            _silence = $"its energy counter has stood still for {MostStillSeconds:F0} s";
            return double.NaN;
        }
        var before = _toldJoules - _offsetJoules;
        // The counter may have stepped just before it was read last: one period more.
        if (told - _toldJoules > _impossibleWatts * (seconds + _options.UpdatePeriodSeconds)) _offsetJoules = told - (before - BreakJoules);
        else if (told < _toldJoules) _offsetJoules = Math.Max(0, told - (before - BreakJoules));
        (_toldJoules, _toldStamp) = (told, stamp);
        var joules = told - _offsetJoules;
        _silence = joules >= 0 ? null : "its energy counter jumps by more than the board can draw";
        return joules >= 0 ? joules : double.NaN;
    }

    private double SecondsSinceLast(long stamp) => _lastStamp == 0 ? double.PositiveInfinity : _clock.GetElapsedTime(_lastStamp, stamp).TotalSeconds;

    // In short waits: whoever begins to measure does not wait for the second.
    private bool SleepToSecond()
    {
        var second = _clock.NowNanoseconds / UtcNanoseconds.PerSecond + 1;
        while (IsSlow && second * UtcNanoseconds.PerSecond - _clock.NowNanoseconds is > 0 and <= UtcNanoseconds.PerSecond and var left)
            if (!Raster.Sleep(_clock.Time, TimeSpan.FromSeconds(Math.Min(left * Nano, MostWait)), _ending)) return false;
        return true;
    }

    private void Emit(long stamp, double joules)
    {
        Span<double> fields = stackalloc double[Queries.Length];
        _device.Fields(Queries, fields);
        var average = Possible(double.IsNaN(fields[1]) ? _device.PowerUsageWatts() : fields[1] / 1000);
        var instant = HasInstantPower ? Possible(fields[0] / 1000) : HasCounter ? double.NaN : average;
        if (!HasCounter) _silence = double.IsNaN(instant) ? FormattableString.Invariant($"its power reads {(HasInstantPower ? fields[0] : fields[1]) / 1000:F0} W, and it cannot draw more than {_impossibleWatts:F0} W") : null;
        if (!_capIsTold || !_thermalIsTold) SampleReasons(stamp);
        var cap = _capIsTold ? fields[2] * Nano : _sampledCapSeconds;
        var thermal = _thermalIsTold ? Sum(fields[3], fields[4], fields[5]) * Nano : _sampledThermalSeconds;
        var reading = new DeviceReading(_clock.At(stamp), joules, instant, average, _device.Celsius(), _device.Megahertz(), cap, thermal);
        lock (_gate)
        {
            if (_pending.Count >= _options.MostPending)
            {
                _pending.Dequeue();
                Dropped++;
            }
            _pending.Enqueue(reading);
        }
        _lastStamp = stamp;
        LookAtUse(stamp);
    }

    private void LookAtUse(long stamp)
    {
        if (_useStamp != 0 && _clock.GetElapsedTime(_useStamp, stamp).TotalSeconds < UsePeriodSeconds) return;
        var use = new DeviceUse(_device.Utilisation(), _device.MemoryUsedBytes());
        lock (_gate) (_use, _useStamp) = (use, stamp);
    }

    private double Possible(double watts) => watts <= _impossibleWatts ? watts : double.NaN;

    // Each sample stands for the time since the last.
    private void SampleReasons(long stamp)
    {
        if (_device.ThrottleReasons() is not { } reasons)
        {
            _sampledCapSeconds = _sampledThermalSeconds = double.NaN;
            return;
        }
        var span = _lastStamp == 0 ? 0 : SecondsSinceLast(stamp);
        if ((reasons & PowerCapBit) != 0) _sampledCapSeconds += span;
        if ((reasons & ThermalBits) != 0) _sampledThermalSeconds += span;
    }

    private static double Sum(double a, double b, double c) => (double.IsNaN(a) ? 0 : a) + (double.IsNaN(b) ? 0 : b) + (double.IsNaN(c) ? 0 : c);
}
