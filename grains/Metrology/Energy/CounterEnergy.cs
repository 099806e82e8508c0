using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>Energy between two instants from the readings of an energy counter.</summary>
public static class CounterEnergy
{
    /// <summary>
    /// Energy in <c>[from, to]</c>: the differences of the counter, interpolated at the exact bounds. Time before the first reading, after
    /// the last and across a reset is uncovered. A gap within one epoch is covered in total; where an edge lies inside one, the split is
    /// modelled, and so is the result. The edge uncertainty is small where an edge lies on a tick (see <see cref="EdgeUncertainty"/>).
    /// </summary>
    /// <param name="readings">In strict time order; values that are no readings are skipped.</param>
    /// <param name="fromNanoseconds">First edge, ns since the Unix epoch.</param>
    /// <param name="toNanoseconds">Second edge, ns since the Unix epoch.</param>
    /// <param name="sensor">What is known about the counter.</param>
    /// <exception cref="ArgumentException">An empty interval, or readings out of order.</exception>
    public static Energy Between(ReadOnlySpan<CounterReading> readings, long fromNanoseconds, long toNanoseconds, SensorProfile sensor)
    {
        Readings.CheckInterval(fromNanoseconds, toNanoseconds);
        var gap = sensor.GapNanoseconds;
        var sum = new NeumaierSum();
        long covered = 0;
        var split = false;
        var last = -1;
        for (var i = 0; i < readings.Length; i++)
        {
            if (!sensor.IsReading(readings[i].Joules)) continue;
            if (last >= 0)
            {
                var (start, end) = (readings[last].TimeNanoseconds, readings[i].TimeNanoseconds);
                if (end <= start) throw Readings.NotOrdered(i);
                var overlap = Math.Min(end, toNanoseconds) - Math.Max(start, fromNanoseconds);
                if (overlap > 0)
                {
                    var span = end - start;
                    var step = sensor.StepJoules(readings[last].Joules, readings[i].Joules, span);
                    if (!double.IsNaN(step))
                    {
                        sum.Add(step * ((double)overlap / span));
                        covered += overlap;
                        split |= overlap < span && span > gap;
                    }
                }
            }
            last = i;
        }
        var expected = toNanoseconds - fromNanoseconds;
        var watts = covered > 0 ? sum.Value * Readings.NanosecondsPerSecond / covered : 0;
        var edges = EdgeUncertainty.Joules(watts, sensor, IsTick(readings, fromNanoseconds, sensor), IsTick(readings, toNanoseconds, sensor));
        return EnergySums.Of(sum.Value, covered, expected, edges, "counter", sensor, split ? Provenance.Modelled : Provenance.Measured);
    }

    /// <summary>How often the counter began anew within the readings.</summary>
    /// <param name="readings">In strict time order; values that are no readings are skipped.</param>
    /// <param name="sensor">What is known about the counter.</param>
    public static int Resets(ReadOnlySpan<CounterReading> readings, SensorProfile sensor)
    {
        var (resets, last) = (0, -1);
        for (var i = 0; i < readings.Length; i++)
        {
            if (!sensor.IsReading(readings[i].Joules)) continue;
            if (last >= 0 && double.IsNaN(sensor.StepJoules(readings[last].Joules, readings[i].Joules, readings[i].TimeNanoseconds - readings[last].TimeNanoseconds))) resets++;
            last = i;
        }
        return resets;
    }

    /// <summary>
    /// The instants at which the counter was first seen to have stepped, ns, in order: edges that sit on them carry only the uncertainty of
    /// polling. A reset is no tick.
    /// </summary>
    /// <param name="readings">In strict time order.</param>
    /// <param name="sensor">What is known about the counter.</param>
    /// <param name="ticks">Receives them; at most <c>readings.Length − 1</c>.</param>
    /// <returns>How many were written.</returns>
    public static int Ticks(ReadOnlySpan<CounterReading> readings, SensorProfile sensor, Span<long> ticks)
    {
        var (count, last) = (0, -1);
        for (var i = 0; i < readings.Length; i++)
        {
            if (!sensor.IsReading(readings[i].Joules)) continue;
            if (last >= 0 && sensor.StepJoules(readings[last].Joules, readings[i].Joules, readings[i].TimeNanoseconds - readings[last].TimeNanoseconds) > 0) ticks[count++] = readings[i].TimeNanoseconds;
            last = i;
        }
        return count;
    }

    /// <summary>
    /// The edges for a window of at least the wanted length: the first tick at or after the start, and the first tick at or after that one
    /// plus the wanted length. Null where the readings do not reach so far.
    /// </summary>
    public static (long From, long To)? EdgesOnTicks(ReadOnlySpan<CounterReading> readings, SensorProfile sensor, long startNanoseconds, long lengthNanoseconds)
    {
        long? from = null;
        var last = -1;
        for (var i = 0; i < readings.Length; i++)
        {
            if (!sensor.IsReading(readings[i].Joules)) continue;
            var time = readings[i].TimeNanoseconds;
            var isTick = last >= 0 && sensor.StepJoules(readings[last].Joules, readings[i].Joules, time - readings[last].TimeNanoseconds) > 0;
            last = i;
            if (!isTick || time < startNanoseconds) continue;
            if (from is null) from = time;
            else if (time - from >= lengthNanoseconds) return (from.Value, time);
        }
        return null;
    }

    private static bool IsTick(ReadOnlySpan<CounterReading> readings, long time, SensorProfile sensor)
    {
        var (low, high) = (0, readings.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var at = readings[middle].TimeNanoseconds;
            if (at == time)
            {
                var before = middle - 1;
                while (before >= 0 && !sensor.IsReading(readings[before].Joules)) before--;
                return before >= 0 && sensor.IsReading(readings[middle].Joules)
                    && sensor.StepJoules(readings[before].Joules, readings[middle].Joules, time - readings[before].TimeNanoseconds) > 0;
            }
            if (at < time) low = middle + 1;
            else high = middle - 1;
        }
        return false;
    }
}
