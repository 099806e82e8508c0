namespace EnergyGrid.Metrology;

/// <summary>What the two edges of an interval add to the uncertainty of its energy.</summary>
public static class EdgeUncertainty
{
    /// <summary>
    /// How far an edge may be from where the reading says, s: poll interval plus read latency. A counter's edge that is not on a tick may
    /// be off by the sensor's whole update period instead.
    /// </summary>
    public static double Seconds(SensorProfile sensor, bool aligned)
    {
        var polling = sensor.NominalPeriodSeconds + sensor.ReadLatencySeconds;
        return aligned ? polling : Math.Max(polling, sensor.UpdatePeriodSeconds);
    }

    /// <summary>Both edges at the given power, J. They add: neither knows of the other.</summary>
    public static double Joules(double watts, SensorProfile sensor, bool firstAligned, bool secondAligned) =>
        watts * (Seconds(sensor, firstAligned) + Seconds(sensor, secondAligned));

    /// <summary>Energy error of one edge when two clocks disagree: |ΔP| · clock error, J.</summary>
    /// <param name="stepWatts">The step of power at the edge, W, of either sign.</param>
    /// <param name="clockErrorSeconds">How far the clock may be off, s.</param>
    public static double ClockJoules(double stepWatts, double clockErrorSeconds) => Math.Abs(stepWatts) * clockErrorSeconds;
}
