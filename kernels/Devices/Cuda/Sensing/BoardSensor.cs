using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda.Nvml;

namespace EnergyGrid.Devices.Cuda.Sensing;

/// <summary>What is stated about a board and its node.</summary>
public sealed record BoardSensorOptions
{
    /// <summary>Bound of the clock's error against UTC, s.</summary>
    public double ClockErrorSeconds { get; init; } = 0.005;

    /// <summary>Lowest power of the board, W: the lower bound of a gap.</summary>
    public double MinWatts { get; init; }

    /// <summary>Power rating where the board does not tell its highest limit, W.</summary>
    public double RatedWatts { get; init; } = 700;
}

/// <summary>What meters one GPU through NVML, as it was qualified: the sensor's thread and the board's state.</summary>
public sealed class BoardSensor : IDisposable
{
    private readonly NvmlDevice _device;
    private readonly NodeClock _clock;
    private readonly NvmlSensor _sensor;
    private readonly BoardSensorOptions _options;
    private readonly ulong _uncorrectedBefore;

    /// <summary>Begins to meter.</summary>
    /// <param name="device">Which.</param>
    /// <param name="clock">The node's: the marks of steps must bear the same.</param>
    /// <param name="qualification">Says what energy is taken from.</param>
    /// <param name="options">What is stated.</param>
    /// <exception cref="InvalidOperationException">The device tells neither energy nor power.</exception>
    public BoardSensor(NvmlDevice device, NodeClock clock, BoardQualification qualification, BoardSensorOptions? options = null)
        : this(device, clock, qualification, options, polls: true)
    {
    }

    /// <summary>The same; without <paramref name="polls"/> no thread reads the sensors.</summary>
    internal BoardSensor(NvmlDevice device, NodeClock clock, BoardQualification qualification, BoardSensorOptions? options, bool polls)
    {
        if (qualification.Metering == Metering.None) throw new InvalidOperationException($"{device.Uuid} cannot be metered: {qualification.Verdict}.");
        (_device, _clock, _options, Qualification) = (device, clock, options ?? new(), qualification);
        var highest = device.Field(NvmlField.MostPowerLimit) / 1000;
        RatedWatts = highest > 0 ? highest : _options.RatedWatts;
        var limit = device.PowerLimitWatts();
        PowerLimitWatts = limit > 0 ? limit : RatedWatts;
        EnergyProvenance = IsEmulated(device) ? Provenance.Modelled : Provenance.Measured;
        Sensor = qualification.ToSensor(_options.MinWatts, RatedWatts, EnergyProvenance);
        TellsProcesses = device.ComputeProcesses() is not null;
        _uncorrectedBefore = device.EccErrors()?.Uncorrected ?? 0;
        _sensor = new NvmlSensor(device, clock, qualification.ToOptions());
        if (polls) _sensor.Start();
    }

    /// <summary>What was found about its sensors on start.</summary>
    public BoardQualification Qualification { get; }

    /// <summary>What the rest of the project is told of them.</summary>
    public DeviceSensor Sensor { get; }

    /// <summary>Highest power limit of the board, W; as stated where it does not tell.</summary>
    public double RatedWatts { get; }

    /// <summary>Enforced power limit on start, W; the rating where it is not told.</summary>
    public double PowerLimitWatts { get; }

    /// <summary>Measured; modelled where the board is emulated.</summary>
    public Provenance EnergyProvenance { get; }

    /// <summary>Whether NVML tells who uses the board. Where it does not, nobody else is seen, which is not the same as nobody being there.</summary>
    public bool TellsProcesses { get; }

    /// <summary>The processes that hold a context on the board for us: nobody else's. None while there is no context.</summary>
    public Func<IReadOnlyList<int>> OwnProcesses { get; set; } = static () => [Environment.ProcessId];

    /// <summary>What energy is taken from, in words.</summary>
    public string EnergySource => Qualification.EnergySource;

    /// <summary>Why its sensors have not been read for some seconds; null while they are.</summary>
    public string? Lost => _sensor.Lost?.Message;

    /// <summary>Why they tell no energy just now; null while they do.</summary>
    public string? Silence => _sensor.Silence;

    /// <summary>How busy the board was when that was looked at last, within about a second.</summary>
    public DeviceUse Use => _sensor.Use;

    /// <summary>The board's state now. A code of NVML that has no meaning here makes it as lost as one that says so: what cannot be asked cannot be measured.</summary>
    /// <exception cref="DeviceLostException">It does not answer any more.</exception>
    public DeviceCondition Condition()
    {
        if (_sensor.Lost is { } lost) throw new DeviceLostException(lost.Message, lost);
        try
        {
            return Ask();
        }
        catch (NvmlException)
        {
            // Once is a hiccup: a trial of minutes is not given up for it.
        }

        try
        {
            return Ask();
        }
        catch (NvmlException again)
        {
            throw new DeviceLostException($"It cannot be asked for its state: {again.Message}", again);
        }
    }

    /// <summary>Whether somebody measures or watches: else an energy counter is read once a second, which loses nothing. Power between two seconds would be lost: where it is integrated, it is read as ever.</summary>
    /// <returns>As <see cref="IDevice.Attend"/>.</returns>
    public double Attend(bool closely) => (_sensor.IsSlow = !closely && _sensor.HasCounter) ? 1 : 0;

    /// <summary>Appends what was read since the last drain, in time order.</summary>
    public void Drain(List<DeviceReading> readings) => _sensor.Drain(readings);

    public void Dispose() => _sensor.Dispose();

    private DeviceCondition Ask()
    {
        var limit = _device.PowerLimitWatts();
        return new DeviceCondition(
            _device.Celsius(), _device.Megahertz(), limit > 0 ? limit : PowerLimitWatts, OtherProcesses(), _options.ClockErrorSeconds + _clock.ErrorSeconds, Hindrance());
    }

    private string? Hindrance()
    {
        if (_device.MigEnabled() == true) return "MIG is on: the parts of the GPU share one power sensor (nvidia-smi -mig 0)";
        if (_device.EccEnabled() == false) return "ECC is off (nvidia-smi -e 1, then a reboot)";
        return _device.EccErrors() is { } errors && errors.Uncorrected > _uncorrectedBefore
            ? $"{errors.Uncorrected - _uncorrectedBefore} uncorrected ECC error(s) since the start"
            : null;
    }

    // In a container NVML may tell the host's numbers: then ours is not among them, and one of those that cannot be seen here is us. What makes a container is not
    // asked: under Kubernetes with cgroup v2 nothing in /proc says so. Where numbers are our own namespace's, ours is there if we hold a context.
    private int OtherProcesses()
    {
        if (_device.ComputeProcesses() is not { } all) return 0;
        var own = OwnProcesses();
        var others = all.Where(pid => !own.Contains(pid)).ToArray();
        if (others.Length < all.Length || own.Count == 0 || !OperatingSystem.IsLinux()) return others.Length;
        return others.Any(static pid => !Directory.Exists($"/proc/{pid}")) ? others.Length - 1 : others.Length;
    }

    private static bool IsEmulated(NvmlDevice device) => device.Name.Contains("emulated", StringComparison.OrdinalIgnoreCase);
}
