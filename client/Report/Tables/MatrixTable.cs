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
/// <param name="Baseline">Whether it is its group's baseline.</param>
/// <param name="Measured">Whether its energy was measured.</param>
/// <param name="Row">What it was made from.</param>
public sealed record MatrixTableRow(ImmutableArray<string> Cells, bool Baseline, bool Measured, MatrixRow Row);

/// <summary>The rows of one match group.</summary>
/// <param name="Title">Its name, hardware and baseline.</param>
/// <param name="Rows">Its cells.</param>
/// <param name="Footer">Repeatability and replication, a sentence each.</param>
public sealed record MatrixTableGroup(string Title, ImmutableArray<MatrixTableRow> Rows, ImmutableArray<string> Footer);

/// <summary>The matrix as strings: what the terminal draws and what the report's first table holds, with one formatting of numbers.</summary>
/// <param name="Banner">Measured or modelled, and what that means. To be shown before anything else.</param>
/// <param name="Columns">Left to right.</param>
/// <param name="Groups">Match groups.</param>
public sealed record MatrixTable(Standing Banner, ImmutableArray<MatrixColumn> Columns, ImmutableArray<MatrixTableGroup> Groups)
{
    /// <summary>Of a whole matrix. Columns keep one SI prefix over all groups.</summary>
    public static MatrixTable Of(Matrix matrix)
    {
        var rows = matrix.Groups.SelectMany(g => g.Rows).ToArray();
        var energy = SiScale.Of(rows.Select(r => r.JoulesPerTokenLayer.Value));
        var rate = SiScale.Of(rows.Select(r => r.TokensPerSecond));
        ImmutableArray<MatrixColumn> columns =
        [
            new("cell", "", false, 0),
            new("configuration", "", false, 6),
            new("energy", energy.Prefix + "J/token·layer", true, 0),
            new("95 % interval", energy.Prefix + "J/token·layer", true, 4),
            new("ratio", "", true, 0),
            new("95 % interval", "ratio", true, 1),
            new("Holm", "ratio", true, 7),
            new("whole model, gpu", "J/token, projected", true, 8),
            new("tokens", rate.Prefix + "token/s, projected", true, 5),
            new("power", "W", true, 9),
            new("headroom", "", true, 11),
            new("constraint", "", false, 3),
            new("ceiling", "", false, 6),
            new("passes", "", true, 10),
            new("invalid", "", true, 10),
            new("provenance", "", false, 2),
        ];
        return new MatrixTable(Standing.Of(matrix), columns, [.. matrix.Groups.Select(g => Group(g, energy, rate))]);
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
        var baseline = group.Baseline is null ? "no baseline: absolute values only" : $"ratio to {NumberText.Clean(group.Baseline)}";
        var footer = ImmutableArray.CreateBuilder<string>();
        if (group.Repeatability is { } test)
        {
            footer.Add($"A/A {NumberText.Clean(test.Twin)} / {NumberText.Clean(test.Label)}: {Verdicts.Repeatability(test)}");
        }

        footer.Add($"replication: {Verdicts.Replication(group)}");
        return new MatrixTableGroup(
            $"{NumberText.Clean(group.Name)} · {NumberText.Clean(group.Hardware)} · {baseline}",
            [.. group.Rows.Select(r => Row(group, r, energy, rate))],
            footer.ToImmutable());
    }

    private static MatrixTableRow Row(MatrixGroup group, MatrixRow row, SiScale energy, SiScale rate)
    {
        var isBaseline = row.Label == group.Baseline;
        var e = row.JoulesPerTokenLayer;
        var ratio = row.Ratio?.Ratio;
        var decimals = ratio is null ? 0 : NumberText.Decimals(ratio.Value, ratio.Low, ratio.High);
        ImmutableArray<string> cells =
        [
            NumberText.Clean(row.Label),
            Verdicts.Configuration(row),
            energy.Text(e.Value, e.Low, e.High),
            energy.Interval(e.Value, e.Low, e.High),
            isBaseline ? "1 (base)" : ratio is null ? NumberText.Absent : NumberText.Fixed(ratio.Value, decimals) + (row.Ratio!.Resolved ? "" : " ~"),
            ratio is null || isBaseline ? NumberText.Absent : NumberText.Interval(ratio.Low, ratio.High, decimals),
            row.Ratio is null || isBaseline ? NumberText.Absent : NumberText.Interval(row.Ratio.HolmLow, row.Ratio.HolmHigh, decimals),
            NumberText.Significant(row.JoulesPerToken.GetValueOrDefault("gpu")?.Value),
            rate.Significant(row.TokensPerSecond),
            NumberText.Significant(row.MeanWatts),
            NumberText.Significant(row.PowerHeadroomRealized),
            NumberText.Clean(row.Constraint),
            row.Ceilings.IsDefaultOrEmpty ? NumberText.Absent : NumberText.Clean(string.Join(", ", row.Ceilings)),
            NumberText.Whole(row.Passes),
            NumberText.Whole(row.Invalidations.Values.Sum()),
            row.Provenance.ToString().ToLowerInvariant(),
        ];
        return new MatrixTableRow(cells, isBaseline, row.Provenance == Provenance.Measured, row);
    }
}
