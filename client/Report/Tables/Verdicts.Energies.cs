using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

// Where a ratio and the energies beside it are seen not to be of the same passes.
public static partial class Verdicts
{
    /// <summary>A line for each ratio that is not the quotient of the two energies as they are printed, by more than their digits: of which passes each is.</summary>
    /// <param name="group">Whose ratios.</param>
    /// <param name="energy">With which the energies are printed.</param>
    public static IEnumerable<string> BesideEnergies(MatrixGroup group, SiScale energy)
    {
        foreach (var row in group.Rows.Where(r => r.Ratio is not null && r.Label != group.Baseline && HasFigure(r)))
        {
            if (group.Rows.FirstOrDefault(r => r.Label == row.Ratio!.Baseline) is not { } baseline || !HasFigure(baseline) || !IsApart(row, baseline, energy)) continue;
            var (cell, to) = (NumberText.Clean(row.Label), NumberText.Clean(baseline.Label));
            // The units of an interval are passes where there is one device group; else how many have both is not in the matrix.
            var both = row.Ratio!.Ratio is { Scope: "this device", Units: > 0 } of ? $"the {Count(of.Units, "pass", "passes")}" : "the passes";
            yield return $"ratio of {cell} from {both} in which {to} is valid too; the energies are of all valid passes, {NumberText.Whole(row.Passes)} of {cell} and {NumberText.Whole(baseline.Passes)} of {to}";
        }
    }

    private static bool IsApart(MatrixRow row, MatrixRow baseline, SiScale energy)
    {
        var (over, under) = (Printed(row.Headline, energy), Printed(baseline.Headline, energy));
        var ratio = row.Ratio!.Ratio;
        if (!double.IsFinite(ratio.Value) || under.Low <= 0) return false;
        var printed = Rounded(ratio.Value, NumberText.Decimals(ratio.Value, ratio.Low, ratio.High));
        return over.High / under.Low < printed.Low || over.Low / under.High > printed.High;
    }

    private static (double Low, double High) Printed(Estimate e, SiScale energy) =>
        Rounded(energy.Scale(e.Value), NumberText.Decimals(energy.Scale(e.Value), energy.Scale(e.Low), energy.Scale(e.High)));

    // All that a number with so many decimals may have been.
    private static (double Low, double High) Rounded(double value, int decimals)
    {
        var (text, half) = (Math.Round(value, decimals), 0.5 * Math.Pow(10, -decimals));
        return (text - half, text + half);
    }
}
