using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace EnergyGrid.Contracts;

/// <summary>
/// A workload with everything that decides what is executed. Two equal configurations execute the same arithmetic on the same data.
/// Fields of the model's shape are resolved: nothing is left to a default at the device.
/// </summary>
/// <param name="Workload">Catalogue code: A … K, D', E', F', G0, I0, I0'.</param>
/// <param name="Weights">Weight format: FP16, INT8, INT4.</param>
/// <param name="Batch">Sequences decoded at once.</param>
/// <param name="Context">Tokens of context of each sequence, the new one included.</param>
/// <param name="ModelWidth">d_model.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyValueHeads">KV heads of the grouped and softmax attentions; equals <paramref name="Heads"/> for MHA.</param>
/// <param name="FeedForwardWidth">d_ff.</param>
/// <param name="ModelLayers">Layers of the whole model (L), for projection only.</param>
/// <param name="ShortLayers">The smaller L' of the pair, in layers.</param>
/// <param name="LongLayers">The larger L'; equal to the smaller one where only one fits (then linearity is unchecked).</param>
/// <param name="Vocabulary">Rows of the LM head, for the separately measured head step; 0 for none.</param>
/// <param name="Stack">What executes: <c>reference</c>, <c>simulated</c>, <c>cuda</c>, or a serving stack's name.</param>
/// <param name="DataSeed">Seed of weights, activations and KV.</param>
/// <param name="Data"><c>normal</c>; <c>zeros</c> for the disclosed sensitivity control; or <c>safetensors:SHA256:PATTERN</c>: weights from the tensors of that file whose names fit the pattern.</param>
/// <param name="MiddleLayers">A third L' between the two, 0 for none: it shows how straight the line is, and the slope stays that of the pair. Part of the identity only where it is there.</param>
/// <param name="WeightsPath">Where the device finds the file of <paramref name="Data"/>; null without one. No part of the identity: the file's SHA-256 is.</param>
/// <param name="Serve">Of a serving engine, workload <c>serve</c>: its whole model counts as one layer of a batch of one, and nothing is known of its shape; null for a decode step.</param>
[GenerateSerializer, Immutable, Alias("Configuration")]
public sealed record Configuration(
    [property: Id(0)] string Workload,
    [property: Id(1)] string Weights,
    [property: Id(2)] int Batch,
    [property: Id(3)] int Context,
    [property: Id(4)] int ModelWidth,
    [property: Id(5)] int Heads,
    [property: Id(6)] int KeyValueHeads,
    [property: Id(7)] int FeedForwardWidth,
    [property: Id(8)] int ModelLayers,
    [property: Id(9)] int ShortLayers,
    [property: Id(10)] int LongLayers,
    [property: Id(11)] int Vocabulary,
    [property: Id(12)] string Stack,
    [property: Id(13)] long DataSeed,
    [property: Id(14)] string Data,
    [property: Id(15), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int MiddleLayers = 0,
    [property: Id(16), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] string? WeightsPath = null,
    [property: Id(17), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] ServeConfiguration? Serve = null)
{
    /// <summary>Of a serving engine.</summary>
    /// <param name="stack">As the node's <c>stacks.yaml</c> names it.</param>
    /// <param name="seed">Of prompts and arrivals.</param>
    /// <param name="serve">What it is asked.</param>
    public static Configuration Of(string stack, long seed, ServeConfiguration serve) => new(ServeWorkload, "", 1, 0, 0, 0, 0, 0, 1, LayerLegs.WholeModel, LayerLegs.WholeModel, 0, stack, seed, "", Serve: serve);

    /// <summary>The workload of a serving engine.</summary>
    public const string ServeWorkload = "serve";
}

/// <summary>The legs of a trial, each a window of its own with so many layers L' resident. Whoever makes an order or counts its windows asks here.</summary>
public static class LayerLegs
{
    /// <summary>0: the LM head alone, one product of the batch with the vocabulary's FP16 rows and no layer beside it. It is no point of the line over L'.</summary>
    public const int Head = 0;

    /// <summary>1: a serving engine's whole model.</summary>
    public const int WholeModel = 1;

    /// <summary>Stacks whose devices can run <see cref="Head"/>. A stack that is not here is never asked for it, and a plan that insists on it is refused.</summary>
    public static ImmutableArray<string> HeadStacks { get; } = [KernelStacks.Reference, KernelStacks.Simulated, KernelStacks.Cuda];

    /// <summary>Ascending: the head if it is to be measured, then one, two or three values of L'.</summary>
    public static ImmutableArray<int> Of(Configuration c)
    {
        ImmutableArray<int> layers = c.ShortLayers == c.LongLayers ? [c.LongLayers]
            : c.MiddleLayers == 0 ? [c.ShortLayers, c.LongLayers]
            : [c.ShortLayers, c.MiddleLayers, c.LongLayers];
        return c.Vocabulary > 0 && HeadStacks.Contains(c.Stack) ? [Head, .. layers] : layers;
    }

    /// <summary>In the order of one pass: ascending in even passes and descending in odd ones, so that a drift within trials does not look like a slope.</summary>
    public static ImmutableArray<int> InPass(Configuration c, int pass) => pass % 2 == 0 ? Of(c) : [.. Enumerable.Reverse(Of(c))];
}

/// <summary>What a decode step must move and compute, from shape alone, for one layer and one step of the whole batch (workloads.md).</summary>
/// <param name="Parameters">Weights of the layer, elements (mean over the layer kinds of a mixed model).</param>
/// <param name="WeightBytes">Weight bytes read, B.</param>
/// <param name="StateBytes">KV, index and state bytes moved for the whole batch, B.</param>
/// <param name="WeightFlops">2·P·B.</param>
/// <param name="AttentionFlops">Attention arithmetic of the whole batch, FLOP.</param>
/// <param name="ResidentBytes">Memory the layer occupies, B.</param>
[GenerateSerializer, Immutable, Alias("StepCost")]
public sealed record StepCost(
    [property: Id(0)] double Parameters,
    [property: Id(1)] double WeightBytes,
    [property: Id(2)] double StateBytes,
    [property: Id(3)] double WeightFlops,
    [property: Id(4)] double AttentionFlops,
    [property: Id(5)] double ResidentBytes)
{
    /// <summary>Of what has no shape that is known here.</summary>
    public static StepCost Unknown { get; } = new(double.NaN, double.NaN, double.NaN, double.NaN, double.NaN, double.NaN);

    /// <summary>B.</summary>
    public double Bytes => WeightBytes + StateBytes;

    /// <summary>FLOP.</summary>
    public double Flops => WeightFlops + AttentionFlops;
}
