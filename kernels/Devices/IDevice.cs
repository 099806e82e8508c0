using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Devices;

/// <summary>
/// One device: it runs decode steps of one loaded configuration and is metered. Safe to use from several threads; one caller at a time
/// drains it, and one holds it for a trial.
/// </summary>
public interface IDevice : IDisposable
{
    /// <summary>What it is. What is modelled is called so here.</summary>
    DeviceInfo Info { get; }

    /// <summary>Its energy counter, or its power sensor where it has no counter.</summary>
    DeviceSensor Sensor { get; }

    /// <summary>Why nothing can run on it until somebody has seen to it, or null: it no longer answers, or it faulted and could not be set up again. Its node does not offer it any more.</summary>
    string? Quarantine => null;

    /// <summary>Looks at a device that is quarantined again, as long as that takes. True if it answers: then it is quarantined no longer. A device that is not is left alone.</summary>
    Task<bool> Revive() => Task.FromResult(Quarantine is null);

    /// <summary>Why its sensor tells nothing just now, or null: what stands in no reading is a gap, and a long one is no measurement.</summary>
    string? Silence => null;

    /// <summary>How busy it is and what of its memory is taken, as it was seen within the last second or two. For people: nothing is computed from it.</summary>
    DeviceUse Use => DeviceUse.Unknown;

    /// <summary>Its state at this moment, read from the device and not from the drained readings.</summary>
    DeviceCondition Condition();

    /// <summary>Why it cannot run this, or null: not enough memory, an unknown stack, an unknown shape. Zero layers are the LM head alone.</summary>
    string? Refusal(Configuration configuration, StepCost cost, int layers);

    /// <summary>Makes <paramref name="layers"/> distinct layers resident, or the LM head where they are zero, after unloading what was there. Takes as long as it takes.</summary>
    /// <exception cref="DeviceLostException">The device does not answer any more.</exception>
    Task Load(Configuration configuration, StepCost cost, int layers, CancellationToken stop);

    /// <summary>Starts running steps of what is loaded, back to back, until <see cref="Stop"/>.</summary>
    void Start();

    /// <summary>Ends after the running step. Context and buffers stay resident.</summary>
    Task Stop();

    /// <summary>Gives buffers and context back.</summary>
    Task Unload();

    /// <summary>Which processes run on it on behalf of a trial, a serving engine's say: they are no strangers, and where energy is modelled from processor time theirs counts. None when the trial is over.</summary>
    void Admit(IReadOnlyCollection<int> processes)
    {
    }

    /// <summary>
    /// Whether somebody measures or watches now: a trial holds it or records it, or its power is watched. Where nobody does, a device may read its sensors about once a second,
    /// and give back what only work needs.
    /// </summary>
    /// <returns>How often it reads from now on, s; 0 where that is as its sensor's profile says.</returns>
    double Attend(bool closely) => 0;

    /// <summary>Appends what was read and which steps ended since the last drain, in time order.</summary>
    void Drain(List<DeviceReading> readings, List<StepMark> steps);
}

/// <summary>A device does not answer any more: what became of its trial is unknown.</summary>
public sealed class DeviceLostException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>What is known about a device's sensors.</summary>
/// <param name="Profile">Of the energy counter if there is one (<see cref="SensorQuantity.Counter"/>), else of the power sensor. Its nominal period is that of the readings drained.</param>
/// <param name="PollSeconds">How long after the sensor's step the poll may see it, s: with the read latency, the uncertainty of an edge that sits on a tick.</param>
/// <param name="PowerIsIndependent">Whether <see cref="DeviceReading.InstantWatts"/> is more than the counter's own derivative, so that the residual says something.</param>
public sealed record DeviceSensor(SensorProfile Profile, double PollSeconds, bool PowerIsIndependent)
{
    /// <summary>Whether energy comes from a counter.</summary>
    public bool HasCounter => Profile.Quantity == SensorQuantity.Counter;
}

/// <summary>A device at one moment.</summary>
/// <param name="Celsius">°C; NaN if unknown.</param>
/// <param name="Megahertz">MHz; NaN if unknown.</param>
/// <param name="PowerLimitWatts">Enforced limit, W.</param>
/// <param name="OtherProcesses">Processes on it that are not ours.</param>
/// <param name="ClockErrorSeconds">How far its stamps may be from UTC, s.</param>
/// <param name="Hindrance">What else forbids a trial (ECC off, MIG on); null if nothing.</param>
public readonly record struct DeviceCondition(double Celsius, double Megahertz, double PowerLimitWatts, int OtherProcesses, double ClockErrorSeconds, string? Hindrance = null);

/// <summary>What the sensors said at one instant. What a device lacks is NaN.</summary>
/// <param name="TimeNanoseconds">When the poll saw it, by the node's clock, ns since the Unix epoch.</param>
/// <param name="CounterJoules">The energy counter, J.</param>
/// <param name="InstantWatts">Instantaneous power (NVML field 186), W.</param>
/// <param name="AverageWatts">Power averaged over the last second (what a naive poll gets), W.</param>
/// <param name="Celsius">°C.</param>
/// <param name="Megahertz">MHz.</param>
/// <param name="PowerCapSeconds">Time counter: clocks held down by the power cap, s.</param>
/// <param name="ThermalSeconds">Time counter: thermal slowdown, power brake or hardware slowdown, s.</param>
public readonly record struct DeviceReading(
    long TimeNanoseconds, double CounterJoules, double InstantWatts, double AverageWatts, double Celsius, double Megahertz, double PowerCapSeconds, double ThermalSeconds)
{
    /// <summary>
    /// The reading with its energy in whole µJ and its powers in whole µW, finer than any sensor: written with six decimals and read again, each is the same double. So what a
    /// trace prints is what was computed with, to the bit.
    /// </summary>
    public DeviceReading Quantised() => this with { CounterJoules = Micro(CounterJoules), InstantWatts = Micro(InstantWatts), AverageWatts = Micro(AverageWatts) };

    // The division is rounded exactly, so the result is the double nearest to the decimal number; times 1e-6 would not be.
    internal static double Micro(double value) => Math.Round(value * 1e6) / 1e6;
}

/// <summary>How busy a device is, whoever keeps it so.</summary>
/// <param name="Utilisation">Share of the last second or so in which it was at work, 0–1; NaN if unknown.</param>
/// <param name="MemoryUsedBytes">Memory that is taken, B; NaN if unknown.</param>
public readonly record struct DeviceUse(double Utilisation, double MemoryUsedBytes)
{
    /// <summary>Of a device that does not tell.</summary>
    public static DeviceUse Unknown => new(double.NaN, double.NaN);
}

/// <summary>How many steps had ended at an instant.</summary>
/// <param name="TimeNanoseconds">By the node's clock, ns since the Unix epoch.</param>
/// <param name="Steps">Since the device was opened; a fraction where a model counts, whole where a device does.</param>
public readonly record struct StepMark(long TimeNanoseconds, double Steps);

/// <summary>A meter that is not a device: node input, processors, memory, rack, facility.</summary>
public interface IMeter
{
    /// <summary>What it is and whether it accounts.</summary>
    MeterInfo Info { get; }

    /// <summary>What is known about its sensor.</summary>
    SensorProfile Profile { get; }

    /// <summary>Appends its readings since the last drain, J for a counter and W for a power sensor, in time order.</summary>
    void Drain(List<MeterReading> readings);
}

/// <summary>One reading of a meter: J of a counter or W of a power sensor.</summary>
public readonly record struct MeterReading(long TimeNanoseconds, double Value)
{
    /// <summary>The reading in whole µJ or µW, as <see cref="DeviceReading.Quantised"/> has it.</summary>
    public MeterReading Quantised() => this with { Value = DeviceReading.Micro(Value) };
}

/// <summary>What stands in one node: devices and meters, and the clock that stamps them.</summary>
public interface INode
{
    string Host { get; }

    string Site { get; }

    string Rack { get; }

    IReadOnlyList<IDevice> Devices { get; }

    /// <summary>Whether more of them may come: some are still being looked at since the start.</summary>
    bool IsOpening => false;

    IReadOnlyList<IMeter> Meters { get; }

    /// <summary>How far the node's clock may be from UTC now, s.</summary>
    double ClockErrorSeconds { get; }
}
