using System.Text.RegularExpressions;
using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda.Steps;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Tests.Cuda.Steps;

/// <summary>Plans are data: no driver is needed.</summary>
public sealed partial class StepPlanTests
{
    public static TheoryData<string> Codes => [.. Catalogue.Codes];

    private static Configuration Full(string code) => Catalogue.Resolve(new ConfigurationRequest(code, Stack: "cuda"), DeviceProfile.H200Sxm);

    [Theory]
    [MemberData(nameof(Codes))]
    public void A_step_of_the_catalogue_takes_the_memory_that_the_catalogue_says_and_little_more(string code)
    {
        var c = Full(code);
        var layers = 2 * Catalogue.UnitSize(c);
        var plan = StepPlan.Create(c, layers, PlanDevice.H200);
        var caches = plan.Buffers.Where(b => b.Use is BufferUse.Weights or BufferUse.State).Sum(b => b.Bytes);
        var expected = Catalogue.ResidentBytes(c, layers);
        Assert.InRange(caches / expected, 0.999, 1.01);
        Assert.True(plan.ResidentBytes - caches < 1.2e9, $"{(plan.ResidentBytes - caches) / 1e6:F0} MB beside weights and caches");
        Assert.All(plan.Launches.Concat(plan.Fills), l => Assert.True(l.SharedBytes <= PlanDevice.H200.SharedBytesPerBlock && l.GridX > 0 && l.Threads % 32 == 0, l.Name));
    }

    /// <summary>The kernels' own constants, as C++ has them. Too little here is memory that belongs to nobody on a GPU.</summary>
    [Fact]
    public void Launches_ask_for_the_shared_memory_that_the_kernels_are_written_for()
    {
        (string Kernel, string Source, string Constant, string Define)[] constants =
        [
            ("attention_grouped", "attention_grouped", "AttentionShared", ""), ("attention_native_sparse", "attention_native_sparse", "AttentionShared", ""),
            ("lightning_state", "lightning_state", "LightningShared", ""), ("new_entries", "new_entries", "NewEntriesBytes", ""),
            ("index_scores", "index_scores", "IndexScoresBytes", ""), ("select_top", "select_top", "SelectBytes", ""),
            ("attention_latent_32", "attention_latent", "LatentBytes", "-DROWS=32"), ("attention_latent_64", "attention_latent", "LatentBytes", "-DROWS=64"),
            ("attention_compressed_64", "attention_compressed", "CompressedBytes", "-DROWS=64"),
        ];
        var asked = Catalogue.Codes.Select(Full).SelectMany(c => StepPlan.Create(c, Catalogue.UnitSize(c), PlanDevice.H200).Launches)
            .DistinctBy(l => l.Kernel).ToDictionary(l => l.Kernel, l => l.SharedBytes);
        foreach (var (kernel, source, constant, define) in constants)
        {
            Assert.True(asked.ContainsKey(kernel), $"no step of the catalogue launches {kernel}");
            Assert.Equal($"{kernel} {EmulatedLibraries.Constant($"kernels/{source}.cu", constant, define)}", $"{kernel} {asked[kernel]}");
        }
    }

    [Theory]
    [MemberData(nameof(Codes))]
    public void Argument_structs_have_the_bytes_of_the_kernels_parameters(string code)
    {
        var plan = StepPlan.Create(Full(code), Catalogue.UnitSize(Full(code)), PlanDevice.H200);
        foreach (var launch in plan.Launches.Concat(plan.Fills).DistinctBy(l => l.Kernel))
        {
            foreach (var architecture in (string[])["sm_80", "sm_90"])
            {
                var text = System.Text.Encoding.ASCII.GetString(KernelLibrary.Ptx(architecture, launch.Kernel));
                Assert.Equal($"{launch.Kernel} {launch.ArgumentBytes}", $"{launch.Kernel} {Parameter().Match(text).Groups[1].Value}");
            }
        }
    }

    [Theory]
    [InlineData("A", 49)]
    [InlineData("H", 40)]
    public void What_does_not_fit_is_refused_by_how_much_and_with_the_layers_that_fit(string code, int layers)
    {
        var c = Full(code);
        var unit = Catalogue.UnitSize(c);
        var device = PlanDevice.H200 with { FreeBytes = 20_000_000_000 };
        var reason = StepPlan.Refusal(c, layers, device);
        Assert.NotNull(reason);
        var fits = int.Parse(FittingLayers().Match(reason).Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(0, fits % unit);
        Assert.InRange(fits, unit, layers - unit);
        Assert.Null(StepPlan.Refusal(c, fits, device));
        Assert.NotNull(StepPlan.Refusal(c, fits + unit, device));
        var tooLittle = (StepPlan.Create(c, layers, device).ResidentBytes - device.FreeBytes) / 1e9;
        Assert.Contains(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{tooLittle:F2} GB too little"), reason);
        Assert.Contains("not one unit of layers fits", StepPlan.Refusal(c, layers, device with { FreeBytes = 1_000_000 }));
    }

    [Fact]
    public void Shapes_that_the_kernels_do_not_cover_are_refused_by_their_key()
    {
        var batch = Full("A") with { Batch = 65 };
        Assert.Equal("batch", Assert.Throws<ConfigurationRefusedException>(() => StepPlan.Create(batch, 1, PlanDevice.H200)).Key);
        Assert.Contains("up to 64 sequences", StepPlan.Refusal(batch, 1, PlanDevice.H200));
        Assert.Equal("heads", Assert.Throws<ConfigurationRefusedException>(() => StepPlan.Create(Full("D") with { Heads = 65 }, 1, PlanDevice.H200)).Key);
        Assert.Equal("heads", Assert.Throws<ConfigurationRefusedException>(() => StepPlan.Create(Full("G0") with { KeyValueHeads = 2 }, 1, PlanDevice.H200)).Key);
        Assert.Equal("data", Assert.Throws<ConfigurationRefusedException>(() => StepPlan.Create(Full("A") with { Data = "safetensors:0:*" }, 1, PlanDevice.H200)).Key);
        Assert.Contains("bytes of shared memory", StepPlan.Refusal(Full("D"), 1, PlanDevice.H200 with { Name = "A100", SharedBytesPerBlock = 166912 }));
    }

    [Theory]
    [MemberData(nameof(Codes))]
    public void The_head_alone_is_one_product_that_takes_its_matrix_and_little_more(string code)
    {
        var c = Full(code);
        var plan = StepPlan.Create(c, StepLayers.HeadAlone, PlanDevice.H200);
        // In FP16, whatever the layers are in.
        var matrix = 2.0 * c.Vocabulary * c.ModelWidth;
        Assert.InRange(plan.Buffers.Where(b => b.Use == BufferUse.Weights).Sum(b => b.Bytes) / matrix, 1, 1.01);
        Assert.True(plan.ResidentBytes - matrix < 0.1e9, $"{(plan.ResidentBytes - matrix) / 1e6:F0} MB beside the matrix");
        var product = Assert.Single(plan.Launches);
        Assert.StartsWith("product_", product.Kernel);
        Assert.True(product.SharedBytes <= PlanDevice.H200.SharedBytesPerBlock && product.GridX >= 132);
        Assert.Null(StepPlan.Refusal(c, StepLayers.HeadAlone, PlanDevice.H200));
        // Attention is what needs sm_90's shared memory: the head does not.
        Assert.Null(StepPlan.Refusal(c, StepLayers.HeadAlone, PlanDevice.H200 with { Name = "A100", Architecture = "sm_80", SharedBytesPerBlock = 166912 }));
        Assert.Contains("for the LM head", StepPlan.Refusal(c, StepLayers.HeadAlone, PlanDevice.H200 with { FreeBytes = 1_000_000 }));
        Assert.Contains("names no vocabulary", StepPlan.Refusal(c with { Vocabulary = 0 }, StepLayers.HeadAlone, PlanDevice.H200));
        Assert.Contains("at least one", StepPlan.Refusal(c, -1, PlanDevice.H200));
    }

    [Fact]
    public void Splits_follow_the_device_and_never_exceed_the_work()
    {
        var c = Full("A");
        var whole = StepPlan.Create(c, 1, PlanDevice.H200).Launches.Single(l => l.Name == "layer 0: attention");
        var half = StepPlan.Create(c, 1, PlanDevice.H200 with { Multiprocessors = 66 }).Launches.Single(l => l.Name == "layer 0: attention");
        Assert.Equal(whole.GridX, 2 * half.GridX);
        Assert.Equal(0, whole.GridX % 132);
        // One sequence, one KV head, one tile: one block.
        var small = StepPlan.Create(StepTests.Tiny("A", 1, 16, 1), 1, PlanDevice.H200);
        Assert.Equal(1, small.Launches.Single(l => l.Name == "layer 0: attention").GridX);
    }

    [GeneratedRegex(@"_param_0\[(\d+)\]")]
    private static partial Regex Parameter();

    [GeneratedRegex(@"the L' that fits is (\d+)")]
    private static partial Regex FittingLayers();
}
