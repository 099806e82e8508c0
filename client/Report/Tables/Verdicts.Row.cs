using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Report;

// What a row says in few words, and what all rows say together.
public static partial class Verdicts
{
    /// <summary>Weights, KV or state, activations; absent where the workload is none of the catalogue.</summary>
    public static Precisions Formats(Configuration configuration) => Catalogue.Codes.Contains(configuration.Workload)
        ? Precisions.Of(configuration) with { Weights = NumberText.Clean(configuration.Weights) }
        : new Precisions(NumberText.Clean(configuration.Weights), NumberText.Absent, NumberText.Absent);

    /// <summary>Whether s* is met, with what was found and what was asked for, ms per token: <c>met 71.4≤100</c>; the time to the first token where it is that which misses.</summary>
    public static string Service(MatrixRow row)
    {
        var (found, asked) = (NumberText.Significant(row.Serving?.ServiceMilliseconds ?? row.ProjectedStepMilliseconds), NumberText.Significant(row.ServiceMilliseconds));
        return row.MeetsService switch
        {
            true => $"met {found}≤{asked}",
            false when row.Serving is { } s && s.ServiceMilliseconds <= row.ServiceMilliseconds => $"missed by the first token, {NumberText.Significant(s.FirstTokenMilliseconds)}",
            false => $"missed {found}>{asked}",
            null => HasFigure(row) ? "not judged" : NumberText.Absent,
        };
    }

    /// <summary>What a row is or may claim, in few words.</summary>
    public static string Briefly(MatrixGroup group, MatrixRow row)
    {
        if (!HasFigure(row)) return "no valid trial";
        if (row.Label == group.Baseline) return "baseline";
        if (row.TwinOf is not null && group.Repeatability is { } test && test.Twin == row.Label)
            return test.Passed switch { true => "A/A holds", false => "A/A not shown", null => "A/A not tested" };
        if (row.Ratio is not { } ratio) return "absolute value";
        if (ratio.Standing == RatioStanding.NotMeasured) return "no claim";
        if (IsOutside(group, row)) return "outside s*";
        return ratio.Standing != RatioStanding.Resolved ? "not resolved" : ratio.Ratio.Value < 1 ? "less energy" : "more energy";
    }

    /// <summary>Whether power is the scarce input, with the headroom: <c>no, 1.18 (1.09–1.27)</c>; open where the interval holds 1.</summary>
    public static string PowerBound(PowerVerdict verdict) => verdict.Headroom is { } headroom && double.IsFinite(headroom.Value)
        ? $"{(headroom is { Low: < 1, High: > 1 } ? "open" : Word(verdict.Verdict))}, {NumberText.WithInterval(headroom.Value, headroom.Low, headroom.High)}"
        : NumberText.Clean(verdict.Verdict);

    private static string Word(string verdict) => verdict switch { "not power-bound" => "no", "power-bound" => "yes", _ => NumberText.Clean(verdict) };

    /// <summary>The verdict of (3) where every cell with a figure has the same, with its reason and without a headroom; null where they differ.</summary>
    public static string? CommonConstraint(Matrix matrix) =>
        matrix.Groups.SelectMany(g => g.Rows).Where(HasFigure).Select(r => (r.Constraint.Headroom, Text: Constraint(r.Constraint))).Distinct().ToArray() is [{ Headroom: null } one] ? one.Text : null;

    /// <summary>What limits every cell with a figure; null where that differs.</summary>
    public static string? CommonLimit(Matrix matrix) =>
        matrix.Groups.SelectMany(g => g.Rows).Where(HasFigure).Select(r => NumberText.Clean(r.Constraint.Limit)).Distinct().ToArray() is [{ Length: > 0 } one] ? one : null;

    /// <summary>Why cells of a group have no headroom: a line for each reason, cells with the same together.</summary>
    public static ImmutableArray<string> WithoutConstraint(MatrixGroup group) =>
    [
        .. group.Rows.Where(r => HasFigure(r) && r.Constraint.Headroom is null && r.Constraint.Reason.Length > 0).GroupBy(r => Constraint(r.Constraint), r => NumberText.Clean(r.Label))
            .Select(r => $"constraint {r.Key} ({string.Join(", ", r)})"),
    ];

    /// <summary>Whether its time is that of a device that really ran; a simulated one has a model's.</summary>
    public static bool IsTimeMeasured(MatrixRow row) => Seconds(row) is not null && row.Configuration.Stack != KernelStacks.Simulated;

    /// <summary>Time per token, s: per layer of a decode step, of the whole group of a serving engine; null where there is none.</summary>
    public static double? Seconds(MatrixRow row) => (row.Time?.Value ?? 1 / row.TokenLayersPerSecond) is var seconds && double.IsFinite(seconds) ? seconds : null;

    /// <summary>Tokens per second of a device, projected; of a serving engine those that it gave.</summary>
    public static double TokensPerSecond(MatrixRow row) => row.Serving?.OutputTokensPerSecond ?? row.ProjectedTokensPerSecond;

    /// <summary>What energies and times of a matrix are divided by.</summary>
    public static string TokenUnit(Matrix matrix)
    {
        var rows = matrix.Groups.SelectMany(g => g.Rows).ToArray();
        return rows.All(r => r.Serving is null) ? "token·layer" : rows.All(r => r.Serving is not null) ? "token" : "token or token·layer";
    }

    /// <summary>Median and 99th percentile, ms.</summary>
    public static string Latency(LatencyLine? line) =>
        line is { Count: > 0 } l ? $"{NumberText.Significant(l.P50Milliseconds)}–{NumberText.Significant(l.P99Milliseconds)}" : NumberText.Absent;

    /// <summary>What a figure for the whole model is; empty where no row has one.</summary>
    public static string WholeModel(Matrix matrix) => matrix.Groups.SelectMany(g => g.Rows).Where(r => r.Serving is null).Any(r => r.ProjectedJoulesPerToken.GetValueOrDefault("gpu")?.Value is not null)
        ? "energy: of one layer, J per token; whole model: projected from it at the gpu boundary, without interconnect"
        : "";
}
