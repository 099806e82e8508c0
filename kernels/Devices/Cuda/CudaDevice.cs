using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda.Nvml;
using EnergyGrid.Devices.Cuda.Sensing;
using EnergyGrid.Devices.Engines;

namespace EnergyGrid.Devices.Cuda;

/// <summary>
/// One NVIDIA GPU: an engine executes the decode steps of the <c>cuda</c> stack, sensors of this process meter the board. A kernel that faults, or never returns, ends the trial
/// with the reason; a board that does not answer is quarantined.
/// </summary>
public sealed class CudaDevice : IDevice
{
    private readonly IStepEngine _engine;
    private readonly BoardSensor _sensor;
    private volatile IReadOnlyCollection<int> _admitted = [];
    private readonly NvmlSession _nvml;
    private readonly NodeClock _clock;
    private readonly List<EngineMark> _drained = [];
    private volatile bool _ending;
    private volatile string? _boardLost;

    /// <summary>Opens the board's context and loads what a plan asks of its kernels.</summary>
    /// <param name="engine">The board's; disposed with the device, and when this fails.</param>
    /// <param name="sensor">Its own; disposed with the device.</param>
    /// <param name="nvml">The sensor's; disposed with the device.</param>
    /// <param name="info">What it is called in the grid, and its ceilings.</param>
    /// <param name="clock">The node's, which stamps the readings too; the engine's marks are by its timestamps.</param>
    /// <exception cref="InvalidOperationException">No context can be had: the message says why. So may the driver's own exceptions.</exception>
    public CudaDevice(IStepEngine engine, BoardSensor sensor, NvmlSession nvml, DeviceInfo info, NodeClock clock)
    {
        (_engine, _sensor, _nvml, Info, _clock) = (engine, sensor, nvml, info, clock);
        _sensor.OwnProcesses = () => [.. _engine.Processes, .. _admitted];
        try
        {
            _engine.Open().GetAwaiter().GetResult();
        }
        catch
        {
            _engine.Dispose();
            throw;
        }
    }

    public DeviceInfo Info { get; }

    public DeviceSensor Sensor => _sensor.Sensor;

    public void Admit(IReadOnlyCollection<int> processes) => _admitted = processes;

    public string? Quarantine
    {
        get
        {
            // Nobody asks a device at rest for its state: that its sensors are not read must be seen here.
            if (_boardLost is null && _engine.Lost is null && !_ending && _sensor.Lost is { } lost) Lose(lost);
            return (_boardLost ?? _engine.Lost) is { } reason ? $"{Info.Uuid} is quarantined until it answers again: {reason}" : null;
        }
    }

    public string? Silence => _sensor.Silence;

    public DeviceUse Use => _sensor.Use;

    public async Task<bool> Revive()
    {
        if (Quarantine is null || _ending) return !_ending;
        try
        {
            // First the sensors, which need no context.
            if (BoardFault() is not null || !await _engine.Revive()) return false;
        }
        catch (NvmlException)
        {
            return false;
        }
        _boardLost = null;
        return true;
    }

    public DeviceCondition Condition()
    {
        ThrowIfLost();
        try
        {
            var now = _sensor.Condition();
            return _engine.Fault is { } fault ? now with { Hindrance = fault } : now;
        }
        catch (DeviceLostException lost)
        {
            Lose(lost.Message);
            throw;
        }
    }

    public string? Refusal(Configuration configuration, StepCost cost, int layers)
    {
        ThrowIfLost();
        if (configuration.Stack is not "cuda") return $"stack '{configuration.Stack}' does not run here; a GPU runs 'cuda'";
        return OrLost(_engine.Refusal(configuration, layers)).GetAwaiter().GetResult();
    }

    public Task Load(Configuration configuration, StepCost cost, int layers, CancellationToken stop)
    {
        if (Quarantine is { } reason) return Task.FromException(new DeviceLostException(reason));
        var expected = layers * Math.Max(cost.Bytes / Info.BandwidthBytesPerSecond, cost.Flops / Info.PeakFlopsPerSecond);
        return OrLost(Loaded());

        async Task<bool> Loaded()
        {
            await _engine.Load(new StepLoad(configuration, layers, expected, layers * cost.ResidentBytes), stop);
            return true;
        }
    }

    public void Start() => _engine.Start();

    public Task Stop() => Quietly(_engine.Stop());

    public Task Unload() => Quietly(_engine.Unload());

    public double Attend(bool closely)
    {
        _engine.Attend(closely);
        return _sensor.Attend(closely);
    }

    public void Drain(List<DeviceReading> readings, List<StepMark> steps)
    {
        _sensor.Drain(readings);
        _drained.Clear();
        _engine.Drain(_drained);
        foreach (var mark in _drained) steps.Add(new StepMark(_clock.At(mark.Timestamp), mark.Steps));
    }

    public void Dispose()
    {
        if (_ending) return;
        _ending = true;
        _engine.Dispose();
        _sensor.Dispose();
        _nvml.Dispose();
    }

    private void ThrowIfLost()
    {
        if (Quarantine is { } reason) throw new DeviceLostException(reason);
    }

    private void Lose(string reason)
    {
        _boardLost ??= _engine.Fault is { } fault ? $"{reason} ({fault})" : reason;
        _ = Quietly(_engine.Stop());
    }

    /// <summary>Why the board does not answer, or null.</summary>
    private string? BoardFault()
    {
        try
        {
            _sensor.Condition();
            return null;
        }
        catch (DeviceLostException lost)
        {
            return lost.Message;
        }
    }

    /// <summary>What the engine failed at, it may have failed at because the board is gone: then what became of a trial is unknown.</summary>
    /// <exception cref="DeviceLostException">It is.</exception>
    private async Task<T> OrLost<T>(Task<T> work)
    {
        try
        {
            return await work.ConfigureAwait(false);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            if (Quarantine is null && BoardFault() is { } reason) Lose($"{reason} ({error.Message})");
            if (Quarantine is { } quarantine) throw new DeviceLostException(quarantine, error);
            throw;
        }
    }

    /// <summary>Stopping and unloading what is gone is no failure.</summary>
    private static async Task Quietly(Task task)
    {
        try
        {
            await task.ConfigureAwait(false);
        }
        catch (DeviceLostException)
        {
        }
    }
}
