using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>Energy between two instants from the readings of a power sensor.</summary>
public static class PowerEnergy
{
    /// <summary>
    /// Energy in <c>[from, to]</c>: the trapezoid over every reading, with the edges interpolated at the exact bounds. A span between two
    /// readings that is longer than three nominal periods is uncovered as a whole, never interpolated; so is time before the first reading
    /// and after the last.
    /// </summary>
    /// <param name="readings">In strict time order; values that are no readings are skipped.</param>
    /// <param name="fromNanoseconds">First edge, ns since the Unix epoch.</param>
    /// <param name="toNanoseconds">Second edge, ns since the Unix epoch.</param>
    /// <param name="sensor">What is known about the sensor.</param>
    /// <exception cref="ArgumentException">An empty interval, or readings out of order.</exception>
    public static Energy Between(ReadOnlySpan<PowerReading> readings, long fromNanoseconds, long toNanoseconds, SensorProfile sensor)
    {
        Readings.CheckInterval(fromNanoseconds, toNanoseconds);
        var gap = sensor.GapNanoseconds;
        var sum = new NeumaierSum();
        long covered = 0;
        var last = -1;
        for (var i = 0; i < readings.Length; i++)
        {
            if (!sensor.IsReading(readings[i].Watts)) continue;
            if (last >= 0)
            {
                var (start, end) = (readings[last].TimeNanoseconds, readings[i].TimeNanoseconds);
                if (end <= start) throw Readings.NotOrdered(i);
                var span = end - start;
                var (left, right) = (Math.Max(start, fromNanoseconds), Math.Min(end, toNanoseconds));
                if (right > left && span <= gap)
                {
                    var (before, slope) = (readings[last].Watts, (readings[i].Watts - readings[last].Watts) / span);
                    var mean = before + slope * (0.5 * (left - start) + 0.5 * (right - start));
                    sum.Add(mean * (right - left) / Readings.NanosecondsPerSecond);
                    covered += right - left;
                }
            }
            last = i;
        }
        var watts = covered > 0 ? sum.Value * Readings.NanosecondsPerSecond / covered : 0;
        return EnergySums.Of(sum.Value, covered, toNanoseconds - fromNanoseconds, EdgeUncertainty.Joules(watts, sensor, true, true), "power", sensor, Provenance.Measured);
    }
}
