using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>Energy per token carried from the node's input to the facility's, or the reason why it was not.</summary>
/// <param name="JoulesPerToken">At the facility boundary, J/token; null where it was refused.</param>
/// <param name="Provenance">Of the result.</param>
/// <param name="Reason">Why it was refused, or why it is only modelled; empty otherwise.</param>
public readonly record struct PueAdjusted(double? JoulesPerToken, Provenance Provenance, string Reason);

/// <summary>PUE multiplies node-input energy, once.</summary>
public static class PueAdjustment
{
    /// <summary>
    /// <c>PUE · e_tok</c> for node-input energy. Category 3 is at the same point, so the product stands. With 1 or 2 the losses between that
    /// point and the node must be inserted (<c>PUE · losses · e_tok</c>); without them the product is <see cref="Provenance.Modelled"/>.
    /// Energy at another boundary is refused: GPU energy leaves out the node, facility energy has it already.
    /// </summary>
    /// <param name="joulesPerToken">e_tok, J/token.</param>
    /// <param name="boundary">Where e_tok was accounted.</param>
    /// <param name="provenance">Of e_tok.</param>
    /// <param name="pue">The ratio.</param>
    /// <param name="category">1 UPS output, 2 PDU output, 3 IT equipment input.</param>
    /// <param name="pueProvenance">Of the ratio: a plan's constant is <see cref="Provenance.Declared"/>.</param>
    /// <param name="distributionLosses">Energy at the category's point over energy at the nodes' inputs, at least 1; null if unknown.</param>
    public static PueAdjusted Of(
        double joulesPerToken, Boundary boundary, Provenance provenance, double pue, int category, Provenance pueProvenance, double? distributionLosses = null)
    {
        var worst = Provenances.Worst(provenance, pueProvenance);
        var refusal = boundary switch
        {
            Boundary.Gpu => "PUE multiplies node-input energy, never GPU energy alone",
            Boundary.Rack => "PUE multiplies node-input energy; this is accounted at the rack, with its distribution losses inside",
            Boundary.Facility => "already accounted at the facility boundary: never multiplied again",
            _ when category is < 1 or > 3 => $"category {category} is none of 1, 2, 3",
            _ when double.IsNaN(pue) => "the ratio has bounds only, no value",
            _ when !(pue >= 1) || double.IsInfinity(pue) => $"the ratio is {pue}: a boundary violation is shown, not multiplied by",
            _ when distributionLosses is { } losses && !(losses >= 1 && double.IsFinite(losses)) => $"distribution losses are {losses}: a factor of at least 1 is needed",
            _ => "",
        };
        if (refusal.Length > 0) return new PueAdjusted(null, worst, refusal);
        if (category == 3) return new PueAdjusted(joulesPerToken * pue, worst, "");
        return distributionLosses is { } factor
            ? new PueAdjusted(joulesPerToken * pue * factor, worst, "")
            : new PueAdjusted(joulesPerToken * pue, Provenances.Worst(worst, Provenance.Modelled), $"category {category} without the losses between its point and the node's input");
    }

    /// <summary>The same with a measured ratio. Only <c>pue</c> and <c>ipue</c> are of the whole facility: <c>ppue</c> and <c>power_ratio</c> are refused.</summary>
    public static PueAdjusted Of(double joulesPerToken, Boundary boundary, Provenance provenance, FacilityRatio ratio, double? distributionLosses = null) =>
        ratio.Name is "pue" or "ipue"
            ? Of(joulesPerToken, boundary, provenance, ratio.Value, ratio.Category, ratio.Provenance, distributionLosses)
            : new PueAdjusted(null, Provenances.Worst(provenance, ratio.Provenance), $"{ratio.Name} is not a PUE of the whole facility");
}
