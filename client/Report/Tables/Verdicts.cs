using System.Collections.Immutable;
using System.Text.RegularExpressions;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Report;

/// <summary>Sentences that the report and the terminal say in the same words. Text from the plan is cleaned, not escaped.</summary>
public static partial class Verdicts
{
    /// <summary>Beside a ratio without a claim of a difference.</summary>
    public const string NoClaim = "~";

    /// <summary>Beside a ratio whose energies are not measured.</summary>
    public const string NotMeasured = "*";

    /// <summary>Beside a cell that misses its s*, and beside every ratio that such a cell takes outside the operating point.</summary>
    public const string MissesService = "†";

    private const int MostMisses = 3;

    /// <summary>Weights, batch and context; the workload too where the label does not name it.</summary>
    public static string Configuration(MatrixRow row)
    {
        var c = row.Configuration;
        if (c.Serve is { } serve) return NumberText.Clean($"{c.Stack} {serve.Model}");
        var workload = c.Workload == row.Label || c.Workload == row.TwinOf ? "" : NumberText.Clean(c.Workload) + " ";
        return $"{workload}{NumberText.Clean(c.Weights)} b{c.Batch} s{Context(c.Context)}";
    }

    /// <summary>4096 as 4k, 65536 as 64k, 1048576 as 1M; anything else as it is.</summary>
    public static string Context(int tokens) =>
        tokens > 0 && tokens % 1048576 == 0 ? $"{tokens / 1048576}M" : tokens > 0 && tokens % 1024 == 0 ? $"{tokens / 1024}k" : $"{tokens}";

    /// <summary>How a row's J per token and layer was made: <c>slope over L' 12–36</c>, or as the matrix has it where it is no slope.</summary>
    public static string Estimator(MatrixRow row)
    {
        if (!row.Estimator.StartsWith("slope", StringComparison.Ordinal))
        {
            return NumberText.Clean(row.Estimator);
        }

        // What ran, as the matrix says it; the configuration's pair where it names none.
        var ran = Numbers().Matches(row.Estimator).Select(m => m.Value).ToArray();
        return ran.Length == 2 ? $"slope over L' {ran[0]}–{ran[1]}" : $"slope over L' {row.Configuration.ShortLayers}–{row.Configuration.LongLayers}";
    }

    /// <summary>What most rows of a group with a figure were made by; empty if none has one.</summary>
    public static string Estimator(MatrixGroup group) =>
        group.Rows.Where(HasFigure).GroupBy(Estimator).OrderByDescending(g => g.Count()).Select(g => g.Key).FirstOrDefault("");

    /// <summary>Whether there is a J per token and layer.</summary>
    public static bool HasFigure(MatrixRow row) => double.IsFinite(row.Headline.Value);

    /// <summary>Whether a row's ratio is one of the controlled comparisons: not the baseline's own, not an A/A twin's.</summary>
    public static bool IsControlled(MatrixGroup group, MatrixRow row) => row.Ratio is not null && row.TwinOf is null && row.Label != group.Baseline;

    /// <summary>Whether a row's ratio is outside the operating point: the row or its baseline misses its s*.</summary>
    public static bool IsOutside(MatrixGroup group, MatrixRow row) =>
        row.Ratio is { } ratio && (ratio.Standing == RatioStanding.OutsideOperatingPoint || Misses(row) || group.Rows.Any(r => r.Label == ratio.Baseline && Misses(r)));

    /// <summary>Whether a cell misses its s*.</summary>
    public static bool Misses(MatrixRow row) => row.MeetsService == false;

    /// <summary>The marks that a ratio carries wherever it is printed; empty for a resolved one.</summary>
    public static string Marks(MatrixGroup group, MatrixRow row)
    {
        if (row.Ratio is not { } ratio || row.Label == group.Baseline)
        {
            return "";
        }

        var claim = ratio.Standing switch { RatioStanding.NotResolved => NoClaim, RatioStanding.NotMeasured => NotMeasured, _ => "" };
        return claim + (IsOutside(group, row) ? MissesService : "");
    }

    /// <summary>What the marks mean, of those that the matrix uses.</summary>
    public static ImmutableArray<string> Legend(Matrix matrix)
    {
        var marks = string.Concat(matrix.Groups.SelectMany(g => g.Rows.Select(r => Marks(g, r) + (Misses(r) ? MissesService : ""))));
        (string Mark, string Meaning)[] all =
        [
            (NoClaim, $"no difference is claimed: it is within the resolution, or “no difference” is not refused after Holm's adjustment for {Count(matrix.Family, "ratio")}"),
            (NotMeasured, "an energy of this ratio is not measured: nothing is claimed of hardware"),
            (MissesService, "the cell or its baseline misses its s*: outside the operating point, in no headline"),
        ];
        return [.. all.Where(m => marks.Contains(m.Mark, StringComparison.Ordinal)).Select(m => $"{m.Mark} {m.Meaning}")];
    }

    /// <summary>What was taken of the sensors, where that is the same for all groups that have a figure; null where it is not.</summary>
    public static string? CommonSensor(Matrix matrix) =>
        matrix.Groups.Where(g => g.Rows.Any(HasFigure)).Select(g => Sensor(g.Sensor)).Distinct().ToArray() is [var one] ? one : null;

    /// <summary>What a ratio may be called, in words.</summary>
    public static string Standing(RatioStanding standing) => standing switch
    {
        RatioStanding.Resolved => "resolved",
        RatioStanding.NotResolved => "not resolved",
        RatioStanding.OutsideOperatingPoint => "outside the operating point",
        _ => "not measured",
    };

    /// <summary>Why a ratio is called so, without repeating what it is called; empty where nothing is to be said.</summary>
    public static string StandingReason(MatrixGroup group, MatrixRow row)
    {
        var ratio = row.Ratio!;
        var outside = Standing(RatioStanding.OutsideOperatingPoint);
        var reason = NumberText.Clean(ratio.StandingReason);
        return ratio.Standing == RatioStanding.OutsideOperatingPoint ? reason.StartsWith(outside + ": ", StringComparison.Ordinal) ? reason[(outside.Length + 2)..] : reason
            : IsOutside(group, row) ? string.Join("; ", new[] { outside, reason }.Where(t => t.Length > 0)) : reason;
    }

    /// <summary>Half-width of the 95 % interval that replication alone would give (type A), of the logarithm; null without one.</summary>
    public static double? TypeA(Uncertainty uncertainty) =>
        uncertainty is { StandardError: { } error, DegreesOfFreedom: > 0 } ? StudentDistribution.Quantile(0.975, uncertainty.DegreesOfFreedom) * error : null;

    /// <summary>The resolution of a ratio and whose A/A pair it rests on.</summary>
    public static string Resolution(MatrixGroup group, RatioToBaseline ratio) => ratio.Resolution is { } resolution && double.IsFinite(resolution)
        ? $"{NumberText.Percent(resolution)}, {ResolutionSource(group, ratio.ResolutionFrom)}"
        : "unknown: no A/A pair";

    /// <summary>Own or borrowed.</summary>
    public static string ResolutionSource(MatrixGroup group, string? from) =>
        from is null ? "without an A/A pair" : from == group.Name ? "own A/A pair" : $"borrowed from {NumberText.Clean(from)}";

    /// <summary>The resolution of all ratios of a group in one sentence; empty if it has no ratio.</summary>
    public static string Resolution(MatrixGroup group)
    {
        var ratios = group.Rows.Where(r => r.Ratio is not null && r.Label != group.Baseline).Select(r => r.Ratio!).ToArray();
        if (ratios.Length == 0)
        {
            return "";
        }

        var known = ratios.Where(r => r.Resolution is { } v && double.IsFinite(v)).ToArray();
        if (known.Length == 0)
        {
            return "resolution: unknown, there is no A/A pair to rest it on";
        }

        var (low, high) = (NumberText.Percent(known.Min(r => r.Resolution)), NumberText.Percent(known.Max(r => r.Resolution)));
        return $"resolution: {(low == high ? low : $"{low} to {high} by ratio")}, {string.Join(", ", known.Select(r => ResolutionSource(group, r.ResolutionFrom)).Distinct())}";
    }

    /// <summary>In what else ratios of a group differ from their baseline, and how far the kernels' quality may be in them: a line for each, cells with the same together.</summary>
    public static ImmutableArray<string> BesideRatios(MatrixGroup group)
    {
        var rows = group.Rows.Where(r => r.Ratio is not null && r.Label != group.Baseline).ToArray();
        var confounds = rows.SelectMany(r => Confounds(r).Select(c => (Text: c, Label: NumberText.Clean(r.Label)))).GroupBy(c => c.Text, c => c.Label)
            .Select(c => $"{c.Key} ({string.Join(", ", c)})").ToArray();
        var floors = rows.Where(r => r.Ratio!.AchievedOverFloor is { } f && double.IsFinite(f)).Select(r => $"{NumberText.Clean(r.Label)} {OverFloor(r.Ratio!.AchievedOverFloor)}").ToArray();
        return
        [
            .. confounds.Length > 0 ? [$"also different from {NumberText.Clean(group.Baseline)}: {string.Join("; ", confounds)}"] : Array.Empty<string>(),
            .. floors.Length > 0 ? [$"step time over its floor, as ratio to {NumberText.Clean(group.Baseline)}: {string.Join(", ", floors)}"] : Array.Empty<string>(),
        ];
    }

    /// <summary>In what else a row differs from its baseline; its own name, where the matrix puts it before, is left to whoever names the row.</summary>
    public static ImmutableArray<string> Confounds(MatrixRow row)
    {
        var own = row.Label + ": ";
        return row.Ratio is not { Confounds.IsDefaultOrEmpty: false } ratio ? []
            : [.. ratio.Confounds.Select(c => NumberText.Clean(c.StartsWith(own, StringComparison.Ordinal) ? c[own.Length..] : c))];
    }

    /// <summary>A ratio of step times over their floors: two decimals, since the floors are no better known.</summary>
    public static string OverFloor(double? ratio) => ratio is { } r && Math.Abs(r) is >= 0.1 and < 100 ? NumberText.Fixed(r, 2) : NumberText.Significant(ratio, 2);

    /// <summary>The bound of what the sensors may hide, of the logarithm, as a half-width; absent where nobody gave a bound.</summary>
    public static string TypeB(MatrixGroup group, Uncertainty uncertainty) => IsBounded(group.Sensor) ? NumberText.PlusMinus(uncertainty.Bound) : NumberText.Absent;

    private static bool IsBounded(SensorLine sensor) => sensor.OffsetWatts != 0 || sensor.NonLinearityWatts != 0 || sensor.Gain != 0;

    /// <summary>The verdict of (3) with headroom and its interval, or why there is none; open where the interval holds 1.</summary>
    public static string Constraint(PowerVerdict verdict) => verdict.Headroom is { } headroom && double.IsFinite(headroom.Value)
        ? $"{NumberText.Clean(verdict.Verdict)}{(headroom is { Low: < 1, High: > 1 } ? " (open)" : "")}, headroom {NumberText.WithInterval(headroom.Value, headroom.Low, headroom.High)}"
        : NumberText.Clean(verdict.Verdict) + (string.IsNullOrWhiteSpace(verdict.Reason) ? "" : $": {NumberText.Clean(verdict.Reason)}");

    /// <summary>What was taken of a group's sensors.</summary>
    public static string Sensor(SensorLine sensor) => !IsBounded(sensor)
        ? $"sensors: without any bound of what they may hide ({NumberText.Clean(sensor.Source)})"
        : $"sensors: offset ±{NumberText.Stated(sensor.OffsetWatts)} W, non-linearity ±{NumberText.Stated(sensor.NonLinearityWatts)} W of {NumberText.Stated(sensor.RatedWatts)} W, gain {NumberText.PlusMinus(sensor.Gain)} ({NumberText.Clean(sensor.Source)})";

    /// <summary>The A/A test with its numbers.</summary>
    public static string Repeatability(RepeatabilityTest test)
    {
        var r = test.Ratio;
        var decimals = NumberText.Decimals(r.Value, r.Low, r.High);
        var verdict = test.Passed switch
        {
            true => "repeatable",
            false => "not shown to be repeatable",
            null => "not tested: no interval",
        };
        return $"{verdict}; ratio {NumberText.Fixed(r.Value, decimals)}, 90 % interval {NumberText.Interval(r.Low, r.High, decimals)}, "
            + $"limit ±{NumberText.Percent(test.Delta)}, 95 % half-width {NumberText.PlusMinus(test.HalfWidth95)}";
    }

    /// <summary>Why a panel prints no published figures; empty if it does, or if its cells are measured and there are none.</summary>
    public static string PublishedNote(Matrix matrix, MatrixPanel panel) =>
        !panel.Rows.Any(r => r.PublishedJoulesPerToken is not null)
        && panel.Rows.Any(r => matrix.Groups.Any(g => g.Name == r.Group && g.Rows.Any(c => c.Label == r.Label && c.Provenance != Provenance.Measured)))
            ? "Published figures are left to the paper: beside figures that are not measured they would pass for a validation." : "";

    /// <summary>In what the plan's disclosure was not kept; empty if in nothing.</summary>
    public static string Difference(Matrix matrix) => NumberText.Clean(matrix.RanOn.Difference);

    /// <summary>What stands in the matrix, in one sentence. Only measured ratios at the operating point are counted as resolved or not.</summary>
    public static string Overview(Matrix matrix)
    {
        var rows = matrix.Groups.SelectMany(g => g.Rows).ToArray();
        var tests = matrix.Groups.Where(g => g.Repeatability is not null).ToArray();
        var invalid = rows.Sum(r => r.Invalidations.Values.Sum());
        string[] parts =
        [
            $"{Count(rows.Length, "cell")} in {Count(matrix.Groups.Length, "match group")} on {string.Join(", ", matrix.Groups.Select(g => NumberText.Clean(g.Hardware)).Distinct())}",
            .. Headline(matrix),
            tests.Length == 0 ? "no A/A test" : $"A/A repeatability shown in {tests.Count(g => g.Repeatability!.Passed == true)} of {Count(tests.Length, "test")}",
            $"{Count(invalid, "trial")} left out of the estimates and {Count(matrix.Groups.Sum(g => g.VoidedPasses), "pass", "passes")} voided",
        ];
        return string.Join("; ", parts) + ".";
    }

    /// <summary>"1 cell", "2 cells".</summary>
    public static string Count(int n, string one, string? many = null) => $"{NumberText.Whole(n)} {(n == 1 ? one : many ?? one + "s")}";

    private static IEnumerable<string> Headline(Matrix matrix)
    {
        var ratios = matrix.Groups.SelectMany(g => g.Rows.Where(r => IsControlled(g, r)).Select(r => (Group: g, Row: r, r.Ratio!.Standing))).ToArray();
        if (ratios.Length == 0)
        {
            yield return "no controlled ratio";
            yield break;
        }

        var unmeasured = ratios.Where(r => r.Standing == RatioStanding.NotMeasured).ToArray();
        var outside = ratios.Where(r => r.Standing != RatioStanding.NotMeasured && IsOutside(r.Group, r.Row)).ToArray();
        var judged = ratios.Length - unmeasured.Length - outside.Length;
        if (judged > 0)
        {
            // What is outside is no claim, whatever else the matrix says of it.
            yield return $"{ratios.Count(r => r.Standing == RatioStanding.Resolved && !IsOutside(r.Group, r.Row))} of {Count(judged, "controlled ratio")} resolved";
        }
        else if (unmeasured.Length == 0)
        {
            yield return "no controlled ratio lies at the operating point";
        }

        if (unmeasured.Length > 0)
        {
            var energies = unmeasured.Select(r => r.Row.Provenance).Concat(unmeasured.SelectMany(r => r.Group.Rows.Where(b => b.Label == r.Row.Ratio!.Baseline)).Select(b => b.Provenance))
                .OfType<Provenance>().DefaultIfEmpty(Provenance.Measured).Aggregate(Provenances.Worst);
            var why = energies == Provenance.Measured ? "energies are not measured" : $"energies are {energies.ToString().ToLowerInvariant()}";
            yield return judged + outside.Length == 0
                ? $"{Count(unmeasured.Length, "controlled ratio")}, none of them a claim: {why}"
                : $"{Count(unmeasured.Length, "controlled ratio")} {(unmeasured.Length == 1 ? "is" : "are")} no claim: {why}";
            var missing = unmeasured.Where(r => IsOutside(r.Group, r.Row)).ToArray();
            if (missing.Length > 0)
            {
                yield return $"{missing.Length} of them {(missing.Length == 1 ? "lies" : "lie")} outside the operating point: {Who(matrix, [.. missing.Select(r => (r.Group, r.Row))])}";
            }
        }

        if (outside.Length > 0)
        {
            yield return $"{Count(outside.Length, "ratio")} {(outside.Length == 1 ? "lies" : "lie")} outside the operating point: {Who(matrix, [.. outside.Select(r => (r.Group, r.Row))])}";
        }
    }

    // A baseline that misses its s* is the reason for its whole group, and named instead of the cells.
    private static string Who(Matrix matrix, (MatrixGroup Group, MatrixRow Row)[] ratios)
    {
        var causes = ratios.Select(r => (r.Group, Row: r.Group.Rows.FirstOrDefault(b => b.Label == r.Row.Ratio!.Baseline && Misses(b)) ?? r.Row)).DistinctBy(c => (c.Group.Name, c.Row.Label)).ToArray();
        var texts = causes.Take(MostMisses).Select(c =>
        {
            var name = (matrix.Groups.Length > 1 ? NumberText.Clean(c.Group.Name) + " / " : "") + NumberText.Clean(c.Row.Label);
            var milliseconds = c.Row.Serving?.ServiceMilliseconds ?? c.Row.ProjectedStepMilliseconds;
            var found = double.IsFinite(milliseconds) ? $" ({NumberText.Significant(milliseconds)} ms)" : "";
            return Misses(c.Row) ? $"{name} misses s* {NumberText.Significant(c.Row.ServiceMilliseconds)} ms{found}" : $"{name}: {NumberText.Clean(c.Row.Ratio!.StandingReason)}";
        });
        return string.Join(", ", texts) + (causes.Length > MostMisses ? $" and {Count(causes.Length - MostMisses, "more cell")}" : "");
    }

    [GeneratedRegex("[0-9]+")]
    private static partial Regex Numbers();
}
