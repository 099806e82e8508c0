using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Grains;

/// <summary>The verdict of (3) on a cell, with what it rests on: rate, e_tok, K_eff and power of the same trials, at the envelope's boundary.</summary>
internal static class PowerVerdicts
{
    /// <param name="plan">Its envelope.</param>
    /// <param name="pue">Divides a facility-side envelope.</param>
    /// <param name="cell">The cell.</param>
    /// <param name="bound">Of the bias of its absolute energies, log: the row's.</param>
    /// <param name="ceilings">What else holds it back.</param>
    public static PowerVerdict Of(ResolvedPlan plan, PueInUse pue, CellWork cell, double bound, ImmutableArray<string> ceilings)
    {
        var limit = Limit(ceilings);
        if (plan.Envelope is not { } envelope) return Undetermined(Boundary.Gpu, 0, null, limit, "no power envelope was declared");
        // A ratio below 1 is a boundary violation: it is shown, and nothing is divided by it.
        if (envelope.Boundary == Boundary.Facility && !(pue.Value >= 1)) return Undetermined(Boundary.Node, envelope.Devices, null, limit, "the envelope is the facility's, and there is no PUE of at least 1 to divide it by");
        var budget = PowerBudget.Of(envelope, pue.Value);
        // e_tok and P_IT at one boundary, the envelope's, whatever the headline's is. K_eff has no boundary: it is the row's.
        var at = cell.UncappedAt(budget.Boundary);
        var energy = cell.Nested(at, t => Math.Log(t.Gross!.JoulesPerTokenLayer));
        var power = cell.Nested(at, t => Math.Log(t.Gross!.SlopeJoulesPerLayer * t.LayerStepsPerSecond));
        var realized = Realized(cell, cell.Valid);
        var judged = ConstraintBoundary.Judge(budget, new CellOperation(energy is null ? double.NaN : Math.Exp(energy.Mean), budget.Boundary, cell.FlopsPerTokenLayer, realized, cell.PeakFlopsPerSecond));
        if (judged.Scarcity == Scarcity.NotDetermined || power is null) return Undetermined(budget.Boundary, budget.Devices, budget.WattsPerDevice, limit, judged.Reason) with { RhoStar = judged.RhoStar };

        var drawn = Math.Exp(power.Mean);
        var interval = power.Interval(AnalysisSettings.Level, bound);
        var headroom = new Estimate(judged.PowerHeadroomRealized!.Value,
            interval is null ? null : budget.WattsPerDevice / Math.Exp(interval.High), interval is null ? null : budget.WattsPerDevice / Math.Exp(interval.Low), power.Scope.Text(), power.Units);
        var attributed = budget.Boundary == Boundary.Node && at.Any(t => !t.HasWholeNode);
        var verdict = judged.Scarcity switch { Scarcity.Compute => "not power-bound", Scarcity.Power => "power-bound", _ => "at the boundary" };
        // An interval on both sides of 1 leaves it open which of the two it is.
        var open = headroom is { Low: < 1, High: > 1 };
        var text = string.Create(CultureInfo.InvariantCulture, $"{verdict} at {drawn:F0} W a device (headroom {headroom.Value:G3}{(open ? ", its interval holds 1" : "")}){(judged.Scarcity == Scarcity.Power ? "" : $"; {limit}")}{(attributed ? "; modelled: node energy attributed" : "")}");
        var breakEven = budget.Devices * drawn;
        return new PowerVerdict(verdict, text, "", limit, budget.Boundary, budget.Devices, budget.WattsPerDevice, drawn, judged.Rho, judged.RhoStar, headroom, judged.PowerHeadroomPeak, breakEven,
            realized.Value is { } k && cell.PeakFlopsPerSecond > 0 ? breakEven * cell.PeakFlopsPerSecond / k : null);
    }

    /// <summary>K_eff over trials without power-cap time.</summary>
    public static Figure Realized(CellWork cell, ImmutableArray<TrialFigures> of) =>
        EffectiveThroughput.OfTrials(of.Select(t => new ThroughputTrial(t.At(Math.Log(cell.Cell.Cost.Flops * t.LayerStepsPerSecond)), t.PowerCapFraction)));

    private static string Limit(ImmutableArray<string> ceilings)
    {
        var named = ceilings.Select(c => c switch
        {
            CeilingEvidence.MemoryBandwidth => "memory bandwidth",
            CeilingEvidence.Compute => "the matrix units",
            CeilingEvidence.PowerCap => "the board's own power limit",
            _ => "",
        }).Where(n => n.Length > 0).ToArray();
        return named.Length > 0 ? "limited by " + string.Join(" and ", named) : "what limits it was not found";
    }

    private static PowerVerdict Undetermined(Boundary boundary, int devices, double? budget, string limit, string reason) =>
        new("not determined", $"not determined: {reason}", reason, limit, boundary, devices, budget, null, null, null, null, null, null, null);
}
