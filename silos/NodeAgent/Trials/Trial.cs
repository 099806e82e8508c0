using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Grains;
using EnergyGrid.Metrology;
using EnergyGrid.Workloads;

namespace EnergyGrid.Node;

/// <summary>One L' of a trial as it was run; evaluated when the trial is over.</summary>
internal sealed class TrialLeg(int layers, double warmupSeconds, bool flat)
{
    public int Layers { get; } = layers;

    public double WarmupSeconds { get; } = warmupSeconds;

    public bool Flat { get; } = flat;

    /// <summary>First and second edge by the node's clock, ns.</summary>
    public long From { get; set; }

    public long To { get; set; }

    /// <summary>Whether both edges sit on ticks of the leading device's counter.</summary>
    public bool OnTicks { get; set; }
}

/// <summary>The clock was set anew while a trial ran.</summary>
internal sealed class ClockMovedException(ClockStep step) : Exception($"{step}");

/// <summary>A trial while it runs: its devices, their recordings, what was found.</summary>
internal sealed class Trial(NodeSampler node, TrialOrder order, Action<TrialProgress> report, NodeAgentOptions options)
{
    private ITrialWork? _work;
    private readonly List<DeviceSampler> _devices = [];
    private readonly List<(DeviceSampler Sampler, DeviceRecording Recording)> _recorded = [];
    private AppendLog<MeterReading>? _input;
    private DeviceCondition[] _start = [];
    private long _phaseStart;
    private double _phaseSeconds;
    private double _afterPhaseSeconds;
    private TrialPhase _phase;
    private int _legsEntered;
    private double _done;
    private double _clockError;
    private readonly ClockStep? _stepBefore = node.LastStep;
    private readonly long _began = node.Time.GetTimestamp();
    private readonly DateTimeOffset _started = node.Time.GetUtcNow();
    private readonly DateTimeOffset _startedWall = ScaledTimeProvider.WallOf(node.Time).GetUtcNow();
    private Evidence? _idleEvidence;

    public TrialOrder Order { get; } = order;

    /// <summary>What it runs.</summary>
    public ITrialWork Work
    {
        get => _work ?? throw new InvalidOperationException("a trial without work");
        set => _work = value;
    }

    /// <summary>A monotonic timestamp of <see cref="Time"/> as ns since the Unix epoch.</summary>
    public long NanosecondsAt(long timestamp) => node.Time is NodeClock clock ? clock.At(timestamp) : NowNanoseconds - (long)Math.Round(node.Time.GetElapsedTime(timestamp).TotalNanoseconds);

    /// <summary>The monotonic timestamp of an instant, ns since the Unix epoch.</summary>
    public long TimestampAt(long nanoseconds) => node.Time.GetTimestamp() + (long)Math.Round((nanoseconds - NowNanoseconds) / 1e9 * node.Time.TimestampFrequency);

    public TimeProvider Time => node.Time;

    public double PollSeconds => options.PollSeconds;

    public IReadOnlyList<DeviceSampler> Devices => _devices;

    public List<TrialLeg> Legs { get; } = [];

    public List<Leg> Evaluated { get; } = [];

    public List<string> Reasons { get; } = [];

    public List<string> Flags { get; } = [];

    public List<(long From, TrialPhase Phase)> Phases { get; } = [];

    /// <summary>The instant from which evidence and trace count, ns since the Unix epoch: whole ticks, so that a date says it exactly.</summary>
    public long Origin { get; } = node.Time.UtcNowNanoseconds() / 100 * 100;

    /// <summary>The idle stretch with the context resident; null if there was none.</summary>
    public (long From, long To)? Idle { get; set; }

    public double IdleWatts { get; private set; } = double.NaN;

    public long NowNanoseconds => node.Time.UtcNowNanoseconds();

    /// <summary>Recordings of the group's devices, the leading one first.</summary>
    public IEnumerable<(DeviceSampler Sampler, DeviceRecording Recording)> Group => _recorded.Take(_devices.Count);

    /// <summary>Why the order can never run here, or null.</summary>
    public string? FindDevices()
    {
        if (Order.Devices.IsDefaultOrEmpty) return "the order names no device";
        if (Order.LayerLegs.IsDefaultOrEmpty) return "the order names no L'";
        foreach (var uuid in Order.Devices)
        {
            if (node.Find(uuid) is not { } device) return $"{node.Node.Host} has no device {uuid}";
            if (_devices.Contains(device)) return $"device {uuid} is named twice";
            _devices.Add(device);
        }
        return Work.Refusal();
    }

    /// <summary>Which precondition is not met now; null if all are, and then the devices are held.</summary>
    public string? Hindrance()
    {
        foreach (var device in _devices)
        {
            var uuid = device.Device.Info.Uuid;
            if (!device.TryHold(this)) return $"another trial holds {uuid}";
            device.Pump(node.Node.ClockErrorSeconds);
            var now = device.Device.Condition();
            if (now.Hindrance is { } hindrance) return $"{uuid}: {hindrance}";
            if (now.OtherProcesses > 0) return $"{now.OtherProcesses} other process(es) on {uuid}";
            if (PowerLimitChanged(device, now)) return $"the power limit of {uuid} is {now.PowerLimitWatts:F0} W, not {device.Device.Info.PowerLimitWatts:F0} W as announced";
            if (now.ClockErrorSeconds > Order.Guards.MaxClockErrorSeconds) return $"the clock of {node.Node.Host} may be off by {now.ClockErrorSeconds:G3} s, more than {Order.Guards.MaxClockErrorSeconds:G3} s{(now.ClockErrorSeconds >= 16 ? ": nothing keeps it (chrony, ntpd)" : "")}";
            var (low, high) = (Order.Timing.StartTemperatureLowCelsius, Order.Timing.StartTemperatureHighCelsius);
            if (low is null && high is null) continue;
            if (double.IsNaN(now.Celsius)) return $"the temperature of {uuid} is unknown, and the plan wants a band";
            if (now.Celsius < low || now.Celsius > high) return $"{uuid} is at {now.Celsius:F1} °C, outside {low?.ToString("F0") ?? "−∞"} to {high?.ToString("F0") ?? "∞"} °C";
        }
        return null;
    }

    /// <summary>Starts recording.</summary>
    public void Begin()
    {
        _start = [.. _devices.Select(d => d.Device.Condition())];
        foreach (var device in _devices) _recorded.Add((device, device.Record()));
        _input = node.Input?.Record();
        if (_input is null) return;
        // For attribution of the node's energy, its other GPUs are recorded too.
        foreach (var other in node.Devices.Where(d => d.Kind == SourceKind.Gpu && !_devices.Contains(d))) _recorded.Add((other, other.Record()));
    }

    public void Enter(TrialPhase phase, double seconds)
    {
        (_phase, _phaseStart, _phaseSeconds) = (phase, NowNanoseconds, seconds);
        if (phase == TrialPhase.Loading) _legsEntered++;
        var (timing, leg) = (Order.Timing, LegSeconds);
        var legsLeft = Math.Max(0, LegCount - _legsEntered);
        var here = phase switch
        {
            TrialPhase.Waiting => timing.CooldownSeconds - seconds,
            TrialPhase.Loading => leg + timing.CooldownSeconds,
            TrialPhase.WarmingUp => timing.WindowSeconds + timing.CooldownSeconds,
            TrialPhase.Measuring => timing.CooldownSeconds,
            _ => 0,
        };
        _afterPhaseSeconds = here + legsLeft * leg;
        Phases.Add((_phaseStart, phase));
        Report();
    }

    private int LegCount => Order.LayerLegs.IsDefault ? 0 : Order.LayerLegs.Length;

    // If every warm-up is flat as soon as it may be.
    private double LegSeconds => Math.Max(Order.Timing.MinWarmupSeconds, Flatness.WindowSeconds(Order.Timing.MinWarmupSeconds)) + Order.Timing.WindowSeconds;

    /// <summary>Waits, looking at sensors and conditions now and then.</summary>
    public async Task WaitUntil(long nanoseconds, CancellationToken stop)
    {
        while (true)
        {
            stop.ThrowIfCancellationRequested();
            if (node.LastStep != _stepBefore) throw new ClockMovedException(node.LastStep!);
            var left = (nanoseconds - NowNanoseconds) / 1e9;
            if (left <= 0) return;
            // Task.Delay cuts to whole milliseconds: up, so that a wait never ends just before its instant.
            await Task.Delay(TimeSpan.FromMilliseconds(Math.Ceiling(1000 * Math.Min(left, options.PollSeconds))), node.Time, stop);
            Pump();
            Look();
            Report();
        }
    }

    /// <summary>Finds the window: edges on ticks of the leading device's counter, the work going on beyond both.</summary>
    public async Task Window(TrialLeg leg, long lead, CancellationToken stop)
    {
        var start = NowNanoseconds;
        var length = UtcNanoseconds.FromSeconds(Order.Timing.WindowSeconds);
        await WaitUntil(start + length + lead, stop);
        var (sampler, recording) = _recorded[0];
        if (sampler.Device.Sensor.HasCounter)
        {
            for (var tries = 0; tries < 8 && leg.To == 0; tries++)
            {
                if (CounterEnergy.EdgesOnTicks(recording.Counter(start, NowNanoseconds, 0), sampler.Device.Sensor.Profile, start, length) is { } edges)
                    (leg.From, leg.To, leg.OnTicks) = (edges.From, edges.To, true);
                else
                    await WaitUntil(NowNanoseconds + UtcNanoseconds.FromSeconds(Math.Min(0.25, Order.Timing.WindowSeconds / 20)), stop);
            }
        }
        if (leg.To == 0) (leg.From, leg.To) = (start, start + length);
        await WaitUntil(leg.To + lead, stop);
    }

    /// <summary>Waits until the node's meter has spoken past the last edge; without one there is nothing to wait for.</summary>
    public async Task AwaitMeters(CancellationToken stop)
    {
        if (_input is null || Legs.Count == 0) return;
        var last = Legs[^1].To;
        for (var tries = 0; tries < 8 && !(_input.View is [.., var reading] && reading.TimeNanoseconds >= last); tries++)
            await WaitUntil(NowNanoseconds + UtcNanoseconds.FromSeconds(node.Input!.Meter.Profile.NominalPeriodSeconds / 2), stop);
    }

    /// <summary>Turns the recordings into legs, flags and reasons.</summary>
    public void Evaluate()
    {
        if (node.LastStep != _stepBefore) throw new ClockMovedException(node.LastStep!);
        Ended = NowNanoseconds;
        // The clock may have gone on between the last look and the end of a wait, much where time is scaled.
        Pump();
        Look();
        if (_clockError > Order.Guards.MaxClockErrorSeconds) Invalidate($"clock error {_clockError:G3} s is above {Order.Guards.MaxClockErrorSeconds:G3} s");
        foreach (var leg in Legs)
        {
            var evaluated = LegEvaluation.Of(this, leg, node);
            Evaluated.Add(evaluated);
        }
        if (Order.Configuration.Serve is null && Order.LayerLegs.Where(l => l != LayerLegs.Head).Distinct().Count() == 1) Flags.Add("linearity unchecked: one L' only");
        EvaluateIdle();
    }

    public void Invalidate(string reason)
    {
        if (!Reasons.Contains(reason)) Reasons.Add(reason);
    }

    /// <summary>Meter readings of the node's input; null without a meter.</summary>
    public CounterReading[]? InputReadings()
    {
        if (_input is null) return null;
        var view = _input.View;
        var readings = new CounterReading[view.Length];
        for (var i = 0; i < view.Length; i++) readings[i] = new(view[i].TimeNanoseconds, view[i].Value);
        return readings;
    }

    /// <summary>Readings of the node's meter as they come: none without a meter.</summary>
    public ReadOnlySpan<MeterReading> MeterReadings => _input is null ? [] : _input.View;

    /// <summary>The node's input meter; null without one.</summary>
    public IMeter? Meter => _input is null ? null : node.Input!.Meter;

    /// <summary>When the last phase ended, ns since the Unix epoch; the far future before.</summary>
    public long Ended { get; private set; } = long.MaxValue;

    /// <summary>Recordings of the node's other GPUs, for attribution of its energy.</summary>
    public IEnumerable<(DeviceSampler Sampler, DeviceRecording Recording)> Neighbours => _recorded.Skip(_devices.Count);

    /// <summary>Recordings of all GPUs of the node.</summary>
    public IEnumerable<(DeviceSampler Sampler, DeviceRecording Recording)> NodeGpus => _recorded.Where(r => r.Sampler.Kind == SourceKind.Gpu);

    /// <summary>Ends whatever runs, gives back and lets go.</summary>
    public async Task Release()
    {
        try
        {
            if (_start.Length > 0) await Work.Release();
        }
        finally
        {
            foreach (var device in _devices.Where(d => d.TryHold(this))) device.LetGo(this);
            foreach (var (sampler, recording) in _recorded) sampler.End(recording);
            if (_input is not null) node.Input!.End(_input);
        }
    }

    public TrialResult Result(TrialOutcome outcome, ServedTrial? served = null)
    {
        var lead = _devices.Count > 0 ? _devices[0].Device.Info : null;
        _phase = TrialPhase.Ended;
        // By the time that passed: the clock may have been set meanwhile.
        var ran = node.Time.GetElapsedTime(_began);
        report(new TrialProgress(TrialPhase.Ended, 1, 0));
        return new TrialResult(
            Order.Trial, outcome, [.. Reasons], node.Node.Host, node.Node.Site, node.Node.Rack, Order.Devices.IsDefault ? [] : Order.Devices,
            lead?.Model ?? "", lead?.Driver ?? "", _start.Length > 0 ? _start[0].PowerLimitWatts : lead?.PowerLimitWatts ?? double.NaN,
            Order.Epoch, Order.Attempt, _started, _started + ran, _start.Length > 0 ? _start.Max(c => c.Celsius) : double.NaN,
            [.. Evaluated], IdleWatts, [.. Flags.Distinct()], "", "", Order.PlanSha256, UtcNanoseconds.ToInstant(Origin), ScaledTimeProvider.ScaleOf(node.Time),
            _startedWall, _startedWall + ran / ScaledTimeProvider.ScaleOf(node.Time), _idleEvidence, Served: served);
    }

    private static bool PowerLimitChanged(DeviceSampler device, DeviceCondition now) => Math.Abs(now.PowerLimitWatts - device.Device.Info.PowerLimitWatts) > 0.5;

    private void EvaluateIdle()
    {
        if (Idle is not { } idle || idle.To - idle.From < UtcNanoseconds.FromSeconds(TrialRunner.ShortSeconds - 1e-6))
        {
            Flags.Add($"idle with context not measured: the cool-down is below {TrialRunner.ShortSeconds:F0} s");
            return;
        }
        var watts = 0.0;
        foreach (var (sampler, recording) in Group)
        {
            var energy = LegEvaluation.DeviceEnergy(sampler.Device, recording, idle.From, idle.To, aligned: false);
            if (energy.Coverage < Order.Guards.MinCoverage)
            {
                Flags.Add($"idle with context not measured: coverage {energy.Coverage:P1}");
                return;
            }
            watts += energy.Joules / energy.CoveredSeconds;
        }
        (IdleWatts, _idleEvidence) = (watts, WindowEvidence.OfDevices(this, idle.From, idle.To));
    }

    // What comes and goes within the trial counts as much as what is there at its end.
    private void Look()
    {
        for (var i = 0; i < _start.Length; i++)
        {
            var now = _devices[i].Device.Condition();
            var uuid = _devices[i].Device.Info.Uuid;
            // A kernel that faulted, or a device set up otherwise meanwhile: what follows would measure something else.
            if (now.Hindrance is { } hindrance) throw new InvalidOperationException($"{uuid}: {hindrance}");
            if (now.PowerLimitWatts != _start[i].PowerLimitWatts) Invalidate($"the power limit of {uuid} changed from {_start[i].PowerLimitWatts:F0} W to {now.PowerLimitWatts:F0} W");
            if (now.OtherProcesses > 0) Invalidate($"{now.OtherProcesses} other process(es) came onto {uuid}");
            _clockError = Math.Max(_clockError, now.ClockErrorSeconds);
        }
        if (_start.Length > 0) Work.Look();
    }

    private void Pump()
    {
        var error = node.Node.ClockErrorSeconds;
        if (_recorded.Count == 0)
        {
            foreach (var device in _devices) device.Pump(error);
            return;
        }
        foreach (var (sampler, _) in _recorded) sampler.Pump(error);
        if (_input is not null) node.Input!.Pump(error);
    }

    // Of the whole trial, not of a leg or a phase: it grows, and where something takes longer than was thought it stands.
    private void Report()
    {
        var spent = (NowNanoseconds - _phaseStart) / 1e9;
        var left = Math.Max(0, Math.Max(0, _phaseSeconds - spent) + _afterPhaseSeconds);
        var all = LegCount * LegSeconds + Order.Timing.CooldownSeconds;
        if (_phase != TrialPhase.Waiting && all > 0) _done = Math.Clamp(1 - left / all, _done, 1);
        report(new TrialProgress(_phase, _done, left));
    }
}
