using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

/// <summary>A column of the matrix as it is drawn anywhere.</summary>
/// <param name="Header">Its title.</param>
/// <param name="Unit">Its unit; empty if it has none.</param>
/// <param name="RightAligned">Numbers are.</param>
/// <param name="Priority">0 is never dropped; where room is short the highest number goes first.</param>
public sealed record MatrixColumn(string Header, string Unit, bool RightAligned, int Priority);

/// <summary>A line of the matrix: one text per column.</summary>
/// <param name="Cells">In the order of <see cref="MatrixTable.Columns"/>; cleaned of control characters.</param>
/// <param name="Mark">Stands after the first cell however little room there is; empty if there is none.</param>
/// <param name="Baseline">Whether it is its group's baseline.</param>
/// <param name="Measured">Whether its energy was measured.</param>
/// <param name="Row">What it was made from.</param>
public sealed record MatrixTableRow(ImmutableArray<string> Cells, string Mark, bool Baseline, bool Measured, MatrixRow Row);

/// <summary>The rows of one match group.</summary>
/// <param name="Title">Its name, hardware, baseline and estimator.</param>
/// <param name="Rows">Its cells.</param>
/// <param name="Footer">What must be said beside its figures, a sentence each.</param>
public sealed record MatrixTableGroup(string Title, ImmutableArray<MatrixTableRow> Rows, ImmutableArray<string> Footer);

/// <summary>The matrix as strings: what the terminal draws and what the report's first table holds, with one formatting of numbers.</summary>
/// <param name="Banner">Measured or modelled, and what that means. To be shown before anything else.</param>
/// <param name="Difference">In what the plan's disclosure was not kept, to stand directly under the banner; empty if in nothing.</param>
/// <param name="Columns">Left to right.</param>
/// <param name="Groups">Match groups.</param>
/// <param name="Legend">What the marks mean, of those that are used.</param>
public sealed record MatrixTable(Standing Banner, string Difference, ImmutableArray<MatrixColumn> Columns, ImmutableArray<MatrixTableGroup> Groups, ImmutableArray<string> Legend)
{
    /// <summary>Of a whole matrix. Columns keep one SI prefix over all groups.</summary>
    public static MatrixTable Of(Matrix matrix)
    {
        var rows = matrix.Groups.SelectMany(g => g.Rows).ToArray();
        var energy = SiScale.Of(rows.Select(r => r.JoulesPerTokenLayer.Value));
        var rate = SiScale.Of(rows.Select(r => r.ProjectedTokensPerSecond));
        ImmutableArray<MatrixColumn> columns =
        [
            new("cell", "", false, 0),
            new("energy", energy.Prefix + "J/token·layer", true, 0),
            new("95 % interval", energy.Prefix + "J/token·layer", true, 5),
            new("ratio", "", true, 0),
            new("95 % interval", "pairwise", true, 1),
            new("95 % interval", "simultaneous", true, 3),
            new("type A", "±, of ratio", true, 7),
            new("type B", "±, of ratio", true, 8),
            new("resolution", "", true, 10),
            new("constraint", "", false, 4),
            new("limit", "", false, 6),
            new("tokens", rate.Prefix + "token/s, projected", true, 9),
            new("whole model, gpu", "J/token, projected", true, 12),
            new("power", "W, layers", true, 13),
            new("configuration", "", false, 11),
            new("passes", "", true, 14),
            new("invalid", "", true, 14),
            new("energy is", "", false, 2),
        ];
        return new MatrixTable(Standing.Of(matrix), Verdicts.Difference(matrix), columns, [.. matrix.Groups.Select(g => Group(g, energy, rate))], Verdicts.Legend(matrix));
    }

    /// <summary>The columns that fit, dropping the least important first.</summary>
    /// <param name="widths">What each column takes.</param>
    /// <param name="available">What there is.</param>
    /// <returns>Indices, in order; columns of priority 0 always.</returns>
    public ImmutableArray<int> Fitting(IReadOnlyList<int> widths, int available)
    {
        var kept = Enumerable.Range(0, Columns.Length).ToList();
        while (kept.Sum(i => widths[i]) > available)
        {
            var least = kept.Where(i => Columns[i].Priority > 0).Cast<int?>().OrderByDescending(i => Columns[i!.Value].Priority).ThenByDescending(i => i).FirstOrDefault();
            if (least is null)
            {
                break;
            }

            kept.Remove(least.Value);
        }

        return [.. kept];
    }

    private static MatrixTableGroup Group(MatrixGroup group, SiScale energy, SiScale rate)
    {
        var estimator = Verdicts.Estimator(group);
        string[] title =
        [
            NumberText.Clean(group.Name), NumberText.Clean(group.Hardware),
            group.Baseline is null ? "no baseline: absolute values only" : $"ratio to {NumberText.Clean(group.Baseline)}",
            .. estimator.Length == 0 ? Array.Empty<string>() : [estimator],
        ];
        var others = group.Rows.Where(r => Verdicts.HasFigure(r) && Verdicts.Estimator(r) != estimator).GroupBy(Verdicts.Estimator)
            .Select(g => $"{string.Join(", ", g.Select(r => NumberText.Clean(r.Label)))}: {g.Key}");
        string[] footer =
        [
            .. others,
            .. Verdicts.BesideRatios(group),
            Verdicts.Resolution(group),
            group.Repeatability is { } test ? $"A/A {NumberText.Clean(test.Twin)} / {NumberText.Clean(test.Label)}: {Verdicts.Repeatability(test)}" : "",
            $"replication: {Verdicts.Replication(group)}",
            group.Rows.Any(Verdicts.HasFigure) ? Verdicts.Sensor(group.Sensor) : "",
        ];
        return new MatrixTableGroup(string.Join(" · ", title), [.. group.Rows.Select(r => Row(group, r, energy, rate))], [.. footer.Where(f => f.Length > 0)]);
    }

    private static MatrixTableRow Row(MatrixGroup group, MatrixRow row, SiScale energy, SiScale rate)
    {
        var isBaseline = row.Label == group.Baseline;
        var e = row.JoulesPerTokenLayer;
        var ratio = isBaseline ? null : row.Ratio;
        var decimals = ratio is null ? 0 : NumberText.Decimals(ratio.Ratio.Value, ratio.Ratio.Low, ratio.Ratio.High);
        var marks = Verdicts.Marks(group, row);
        ImmutableArray<string> cells =
        [
            NumberText.Clean(row.Label),
            energy.Text(e.Value, e.Low, e.High),
            energy.Interval(e.Value, e.Low, e.High),
            isBaseline ? "1 (base)" : ratio is null ? NumberText.Absent : NumberText.Fixed(ratio.Ratio.Value, decimals) + (marks.Length > 0 ? " " + marks : ""),
            ratio is null ? NumberText.Absent : NumberText.Interval(ratio.Ratio.Low, ratio.Ratio.High, decimals),
            ratio is null ? NumberText.Absent : NumberText.Interval(ratio.SimultaneousLow, ratio.SimultaneousHigh, decimals),
            ratio is null ? NumberText.Absent : NumberText.PlusMinus(Verdicts.TypeA(ratio.Uncertainty)),
            ratio is null ? NumberText.Absent : NumberText.PlusMinus(ratio.Uncertainty.Bound),
            ratio is null ? NumberText.Absent : Verdicts.Resolution(group, ratio),
            Verdicts.Constraint(row.Constraint),
            Text(row.Constraint.Limit),
            rate.Significant(row.ProjectedTokensPerSecond),
            NumberText.Significant(row.ProjectedJoulesPerToken.GetValueOrDefault("gpu")?.Value),
            NumberText.Significant(row.WattsPerDevice),
            Verdicts.Configuration(row),
            NumberText.Whole(row.Passes),
            NumberText.Whole(row.Invalidations.Values.Sum()),
            Standing.OfEnergy(row.Provenance),
        ];
        return new MatrixTableRow(cells, Verdicts.Misses(row) ? " " + Verdicts.MissesService : "", isBaseline, row.Provenance == Provenance.Measured, row);
    }

    private static string Text(string? text) => string.IsNullOrWhiteSpace(text) ? NumberText.Absent : NumberText.Clean(text);
}
