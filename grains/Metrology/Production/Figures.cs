using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>Figures that carry their estimator, or the reason why there is no value. Nothing absent is ever shown as zero.</summary>
public static class Figures
{
    /// <summary>An estimated value, with a flag or without. A value that is not finite is not an estimate: throws <see cref="ArgumentException"/>.</summary>
    public static Figure Of(double value, string estimator, string? flag = null) =>
        double.IsFinite(value) ? new Figure(value, estimator, flag) : throw new ArgumentException($"{estimator} gave {value}.", nameof(value));

    /// <summary>No data, or not enough.</summary>
    public static Figure NotEstimated(string estimator, string reason) => new(null, estimator, $"not estimated: {reason}");

    /// <summary>The quantity has no meaning here.</summary>
    public static Figure NotApplicable(string estimator, string reason) => new(null, estimator, $"not applicable ({reason})");

    /// <summary>Whether the number is there and can stand in a quotient.</summary>
    internal static bool IsPositive(double? value) => value is > 0 and < double.PositiveInfinity;
}
