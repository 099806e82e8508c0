using System.Globalization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Plans;

/// <summary>Cells are compared only when all six disclosure dimensions and the plan's match keys are equal.</summary>
internal static class Comparability
{
    /// <summary>The first thing in which two cells differ and must not; null if they may be compared.</summary>
    public static (string Key, string Name, string Cell, string Baseline)? Difference(DraftCell cell, DraftCell baseline, IEnumerable<string> match)
    {
        var (a, b) = (cell.Disclosure!, baseline.Disclosure!);
        (string Key, string Name, string Cell, string Baseline)[] dimensions =
        [
            ("operating_point", "dimension q*", $"{a.Quality} ({a.QualityCheck})", $"{b.Quality} ({b.QualityCheck})"),
            ("operating_point", "dimension s*", Service(a), Service(b)),
            ("workload_mix", "dimension workload_mix", a.WorkloadMix, b.WorkloadMix),
            ("batching", "dimension batching", a.Batching, b.Batching),
            ("hardware", "dimension hardware", a.Hardware, b.Hardware),
            ("boundary", "dimension boundary", Spelling.Of(a.Boundary), Spelling.Of(b.Boundary)),
        ];
        var keys = match.Select(k => (Key: k, Name: $"match key {k}", Cell: Axis(cell.Configuration!, k), Baseline: Axis(baseline.Configuration!, k)));
        foreach (var pair in dimensions.Concat(keys))
        {
            if (pair.Cell != pair.Baseline)
            {
                return pair;
            }
        }

        return null;
    }

    /// <summary>The value of a key of a resolved cell.</summary>
    public static string Axis(Configuration c, string axis) => axis switch
    {
        "workload" => c.Workload,
        "weights" => c.Weights,
        "batch" => Whole(c.Batch),
        "context" => Whole(c.Context),
        "d_model" => Whole(c.ModelWidth),
        "d_ff" => Whole(c.FeedForwardWidth),
        "heads" => Whole(c.Heads),
        "kv_heads" => Whole(c.KeyValueHeads),
        "model_layers" => Whole(c.ModelLayers),
        "vocabulary" => Whole(c.Vocabulary),
        "stack" => c.Stack,
        "data" => c.Data,
        "data_seed" => Whole(c.DataSeed),
        _ => throw new ArgumentOutOfRangeException(nameof(axis), axis, "not an axis of a cell"),
    };

    private static string Service(Disclosure d) => string.Create(CultureInfo.InvariantCulture, $"{d.ServiceStatistic} {d.ServiceMilliseconds} ms");

    private static string Whole(long value) => value.ToString(CultureInfo.InvariantCulture);
}
