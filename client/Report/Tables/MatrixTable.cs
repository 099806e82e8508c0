using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

/// <summary>A line of the matrix: one text per column.</summary>
/// <param name="Cells">In the order of <see cref="MatrixTable.Columns"/>; cleaned of control characters.</param>
/// <param name="Mark">Stands after the first cell however little room there is; empty if there is none.</param>
/// <param name="Baseline">Whether it is its group's baseline.</param>
/// <param name="Measured">Whether its energy was measured.</param>
/// <param name="Row">What it was made from.</param>
public sealed record MatrixTableRow(ImmutableArray<string> Cells, string Mark, bool Baseline, bool Measured, MatrixRow Row);

/// <summary>The rows of one match group.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Title">Its name, hardware, stack, baseline and estimator.</param>
/// <param name="Rows">Its cells.</param>
/// <param name="Footer">What must be said beside its figures, a sentence each.</param>
public sealed record MatrixTableGroup(string Name, string Title, ImmutableArray<MatrixTableRow> Rows, ImmutableArray<string> Footer);

/// <summary>The matrix as strings, with one formatting of numbers: what a terminal draws and what a pipe gets.</summary>
/// <remarks>
/// Where room is short the least useful column goes first. The order, first to go first: counts and totals (invalid, passes, power, tokens), the configuration's size, what an interval is made of
/// (resolution, type B, type A), what limits the cell, the simultaneous interval, activations, flags, KV, power-bound, verdict, whole model, s*, weights, provenance; then the ratio's interval, then
/// the energy's. Cell, energy and ratio stay. What goes is not lost where it matters: a missed s* and a ratio without a claim have their marks, flags are named below with their cells.
/// </remarks>
/// <param name="Banner">Measured or modelled, and what that means. To be shown before anything else.</param>
/// <param name="Difference">In what the plan's disclosure was not kept, to stand directly under the banner; empty if in nothing.</param>
/// <param name="Columns">Left to right.</param>
/// <param name="Groups">Match groups.</param>
/// <param name="Notes">What holds for every cell, said once; what the marks mean, of those that are used; what was taken of the sensors, where that is the same for all groups.</param>
public sealed record MatrixTable(Standing Banner, string Difference, ImmutableArray<TextColumn> Columns, ImmutableArray<MatrixTableGroup> Groups, ImmutableArray<string> Notes)
{
    /// <summary>The header over each row's provenance.</summary>
    public const string ProvenanceHeader = "energy is";

    /// <summary>The header over each row's letters of flags.</summary>
    public const string FlagsHeader = "flags";

    private const string TimeHeader = "time";
    private const string ModelHeader = "model";
    private const string FirstTokenHeader = "first token";
    private const string PerTokenHeader = "per token";
    private const string ConstraintHeader = "power-bound";
    private const string LimitHeader = "limit";

    /// <summary>Of a whole matrix. Columns keep one SI prefix over all groups.</summary>
    /// <param name="matrix">What to write.</param>
    /// <param name="othersShare">Share of this machine's processors that other processes took during its trials, 0 to 1; null where nobody looked.</param>
    /// <param name="letters">Whether flags are told by the letters that stand in the rows; else by their cells alone.</param>
    public static MatrixTable Of(Matrix matrix, double? othersShare = null, bool letters = true)
    {
        var rows = matrix.Groups.SelectMany(g => g.Rows).ToArray();
        var energy = SiScale.Of(rows.Select(r => r.Headline.Value));
        var rate = SiScale.Of(rows.Select(Verdicts.TokensPerSecond));
        var time = SiScale.Of(rows.Where(Verdicts.IsTimeMeasured).Select(r => Verdicts.Seconds(r) ?? double.NaN));
        var (serves, steps) = (rows.Any(r => r.Serving is not null), rows.Any(r => r.Serving is null));
        var token = Verdicts.TokenUnit(matrix);
        // Where no sensor tells the energy, the time is what was measured.
        var isHeadline = rows.Any(r => Verdicts.IsTimeMeasured(r) && r.Provenance == Provenance.Modelled);
        ImmutableArray<TextColumn> columns =
        [
            new("cell", "", false, 0),
            new(ModelHeader, "", false, 17),
            new("weights", "", false, 4),
            new("KV", "", false, 9),
            new("act.", "", false, 11),
            new(TimeHeader, $"{time.Prefix}s/{token}", true, isHeadline ? 0 : 21),
            new(TimeHeader, "÷ baseline", true, isHeadline ? 1 : 21),
            new(TimeHeader, "95 % interval of ÷", true, isHeadline ? 2 : 22),
            new("energy", $"{energy.Prefix}J/{token}", true, 0),
            new("95 % interval", "", true, 1),
            new(ProvenanceHeader, "", false, 3),
            new("whole model", "J/token", true, 6),
            new("ratio", "", true, 0),
            new("95 % interval", "pairwise", true, 2),
            new("95 % interval", "simultaneous", true, 12),
            new("s*", "ms/token", false, 5),
            new(FirstTokenHeader, "p50 – p99, ms", true, 9),
            new(PerTokenHeader, "p50 – p99, ms", true, 8),
            new("verdict", "", false, 7),
            new(ConstraintHeader, "headroom", false, 8),
            new(FlagsHeader, "", false, 10),
            new(LimitHeader, "", false, 13),
            new("type A", "±, of ratio", true, 14),
            new("type B", "±, of ratio", true, 15),
            new("resolution", "", true, 16),
            new("configuration", "", false, 17),
            new("tokens", rate.Prefix + (serves && !steps ? "token/s" : "token/s, projected"), true, serves && !steps ? 7 : 18),
            new("power", serves && !steps ? "W, device" : "W, layers", true, 19),
            new("passes", "", true, 20),
            new("invalid", "", true, 20),
        ];
        var sensor = Verdicts.CommonSensor(matrix);
        var constraint = Verdicts.CommonConstraint(matrix);
        var limit = Verdicts.CommonLimit(matrix);
        var flags = RowFlags.Of(matrix, letters);
        string[] left = [.. serves ? [] : new[] { ModelHeader, FirstTokenHeader, PerTokenHeader }, .. steps ? [] : new[] { "weights", "KV", "act.", "whole model", "configuration" }, .. rows.Any(Verdicts.IsTimeMeasured) ? [] : new[] { TimeHeader }, .. constraint is null ? [] : new[] { ConstraintHeader }, .. limit is null ? [] : new[] { LimitHeader }];
        var kept = Enumerable.Range(0, columns.Length).Where(i => !left.Contains(columns[i].Header)).ToArray();
        MatrixTableGroup[] groups = [.. matrix.Groups.Select((g, i) => Group(g, flags, i, (energy, rate, time), sensor is null, constraint is null, othersShare))];
        string[] notes =
        [
            .. rows.Any(Verdicts.HasFigure) ? [Verdicts.WholeModel(matrix)] : Array.Empty<string>(),
            .. isHeadline ? [$"time: measured, of one {(steps ? "layer and token" : "token")}: what this matrix shows where no sensor tells the energy"] : Array.Empty<string>(),
            .. constraint is null ? Array.Empty<string>() : [$"constraint of every cell: {constraint}"],
            .. limit is null ? Array.Empty<string>() : [$"every cell: {limit}"],
            .. flags.OfEveryCell.IsEmpty ? Array.Empty<string>() : [$"flags of every cell: {string.Join("; ", flags.OfEveryCell)}"],
            .. Verdicts.Legend(matrix),
            .. sensor is null ? Array.Empty<string>() : [sensor],
        ];
        return new MatrixTable(Standing.Of(matrix), Verdicts.Difference(matrix), [.. kept.Select(i => columns[i])],
            [.. groups.Select(g => g with { Rows = [.. g.Rows.Select(r => r with { Cells = [.. kept.Select(i => r.Cells[i])] })] })], [.. notes.Where(n => n.Length > 0)]);
    }

    private static MatrixTableGroup Group(MatrixGroup group, RowFlags flags, int index, (SiScale Energy, SiScale Rate, SiScale Time) scales, bool ownSensor, bool ownConstraint, double? othersShare)
    {
        var estimator = Verdicts.Estimator(group);
        var stacks = group.Rows.Select(r => NumberText.Clean(r.Configuration.Stack)).Distinct().ToArray();
        string[] title =
        [
            NumberText.Clean(group.Name), NumberText.Clean(group.Hardware),
            .. stacks.Length == 0 ? Array.Empty<string>() : [$"stack {string.Join(", ", stacks)}"],
            group.Baseline is null ? "no baseline: absolute values only" : $"ratio to {NumberText.Clean(group.Baseline)}",
            .. estimator.Length == 0 ? Array.Empty<string>() : [estimator],
        ];
        var others = group.Rows.Where(r => Verdicts.HasFigure(r) && Verdicts.Estimator(r) != estimator).GroupBy(Verdicts.Estimator)
            .Select(g => $"{string.Join(", ", g.Select(r => NumberText.Clean(r.Label)))}: {g.Key}");
        string[] footer =
        [
            .. others,
            .. Verdicts.BesideEnergies(group, scales.Energy),
            .. Verdicts.BesideRatios(group),
            .. ownConstraint ? Verdicts.WithoutConstraint(group) : [],
            .. flags.OfGroup(index),
            Verdicts.Resolution(group),
            group.Repeatability is { } test ? $"A/A {NumberText.Clean(test.Twin)} / {NumberText.Clean(test.Label)}: {Verdicts.Repeatability(test)}" : "",
            $"replication: {Verdicts.Replication(group)}",
            Verdicts.Noise(group, othersShare),
            ownSensor && group.Rows.Any(Verdicts.HasFigure) ? Verdicts.Sensor(group.Sensor) : "",
        ];
        return new MatrixTableGroup(NumberText.Clean(group.Name), string.Join(" · ", title), [.. group.Rows.Select((r, i) => Row(group, r, flags.Keys(index, i), scales))], [.. footer.Where(f => f.Length > 0)]);
    }

    private static MatrixTableRow Row(MatrixGroup group, MatrixRow row, string flags, (SiScale Energy, SiScale Rate, SiScale Time) scales)
    {
        var (energy, rate, time) = scales;
        var timeOfBaseline = group.Rows.FirstOrDefault(r => r.Label == group.Baseline) is { } b && Verdicts.IsTimeMeasured(b) ? Verdicts.Seconds(b) : null;
        var ownTime = Verdicts.IsTimeMeasured(row) ? Verdicts.Seconds(row) : null;
        var timeRatio = Verdicts.IsTimeMeasured(row) ? row.Ratio?.TimeRatio : null;
        var timeDecimals = timeRatio is null ? 0 : NumberText.Decimals(timeRatio.Value, timeRatio.Low, timeRatio.High);
        var isBaseline = row.Label == group.Baseline;
        var e = row.Headline;
        var ratio = isBaseline ? null : row.Ratio;
        var decimals = ratio is null ? 0 : NumberText.Decimals(ratio.Ratio.Value, ratio.Ratio.Low, ratio.Ratio.High);
        var marks = Verdicts.Marks(group, row);
        var formats = Verdicts.Formats(row.Configuration);
        ImmutableArray<string> cells =
        [
            NumberText.Clean(row.Label),
            row.Configuration.Serve is { } serve ? NumberText.Clean($"{row.Configuration.Stack} {serve.Model}") : NumberText.Absent,
            formats.Weights,
            formats.State,
            formats.Activations,
            time.Significant(ownTime),
            isBaseline && ownTime is not null ? "1 (base)" : timeRatio is { } t && double.IsFinite(t.Value) ? NumberText.Fixed(t.Value, timeDecimals) : NumberText.Significant(ownTime / timeOfBaseline),
            timeRatio is null ? NumberText.Absent : Close(NumberText.Interval(timeRatio.Low, timeRatio.High, timeDecimals)),
            energy.Text(e.Value, e.Low, e.High),
            Close(energy.Interval(e.Value, e.Low, e.High)),
            Standing.OfEnergy(row.Provenance),
            NumberText.Significant(row.ProjectedJoulesPerToken.GetValueOrDefault("gpu")?.Value),
            isBaseline ? Verdicts.HasFigure(row) ? "1 (base)" : NumberText.Absent + " (base)" : ratio is null ? NumberText.Absent : NumberText.Fixed(ratio.Ratio.Value, decimals) + (marks.Length > 0 ? " " + marks : ""),
            ratio is null ? NumberText.Absent : Close(NumberText.Interval(ratio.Ratio.Low, ratio.Ratio.High, decimals)),
            ratio is null ? NumberText.Absent : Close(NumberText.Interval(ratio.SimultaneousLow, ratio.SimultaneousHigh, decimals)),
            Verdicts.Service(row),
            Verdicts.Latency(row.Serving?.Latencies.FirstToken),
            Verdicts.Latency(row.Serving?.Latencies.PerToken),
            Verdicts.Briefly(group, row),
            Verdicts.PowerBound(row.Constraint),
            flags,
            Text(row.Constraint.Limit),
            ratio is null ? NumberText.Absent : NumberText.PlusMinus(Verdicts.TypeA(ratio.Uncertainty)),
            ratio is null ? NumberText.Absent : Verdicts.TypeB(group, ratio.Uncertainty),
            ratio is null ? NumberText.Absent : Verdicts.Resolution(group, ratio),
            Verdicts.Configuration(row),
            rate.Significant(Verdicts.TokensPerSecond(row)),
            NumberText.Significant(row.WattsPerDevice),
            NumberText.Whole(row.Passes),
            NumberText.Whole(row.Invalidations.Values.Sum()),
        ];
        return new MatrixTableRow(cells, Verdicts.Misses(row) ? " " + Verdicts.MissesService : "", isBaseline, row.Provenance == Provenance.Measured, row);
    }

    // Two columns of a narrow terminal are worth more than the air around a dash.
    private static string Close(string interval) => interval.Replace(" – ", "–", StringComparison.Ordinal);

    private static string Text(string? text) => string.IsNullOrWhiteSpace(text) ? NumberText.Absent : NumberText.Clean(text);
}
