namespace EnergyGrid.Metrology;

/// <summary>
/// Type B terms: what replication cannot reduce (measurement.md, "Design and analysis of a sweep"; GUM 4.3 for the uniform distribution).
/// All are relative standard uncertainties, which for a log ratio are its absolute ones.
/// </summary>
public static class SensorUncertainty
{
    /// <summary>b without a qualification of the counter, W.</summary>
    public const double AssumedOffsetWatts = 10;

    /// <summary>Bound of the sensor's gain error, uniform, relative.</summary>
    public const double AssumedGainBound = 0.05;

    /// <summary>u of a uniform gain error within ±<paramref name="bound"/>: bound/√3, i.e. 2.9 % for ±5 %. On absolute J/token, never on ratios of one device.</summary>
    public static double Gain(double bound = AssumedGainBound) => NonNegative(bound, nameof(bound)) / Math.Sqrt(3);

    /// <summary>
    /// u_B of the ratio of two cells on the same devices: an unknown offset within ±b shifts both, unequally if their power differs,
    /// <c>b·|1/P1 − 1/P2|/√3</c>; alias and counter residual (standard uncertainties, relative) join in quadrature.
    /// NaN if a power is unknown (NaN). Throws for a negative uncertainty or a power that is not positive.
    /// </summary>
    public static double OfRatio(
        double firstWatts, double secondWatts, double offsetWatts = AssumedOffsetWatts, double alias = 0, double counterResidual = 0)
    {
        if (firstWatts <= 0 || secondWatts <= 0)
        {
            throw new ArgumentOutOfRangeException(nameof(firstWatts), "Mean power must be positive.");
        }
        var offset = NonNegative(offsetWatts, nameof(offsetWatts)) * Math.Abs(1 / firstWatts - 1 / secondWatts) / Math.Sqrt(3);
        return Quadrature(offset, NonNegative(alias, nameof(alias)), NonNegative(counterResidual, nameof(counterResidual)));
    }

    /// <summary>√Σu².</summary>
    public static double Quadrature(params ReadOnlySpan<double> uncertainties)
    {
        var sum = 0.0;
        foreach (var u in uncertainties)
        {
            sum += u * u;
        }
        return Math.Sqrt(sum);
    }

    private static double NonNegative(double value, string name) =>
        value >= 0 ? value : throw new ArgumentOutOfRangeException(name, value, "An uncertainty is not negative.");
}
