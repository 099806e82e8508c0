using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Plans;

/// <summary>Cells are compared only when all six disclosure dimensions and the plan's match keys are equal; what else differs beside what a ratio is about is said with the ratio.</summary>
public static class Comparability
{
    /// <summary>Parameter counts further apart than this are said.</summary>
    public const double ParameterTolerance = 0.01;

    /// <summary>A count further than this from the size that a model is named by is said.</summary>
    public const double NominalTolerance = 0.05;

    /// <summary>
    /// What a ratio of two cells mixes with the difference that it is about, for a line beside it; empty where nothing does. Weight format and attention are what
    /// ratios are about. Sizes are those of the layers, embedding and head left out.
    /// </summary>
    /// <param name="cell">The numerator.</param>
    /// <param name="baseline">The denominator.</param>
    public static ImmutableArray<string> Confounds(PlannedCell cell, PlannedCell baseline)
    {
        var (c, b) = (cell.Configuration, baseline.Configuration);
        if (c.Serve is { } serve && b.Serve is { } other)
        {
            return ServeConfounds(c, serve, b, other);
        }

        var texts = ImmutableArray.CreateBuilder<string>();
        if (cell.Cost.Parameters / baseline.Cost.Parameters - 1 is var more && Math.Abs(more) > ParameterTolerance)
        {
            texts.Add(string.Create(CultureInfo.InvariantCulture, $"parameters per layer {100 * more:+0.0;−0.0} %"));
        }

        if (c.ModelLayers != b.ModelLayers)
        {
            texts.Add($"{Whole(c.ModelLayers)} layers against {Whole(b.ModelLayers)}");
        }

        if (c.Context != b.Context)
        {
            texts.Add($"another {(Catalogue.Unit(c).ToHashSet().SetEquals(Catalogue.Unit(b)) ? "context" : "attention at another context")}: {Whole(c.Context)} tokens against {Whole(b.Context)}");
        }

        if (c.Batch != b.Batch)
        {
            texts.Add($"batch {Whole(c.Batch)} against {Whole(b.Batch)}");
        }

        if (c.Data != b.Data)
        {
            texts.Add($"data {c.Data} against {b.Data}");
        }

        if (c.Stack != b.Stack)
        {
            texts.Add($"stack {c.Stack} against {b.Stack}");
        }

        if (Precisions.Of(c).Activations is var own && Precisions.Of(b).Activations is var others && own != others)
        {
            texts.Add($"activations {own} against {others}");
        }

        var (counted, nominal) = (Catalogue.CountedBillions(c), (double)Catalogue.Definition(c.Workload).NominalBillions);
        if (Math.Abs(counted / Catalogue.CountedBillions(b) - 1) > ParameterTolerance && Math.Abs(counted / nominal - 1) > NominalTolerance && Catalogue.HasCatalogueShape(c))
        {
            texts.Add(string.Create(CultureInfo.InvariantCulture, $"{c.Workload}: {counted:0.0} B parameters, not {nominal:0} B"));
        }

        return texts.ToImmutable();
    }

    // Stack, model and engine parameters are what such ratios are about; load, prompts and generation are not.
    private static ImmutableArray<string> ServeConfounds(Configuration c, ServeConfiguration serve, Configuration b, ServeConfiguration other)
    {
        var texts = ServeFormat.Match.Where(k => ServeText.Compared(k, serve) != ServeText.Compared(k, other)).Select(k => $"{k} {ServeText.Short(k, serve)} against {ServeText.Short(k, other)}");
        return [.. texts, .. c.DataSeed == b.DataSeed ? [] : new[] { $"seed {Whole(c.DataSeed)} against {Whole(b.DataSeed)}" }];
    }

    /// <summary>The first thing in which two cells differ and must not; null if they may be compared.</summary>
    internal static (string Key, string Name, string Cell, string Baseline)? Difference(DraftCell cell, DraftCell baseline, IEnumerable<string> match)
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
    internal static string Axis(Configuration c, string axis) => axis switch
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
        _ when ServeFormat.Axes.Any(a => a.Name == axis) => c.Serve is { } serve ? ServeText.Compared(axis, serve) : "",
        _ => throw new ArgumentOutOfRangeException(nameof(axis), axis, "not an axis of a cell"),
    };

    /// <summary>s* for people and for comparison: statistic and milliseconds.</summary>
    internal static string Service(Disclosure d) =>
        string.Create(CultureInfo.InvariantCulture, $"{d.ServiceStatistic} {d.ServiceMilliseconds} ms{(d.FirstTokenMilliseconds is { } first ? string.Create(CultureInfo.InvariantCulture, $", first token {first} ms") : "")}");

    private static string Whole(long value) => value.ToString(CultureInfo.InvariantCulture);
}
