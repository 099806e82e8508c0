using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>Which input is scarce by (3).</summary>
public enum Scarcity
{
    /// <summary>No envelope, no usable K_eff, or not one boundary.</summary>
    NotDetermined,

    /// <summary>rho &gt; rho*.</summary>
    Compute,

    /// <summary>rho &lt; rho*.</summary>
    Power,

    /// <summary>rho = rho* exactly: both ceilings bind.</summary>
    Both,
}

/// <summary>What (3) needs of a cell, all at one boundary and per device.</summary>
/// <param name="JoulesPerToken">e_tok at saturation, J; NaN if unknown.</param>
/// <param name="Boundary">Of e_tok.</param>
/// <param name="FlopsPerToken">c_tok, FLOP.</param>
/// <param name="RealizedFlopsPerSecond">K_eff of one device (<see cref="EffectiveThroughput.OfTrials"/>).</param>
/// <param name="PeakFlopsPerSecond">K_peak of one device; NaN if unknown.</param>
public sealed record CellOperation(
    double JoulesPerToken, Boundary Boundary, double FlopsPerToken, Figure RealizedFlopsPerSecond, double PeakFlopsPerSecond = double.NaN);

/// <summary>(3) for one cell.</summary>
/// <param name="Scarcity">With realized K_eff, the default convention.</param>
/// <param name="Reason">Why not determined; empty otherwise.</param>
/// <param name="Rho">P_IT / K_eff realized, J/FLOP.</param>
/// <param name="RhoStar">e_tok / c_tok, J/FLOP; known without an envelope.</param>
/// <param name="PowerHeadroomRealized">rho / rho* = P_budget / P_drawn at saturation.</param>
/// <param name="PowerHeadroomPeak">power_headroom · K_realized / K_peak.</param>
/// <param name="ScarcityAtPeak">The verdict with peak K_eff: an upper bound on compute only.</param>
public sealed record ConstraintVerdict(
    Scarcity Scarcity,
    string Reason,
    double? Rho,
    double? RhoStar,
    double? PowerHeadroomRealized,
    double? PowerHeadroomPeak,
    Scarcity ScarcityAtPeak)
{
    /// <summary><c>compute scarce</c>, <c>power scarce</c>, <c>compute and power scarce</c>, or <c>not determined: why</c>.</summary>
    public string Text => Scarcity switch
    {
        Scarcity.Compute => "compute scarce",
        Scarcity.Power => "power scarce",
        Scarcity.Both => "compute and power scarce",
        _ => $"not determined: {Reason}",
    };
}

/// <summary>
/// The constraint boundary (3): rho = P_IT / K_eff against rho* = e_tok / c_tok. Without a declared envelope nothing is determined: enforced power
/// limits are never a substitute, since against them the ratio is at least 1 by construction. Evidence for a ceiling is another matter (<see cref="CeilingEvidence"/>).
/// </summary>
public static class ConstraintBoundary
{
    /// <summary>rho = P_IT / K_eff, J/FLOP.</summary>
    public static double Rho(double itWatts, double flopsPerSecond) =>
        ProductionFunction.Positive(itWatts, nameof(itWatts)) / ProductionFunction.Positive(flopsPerSecond, nameof(flopsPerSecond));

    /// <summary>rho* = e_tok / c_tok, J/FLOP.</summary>
    public static double RhoStar(double joulesPerToken, double flopsPerToken) =>
        ProductionFunction.Positive(joulesPerToken, nameof(joulesPerToken)) / ProductionFunction.Positive(flopsPerToken, nameof(flopsPerToken));

    /// <summary>rho &gt; rho*: compute is scarce; rho &lt; rho*: delivered power is.</summary>
    public static Scarcity Compare(double rho, double rhoStar) =>
        rho > rhoStar ? Scarcity.Compute : rho < rhoStar ? Scarcity.Power : rho == rhoStar ? Scarcity.Both : Scarcity.NotDetermined;

    /// <summary>The verdict on one cell.</summary>
    /// <param name="budget">Null without a declared envelope.</param>
    /// <param name="cell">Its saturated operation.</param>
    /// <param name="watts">This device's share, W, if a planner set shares; otherwise the budget's equal one.</param>
    public static ConstraintVerdict Judge(PowerBudget? budget, CellOperation cell, double? watts = null)
    {
        ArgumentNullException.ThrowIfNull(cell);
        double? rhoStar = Figures.IsPositive(cell.JoulesPerToken) && Figures.IsPositive(cell.FlopsPerToken) ? cell.JoulesPerToken / cell.FlopsPerToken : null;
        if (budget is null)
        {
            return Undetermined("no power envelope was declared", rhoStar);
        }
        if (rhoStar is not { } star)
        {
            return Undetermined("e_tok or c_tok is not known", rhoStar);
        }
        if (budget.Boundary != cell.Boundary)
        {
            return Undetermined($"the envelope holds at the {Name(budget.Boundary)} boundary, e_tok at the {Name(cell.Boundary)} boundary", rhoStar);
        }
        if (cell.RealizedFlopsPerSecond.Value is not { } realized)
        {
            return Undetermined($"K_eff is not usable ({cell.RealizedFlopsPerSecond.Reason})", rhoStar);
        }
        var rho = Rho(watts ?? budget.WattsPerDevice, realized);
        var headroom = rho / star;
        double? atPeak = Figures.IsPositive(cell.PeakFlopsPerSecond) ? headroom * realized / cell.PeakFlopsPerSecond : null;
        return new ConstraintVerdict(
            Compare(rho, star), "", rho, star, headroom, atPeak, atPeak is { } peak ? Compare(peak, 1) : Scarcity.NotDetermined);
    }

    private static ConstraintVerdict Undetermined(string reason, double? rhoStar) =>
        new(Scarcity.NotDetermined, reason, null, rhoStar, null, null, Scarcity.NotDetermined);

    private static string Name(Boundary boundary) => boundary.ToString().ToLowerInvariant();
}
