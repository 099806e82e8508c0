using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads.Tests;

public sealed class ResolutionTests
{
    public static TheoryData<string> Codes => [.. Catalogue.Codes];

    [Theory]
    [MemberData(nameof(Codes))]
    public void A_bare_code_resolves_with_nothing_left_open(string code)
    {
        var c = Catalogue.Resolve(new ConfigurationRequest(code));
        Assert.Equal(code, c.Workload);
        Assert.True(c.Batch > 0 && c.Context > 0 && c.Heads * LayerShape.Head == c.ModelWidth && c.KeyValueHeads > 0);
        Assert.True(c.ShortLayers >= Catalogue.UnitSize(c) && c.LongLayers >= c.ShortLayers);
        Assert.Equal("normal", c.Data);
    }

    [Fact]
    public void Everything_a_plan_says_is_kept()
    {
        var c = Catalogue.Resolve(new ConfigurationRequest("I", "INT8", 3, 777, 512, 8, 2, 1028, 16, 8, 16, 5000, "reference", 42, "zeros"));
        Assert.Equal(new Configuration("I", "INT8", 3, 777, 512, 8, 2, 1028, 16, 8, 16, 5000, "reference", 42, "zeros"), c);
        var data = $"safetensors:{new string('0', 64)}:*";
        var more = Catalogue.Resolve(new ConfigurationRequest("A", ShortLayers: 1, LongLayers: 9, Data: data, MiddleLayers: 4, WeightsPath: "/w.safetensors"));
        Assert.Equal((1, 4, 9, data, "/w.safetensors"), (more.ShortLayers, more.MiddleLayers, more.LongLayers, more.Data, more.WeightsPath));
    }

    public static TheoryData<string, string, ConfigurationRequest> Refusals => new()
    {
        { "workload", "'Z' is not in the catalogue", new("Z") },
        { "workload", "A, B, C", new("a") },
        { "weights", "INT8 is workload B", new("A", "INT8") },
        { "weights", "INT4 is workload F'", new("D'", "INT4") },
        { "weights", "FP16 is workload D", new("F", "FP16") },
        { "weights", "FP16, INT8, INT4", new("J", "FP8") },
        { "batch", "from 1 to 1024", new("A", Batch: 0) },
        { "batch", "from 1 to 1024", new("A", Batch: 1025) },
        { "batch", "smaller batch or context", new("A", Batch: 1024) },
        { "context", "from 1 to", new("A", Context: 0) },
        { "context", "multiple of 64, at least 1024", new("G", Context: 960) },
        { "context", "multiple of 64, at least 1024", new("G", Context: 4100) },
        { "context", "multiple of 128, at least 2048", new("H", Context: 1920) },
        { "context", "multiple of 128, at least 2048", new("H", Context: 4097) },
        { "model_width", "multiple of 128", new("A", ModelWidth: 1000) },
        { "heads", "from 1 to 1024", new("A", Heads: 0) },
        { "heads", "multiple of 8", new("H", Heads: 12) },
        { "key_value_heads", "must divide heads 64", new("G", KeyValueHeads: 5) },
        { "key_value_heads", "is 64, not 8", new("A", KeyValueHeads: 8) },
        { "key_value_heads", "is 1, not 64", new("D", KeyValueHeads: 64) },
        { "feed_forward_width", "multiple of 4", new("A", FeedForwardWidth: 22015) },
        { "model_layers", "whole units of 8", new("I", ModelLayers: 79) },
        { "short_layers", "whole units of 2", new("H", ShortLayers: 1) },
        { "long_layers", "at least short_layers 4", new("A", ShortLayers: 4, LongLayers: 3) },
        { "vocabulary", "from 0", new("A", Vocabulary: -1) },
        { "middle_layers", "between short_layers 2 and long_layers 6", new("A", ShortLayers: 2, LongLayers: 6, MiddleLayers: 6) },
        { "middle_layers", "whole units of 2", new("H", ShortLayers: 2, LongLayers: 6, MiddleLayers: 3) },
        { "middle_layers", "given too", new("A", MiddleLayers: 3) },
        { "data", "normal, zeros or safetensors:", new("A", Data: "ones") },
        { "data", "normal, zeros or safetensors:", new("A", Data: "safetensors:abc:*") },
        { "data", "a path is needed", new("A", Data: $"safetensors:{new string('0', 64)}:*") },
        { "data", "comes from no file", new("A", Data: "zeros", WeightsPath: "/a.safetensors") },
        { "stack", "must name what executes", new("A", Stack: " ") },
        { "weights", "the same shape with Q8_0 is workload B", new("A", "Q8_0") },
        { "weights", "it has INT8 or Q8_0 weights only; the same shape with INT4 is workload C", new("B", "INT4") },
        { "weights", "is for layers of dense attention (A, B, C, G0, I0, I0', J); D is MLA FP16", new("D", "Q8_0") },
        { "weights", "no CUDA kernel here does", new("J", "Q4_0", Stack: "cuda") },
        { "weights", "take Q8_0", new("J", "INT8", Stack: "llama.cpp") },
        { "workload", "llama.cpp runs layers of dense attention here", new("K", "FP16", Stack: "llama.cpp") },
        { "feed_forward_width", "must be a multiple of 32", new("J", "Q8_0", FeedForwardWidth: 13828) },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public void What_the_catalogue_cannot_have_is_refused_by_key_with_what_would_be_right(string key, string says, ConfigurationRequest request)
    {
        var refusal = Assert.Throws<ConfigurationRefusedException>(() => Catalogue.Resolve(request));
        Assert.Equal(key, refusal.Key);
        Assert.Contains(says, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void On_llama_cpp_a_workload_has_the_format_in_blocks_that_is_nearest_to_its_own() =>
        Assert.Equal(["FP16", "Q8_0", "Q4_0", "FP16"], new[] { "A", "B", "C", "J" }.Select(code => Catalogue.Resolve(new ConfigurationRequest(code, Stack: "llama.cpp")).Weights));

    [Fact]
    public void Precision_halves_the_weight_bytes_and_leaves_arithmetic_alone()
    {
        var costs = WeightFormat.All.Select(w => Catalogue.Cost(Catalogue.Resolve(new ConfigurationRequest("J", w)))).ToArray();
        Assert.Equal([16, 8.125, 4.15625, 8.5, 4.5], costs.Select(x => x.WeightBytes * 8 / x.Parameters));
        Assert.Single(costs.Select(x => x.Flops).Distinct());
    }

    [Fact]
    public void The_mean_layer_of_a_mixed_model_is_the_mean_of_its_unit()
    {
        var c = Catalogue.Resolve(new ConfigurationRequest("I"));
        var (lightning, softmax) = (Catalogue.CostOf(c, LayerKind.Lightning), Catalogue.CostOf(c, LayerKind.Grouped));
        Assert.Equal((7 * lightning.Bytes + softmax.Bytes) / 8, Catalogue.Cost(c).Bytes, 1e-3);
        Assert.Equal([(LayerKind.Lightning, 7), (LayerKind.Grouped, 1)], Catalogue.CostByKind(c).Select(x => (x.Kind, x.LayersInUnit)));
        Assert.Equal([7, 15], Enumerable.Range(0, 16).Where(i => Catalogue.KindOf(c, i) == LayerKind.Grouped));
        Assert.Equal(7 * lightning.ResidentBytes, Catalogue.ResidentBytes(c, 7), 1e-3);
        Assert.Equal(80 * Catalogue.Cost(c).ResidentBytes, Catalogue.ResidentBytes(c, 80), 1);
    }

    [Fact]
    public void The_head_is_a_small_share_of_A_and_a_large_one_of_K()
    {
        double Share(string code, int vocabulary) => 100 * LmHead.ShareOfWeightBytes(Catalogue.Resolve(new ConfigurationRequest(code, Vocabulary: vocabulary)));
        Assert.Equal(0.4, Math.Round(Share("A", 32000), 1));
        Assert.Equal(9, Math.Round(Share("K", 32000)));
        Assert.Equal(36, Math.Round(Share("K", 128256)));
        Assert.Equal(new StepCost(0, 0, 0, 0, 0, 0), LmHead.Cost(Catalogue.Resolve(new ConfigurationRequest("A", Vocabulary: 0))));
    }
}
