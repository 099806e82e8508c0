using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>Facility energy and money per token. PUE multiplies node-input energy, once.</summary>
public static class TokenCost
{
    /// <summary>J in a kWh.</summary>
    public const double JoulesPerKilowattHour = 3.6e6;

    private const string FacilityEstimator = "e_tok at node input · PUE (category 3), once";

    /// <summary>kWh of J.</summary>
    public static double KilowattHours(double joules) => joules / JoulesPerKilowattHour;

    /// <summary>
    /// e_tok at the facility boundary, J, as a figure with its provenance, by <see cref="PueAdjustment"/>; facility-boundary e_tok is returned as it is.
    /// </summary>
    /// <param name="joulesPerToken">e_tok, J; null if unknown.</param>
    /// <param name="boundary">Of e_tok.</param>
    /// <param name="provenance">Of e_tok.</param>
    /// <param name="pue">Null if undisclosed.</param>
    /// <param name="category">1, 2 or 3.</param>
    /// <param name="pueProvenance">Of PUE.</param>
    public static (Figure JoulesPerToken, Provenance Provenance) AtFacility(
        double? joulesPerToken, Boundary boundary, Provenance provenance, double? pue, int category, Provenance pueProvenance)
    {
        if (!Figures.IsPositive(joulesPerToken))
        {
            return (Figures.NotEstimated(FacilityEstimator, $"e_tok at the {boundary.ToString().ToLowerInvariant()} boundary is not known"), provenance);
        }
        if (boundary == Boundary.Facility)
        {
            return (Figures.Of(joulesPerToken!.Value, "e_tok at the facility boundary; PUE is already in it"), provenance);
        }
        if (pue is not { } ratio)
        {
            return (Figures.NotEstimated(FacilityEstimator, "PUE is not disclosed"), provenance);
        }
        var adjusted = PueAdjustment.Of(joulesPerToken!.Value, boundary, provenance, ratio, category, pueProvenance);
        return adjusted.JoulesPerToken is { } joules
            ? (Figures.Of(joules, FacilityEstimator, adjusted.Reason.Length > 0 ? adjusted.Reason : null), adjusted.Provenance)
            : (Figures.NotEstimated(FacilityEstimator, adjusted.Reason), adjusted.Provenance);
    }

    /// <summary>MC_token ≈ p_e · PUE · e_tok + kappa, in the currency of the terms, from e_tok at the facility boundary (<see cref="AtFacility"/>).</summary>
    public static Figure PerToken(CostTerms terms, Figure facilityJoulesPerToken)
    {
        const string Estimator = "MC_token = p_e · PUE · e_tok + kappa";
        ArgumentNullException.ThrowIfNull(terms);
        ArgumentNullException.ThrowIfNull(facilityJoulesPerToken);
        return facilityJoulesPerToken.Value is { } joules
            ? Figures.Of(terms.PricePerKilowattHour * KilowattHours(joules) + terms.Kappa, Estimator, facilityJoulesPerToken.Reason)
            : new Figure(null, Estimator, facilityJoulesPerToken.Reason);
    }
}
