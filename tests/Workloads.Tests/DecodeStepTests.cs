using EnergyGrid.Contracts;
using EnergyGrid.Workloads.Tests.Independent;

namespace EnergyGrid.Workloads.Tests;

/// <summary>The reference against the independent formulation at small shapes with odd tails, every workload and precision.</summary>
public sealed class DecodeStepTests
{
    public static TheoryData<string, string> Cells
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var code in Catalogue.Codes)
            {
                var definition = Catalogue.Definition(code);
                var dense = definition.Unit.All(k => k is LayerKind.MultiHead or LayerKind.Grouped);
                foreach (var weights in WeightFormat.All.Where(w => w is "Q8_0" or "Q4_0" ? dense && (!definition.WeightsAreFixed || WeightFormat.InBlocks(definition.Weights) == w) : !definition.WeightsAreFixed || w == definition.Weights))
                {
                    data.Add(code, weights);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cells))]
    public void The_reference_equals_the_independent_formulation(string code, string weights)
    {
        var c = Small(code, weights);
        using var step = DecodeStep.Create(c, Catalogue.UnitSize(c), 2, roundActivations: false);
        var model = new Model(step);
        step.Run();
        Close(model.Run(), step.Output, code == "H" || WeightFormat.IsInBlocks(weights) ? 5e-3 : 3e-4);
    }

    [Theory]
    [InlineData("A", "FP16")]
    [InlineData("E", "INT8")]
    [InlineData("I", "FP16")]
    public void Activations_rounded_to_half_stay_within_half_precision(string code, string weights)
    {
        var c = Small(code, weights);
        using var step = DecodeStep.Create(c, Catalogue.UnitSize(c), 2);
        var model = new Model(step);
        step.Run();
        Close(model.Run(), step.Output, 1e-2);
        using var exact = DecodeStep.Create(c, Catalogue.UnitSize(c), 2, roundActivations: false);
        exact.Run();
        Assert.False(exact.Output.SequenceEqual(step.Output));
    }

    [Fact]
    public void A_linear_layers_state_is_the_decayed_sum_of_every_run()
    {
        var c = Small("I", "INT8");
        using var step = DecodeStep.Create(c, 1, 2, roundActivations: false);
        var model = new Model(step);
        for (var run = 0; run < 3; run++)
        {
            step.Run();
            Close(model.Run(), step.Output, 3e-4);
        }
    }

    [Theory]
    [InlineData("A")]
    [InlineData("F")]
    [InlineData("G")]
    [InlineData("H")]
    [InlineData("I")]
    public void Data_and_results_do_not_depend_on_the_number_of_threads(string code)
    {
        var c = Small(code, Catalogue.Definition(code).Weights);
        using var one = DecodeStep.Create(c, Catalogue.UnitSize(c), 1);
        using var three = DecodeStep.Create(c, Catalogue.UnitSize(c), 3);
        one.Run();
        three.Run();
        Assert.True(one.Output.SequenceEqual(three.Output));
        foreach (var (a, b) in one.LayerList.SelectMany(l => l.Matrices).Zip(three.LayerList.SelectMany(l => l.Matrices)))
        {
            Assert.True(a.Data.SequenceEqual(b.Data) && a.Scales.SequenceEqual(b.Scales) && a.Zeros.SequenceEqual(b.Zeros));
        }
    }

    [Theory]
    [InlineData("C")]
    [InlineData("D")]
    [InlineData("G")]
    [InlineData("H")]
    public void A_step_without_state_repeats_itself_and_its_seed_decides_it(string code)
    {
        var c = Small(code, Catalogue.Definition(code).Weights);
        using var step = DecodeStep.Create(c, Catalogue.UnitSize(c), 2);
        step.Run();
        var first = step.Output.ToArray();
        step.Run();
        Assert.True(step.Output.SequenceEqual(first));
        using var other = DecodeStep.Create(c with { DataSeed = 2 }, Catalogue.UnitSize(c), 2);
        other.Run();
        Assert.False(other.Output.SequenceEqual(first));
    }

    [Theory]
    [InlineData("A", 2)]
    [InlineData("B", 1)]
    [InlineData("C", 1)]
    [InlineData("F", 1)]
    [InlineData("G", 1)]
    [InlineData("H", 2)]
    [InlineData("I", 8)]
    public void What_is_allocated_is_what_the_catalogue_counts(string code, int layers)
    {
        var c = Small(code, Catalogue.Definition(code).Weights) with { FeedForwardWidth = 512 };
        using var step = DecodeStep.Create(c, layers, 2);
        Assert.Equal(layers * Catalogue.Cost(c).Parameters, step.Parameters, 0.5);
        var counted = Catalogue.ResidentBytes(c, layers);
        if (code == "H")
        {
            // Whole pages, and the tokens that the newest entries compress, which the catalogue leaves out.
            Assert.InRange(step.AllocatedBytes, counted, DecodeStep.ResidentBytes(c, layers));
        }
        else
        {
            Assert.Equal(counted, step.AllocatedBytes, 0.5);
        }

        Assert.True(DecodeStep.ResidentBytes(c, layers) >= step.AllocatedBytes);
    }

    [Theory]
    [InlineData("C")]
    [InlineData("F")]
    [InlineData("G")]
    [InlineData("H")]
    [InlineData("I")]
    public void Zero_data_gives_zero_activations(string code)
    {
        var c = Small(code, Catalogue.Definition(code).Weights) with { Data = "zeros" };
        using var step = DecodeStep.Create(c, Catalogue.UnitSize(c), 2);
        step.Run();
        Assert.Equal(c.Batch * c.ModelWidth, step.Output.Length);
        Assert.True(step.Output.IndexOfAnyExcept(0f) < 0);
    }

    [Theory]
    [InlineData("FP16", 50)]
    [InlineData("INT8", 64)]
    [InlineData("INT4", 33)]
    public void The_head_alone_is_one_FP16_product_of_the_input_whatever_the_layers_format(string weights, int vocabulary)
    {
        var c = Small("K", weights) with { Vocabulary = vocabulary };
        using var step = DecodeStep.Create(c, StepLayers.HeadAlone, 2);
        using var single = DecodeStep.Create(c, StepLayers.HeadAlone, 1);
        step.Run();
        single.Run();
        var head = Assert.Single(step.Matrices);
        Assert.Equal(("FP16", c.ModelWidth, (vocabulary + 15) / 16 * 16, 0), (head.Format, head.Inputs, head.Outputs, step.Layers));
        double[] expected = [.. Enumerable.Range(0, c.Batch).SelectMany(b => Dense.Multiply(head, [.. step.Input.Slice(b * c.ModelWidth, c.ModelWidth).ToArray().Select(x => (double)x)]))];
        Close(expected, step.Output, 1e-5);
        Assert.True(single.Output.SequenceEqual(step.Output));
        Assert.Equal(head.Bytes, step.AllocatedBytes);
        Assert.InRange(step.AllocatedBytes, 1, DecodeStep.ResidentBytes(c, StepLayers.HeadAlone));

        using var zeros = DecodeStep.Create(c with { Data = "zeros" }, StepLayers.HeadAlone, 2);
        zeros.Run();
        Assert.True(zeros.Output.IndexOfAnyExcept(0f) < 0);
        Assert.Throws<ArgumentException>(() => DecodeStep.Create(c with { Vocabulary = 0 }, StepLayers.HeadAlone, 2));
        Assert.Throws<ArgumentException>(() => DecodeStep.Create(c, -1, 2));
    }

    [Fact]
    public void A_cancelled_step_stops()
    {
        using var step = DecodeStep.Create(Small("A", "FP16"), 1, 2);
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => step.Run(source.Token));
    }

    // A feed-forward width with an odd tail; formats in blocks take whole ones.
    private static Configuration Small(string code, string weights) => Catalogue.Resolve(Request(code, weights) is { FeedForwardWidth: { } width } request && WeightFormat.IsInBlocks(weights)
        ? request with { FeedForwardWidth = width / 32 * 32 }
        : Request(code, weights));

    private static ConfigurationRequest Request(string code, string weights) => code switch
    {
        "H" => new ConfigurationRequest(code, weights, Batch: 2, Context: 2176, ModelWidth: 128, Heads: 8, FeedForwardWidth: 140),
        "G" => new ConfigurationRequest(code, weights, Batch: 3, Context: 1152, ModelWidth: 256, Heads: 6, KeyValueHeads: 2, FeedForwardWidth: 300),
        "G0" or "I0" or "I0'" or "I" => new ConfigurationRequest(code, weights, Batch: 3, Context: 67, ModelWidth: 256, Heads: 6, KeyValueHeads: 2, FeedForwardWidth: 300),
        "J" => new ConfigurationRequest(code, weights, Batch: 7, Context: 1, ModelWidth: 640, FeedForwardWidth: 1100),
        _ => new ConfigurationRequest(code, weights, Batch: 5, Context: 45, ModelWidth: 256, Heads: 3, FeedForwardWidth: 636),
    };

    private static void Close(double[] expected, ReadOnlySpan<float> actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        var rms = Math.Sqrt(expected.Average(x => x * x));
        var worst = 0.0;
        for (var i = 0; i < expected.Length; i++)
        {
            worst = Math.Max(worst, Math.Abs(expected[i] - actual[i]));
        }

        Assert.True(rms > 0.1 && worst <= tolerance * rms, $"worst {worst / rms:E2} of the root mean square {rms:E2}");
    }
}
