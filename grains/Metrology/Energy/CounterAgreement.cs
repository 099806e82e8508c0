using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>
/// A device's energy counter against its own integrated power over one interval. It checks the integration, not the accuracy: both
/// probably come from one sensor.
/// </summary>
public static class CounterAgreement
{
    /// <summary>A residual beyond this share is flagged.</summary>
    public const double FlagFraction = 0.03;

    /// <summary>Both sides must be covered to this share: the residual of unlike intervals says nothing.</summary>
    public const double MinCoverage = 0.99;

    /// <summary>(counter − integrated) / counter; NaN where either is not covered, or the counter stood still.</summary>
    /// <param name="counter">From <see cref="CounterEnergy.Between"/>.</param>
    /// <param name="integrated">From <see cref="PowerEnergy.Between"/> over the same interval.</param>
    /// <exception cref="ArgumentException">The intervals are not equally long.</exception>
    public static double Of(Energy counter, Energy integrated)
    {
        if (Math.Abs(counter.ExpectedSeconds - integrated.ExpectedSeconds) > 1e-9)
            throw new ArgumentException($"The counter's interval is {counter.ExpectedSeconds} s long, the power's {integrated.ExpectedSeconds} s.");
        return counter.Joules > 0 && counter.Coverage >= MinCoverage && integrated.Coverage >= MinCoverage
            ? (counter.Joules - integrated.Joules) / counter.Joules
            : double.NaN;
    }

    /// <summary>Whether a residual must be flagged.</summary>
    public static bool IsFlagged(double residual) => Math.Abs(residual) > FlagFraction;
}
