using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>One trial's throughput.</summary>
/// <param name="LogFlopsPerSecond">ln(c_tok · rate) of one device at its place in the sample, FLOP/s; model FLOPs alone.</param>
/// <param name="PowerCapFraction">Share of the window under the power cap; 0 only if the counter did not move.</param>
public readonly record struct ThroughputTrial(PassValue LogFlopsPerSecond, double PowerCapFraction);

/// <summary>K_eff in both conventions.</summary>
public static class EffectiveThroughput
{
    private const string Realized = "K_eff realized = c_tok · rate, nested geometric mean over trials with zero power-cap time";

    /// <summary>
    /// The default convention: realized throughput at the disclosed (q*, s*) point, FLOP/s. Only trials without any power-cap time count:
    /// a capped one gives e_tok, not an uncapped K_eff.
    /// </summary>
    public static Figure OfTrials(IEnumerable<ThroughputTrial> trials)
    {
        ArgumentNullException.ThrowIfNull(trials);
        var all = trials.ToArray();
        var uncapped = all.Where(trial => trial.PowerCapFraction == 0).Select(trial => trial.LogFlopsPerSecond).ToArray();
        if (NestedSample.Of(uncapped).Summarise() is { } summary)
        {
            return Figures.Of(
                Math.Exp(summary.Mean), Realized, uncapped.Length < all.Length ? $"{all.Length - uncapped.Length} of {all.Length} trials left out: power-cap time or unknown" : null);
        }
        return Figures.NotEstimated(Realized, all.Length == 0 ? "no valid trial" : $"all {all.Length} trials spent time under the power cap, or it is unknown");
    }

    /// <summary>
    /// The upper bound: the dense peak of the precisions that the matrix units execute, combined as ΣFLOP / Σ(FLOP_i / peak_i), FLOP/s.
    /// Throws <see cref="ArgumentException"/> without parts.
    /// </summary>
    /// <param name="parts">FLOP of a step and the peak at which they can run, FLOP/s.</param>
    public static double Peak(IEnumerable<(double Flops, double PeakFlopsPerSecond)> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        var (flops, seconds) = (0.0, 0.0);
        foreach (var (part, peak) in parts)
        {
            flops += part >= 0 ? part : throw new ArgumentOutOfRangeException(nameof(parts), part, "FLOP are not negative.");
            seconds += part / ProductionFunction.Positive(peak, nameof(parts));
        }
        return flops > 0 ? flops / seconds : throw new ArgumentException("There are no FLOP to combine.", nameof(parts));
    }
}
