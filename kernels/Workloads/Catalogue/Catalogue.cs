using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads;

/// <summary>The decode steps of the paper's Table 3, with the matched variants D', E', F', G0, I0 and I0': shapes, costs, and how a request becomes a configuration.</summary>
public static class Catalogue
{
    /// <summary>Largest batch that resolves.</summary>
    public const int MaxBatch = 1024;

    private static readonly ImmutableArray<LayerKind> SevenAndOne =
        [.. Enumerable.Repeat(LayerKind.Lightning, 7), LayerKind.Grouped];

    private static readonly ImmutableDictionary<string, WorkloadDefinition> ByCode = new WorkloadDefinition[]
    {
        new("A", "MHA FP16 baseline", WeightFormat.Fp16, true, 8, 4096, 8192, 22016, 0, 80, 65, [LayerKind.MultiHead]),
        new("B", "MHA INT8", WeightFormat.Int8, true, 8, 4096, 8192, 22016, 0, 80, 65, [LayerKind.MultiHead]),
        new("C", "MHA INT4", WeightFormat.Int4, true, 8, 4096, 8192, 22016, 0, 80, 65, [LayerKind.MultiHead]),
        new("D", "MLA FP16", WeightFormat.Fp16, true, 24, 4096, 8192, 22016, 0, 80, 65, [LayerKind.Latent]),
        new("E", "MLA INT8", WeightFormat.Int8, true, 24, 4096, 8192, 22016, 0, 80, 65, [LayerKind.Latent]),
        new("F", "MLA INT4", WeightFormat.Int4, true, 24, 4096, 8192, 22016, 0, 80, 65, [LayerKind.Latent]),
        new("D'", "MLA FP16 at A's parameter count", WeightFormat.Fp16, true, 24, 4096, 8192, 28396, 0, 80, 65, [LayerKind.Latent]),
        new("E'", "MLA INT8 at A's parameter count", WeightFormat.Int8, true, 24, 4096, 8192, 28396, 0, 80, 65, [LayerKind.Latent]),
        new("F'", "MLA INT4 at A's parameter count", WeightFormat.Int4, true, 24, 4096, 8192, 28396, 0, 80, 65, [LayerKind.Latent]),
        new("G0", "GQA dense at 64k", WeightFormat.Fp16, false, 16, 65536, 8192, 22016, 4, 80, 65, [LayerKind.Grouped]),
        new("G", "NSA sparse attention at 64k", WeightFormat.Fp16, false, 16, 65536, 8192, 22016, 4, 80, 65, [LayerKind.NativeSparse]),
        new("H", "CSA and HCA at 1M, V4-style attention on a 65B dense body", WeightFormat.Fp16, false, 8, 1 << 20, 8192, 22016, 0, 80, 65, [LayerKind.CompressedSparse, LayerKind.HeavilyCompressed]),
        new("I0", "GQA softmax everywhere at 64k", WeightFormat.Fp16, false, 20, 65536, 8192, 22016, 8, 80, 65, [LayerKind.Grouped]),
        new("I0'", "GQA softmax everywhere at I's parameter count", WeightFormat.Fp16, false, 20, 65536, 8192, 28588, 8, 80, 65, [LayerKind.Grouped]),
        new("I", "Hybrid linear: 7 lightning and 1 softmax at 64k", WeightFormat.Fp16, false, 20, 65536, 8192, 22016, 8, 80, 65, SevenAndOne),
        new("J", "Distilled 13B", WeightFormat.Fp16, false, 32, 4096, 5120, 13824, 0, 40, 13, [LayerKind.MultiHead]),
        new("K", "Distilled 7B, MLA INT4", WeightFormat.Int4, false, 64, 4096, 4096, 11008, 0, 32, 7, [LayerKind.Latent]),
    }.ToImmutableDictionary(w => w.Code, StringComparer.Ordinal);

    /// <summary>Codes in the paper's order, each variant beside its original.</summary>
    public static ImmutableArray<string> Codes { get; } = ["A", "B", "C", "D", "D'", "E", "E'", "F", "F'", "G", "G0", "H", "I", "I0", "I0'", "J", "K"];

    /// <summary>Rows of the LM head when a plan names none.</summary>
    public const int DefaultVocabulary = 32000;

    /// <exception cref="ConfigurationRefusedException">No such code.</exception>
    public static WorkloadDefinition Definition(string code) =>
        ByCode.TryGetValue(code, out var found) ? found : throw new ConfigurationRefusedException("workload", $"workload '{code}' is not in the catalogue; it has {string.Join(", ", Codes)}");

    /// <summary>Weights of all layers of the whole model, 10⁹: embedding and head left out, as everywhere.</summary>
    public static double CountedBillions(Configuration c) => c.ModelLayers * Cost(c).Parameters / 1e9;

    /// <summary>Whether the model has the catalogue's own shape, so that its nominal size speaks of it.</summary>
    public static bool HasCatalogueShape(Configuration c)
    {
        var own = Resolve(new ConfigurationRequest(c.Workload, ShortLayers: UnitSize(c)));
        return (c.ModelWidth, c.Heads, c.KeyValueHeads, c.FeedForwardWidth, c.ModelLayers) == (own.ModelWidth, own.Heads, own.KeyValueHeads, own.FeedForwardWidth, own.ModelLayers);
    }

    /// <summary>The layers that the configuration's model repeats: 1, for H 2, for I 8.</summary>
    public static ImmutableArray<LayerKind> Unit(Configuration c) => Definition(c.Workload).Unit;

    /// <summary>Length of <see cref="Unit"/>.</summary>
    public static int UnitSize(Configuration c) => Unit(c).Length;

    /// <summary>Kind of layer <paramref name="index"/>, from 0: I's softmax layers are 7, 15, …</summary>
    public static LayerKind KindOf(Configuration c, int index)
    {
        var unit = Unit(c);
        return unit[index % unit.Length];
    }

    /// <summary>The mean layer of the unit, one step, the whole batch. A floor of the mean layer is not the mean of the floors: use <see cref="FloorSeconds"/>.</summary>
    public static StepCost Cost(Configuration c)
    {
        var unit = Unit(c);
        if (unit.Length == 1)
        {
            return CostOf(c, unit[0]);
        }

        var costs = unit.Select(k => CostOf(c, k)).ToArray();
        return new StepCost(
            costs.Average(x => x.Parameters), costs.Average(x => x.WeightBytes), costs.Average(x => x.StateBytes),
            costs.Average(x => x.WeightFlops), costs.Average(x => x.AttentionFlops), costs.Average(x => x.ResidentBytes));
    }

    /// <summary>One layer of that kind, one step, the whole batch.</summary>
    public static StepCost CostOf(Configuration c, LayerKind kind) => LayerShape.Cost(c, kind);

    /// <summary>Cost of each layer kind of the unit, in the unit's order, without repeats.</summary>
    public static ImmutableArray<(LayerKind Kind, int LayersInUnit, StepCost Cost)> CostByKind(Configuration c) =>
        [.. Unit(c).GroupBy(k => k).Select(g => (g.Key, g.Count(), CostOf(c, g.Key)))];

    /// <summary>Mean over the unit's layers of the floor of each, s.</summary>
    public static double FloorSeconds(Configuration c, DeviceProfile profile) => Unit(c).Average(k => profile.FloorSeconds(CostOf(c, k)));

    /// <summary>Mean over the unit's layers of the floor in two phases of each, s.</summary>
    public static double FloorPhasesSeconds(Configuration c, DeviceProfile profile) => Unit(c).Average(k => profile.FloorPhasesSeconds(CostOf(c, k)));

    /// <summary>Tokens per second of the whole model's layers at the floor, the head left out: B / (L · floor).</summary>
    public static double TokensPerSecond(Configuration c, DeviceProfile profile) => c.Batch / (c.ModelLayers * FloorSeconds(c, profile));

    /// <summary>Bytes that <paramref name="layers"/> layers occupy, whole units or not.</summary>
    public static double ResidentBytes(Configuration c, int layers)
    {
        var sum = 0.0;
        foreach (var group in Unit(c).Select((kind, i) => (kind, i)).GroupBy(x => x.kind))
        {
            var unit = UnitSize(c);
            var count = group.Sum(x => layers / unit + (layers % unit > x.i ? 1 : 0));
            sum += count * CostOf(c, group.Key).ResidentBytes;
        }

        return sum;
    }

    /// <summary>Makes a request whole: the catalogue's values where it says nothing, L' from residency on <paramref name="profile"/>.</summary>
    /// <remarks>A match group shares one pair: resolve its members, then <see cref="LayerPairs.Share"/>.</remarks>
    /// <param name="request">What the plan says.</param>
    /// <param name="profile">The device whose memory and cache decide L'; H100 SXM when null.</param>
    /// <exception cref="ConfigurationRefusedException">The catalogue cannot have it: key and remedy are named.</exception>
    public static Configuration Resolve(ConfigurationRequest request, DeviceProfile? profile = null)
    {
        var definition = Definition(request.Workload);
        var unit = definition.Unit.Length;
        var width = request.ModelWidth ?? definition.ModelWidth;
        Refuse(width is < 128 or > 65536 || width % 128 != 0, "model_width", $"model_width {width} must be a multiple of 128 from 128 to 65536: weights are grouped by 128 along it");
        var heads = request.Heads ?? width / LayerShape.Head;
        Refuse(heads is < 1 or > 1024, "heads", $"heads {heads} must be from 1 to 1024");
        var stack = request.Stack ?? "simulated";
        Refuse(string.IsNullOrWhiteSpace(stack), "stack", "stack must name what executes: reference, llama.cpp, simulated, cuda or a serving stack");
        // llama.cpp has no format in groups of 128: where the plan says nothing, it runs the one that has about as many bits.
        var weights = request.Weights ?? (stack == KernelStacks.LlamaCpp ? WeightFormat.InBlocks(definition.Weights) : definition.Weights);
        CheckWeights(definition, weights);
        CheckStack(definition, weights, stack);
        var batch = request.Batch ?? definition.Batch;
        Refuse(batch is < 1 or > MaxBatch, "batch", $"batch {batch} must be from 1 to {MaxBatch}");
        var feedForward = request.FeedForwardWidth ?? definition.FeedForwardWidth;
        Refuse(feedForward is < 4 or > 1 << 20 || feedForward % 4 != 0, "feed_forward_width", $"feed_forward_width {feedForward} must be a multiple of 4 from 4 to {1 << 20}");
        Refuse(WeightFormat.IsInBlocks(weights) && feedForward % WeightFormat.Block != 0, "feed_forward_width", $"feed_forward_width {feedForward} must be a multiple of {WeightFormat.Block}: {weights} has blocks of {WeightFormat.Block} along it");
        var layers = request.ModelLayers ?? definition.ModelLayers;
        Refuse(layers < 1 || layers > 10_000 || layers % unit != 0, "model_layers", $"model_layers {layers} must be from {unit} to 10000 in whole units of {unit} for {definition.Code}");
        var vocabulary = request.Vocabulary ?? DefaultVocabulary;
        Refuse(vocabulary is < 0 or > 10_000_000, "vocabulary", $"vocabulary {vocabulary} must be from 0 (no head) to 10000000");
        var data = request.Data ?? "normal";
        var file = WeightFile.Of(data);
        Refuse(file is null && data is not ("normal" or "zeros"), "data", $"data '{data}' must be normal, zeros or safetensors:SHA256:PATTERN");
        Refuse((file is null) != (request.WeightsPath is null), "data", file is null
            ? $"data '{data}' comes from no file, and the path '{request.WeightsPath}' names one; take one of the two away"
            : "data names the tensors of a file and not where it is; a path is needed beside it");

        var resolved = new Configuration(
            definition.Code, weights, batch, CheckContext(definition, request.Context ?? definition.Context), width, heads,
            CheckKeyValueHeads(definition, request.KeyValueHeads, heads), feedForward, layers, 0, 0, vocabulary, stack, request.DataSeed ?? 1, data, 0, request.WeightsPath);
        Refuse(definition.Has(LayerKind.CompressedSparse) && heads % LayerShape.OutputGroups != 0, "heads", $"heads {heads} must be a multiple of {LayerShape.OutputGroups}: H has {LayerShape.OutputGroups} output groups");
        return ResolveLayers(resolved, request, unit, profile ?? DeviceProfile.H100Sxm);
    }

    private static Configuration ResolveLayers(Configuration c, ConfigurationRequest request, int unit, DeviceProfile profile)
    {
        var middle = request.MiddleLayers ?? 0;
        if (request.ShortLayers is null && request.LongLayers is null)
        {
            Refuse(middle != 0, "middle_layers", $"middle_layers {middle} must lie between a shorter and a longer value that are given too");
            var pair = LayerPairs.Choose([c], profile);
            return c with { ShortLayers = pair.Short, LongLayers = pair.Long };
        }

        var shorter = request.ShortLayers ?? Math.Min(unit, request.LongLayers!.Value);
        var longer = request.LongLayers ?? shorter;
        Refuse(shorter < 1 || shorter % unit != 0, "short_layers", $"short_layers {shorter} must be whole units of {unit} for {c.Workload}, at least {unit}");
        Refuse(longer < shorter || longer % unit != 0, "long_layers", $"long_layers {longer} must be whole units of {unit} for {c.Workload}, at least short_layers {shorter}");
        Refuse(middle != 0 && (middle <= shorter || middle >= longer || middle % unit != 0), "middle_layers",
            $"middle_layers {middle} must be whole units of {unit} for {c.Workload}, between short_layers {shorter} and long_layers {longer}");
        return c with { ShortLayers = shorter, MiddleLayers = middle, LongLayers = longer };
    }

    private static void CheckWeights(WorkloadDefinition definition, string weights)
    {
        Refuse(!WeightFormat.All.Contains(weights), "weights", $"weights '{weights}' is not a format of the catalogue; it has {string.Join(", ", WeightFormat.All)}");
        Refuse(WeightFormat.IsInBlocks(weights) && !definition.Unit.All(IsDense), "weights",
            $"weights {weights} is for layers of dense attention ({string.Join(", ", ByCode.Values.Where(w => w.Unit.All(IsDense)).Select(w => w.Code).Order(StringComparer.Ordinal))}); {definition.Code} is {definition.Title}");
        if (definition.WeightsAreFixed && weights != definition.Weights && weights != WeightFormat.InBlocks(definition.Weights))
        {
            var sibling = ByCode.Values.Single(w => w.WeightsAreFixed && w.Unit[0] == definition.Unit[0] && w.FeedForwardWidth == definition.FeedForwardWidth && (w.Weights == weights || WeightFormat.InBlocks(w.Weights) == weights));
            var own = WeightFormat.InBlocks(definition.Weights) is var inBlocks && inBlocks != definition.Weights && definition.Unit.All(IsDense) ? $"{definition.Weights} or {inBlocks}" : definition.Weights;
            throw new ConfigurationRefusedException("weights", $"{definition.Code} is {definition.Title}: it has {own} weights only; the same shape with {weights} is workload {sibling.Code}");
        }
    }

    // What a stack cannot run is said before a device is asked.
    private static void CheckStack(WorkloadDefinition definition, string weights, string stack)
    {
        Refuse(stack == KernelStacks.Cuda && WeightFormat.IsInBlocks(weights), "weights", $"weights {weights} multiplies integers in blocks, and no CUDA kernel here does: take {string.Join(", ", WeightFormat.All.Where(f => !WeightFormat.IsInBlocks(f)))}");
        if (stack != KernelStacks.LlamaCpp) return;
        Refuse(!definition.Unit.All(IsDense), "workload", $"{definition.Code} is {definition.Title}: llama.cpp runs layers of dense attention here ({string.Join(", ", ByCode.Values.Where(w => w.Unit.All(IsDense)).Select(w => w.Code).Order(StringComparer.Ordinal))})");
        Refuse(weights is WeightFormat.Int8 or WeightFormat.Int4, "weights", $"weights {weights} has groups of {WeightFormat.Group}, and llama.cpp has blocks of {WeightFormat.Block}: take {WeightFormat.InBlocks(weights)}");
    }

    private static bool IsDense(LayerKind kind) => kind is LayerKind.MultiHead or LayerKind.Grouped;

    private static int CheckContext(WorkloadDefinition definition, int context)
    {
        const int most = 1 << 24;
        Refuse(context is < 1 or > most, "context", $"context {context} must be from 1 to {most} tokens");
        if (definition.Has(LayerKind.NativeSparse))
        {
            var least = LayerShape.SelectedBlocks * LayerShape.SelectedBlock;
            Refuse(context < least || context % LayerShape.SelectedBlock != 0, "context", $"context {context} is not possible for {definition.Code}: NSA selects {LayerShape.SelectedBlocks} distinct blocks of {LayerShape.SelectedBlock} beside a window of {LayerShape.SparseWindow}, so it must be a multiple of {LayerShape.SelectedBlock}, at least {least}");
        }

        if (definition.Has(LayerKind.CompressedSparse))
        {
            var least = LayerShape.TopK * LayerShape.LightCompression;
            Refuse(context < least || context % LayerShape.HeavyCompression != 0, "context", $"context {context} is not possible for {definition.Code}: CSA selects {LayerShape.TopK} of context/{LayerShape.LightCompression} entries and HCA compresses by {LayerShape.HeavyCompression}, so it must be a multiple of {LayerShape.HeavyCompression}, at least {least}");
        }

        return context;
    }

    private static int CheckKeyValueHeads(WorkloadDefinition definition, int? requested, int heads)
    {
        if (definition.HasGroupedHeads)
        {
            // A smaller model keeps the grouping legal: as many KV heads as it has, when it has fewer than the catalogue says.
            var grouped = requested ?? Math.Min(definition.KeyValueHeads, heads);
            Refuse(grouped < 1 || heads % grouped != 0, "key_value_heads", $"key_value_heads {grouped} must divide heads {heads}");
            return grouped;
        }

        var shared = definition.Has(LayerKind.MultiHead) ? heads : 1;
        Refuse(requested is int other && other != shared, "key_value_heads", $"key_value_heads of {definition.Code} is {shared}, not {requested}: only G, G0, I, I0 and I0' group their heads");
        return shared;
    }

    private static void Refuse(bool wrong, string key, string message)
    {
        if (wrong)
        {
            throw new ConfigurationRefusedException(key, message);
        }
    }
}
