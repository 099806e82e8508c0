using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Report;
using EnergyGrid.Workloads;

namespace EnergyGrid.Console;

/// <summary>A workload of the catalogue as a newcomer reads it: what a plan gets that names its code and nothing else.</summary>
/// <param name="Code">What a plan names.</param>
/// <param name="Title">What it is.</param>
/// <param name="Body">The model whose widths and depth it has.</param>
/// <param name="Attention">The attention of its layers, with the models that have it.</param>
/// <param name="Baseline">The workload that it is set against in Table 3's match groups; null where there is none.</param>
/// <param name="Formats">Of weights, KV or state, and activations.</param>
/// <param name="MayHave">Weight formats that a plan may give it.</param>
/// <param name="ModelWidth">d_model.</param>
/// <param name="FeedForwardWidth">d_ff.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyValueHeads">KV heads.</param>
/// <param name="Layers">Of the whole model.</param>
/// <param name="Batch">Sequences.</param>
/// <param name="Context">Tokens.</param>
/// <param name="Billions">Parameters of all layers, 10⁹.</param>
/// <param name="Stacks">Which stacks run it.</param>
public sealed record WorkloadLine(
    string Code, string Title, string Body, string Attention, string? Baseline, Precisions Formats, ImmutableArray<string> MayHave, int ModelWidth, int FeedForwardWidth, int Heads, int KeyValueHeads, int Layers,
    int Batch, int Context, double Billions, ImmutableArray<string> Stacks);

/// <summary>The catalogue A to K as a table.</summary>
public static class WorkloadTable
{
    /// <summary>Left to right; what goes first where room is short has the highest number.</summary>
    public static ImmutableArray<TextColumn> Columns { get; } =
    [
        new("code", "", false, 0), new("what it is", "", false, 1), new("body", "", false, 9), new("attention", "", false, 10), new("baseline", "", false, 8), new("weights", "", false, 2), new("KV", "", false, 7),
        new("act.", "", false, 11), new("d_model", "", true, 3), new("d_ff", "", true, 5), new("heads", "", true, 4), new("KV heads", "", true, 6), new("layers", "", true, 3), new("batch", "", true, 3),
        new("context", "", true, 3), new("parameters", "10⁹, layers", true, 7), new("stacks", "", false, 12),
    ];

    /// <summary>In the paper's order, each variant beside its original.</summary>
    public static ImmutableArray<WorkloadLine> Lines { get; } = [.. Catalogue.Codes.Select(Line)];

    /// <summary>A text for each column.</summary>
    public static ImmutableArray<string> Cells(WorkloadLine w) =>
    [
        // What stands behind a comma has a column of its own.
        w.Code, w.Title.Split(',')[0], w.Body, w.Attention, w.Baseline ?? NumberText.Absent, w.Formats.Weights, w.Formats.State, w.Formats.Activations, Whole(w.ModelWidth), Whole(w.FeedForwardWidth), Whole(w.Heads),
        Whole(w.KeyValueHeads), Whole(w.Layers), Whole(w.Batch), Verdicts.Context(w.Context), NumberText.Significant(w.Billions), string.Join(", ", w.Stacks),
    ];

    /// <summary>What holds for all of them.</summary>
    public static ImmutableArray<string> Notes { get; } =
    [
        "A plan may change batch, context, d_model, d_ff, heads, kv_heads (G, G0, I, I0, I0'), model_layers and, where the code does not name them, weights (FP16, INT8, INT4; for dense attention Q8_0 and Q4_0 too, which B and C may have instead of their own).",
        "Stacks: reference is this machine's processor, llama.cpp that engine on it, simulated a modelled device, cuda an NVIDIA GPU; (sm_90) needs the shared memory of an H100 or later.",
        "Weights are seeded random numbers in every workload: the arithmetic and the traffic are those of a model of that shape, its answers are not.",
    ];

    private static WorkloadLine Line(string code)
    {
        var definition = Catalogue.Definition(code);
        var c = Catalogue.Resolve(new ConfigurationRequest(code, ShortLayers: definition.Unit.Length));
        return new(code, definition.Title, Body(definition), string.Join(" + ", definition.Unit.GroupBy(k => k).Select(g => Attention(g.Key))), MatchGroups.BaselineOf(code) is { } b && b != code ? b : null,
            Precisions.Of(c), Formats(definition), c.ModelWidth, c.FeedForwardWidth, c.Heads, c.KeyValueHeads, c.ModelLayers, c.Batch, c.Context,
            Catalogue.CountedBillions(c), Stacks(definition));
    }

    // The widths and depths are those of the LLaMA family; what is wider is said in the title.
    private static string Body(WorkloadDefinition w) => $"LLaMA {w.NominalBillions.ToString(CultureInfo.InvariantCulture)}B";

    private static string Attention(LayerKind kind) => kind switch
    {
        LayerKind.MultiHead => "MHA (LLaMA)",
        LayerKind.Grouped => "GQA (Llama 2 70B and later)",
        LayerKind.Latent => "MLA (DeepSeek-V2, V3)",
        LayerKind.NativeSparse => "NSA (DeepSeek)",
        LayerKind.CompressedSparse => "CSA",
        LayerKind.HeavilyCompressed => "HCA",
        LayerKind.Lightning => "lightning (MiniMax-01)",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    // MLA's and H's kernels take 220 KiB of shared memory a block.
    private static ImmutableArray<string> Stacks(WorkloadDefinition w) =>
        [KernelStacks.Reference, .. w.Unit.All(k => k is LayerKind.MultiHead or LayerKind.Grouped) ? [KernelStacks.LlamaCpp] : Array.Empty<string>(), KernelStacks.Simulated, w.Has(LayerKind.Latent) || w.Has(LayerKind.CompressedSparse) || w.Has(LayerKind.HeavilyCompressed) ? "cuda (sm_90)" : "cuda"];

    private static ImmutableArray<string> Formats(WorkloadDefinition w)
    {
        var isDense = w.Unit.All(k => k is LayerKind.MultiHead or LayerKind.Grouped);
        if (!w.WeightsAreFixed) return [.. WeightFormat.All.Where(f => isDense || !WeightFormat.IsInBlocks(f))];
        return isDense ? [.. new[] { w.Weights, WeightFormat.InBlocks(w.Weights) }.Distinct()] : [w.Weights];
    }

    private static string Whole(int value) => value.ToString(CultureInfo.InvariantCulture);
}
