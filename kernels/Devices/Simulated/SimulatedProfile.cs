using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices;

/// <summary>The physics of a simulated board: the energy model of docs/workloads, <c>E = P_static·t + e_b·bits + e_f·FLOPs</c>, with heat.</summary>
/// <param name="Shape">Name, bandwidth, peak and memory.</param>
/// <param name="RatedWatts">Board rating, and the power limit unless set lower, W.</param>
/// <param name="StaticWatts">P_static at <see cref="ReferenceCelsius"/>, W. It is not idle power.</param>
/// <param name="JoulesPerBit">Whole path, J per bit moved.</param>
/// <param name="JoulesPerFlop">J per FLOP.</param>
public sealed record SimulatedProfile(DeviceProfile Shape, double RatedWatts, double StaticWatts, double JoulesPerBit, double JoulesPerFlop)
{
    /// <summary>No context, no work, W.</summary>
    public double IdleWatts { get; init; } = 70;

    /// <summary>Context and buffers resident, no kernel, W.</summary>
    public double IdleContextWatts { get; init; } = 105;

    /// <summary>Share of the floor's speed that a step reaches, 0–1.</summary>
    public double AchievedFraction { get; init; } = 0.9;

    /// <summary>Time of each step that does not grow with L', s: the intercept.</summary>
    public double LaunchSeconds { get; init; } = 40e-6;

    /// <summary>Leakage power above the reference temperature, W per °C.</summary>
    public double LeakWattsPerCelsius { get; init; } = 0.4;

    /// <summary>Where <see cref="StaticWatts"/> holds, °C.</summary>
    public double ReferenceCelsius { get; init; } = 60;

    /// <summary>Coolant, °C.</summary>
    public double CoolantCelsius { get; init; } = 30;

    /// <summary>Thermal resistance to the coolant, °C per W.</summary>
    public double CelsiusPerWatt { get; init; } = 0.08;

    /// <summary>Time constant of the temperature, s.</summary>
    public double ThermalSeconds { get; init; } = 15;

    /// <summary>Thermal slowdown begins here, °C, and halves the clock.</summary>
    public double SlowdownCelsius { get; init; } = 89;

    /// <summary>Clock when nothing holds it down, MHz.</summary>
    public double BoostMegahertz { get; init; } = 1980;

    /// <summary>H100 SXM.</summary>
    public static SimulatedProfile H100 { get; } = new(DeviceProfile.H100Sxm, 700, 120, 10e-12, 0.7e-12);

    /// <summary>H200 SXM.</summary>
    public static SimulatedProfile H200 { get; } = new(DeviceProfile.H200Sxm, 700, 120, 10e-12, 0.7e-12);
}

/// <summary>What is wrong with the sensors and the world of a simulated device: real defects, each of a known size.</summary>
public sealed record SimulatedDefects
{
    /// <summary>Sensor gain is uniform in 1 ± this, per device, and the same for all its sensors.</summary>
    public double GainSpread { get; init; } = 0.05;

    /// <summary>Offset and non-linearity of the sensors.</summary>
    public SensorDesign Sensor { get; init; } = new();

    /// <summary>The energy counter and the power sensor step this often, s; each device's own period lies within 1 % of it.</summary>
    public double StepSeconds { get; init; } = 0.1;

    /// <summary>The power sensor sees only the last part of each step, s.</summary>
    public double IntegratedSeconds { get; init; } = 0.025;

    /// <summary>Standard deviation of what the power sensor misses by that, as a share of power.</summary>
    public double AliasFraction { get; init; } = 0.01;

    /// <summary>A step of the sensor is seen up to this much later, s.</summary>
    public double PollSeconds { get; init; } = 0.005;

    /// <summary>Standard deviation of the natural logarithm of true dynamic power, drawn at each load.</summary>
    public double PowerVariation { get; init; } = 0.002;

    /// <summary>Standard deviation of the natural logarithm of true speed, drawn at each load.</summary>
    public double SpeedVariation { get; init; } = 0.001;

    /// <summary>Boards differ in static and dynamic power: standard deviation of the logarithm, per device.</summary>
    public double BoardVariation { get; init; } = 0.02;

    /// <summary>The node's clock is off by a fixed amount within ± this, and says so, s.</summary>
    public double ClockErrorSeconds { get; init; } = 0.0005;

    /// <summary>The counter begins anew so many seconds after the start; NaN for never.</summary>
    public double CounterResetAfterSeconds { get; init; } = double.NaN;

    /// <summary>Processes of others on the device.</summary>
    public int OtherProcesses { get; init; }

    /// <summary>Enforced power limit, W; the rating when NaN.</summary>
    public double PowerLimitWatts { get; init; } = double.NaN;

    /// <summary>Sensors without gain error, offset, alias, latency and variation: for tests that want the model alone.</summary>
    public static SimulatedDefects None { get; } = new()
    {
        GainSpread = 0,
        Sensor = SensorDesign.Straight,
        AliasFraction = 0,
        PollSeconds = 0,
        PowerVariation = 0,
        SpeedVariation = 0,
        BoardVariation = 0,
        ClockErrorSeconds = 0,
    };

    /// <summary>What the design of the sensors declares: bounds, and nothing of what lies within them.</summary>
    internal SensorQualification Declared(double ratedWatts, DateTimeOffset at) => new(
        StepSeconds, PartTimeSampling.OfWindow(AliasFraction, StepSeconds), 0, Sensor.OffsetBoundWatts,
        string.Create(CultureInfo.InvariantCulture, $"declared by the simulated sensors' design: ±{Sensor.CommonOffsetBoundWatts:0.###} W common to the site, ±{Sensor.OwnOffsetBoundWatts:0.###} W of each device"),
        ratedWatts, at,
        string.Create(CultureInfo.InvariantCulture, $"declared by the simulated sensors' design, nothing was looked at: {1000 * IntegratedSeconds:0.#} of every {1000 * StepSeconds:0.#} ms are integrated, alias for a window of {PartTimeSampling.WindowSeconds:F0} s"),
        Sensor.NonLinearityBoundWatts);
}
