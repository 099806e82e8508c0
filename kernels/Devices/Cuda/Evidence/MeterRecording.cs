using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda.Nvml;
using EnergyGrid.Devices.Cuda.Sensing;
using EnergyGrid.Metrology;

namespace EnergyGrid.Devices.Cuda.Evidence;

/// <summary>What the sensor thread saw between two instants.</summary>
/// <param name="From">First edge, ns; on a tick of the counter where there is one.</param>
/// <param name="To">Second edge, ns.</param>
/// <param name="Joules">Energy between them, J; NaN where too little was read.</param>
/// <param name="Celsius">At the end, °C.</param>
/// <param name="Megahertz">At the end, MHz.</param>
/// <param name="PowerCapShare">Share of the time under the power cap.</param>
internal sealed record MeteredWindow(long From, long To, double Joules, double Celsius, double Megahertz, double PowerCapShare)
{
    /// <summary>s.</summary>
    public double Seconds => (To - From) * 1e-9;
}

/// <summary>The sensor thread, from construction to <see cref="Dispose"/>: the same thread that meters a trial.</summary>
internal sealed class MeterRecording : IDisposable
{
    /// <summary>Of the time of a window that readings must cover.</summary>
    private const double LeastCoverage = 0.9;

    private readonly NvmlSensor _sensor;
    private readonly List<DeviceReading> _readings = [];
    private readonly double _mostWatts;

    public MeterRecording(NvmlDevice device, NodeClock clock, NvmlSensorOptions options, double mostWatts)
    {
        (_sensor, _mostWatts) = (new NvmlSensor(device, clock, options), mostWatts);
        _sensor.Start();
    }

    /// <summary>The window of at least <paramref name="seconds"/> that begins at the first tick after <paramref name="start"/>, as far as it was read.</summary>
    /// <exception cref="DeviceLostException">The device stopped to answer.</exception>
    public MeteredWindow Window(long start, double seconds)
    {
        if (_sensor.Lost is { } lost) throw new DeviceLostException(lost.Message, lost);
        _sensor.Drain(_readings);
        var wanted = (long)(seconds * 1e9);
        var (from, to) = (start, start + wanted);
        var joules = double.NaN;
        if (_sensor.HasCounter)
        {
            CounterReading[] counter = [.. _readings.Where(r => !double.IsNaN(r.CounterJoules)).Select(r => new CounterReading(r.TimeNanoseconds, r.CounterJoules))];
            var profile = Profile(SensorQuantity.Counter);
            if (CounterEnergy.EdgesOnTicks(counter, profile, start, wanted) is { } edges) (from, to) = edges;
            joules = Covered(CounterEnergy.Between(counter, from, to, profile));
        }
        else
        {
            PowerReading[] power = [.. _readings.Where(r => !double.IsNaN(r.InstantWatts)).Select(r => new PowerReading(r.TimeNanoseconds, r.InstantWatts))];
            joules = Covered(PowerEnergy.Between(power, from, to, Profile(SensorQuantity.Power)));
        }
        var within = _readings.Where(r => r.TimeNanoseconds >= from && r.TimeNanoseconds <= to).ToArray();
        return within.Length < 2
            ? new(from, to, joules, double.NaN, double.NaN, double.NaN)
            : new(from, to, joules, within[^1].Celsius, within[^1].Megahertz, (within[^1].PowerCapSeconds - within[0].PowerCapSeconds) / ((within[^1].TimeNanoseconds - within[0].TimeNanoseconds) * 1e-9));
    }

    public void Dispose() => _sensor.Dispose();

    private static double Covered(Energy energy) => energy.Coverage >= LeastCoverage ? energy.Joules : double.NaN;

    private SensorProfile Profile(SensorQuantity quantity) => new(quantity, _sensor.ReadingPeriodSeconds, 0, _mostWatts);
}
