using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>What an A/A pair showed.</summary>
/// <param name="Passed">Whether the 90 % interval lies within ±δ; null if there is no interval.</param>
/// <param name="Interval90">Of the log ratio, the interval that is tested; null without one.</param>
/// <param name="HalfWidth95">Half-width of the 95 % interval of the log ratio; NaN without one. It enters the resolution.</param>
/// <param name="PValue">The larger of the two one-sided p-values; NaN without an interval. Passed exactly when it is at most 0.05.</param>
/// <param name="Delta">δ, log ratio.</param>
public sealed record EquivalenceResult(bool? Passed, ConfidenceInterval? Interval90, double HalfWidth95, double PValue, double Delta);

/// <summary>
/// A/A: repeatability of the whole chain by two one-sided tests (Schuirmann 1987). A pair passes if the 90 % interval of its log ratio lies
/// within ±δ. It tests repeatability, on type A alone: a twin shares its original's sensor error, which <see cref="TypeB"/> carries.
/// </summary>
public static class Equivalence
{
    /// <summary>δ if the plan names none, log ratio.</summary>
    public const double DefaultDelta = 0.01;

    /// <summary>Tests the log ratio of a twin to its original. Throws if δ is not positive and finite.</summary>
    public static EquivalenceResult Test(NestedEstimate logRatio, double delta = DefaultDelta)
    {
        ArgumentNullException.ThrowIfNull(logRatio);
        if (!(delta > 0 && double.IsFinite(delta)))
        {
            throw new ArgumentOutOfRangeException(nameof(delta), delta, "δ is a positive log ratio.");
        }
        if (logRatio.Interval(0.90) is not { } interval)
        {
            return new EquivalenceResult(null, null, double.NaN, double.NaN, delta);
        }
        var passed = -delta <= interval.Low && interval.High <= delta;
        // The nearer bound decides; one-sided, hence half of the two-sided value on the inner side and its complement outside.
        var distance = delta - Math.Abs(logRatio.Mean);
        var twoSided = logRatio.StandardError == 0 ? 0 : StudentDistribution.TwoSided(distance / logRatio.StandardError, logRatio.DegreesOfFreedom);
        return new EquivalenceResult(
            passed, interval, logRatio.Interval(0.95)!.HalfWidth, distance >= 0 ? twoSided / 2 : 1 - twoSided / 2, delta);
    }

    /// <summary>The smallest log ratio that the chain can tell from none: max(A/A half-width, 2·u_B), with u_B of <see cref="TypeB.Combined"/>. NaN if either is unknown.</summary>
    public static double Resolution(double repeatabilityHalfWidth, double typeB) => Math.Max(repeatabilityHalfWidth, 2 * typeB);
}
