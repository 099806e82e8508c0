using System.Collections.Immutable;

namespace EnergyGrid.Metrology;

/// <summary>
/// How a power sensor's reading P may deviate from the truth: <c>P = (1 + g)·truth + o + n·4·(P/rated)·(1 − P/rated)</c>, with |g| ≤ <paramref name="Gain"/>,
/// |o| ≤ <paramref name="OffsetWatts"/> and |n| ≤ <paramref name="NonLinearityWatts"/>. The three are unknown and fixed for a sensor, each sensor's its own, so
/// replication does not reduce them: they are bounds, not scatter. The bend n is a smooth deviation that is zero at 0 and at the rated power and largest halfway,
/// as a function of the reading. A bound of NaN is unknown, and so is what depends on it; one of 0 needs no power to be known.
/// </summary>
/// <param name="OffsetWatts">b, W.</param>
/// <param name="NonLinearityWatts">Largest deviation from a straight line between 0 and the rated power, W.</param>
/// <param name="RatedWatts">The power at which the bend ends, W.</param>
/// <param name="Alias">Relative standard uncertainty from aliasing of part-time sampling.</param>
/// <param name="CounterResidual">Relative standard uncertainty from counter against integrated power.</param>
/// <param name="Gain">Bound of the gain error, relative. It cancels in ratios on the same devices.</param>
/// <param name="Source">Where offset, bend and gain come from, to be printed beside them: <c>assumed</c>, <c>node meter: steps of GPU load</c>.</param>
public sealed record SensorBounds(
    double OffsetWatts, double NonLinearityWatts, double RatedWatts, double Alias, double CounterResidual, double Gain, string Source)
{
    /// <summary>b where no meter stands beside the sensor, W.</summary>
    public const double AssumedOffsetWatts = 10;

    /// <summary>The bend where no meter stands beside the sensor, as a share of the rated power.</summary>
    public const double AssumedNonLinearity = 0.01;

    /// <summary>The gain where no meter stands beside the sensor, relative (arXiv 2312.02741).</summary>
    public const double AssumedGain = 0.05;

    /// <summary>Energies that no sensor distorts: all bounds are 0.</summary>
    public static SensorBounds None { get; } = new(0, 0, double.NaN, 0, 0, 0, "no sensor");

    /// <summary>What is assumed of a sensor that reads up to <paramref name="ratedWatts"/>, with what qualification found of its sampling.</summary>
    public static SensorBounds Assumed(double ratedWatts, double alias = 0, double counterResidual = 0) =>
        new(AssumedOffsetWatts, AssumedNonLinearity * ratedWatts, ratedWatts, alias, counterResidual, AssumedGain, "assumed");

    /// <summary>Offset and bend, W, at the corners of their bounds.</summary>
    internal ImmutableArray<(double Offset, double Bend)> Corners =>
    [
        (-OffsetWatts, -NonLinearityWatts), (-OffsetWatts, NonLinearityWatts), (OffsetWatts, -NonLinearityWatts), (OffsetWatts, NonLinearityWatts),
    ];

    /// <summary>Throws <see cref="ArgumentOutOfRangeException"/> for a negative bound or a rated power that is not positive; NaN passes.</summary>
    public void Check()
    {
        ThrowIf(OffsetWatts < 0, nameof(OffsetWatts), OffsetWatts);
        ThrowIf(NonLinearityWatts < 0, nameof(NonLinearityWatts), NonLinearityWatts);
        ThrowIf(RatedWatts <= 0, nameof(RatedWatts), RatedWatts);
        ThrowIf(Alias < 0, nameof(Alias), Alias);
        ThrowIf(CounterResidual < 0, nameof(CounterResidual), CounterResidual);
        ThrowIf(Gain < 0, nameof(Gain), Gain);

        static void ThrowIf(bool wrong, string name, double value)
        {
            if (wrong)
            {
                throw new ArgumentOutOfRangeException(name, value, "A bound is not negative, and a rated power is positive.");
            }
        }
    }
}

/// <summary>By which relative amount J/token moves with its sensor's offset and bend.</summary>
/// <param name="Offset">s_o, 1/W: Δt/ΔE of the slope over L'.</param>
/// <param name="NonLinearity">s_n, 1/W: Δ(4·(P/rated)·(1 − P/rated)·t)/ΔE.</param>
public readonly record struct Sensitivity(double Offset, double NonLinearity)
{
    /// <summary>Of a value that no sensor distorts.</summary>
    public static Sensitivity Zero => default;

    /// <summary>Of a value whose powers are not known.</summary>
    public static Sensitivity Unknown => new(double.NaN, double.NaN);

    /// <summary>
    /// Of the least-squares slope of joules over L' (one value of L': of the joules themselves), whose weights are <c>L' − mean L'</c>. NaN without points or seconds.
    /// Throws <see cref="ArgumentException"/> where the slope of the joules is not positive: such a trial is not valid.
    /// </summary>
    public static Sensitivity Of(ImmutableArray<EnergyPoint> points, double ratedWatts)
    {
        if (points.IsDefaultOrEmpty || points.Any(point => !(point.SecondsPerStep > 0 && double.IsFinite(point.SecondsPerStep))))
        {
            return Unknown;
        }
        var meanLayers = points.Sum(point => (double)point.Layers) / points.Length;
        var slope = points.Any(point => point.Layers != points[0].Layers);
        double energy = 0, time = 0, bend = 0;
        foreach (var point in points.OrderBy(point => point.Layers).ThenBy(point => point.JoulesPerStep).ThenBy(point => point.SecondsPerStep))
        {
            var weight = slope ? point.Layers - meanLayers : 1;
            var load = point.JoulesPerStep / point.SecondsPerStep / ratedWatts;
            energy += weight * point.JoulesPerStep;
            time += weight * point.SecondsPerStep;
            bend += weight * point.SecondsPerStep * 4 * load * (1 - load);
        }
        return energy > 0
            ? new Sensitivity(time / energy, bend / energy)
            : throw new ArgumentException("The points of a valid trial must yield positive joules per layer.", nameof(points));
    }

    /// <summary>
    /// ln(truth / reading) of a sensor with that offset and bend, W, gain apart: <c>ln(1 − offset·s_o − bend·s_n)</c>. NaN if unknown; −∞ if they are all of the reading.
    /// </summary>
    internal double LogCorrection(double offset, double bend) => Math.Log(Math.Max(0, 1 - Product(offset, Offset) - Product(bend, NonLinearity)));

    /// <summary>By how much a deviation of so many watts moves the value, relative; nothing moves nothing, whatever the sensitivity.</summary>
    internal static double Product(double watts, double sensitivity) => watts == 0 ? 0 : watts * sensitivity;

    /// <summary>Means of both.</summary>
    public static Sensitivity MeanOf(IReadOnlyCollection<Sensitivity> sensitivities) => new(
        NestedSample.MeanOf(sensitivities.Select(s => s.Offset)), NestedSample.MeanOf(sensitivities.Select(s => s.NonLinearity)));
}
