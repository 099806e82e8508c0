using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>Both arms of (1), tokens/s.</summary>
/// <param name="Compute">K_eff / c_tok.</param>
/// <param name="Power">P_IT / e_tok.</param>
public readonly record struct Ceilings(double Compute, double Power)
{
    /// <summary>The physical ceiling: the lower arm.</summary>
    public double Lower => Math.Min(Compute, Power);
}

/// <summary>
/// The paper's production function (1)–(3): tokens from compute and delivered power at a fixed quality and service target.
/// P_IT is the declared envelope, never what was drawn: with drawn power rho equals rho* identically.
/// The verdict of (3) with its conventions is <see cref="ConstraintBoundary"/>.
/// </summary>
public static class ProductionFunction
{
    private const string Estimator = "U = Q_obs / (T · min(K_eff/c_tok, P_IT/e_tok))";

    /// <summary>Both arms of (1).</summary>
    /// <param name="flopsPerSecond">K_eff, FLOP/s.</param>
    /// <param name="flopsPerToken">c_tok, FLOP.</param>
    /// <param name="itWatts">P_IT, W, at the boundary of <paramref name="joulesPerToken"/> and over the devices of K_eff.</param>
    /// <param name="joulesPerToken">e_tok, J.</param>
    public static Ceilings Ceilings(double flopsPerSecond, double flopsPerToken, double itWatts, double joulesPerToken) => new(
        Positive(flopsPerSecond, nameof(flopsPerSecond)) / Positive(flopsPerToken, nameof(flopsPerToken)),
        Positive(itWatts, nameof(itWatts)) / Positive(joulesPerToken, nameof(joulesPerToken)));

    /// <summary>(1): <c>Qdot = min(K_eff/c_tok, P_IT/e_tok) · U</c>, tokens/s, 0 &lt; U ≤ 1.</summary>
    public static double TokensPerSecond(Ceilings ceilings, double utilization) => utilization is > 0 and <= 1
        ? ceilings.Lower * utilization
        : throw new ArgumentOutOfRangeException(nameof(utilization), utilization, "0 < U ≤ 1.");

    /// <summary>
    /// U of a serving stack under its actual load; ceilings from saturated load at the same (q*, s*). Above 1 the ceilings were not saturated: flagged, not clamped.
    /// </summary>
    /// <param name="observedTokens">Q_obs, tokens.</param>
    /// <param name="seconds">T, s.</param>
    /// <param name="ceilings">Null without an envelope or a usable K_eff.</param>
    public static Figure UtilizationOfServing(double? observedTokens, double seconds, Ceilings? ceilings)
    {
        if (observedTokens is not >= 0 || !Figures.IsPositive(seconds))
        {
            return Figures.NotEstimated(Estimator, "no tokens counted under the actual load");
        }
        if (ceilings is not { } limit || !Figures.IsPositive(limit.Lower))
        {
            return Figures.NotEstimated(Estimator, "the ceilings are not known");
        }
        var utilization = observedTokens.Value / (seconds * limit.Lower);
        return Figures.Of(utilization, Estimator, utilization > 1 ? "above 1: the ceilings were not taken at saturation" : null);
    }

    /// <summary>U of a kernel workload: it runs back to back, so there is no demand side.</summary>
    public static Figure UtilizationOfKernel() => Figures.NotApplicable(Estimator, "saturated");

    internal static double Positive(double value, string name) =>
        Figures.IsPositive(value) ? value : throw new ArgumentOutOfRangeException(name, value, "Must be positive and finite.");
}
