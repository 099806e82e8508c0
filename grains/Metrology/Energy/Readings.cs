using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>One reading of an energy counter.</summary>
/// <param name="TimeNanoseconds">Since the Unix epoch, UTC, ns.</param>
/// <param name="Joules">What the counter showed, J.</param>
public readonly record struct CounterReading(long TimeNanoseconds, double Joules);

/// <summary>One reading of a power sensor.</summary>
/// <param name="TimeNanoseconds">Since the Unix epoch, UTC, ns.</param>
/// <param name="Watts">What the sensor showed, W.</param>
public readonly record struct PowerReading(long TimeNanoseconds, double Watts);

/// <summary>What a sensor shows.</summary>
public enum SensorQuantity
{
    /// <summary>Energy since some instant, J.</summary>
    Counter,

    /// <summary>Power, W.</summary>
    Power,
}

/// <summary>What is known about a sensor and about the thing that it measures.</summary>
/// <param name="Quantity">What it shows.</param>
/// <param name="NominalPeriodSeconds">How often it is read, s. Three times this is a gap.</param>
/// <param name="MinWatts">Lower limit of the thing's power, W: the lower bound of a gap.</param>
/// <param name="RatedWatts">Rated power, W: the upper bound of a gap, and what the plausibility of a wrap is judged by.</param>
/// <param name="Provenance">Of its readings: a simulated sensor says <see cref="Provenance.Modelled"/>.</param>
/// <param name="CounterModulusJoules">Where the counter wraps, J; NaN where that is not known, and then it never wraps.</param>
/// <param name="ZeroIsMissing">Whether 0 W means "nothing to say", as from a management controller on a powered node.</param>
/// <param name="ReadLatencySeconds">How long one reading takes, s.</param>
/// <param name="UpdatePeriodSeconds">How often the sensor itself steps, s (about 0.1 on NVIDIA boards).</param>
public sealed record SensorProfile(
    SensorQuantity Quantity,
    double NominalPeriodSeconds,
    double MinWatts,
    double RatedWatts,
    Provenance Provenance = Provenance.Measured,
    double CounterModulusJoules = double.NaN,
    bool ZeroIsMissing = false,
    double ReadLatencySeconds = 0,
    double UpdatePeriodSeconds = 0.1)
{
    /// <summary>A gap is longer than this many nominal periods.</summary>
    public const double GapPeriods = 3;

    /// <summary>A counter that goes backwards has wrapped only below this many times the rated power.</summary>
    public const double WrapRatedFactor = 1.5;

    /// <summary>A span longer than this between two readings is a gap, ns.</summary>
    public long GapNanoseconds => (long)(GapPeriods * NominalPeriodSeconds * Readings.NanosecondsPerSecond);

    /// <summary>Whether a value counts as read: finite, not negative, and not a zero that means "missing". No value is too large.</summary>
    public bool IsReading(double value) => double.IsFinite(value) && (value > 0 || (value == 0 && !(ZeroIsMissing && Quantity == SensorQuantity.Power)));

    /// <summary>
    /// The energy between two readings of a counter, J, or NaN where they belong to different epochs. Backwards is a wrap only if the
    /// modulus is known and the implied power is below 1.5 times the rated one. Where so long a time has passed that the counter may have
    /// wrapped without showing it, the epoch cannot be carried across either.
    /// </summary>
    public double StepJoules(double before, double after, long spanNanoseconds)
    {
        var step = after - before;
        if (double.IsNaN(CounterModulusJoules)) return step >= 0 ? step : double.NaN;
        var most = WrapRatedFactor * RatedWatts * spanNanoseconds / Readings.NanosecondsPerSecond;
        if (most >= CounterModulusJoules) return double.NaN;
        if (step >= 0) return step;
        step += CounterModulusJoules;
        return step >= 0 && step < most ? step : double.NaN;
    }

    /// <summary>This profile, if it makes sense.</summary>
    /// <exception cref="ArgumentException">A period that is not positive, limits that are negative or in the wrong order, or a modulus that is not positive.</exception>
    public SensorProfile Checked()
    {
        if (!(NominalPeriodSeconds > 0 && NominalPeriodSeconds < 1e6)) throw new ArgumentException($"NominalPeriodSeconds is {NominalPeriodSeconds}; it must be positive.");
        if (!(MinWatts >= 0 && RatedWatts >= MinWatts && double.IsFinite(RatedWatts))) throw new ArgumentException($"MinWatts {MinWatts} and RatedWatts {RatedWatts} must be finite, not negative, and in this order.");
        if (CounterModulusJoules <= 0) throw new ArgumentException($"CounterModulusJoules is {CounterModulusJoules}; it must be positive, or NaN where it is not known.");
        return this;
    }
}

/// <summary>
/// The rule for readings that are not as they should be. Not finite, negative, or a zero that means "missing": as if never made. Large or
/// repeated values: kept, always. Two readings of one instant: the larger stands, whichever came first. Out of order: put in order.
/// </summary>
public static class Readings
{
    /// <summary>1e9.</summary>
    public const long NanosecondsPerSecond = 1_000_000_000;

    /// <summary>Puts readings in time order, in place, one per instant; returns how many are left at the front of the span.</summary>
    public static int Order(Span<CounterReading> readings)
    {
        readings.Sort(static (a, b) => a.TimeNanoseconds.CompareTo(b.TimeNanoseconds));
        var kept = 0;
        foreach (var reading in readings)
        {
            if (!double.IsFinite(reading.Joules) || reading.Joules < 0) continue;
            if (kept > 0 && readings[kept - 1].TimeNanoseconds == reading.TimeNanoseconds)
            {
                if (reading.Joules > readings[kept - 1].Joules) readings[kept - 1] = reading;
            }
            else readings[kept++] = reading;
        }
        return kept;
    }

    /// <inheritdoc cref="Order(Span{CounterReading})"/>
    public static int Order(Span<PowerReading> readings)
    {
        readings.Sort(static (a, b) => a.TimeNanoseconds.CompareTo(b.TimeNanoseconds));
        var kept = 0;
        foreach (var reading in readings)
        {
            if (!double.IsFinite(reading.Watts) || reading.Watts < 0) continue;
            if (kept > 0 && readings[kept - 1].TimeNanoseconds == reading.TimeNanoseconds)
            {
                if (reading.Watts > readings[kept - 1].Watts) readings[kept - 1] = reading;
            }
            else readings[kept++] = reading;
        }
        return kept;
    }

    internal static ArgumentException NotOrdered(int index) =>
        new($"Reading {index} is not later than the one before it; put readings in order first (Readings.Order).", "readings");

    internal static void CheckInterval(long from, long to)
    {
        if (to <= from) throw new ArgumentException($"The interval [{from}, {to}] ns is empty.");
    }
}
