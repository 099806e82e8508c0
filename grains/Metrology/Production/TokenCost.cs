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
    /// e_tok at the facility boundary, J, with its provenance. Facility-boundary e_tok is returned as it is: PUE never multiplies twice.
    /// GPU energy alone is not node input and is not estimated; nor is a rack's, whose meters lie above the equipment's input.
    /// With category 1 or 2 the losses up to the equipment's input are not in the ratio: the result is modelled at best.
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
        switch (boundary)
        {
            case Boundary.Facility:
                return (Figures.Of(joulesPerToken!.Value, "e_tok at the facility boundary; PUE is already in it"), provenance);
            case Boundary.Gpu:
                return (Figures.NotEstimated(FacilityEstimator, "PUE multiplies node input, never GPU energy alone"), provenance);
            case Boundary.Rack:
                return (Figures.NotEstimated(FacilityEstimator, "PUE multiplies node input; a rack's meter lies above it"), provenance);
        }
        if (category is < 1 or > 3)
        {
            throw new ArgumentOutOfRangeException(nameof(category), category, "The category of a PUE is 1, 2 or 3.");
        }
        if (!Figures.IsPositive(pue))
        {
            return (Figures.NotEstimated(FacilityEstimator, "PUE is not disclosed"), provenance);
        }
        var worst = Provenances.Worst(provenance, pueProvenance);
        var flag = category < 3 ? $"category {category}: distribution losses to the equipment's input are not included, modelled" : null;
        flag = pue < 1 ? "PUE below 1: boundary violation" : flag;
        return (Figures.Of(joulesPerToken!.Value * pue!.Value, FacilityEstimator, flag), category < 3 ? Provenances.Worst(worst, Provenance.Modelled) : worst);
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
