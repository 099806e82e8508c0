using System.Collections.Immutable;

namespace EnergyGrid.Metrology;

/// <summary>One ratio among many.</summary>
/// <param name="PValue">Of "no difference" under the ratio's bound, two-sided, by itself; NaN without an interval.</param>
/// <param name="HolmPValue">Step-down adjusted over the family; NaN without an interval.</param>
/// <param name="Simultaneous">Of the log ratio, at 1 − (1 − level)/m for a family of m: all of them hold together with at least the level (Bonferroni).</param>
public sealed record FamilyRatio(double PValue, double HolmPValue, ConfidenceInterval? Simultaneous);

/// <summary>All ratios that are claimed together, whichever match groups they come from. A/A twins test the chain and do not belong in it.</summary>
public static class RatioFamily
{
    /// <summary>
    /// Adjusts in the order given. A ratio without an interval (no value, scope "none", a bound that is unknown or infinite) claims nothing: it gets NaN and null,
    /// and does not count.
    /// </summary>
    /// <param name="ratios">Each log ratio with its <see cref="TypeB.Bound"/>.</param>
    /// <param name="level">Of the family as a whole.</param>
    public static ImmutableArray<FamilyRatio> Adjust(IReadOnlyList<(NestedEstimate? Log, double Bound)> ratios, double level = AnalysisSettings.Level)
    {
        ArgumentNullException.ThrowIfNull(ratios);
        var raw = ratios.Select(ratio => ratio.Log?.PValue(ratio.Bound) ?? double.NaN).ToArray();
        var family = Enumerable.Range(0, raw.Length).Where(i => !double.IsNaN(raw[i])).ToArray();
        var adjusted = Holm.AdjustPValues([.. family.Select(i => raw[i])]);
        var results = new FamilyRatio[raw.Length];
        Array.Fill(results, new FamilyRatio(double.NaN, double.NaN, null));
        for (var k = 0; k < family.Length; k++)
        {
            var (log, bound) = ratios[family[k]];
            results[family[k]] = new FamilyRatio(raw[family[k]], adjusted[k], log!.Interval(1 - (1 - level) / family.Length, bound));
        }
        return [.. results];
    }
}
