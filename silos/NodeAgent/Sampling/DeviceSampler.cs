using System.Runtime.InteropServices;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Metrology;

namespace EnergyGrid.Node;

/// <summary>
/// Drains one device and hands what it read to everyone who needs it: the one-second windows, the recordings of trials, the watchers.
/// Whoever needs fresh readings pumps.
/// </summary>
internal sealed class DeviceSampler
{
    private const int MostWatched = 4096;

    // Without a reading for so long nothing is known of the present; for so much longer the device is not offered any more. In s, or in as many periods where those are longer.
    private const double FreshSeconds = 3, FreshPeriods = 3, OfferedSeconds = 10, OfferedPeriods = 10;

    private readonly TimeProvider _time;
    private readonly double _tickSeconds;

    private readonly Lock _gate = new();
    private WindowIntegrator _integrator;
    private readonly List<DeviceReading> _readings = [];
    private readonly List<StepMark> _steps = [];
    private readonly List<PowerWindow> _windows = [];
    private readonly List<DeviceRecording> _recordings = [];
    private readonly List<Queue<PowerSample>> _watchers = [];
    private object? _holder;
    private LatestReading _latest;
    private bool _isAttended;
    private double _seldomSeconds;
    private long _attendedFrom;
    private long _latestReading;
    private long _pumped;
    private double _silentSeconds;

    /// <param name="device">What is drained.</param>
    /// <param name="time">The node's: by its monotonic clock a silence is told.</param>
    /// <param name="tickSeconds">How often it is pumped at rest, s.</param>
    public DeviceSampler(IDevice device, TimeProvider time, double tickSeconds = 1)
    {
        (Device, _time, _tickSeconds, _pumped) = (device, time, tickSeconds, time.GetTimestamp());
        _latest = LatestReading.None(device.Info.Uuid);
        Kind = device.Info.Kind == DeviceKind.Cpu ? SourceKind.Cpu : SourceKind.Gpu;
        _seldomSeconds = device.Attend(false);
        _integrator = Integrator();
    }

    public IDevice Device { get; }

    public SourceKind Kind { get; }

    /// <summary>What its sensor said last; nothing is known where that is some periods ago: an old value is not the present.</summary>
    public LatestReading Latest
    {
        get { lock (_gate) return IsSilentFor(FreshSeconds, FreshPeriods) ? LatestReading.None(Device.Info.Uuid) : _latest; }
    }

    /// <summary>Why nothing was read of it for some periods; null while it is read.</summary>
    public string? Silence
    {
        get { lock (_gate) return IsSilentFor(FreshSeconds, FreshPeriods) ? Reason : null; }
    }

    /// <summary>Why nothing may run on it: the device says so, or its sensor has been silent for long. Null if something may.</summary>
    public string? Quarantine
    {
        get
        {
            if (Device.Quarantine is { } own) return own;
            lock (_gate) return IsSilentFor(OfferedSeconds, OfferedPeriods) ? $"its sensor is silent: {Reason}" : null;
        }
    }

    /// <summary>Brings everything up to the present.</summary>
    public void Pump(double clockErrorSeconds)
    {
        lock (_gate)
        {
            Device.Drain(_readings, _steps);
            Listen();
            if (_readings.Count == 0 && _steps.Count == 0) return;
            var readings = CollectionsMarshal.AsSpan(_readings);
            // Here every reading enters: windows, trials and traces see the same numbers.
            foreach (ref var reading in readings) reading = reading.Quantised();
            _integrator.ClockErrorSeconds = clockErrorSeconds;
            var counter = Device.Sensor.HasCounter;
            foreach (ref readonly var reading in readings)
            {
                _integrator.Push(reading.TimeNanoseconds, counter ? reading.CounterJoules : reading.InstantWatts);
                // Many seconds may come in one drain where time is scaled: take windows before the integrator forgets them.
                if (_integrator.Ready >= 4) TakeReady();
            }
            foreach (var recording in _recordings) recording.Add(readings, CollectionsMarshal.AsSpan(_steps));
            if (readings.Length > 0)
            {
                var use = Device.Use;
                _latest = new(Device.Info.Uuid, readings[^1].InstantWatts, readings[^1].Celsius, readings[^1].Megahertz, use.Utilisation, use.MemoryUsedBytes);
                _latestReading = readings[^1].TimeNanoseconds;
                // What was read seldom is gone by now: from here on a gap is a gap.
                if (_seldomSeconds == 0 && _integrator.PeriodSeconds > 0 && _latestReading - _attendedFrom > UtcNanoseconds.FromSeconds(2 * _integrator.PeriodSeconds)) _integrator.PeriodSeconds = 0;
            }
            foreach (var watcher in _watchers) Feed(watcher, readings);
            _readings.Clear();
            _steps.Clear();
        }
    }

    /// <summary>Begins anew: the clock was set, and what is read from now on bears another time than what was read before.</summary>
    public void Restart()
    {
        lock (_gate)
        {
            Device.Drain(_readings, _steps);
            _readings.Clear();
            _steps.Clear();
            (_latestReading, _attendedFrom) = (0, 0);
            _integrator = Integrator();
        }
    }

    /// <summary>Moves the windows that closed or changed to <paramref name="windows"/>.</summary>
    public void Take(List<PowerWindow> windows, long nowNanoseconds)
    {
        lock (_gate)
        {
            _integrator.Advance(nowNanoseconds);
            TakeReady();
            windows.AddRange(_windows);
            _windows.Clear();
        }
    }

    public DeviceRecording Record()
    {
        var recording = new DeviceRecording();
        lock (_gate)
        {
            _recordings.Add(recording);
            Attend();
        }
        return recording;
    }

    public void End(DeviceRecording recording)
    {
        lock (_gate)
        {
            _recordings.Remove(recording);
            Attend();
        }
    }

    /// <summary>Holds the device for a trial; false if another one has it.</summary>
    public bool TryHold(object holder)
    {
        lock (_gate)
        {
            if (_holder is not null && _holder != holder) return false;
            _holder = holder;
            Attend();
            return true;
        }
    }

    public void LetGo(object holder)
    {
        lock (_gate)
        {
            if (_holder != holder) return;
            _holder = null;
            Attend();
        }
    }

    public Queue<PowerSample> Watch()
    {
        var queue = new Queue<PowerSample>();
        lock (_gate)
        {
            _watchers.Add(queue);
            Attend();
        }
        return queue;
    }

    public void Unwatch(Queue<PowerSample> queue)
    {
        lock (_gate)
        {
            _watchers.Remove(queue);
            Attend();
        }
    }

    public bool TryNext(Queue<PowerSample> queue, out PowerSample sample)
    {
        lock (_gate) return queue.TryDequeue(out sample);
    }

    private string Reason => Device.Silence?.TrimEnd('.') ?? "nobody knows why";

    private bool IsSilentFor(double seconds, double periods) =>
        _silentSeconds >= Math.Max(seconds, periods * Math.Max(_tickSeconds, Math.Max(Device.Sensor.Profile.NominalPeriodSeconds, _seldomSeconds)));

    // Under the gate. Only while somebody looked is it silent: a process that was held up accuses no sensor.
    private void Listen()
    {
        var now = _time.GetTimestamp();
        var seconds = Math.Min(_time.GetElapsedTime(_pumped, now).TotalSeconds, 2 * _tickSeconds);
        _pumped = now;
        var (counter, profile) = (Device.Sensor.HasCounter, Device.Sensor.Profile);
        _silentSeconds = _readings.Exists(r => profile.IsReading(counter ? r.CounterJoules : r.InstantWatts)) ? 0 : _silentSeconds + seconds;
    }

    private WindowIntegrator Integrator() => new(Device.Info.Key, Kind, Device.Sensor.Profile, keepWindows: 16, keepReadings: 256) { PeriodSeconds = _seldomSeconds };

    // Under the gate: who measures and who watches has changed.
    private void Attend()
    {
        var closely = _holder is not null || _recordings.Count > 0 || _watchers.Count > 0;
        if (closely == _isAttended) return;
        (_isAttended, _attendedFrom) = (closely, _latestReading);
        _seldomSeconds = Device.Attend(closely);
        _integrator.PeriodSeconds = Math.Max(_integrator.PeriodSeconds, _seldomSeconds);
    }

    private void TakeReady()
    {
        while (_integrator.TryTake(out PowerWindow? window)) _windows.Add(window);
    }

    private void Feed(Queue<PowerSample> queue, ReadOnlySpan<DeviceReading> readings)
    {
        foreach (ref readonly var reading in readings)
        {
            // Who does not read loses the oldest.
            if (queue.Count >= MostWatched) queue.Dequeue();
            queue.Enqueue(new PowerSample(UtcNanoseconds.ToInstant(reading.TimeNanoseconds), reading.InstantWatts, Device.Info.EnergyProvenance));
        }
    }
}
