using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

/// <summary>A comparison as strings for the terminal.</summary>
public static class ComparisonTable
{
    /// <summary>What both sweeps are, before any figure.</summary>
    public static ImmutableArray<string> Head(Comparison comparison)
    {
        var boundaries = comparison.Cells.Select(c => c.Boundary).Distinct().Select(b => b.ToString().ToLowerInvariant());
        return
        [
            $"A = {comparison.A}: {comparison.BannerA}",
            $"B = {comparison.B}: {comparison.BannerB}",
            .. comparison.Cells.IsEmpty ? Array.Empty<string>() : [$"gross J per token and layer, {string.Join(" and ", boundaries)} boundary"],
        ];
    }

    /// <summary>Left to right.</summary>
    public static ImmutableArray<TextColumn> Columns(Comparison comparison)
    {
        var unit = Scale(comparison).Prefix + "J";
        return
        [
            new("group", "", false, 0), new("cell", "", false, 0), new($"A, {unit}", unit, true, 0), new($"B, {unit}", unit, true, 0), new("B / A", "", true, 0), new("95 % interval", "", true, 0),
            new("estimator", "", false, 0), new("energy is", "", false, 0), new("", "", false, 0),
        ];
    }

    /// <summary>A text per column and cell.</summary>
    public static ImmutableArray<ImmutableArray<string>> Rows(Comparison comparison)
    {
        var scale = Scale(comparison);
        return [.. comparison.Cells.Select(c => ImmutableArray.Create(
            NumberText.Clean(c.Group), NumberText.Clean(c.Label) + (c.OutsideOperatingPoint ? " " + Verdicts.MissesService : ""), scale.Text(c.A.Value, c.A.Low, c.A.High), scale.Text(c.B.Value, c.B.Low, c.B.High),
            c.Ratio is { } ratio ? NumberText.Ratio(ratio, c.Low, c.High) + Marks(c) : NumberText.Absent,
            c.Ratio is { } value ? NumberText.Interval(c.Low, c.High, NumberText.Decimals(value, c.Low, c.High)) : NumberText.Absent,
            c.Estimator, Standing.OfEnergy(c.Provenance),
            c.Refused is null ? "" : comparison.Refused.Length > 0 ? "refused" : $"refused: {NumberText.Clean(c.Refused)}"))];
    }

    /// <summary>What must be said beside the figures.</summary>
    public static ImmutableArray<string> Foot(Comparison comparison)
    {
        var compared = comparison.Cells.Where(c => c.Ratio is not null).ToArray();
        string[] lines =
        [
            comparison.OnlyInA.Length > 0 ? $"only in A: {string.Join(", ", comparison.OnlyInA)}" : "",
            comparison.OnlyInB.Length > 0 ? $"only in B: {string.Join(", ", comparison.OnlyInB)}" : "",
            compared.Any(c => c.Provenance != Provenance.Measured) ? $"{Verdicts.NotMeasured} an energy of this ratio is not measured: nothing is claimed of hardware" : "",
            comparison.Cells.Any(c => c.OutsideOperatingPoint) ? $"{Verdicts.MissesService} one of the two misses its s*: outside the operating point" : "",
            compared.Length > 0 ? "The two did not run in the same passes: sensor gain and drift do not cancel in these ratios as they do inside a match group, and the intervals contain them." : "",
        ];
        return [.. lines.Where(l => l.Length > 0)];
    }

    private static string Marks(ComparedCell cell) =>
        (cell.Provenance == Provenance.Measured ? "" : " " + Verdicts.NotMeasured) + (cell.OutsideOperatingPoint ? (cell.Provenance == Provenance.Measured ? " " : "") + Verdicts.MissesService : "");

    private static SiScale Scale(Comparison comparison) => SiScale.Of(comparison.Cells.SelectMany(c => new[] { c.A.Value, c.B.Value }));
}
