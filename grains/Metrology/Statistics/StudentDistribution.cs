using MathNet.Numerics.Distributions;

namespace EnergyGrid.Metrology;

/// <summary>Student's t, central, unit scale.</summary>
public static class StudentDistribution
{
    /// <summary>t(p, df): the value below which a share <paramref name="probability"/> lies, e.g. t(0.975, 3) = 3.182.</summary>
    public static double Quantile(double probability, int degreesOfFreedom)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(degreesOfFreedom);
        return StudentT.InvCDF(0, 1, degreesOfFreedom, probability);
    }

    /// <summary>The two-sided p-value of a t statistic.</summary>
    public static double TwoSided(double statistic, int degreesOfFreedom)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(degreesOfFreedom);
        return double.IsInfinity(statistic) ? 0 : Math.Min(1, 2 * StudentT.CDF(0, 1, degreesOfFreedom, -Math.Abs(statistic)));
    }
}
