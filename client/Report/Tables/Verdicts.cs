using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

/// <summary>Sentences that the report and the terminal say in the same words. Text from the plan is cleaned, not escaped.</summary>
internal static class Verdicts
{
    /// <summary>Weights, batch and context; the workload too where the label does not name it.</summary>
    public static string Configuration(MatrixRow row)
    {
        var c = row.Configuration;
        var workload = c.Workload == row.Label || c.Workload == row.TwinOf ? "" : NumberText.Clean(c.Workload) + " ";
        return $"{workload}{NumberText.Clean(c.Weights)} b{c.Batch} s{Context(c.Context)}";
    }

    /// <summary>4096 as 4k, 65536 as 64k, 1048576 as 1M; anything else as it is.</summary>
    public static string Context(int tokens) =>
        tokens > 0 && tokens % 1048576 == 0 ? $"{tokens / 1048576}M" : tokens > 0 && tokens % 1024 == 0 ? $"{tokens / 1024}k" : $"{tokens}";

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
            + $"limit ±{NumberText.Percent(test.Delta)}, resolution {NumberText.Percent(test.Resolution)}";
    }

    public static string Replication(MatrixGroup group)
    {
        var r = group.Replication;
        var voided = group.VoidedPasses == 0 ? "" : $"; {group.VoidedPasses} passes voided";
        return $"{r.Reached} {NumberText.Clean(r.Units)}, {r.Required} needed for the half-width that was asked for (first stage {r.FirstStage}): {NumberText.Clean(r.Verdict)}{voided}";
    }

    /// <summary>What stands in the matrix, in one sentence.</summary>
    public static string Overview(Matrix matrix)
    {
        var rows = matrix.Groups.SelectMany(g => g.Rows).ToArray();
        var ratios = rows.Where(r => r.Ratio is not null && !matrix.Groups.Any(g => g.Baseline == r.Label && g.Rows.Contains(r)) && r.TwinOf is null).ToArray();
        var tests = matrix.Groups.Where(g => g.Repeatability is not null).ToArray();
        var invalid = rows.Sum(r => r.Invalidations.Values.Sum());
        var parts = new List<string>
        {
            $"{Count(rows.Length, "cell")} in {Count(matrix.Groups.Length, "match group")} on {string.Join(", ", matrix.Groups.Select(g => NumberText.Clean(g.Hardware)).Distinct())}",
            ratios.Length == 0 ? "no controlled ratio" : $"{ratios.Count(r => r.Ratio!.Resolved)} of {Count(ratios.Length, "controlled ratio")} resolved",
            tests.Length == 0 ? "no A/A test" : $"A/A repeatability shown in {tests.Count(g => g.Repeatability!.Passed == true)} of {Count(tests.Length, "test")}",
            $"{Count(invalid, "trial")} invalidated and {Count(matrix.Groups.Sum(g => g.VoidedPasses), "pass", "passes")} voided",
        };
        return string.Join("; ", parts) + ".";
    }

    public static string Count(int n, string one, string? many = null) => $"{NumberText.Whole(n)} {(n == 1 ? one : many ?? one + "s")}";
}
