using MathNet.Numerics.Distributions;

namespace EnergyGrid.Metrology;

/// <summary>Student's t, central, unit scale.</summary>
public static class StudentDistribution
{
    /// <summary>t(p, df): the value below which a share <paramref name="probability"/> lies, e.g. t(0.975, 3) = 3.182. Throws unless 0 &lt; p &lt; 1 and df ≥ 1.</summary>
    public static double Quantile(double probability, int degreesOfFreedom)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(degreesOfFreedom);
        if (!(probability > 0 && probability < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(probability), probability, "A probability lies between 0 and 1.");
        }
        if (probability < 0.5)
        {
            return -Quantile(1 - probability, degreesOfFreedom);
        }
        // Not StudentT.InvCDF: its root finder gives up for some tails. The upper tail falls and is convex for t ≥ 0, so Newton's steps from a
        // point left of the root climb to it and never pass it; doubling puts that point within a factor of two.
        var tail = 1 - probability;
        var t = 0.0;
        for (var next = 1.0; UpperTail(next, degreesOfFreedom) > tail; next *= 2)
        {
            t = next;
        }
        for (var i = 0; i < 100; i++)
        {
            var step = (UpperTail(t, degreesOfFreedom) - tail) / Density(t, degreesOfFreedom);
            t += step;
            if (Math.Abs(step) <= 1e-14 * t)
            {
                break;
            }
        }
        return t;
    }

    /// <summary>The two-sided p-value of a t statistic.</summary>
    public static double TwoSided(double statistic, int degreesOfFreedom)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(degreesOfFreedom);
        return Math.Min(1, 2 * UpperTail(Math.Abs(statistic), degreesOfFreedom));
    }

    /// <summary>P(T &gt; t), with relative accuracy however far out.</summary>
    public static double UpperTail(double t, int degreesOfFreedom) => double.IsPositiveInfinity(t) ? 0
        // The library works with ν/(ν + t²), in which a small t is lost; the density's series has an error of t⁵ here.
        : Math.Abs(t) < 1e-3 ? 0.5 - Density(0, degreesOfFreedom) * t * (1 - (degreesOfFreedom + 1.0) / degreesOfFreedom * t * t / 6)
        : StudentT.CDF(0, 1, degreesOfFreedom, -t);

    /// <summary>The density at t.</summary>
    public static double Density(double t, int degreesOfFreedom) => double.IsInfinity(t) ? 0 : StudentT.PDF(0, 1, degreesOfFreedom, t);
}
