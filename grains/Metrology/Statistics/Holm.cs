using System.Collections.Immutable;

namespace EnergyGrid.Metrology;

/// <summary>
/// Holm's step-down adjustment (1979) of the p-values of a family. It yields tests, not intervals: intervals at the levels of its steps do not hold together
/// (18 well separated ratios of 8 passes: 84 % jointly if independent, 87 % if they share a baseline). What does is <see cref="FamilyRatio.Simultaneous"/>.
/// </summary>
public static class Holm
{
    /// <summary>Adjusted p-values, in the order given; each is at least the raw one and their order is kept. "At most α" keeps the family-wise error at α.</summary>
    public static ImmutableArray<double> AdjustPValues(IReadOnlyList<double> pValues)
    {
        ArgumentNullException.ThrowIfNull(pValues);
        var result = new double[pValues.Count];
        var adjusted = 0.0;
        var rank = 0;
        foreach (var i in Enumerable.Range(0, pValues.Count).OrderBy(i => pValues[i]))
        {
            adjusted = Math.Min(1, Math.Max(adjusted, (pValues.Count - rank) * pValues[i]));
            result[i] = adjusted;
            rank++;
        }
        return [.. result];
    }
}
