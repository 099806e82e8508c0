namespace EnergyGrid.Devices;

/// <summary>
/// What a sensor that integrates only a part of each of its periods (on H100 about 25 of every 100 ms, arXiv 2312.02741) may do to the energy of a window.
/// </summary>
public static class PartTimeSampling
{
    /// <summary>The window for which an alias is told, s: the shortest that is not flagged. A longer one is better by the root of their ratio.</summary>
    public const double WindowSeconds = 10;

    /// <summary>
    /// What one update is off by, as a share of the power: the standard deviation over the phases of a load that comes and goes in step with the sensor, the worst there is.
    /// NaN without two phases, or where one is not known.
    /// </summary>
    /// <param name="watts">Mean power told at each phase, evenly spread over the sensor's period, W.</param>
    public static double PerUpdate(IReadOnlyCollection<double> watts)
    {
        if (watts.Count < 2 || watts.Any(w => !double.IsFinite(w))) return double.NaN;
        var mean = watts.Average();
        return Math.Sqrt(watts.Average(w => (w - mean) * (w - mean))) / mean;
    }

    /// <summary>
    /// Relative standard uncertainty of the energy of a window of <see cref="WindowSeconds"/>. Steps that take milliseconds are not in step with the sensor: its updates meet them
    /// at phases of their own, so what each misses averages out with their number.
    /// </summary>
    /// <param name="perUpdate">Relative, of one update.</param>
    /// <param name="updatePeriodSeconds">Between two updates, s.</param>
    public static double OfWindow(double perUpdate, double updatePeriodSeconds) => perUpdate * Math.Sqrt(updatePeriodSeconds / WindowSeconds);
}
