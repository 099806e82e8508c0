using System.Collections.Immutable;

namespace EnergyGrid.Metrology;

/// <summary>One ratio among many.</summary>
/// <param name="PValue">Unadjusted, two-sided; NaN without an interval.</param>
/// <param name="HolmPValue">Step-down adjusted: below 0.05 while the family-wise error stays at 5 %. NaN without an interval.</param>
/// <param name="HolmInterval">
/// Of the log ratio, at the level of Holm's step: it excludes zero exactly when <paramref name="HolmPValue"/> ≤ 1 − level. Its bounds decide about
/// "no difference" family-wise; that all bounds hold at once is what <paramref name="SimultaneousInterval"/> says.
/// </param>
/// <param name="SimultaneousInterval">Of the log ratio, Bonferroni: all of the family's intervals hold at once with at least the level.</param>
public sealed record HolmResult(double PValue, double HolmPValue, ConfidenceInterval? HolmInterval, ConfidenceInterval? SimultaneousInterval);

/// <summary>Holm's step-down adjustment (1979) over a family of log ratios, to stand beside the pairwise intervals.</summary>
public static class Holm
{
    /// <summary>
    /// Adjusts in the order given. Members without an interval (null, or scope "none") get NaN and null, and do not count in the family.
    /// </summary>
    public static ImmutableArray<HolmResult> Adjust(IReadOnlyList<NestedEstimate?> logRatios, double level = 0.95)
    {
        ArgumentNullException.ThrowIfNull(logRatios);
        var alpha = 1 - level;
        var results = new HolmResult[logRatios.Count];
        Array.Fill(results, new HolmResult(double.NaN, double.NaN, null, null));
        var family = Enumerable.Range(0, logRatios.Count)
            .Where(i => logRatios[i] is { Scope: not IntervalScope.None })
            .OrderBy(i => logRatios[i]!.PValue)
            .ToArray();
        var (adjusted, share, open) = (0.0, alpha, true);
        for (var rank = 0; rank < family.Length; rank++)
        {
            var ratio = logRatios[family[rank]]!;
            var remaining = family.Length - rank;
            adjusted = Math.Min(1, Math.Max(adjusted, remaining * ratio.PValue));
            if (open)
            {
                // After the first step that fails all later hypotheses stand, at that step's level.
                share = alpha / remaining;
                open = ratio.PValue <= share;
            }
            results[family[rank]] = new HolmResult(
                ratio.PValue, adjusted, ratio.Interval(1 - share), ratio.Interval(1 - alpha / family.Length));
        }
        return [.. results];
    }

    /// <summary>Step-down adjusted p-values, in the order given; each is at least the raw one and their order is kept.</summary>
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
