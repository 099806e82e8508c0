using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.LlamaCpp.Tests;

/// <summary>llama.cpp, which nobody here wrote, against the reference: the same weights, inputs and caches must give the same result, within what a format allows.</summary>
[Collection("llama.cpp")]
public sealed class LlamaStepTests
{
    // FP16: both round activations to FP16 before a product, at other places and in another order of sums. In blocks: both quantise activations to 8 bits, and one step of a quantised
    // activation more or less is 1/127 of its block.
    [Theory]
    [InlineData("A", "FP16", 3, 45, 1, 2e-3)]
    [InlineData("A", "FP16", 1, 1, 2, 2e-3)]
    [InlineData("J", "FP16", 2, 300, 2, 2e-3)]
    [InlineData("B", "Q8_0", 3, 45, 1, 1.5e-2)]
    [InlineData("C", "Q4_0", 3, 45, 2, 1.5e-2)]
    [InlineData("J", "Q4_0", 5, 257, 2, 1.5e-2)]
    [InlineData("G0", "FP16", 2, 70, 2, 2e-3)]
    [InlineData("G0", "Q8_0", 2, 70, 1, 1.5e-2)]
    [InlineData("I0", "Q4_0", 2, 70, 1, 1.5e-2)]
    public void The_same_numbers_give_the_same_result_as_the_reference(string code, string weights, int batch, int context, int layers, double tolerance)
    {
        if (LlamaLibrary.Refusal() is { } refusal) Assert.Fail(refusal);
        var c = Resolve(code, weights, batch, context);
        using var llama = LlamaStep.Create(c, layers, 2);
        using var reference = DecodeStep.Create(c with { Stack = KernelStacks.Reference }, layers, 2);
        reference.Run();
        llama.Run();
        var first = Outputs(llama, batch);
        for (var b = 0; b < batch; b++)
        {
            var expected = new float[c.ModelWidth];
            Elementwise.RmsNorm(reference.Output.Slice(b * c.ModelWidth, c.ModelWidth), expected);
            Assert.InRange(Difference(expected, first[b]), 0, tolerance);
        }

        // A step repeats itself, and another seed is another model.
        llama.Run();
        Assert.Equal(first, Outputs(llama, batch));
        using var other = DecodeStep.Create(c with { DataSeed = 2 }, layers, 2);
        other.Run();
        var unlike = new float[c.ModelWidth];
        Elementwise.RmsNorm(other.Output[..c.ModelWidth], unlike);
        Assert.InRange(Difference(unlike, first[0]), 0.5, 3);
    }

    [Fact]
    public void The_cache_is_read_and_zeros_are_zeros()
    {
        if (LlamaLibrary.Refusal() is { } refusal) Assert.Fail(refusal);
        // Without its cache a sequence attends to itself alone.
        var c = Resolve("A", "FP16", 1, 45);
        using var whole = LlamaStep.Create(c, 1, 1);
        using var alone = LlamaStep.Create(c with { Context = 1 }, 1, 1);
        whole.Run();
        alone.Run();
        Assert.InRange(Difference(Outputs(whole, 1)[0], Outputs(alone, 1)[0]), 0.05, 3);
        using var zeros = LlamaStep.Create(c with { Data = "zeros" }, 1, 1);
        zeros.Run();
        Assert.All(Outputs(zeros, 1)[0], x => Assert.Equal(0, x));
    }

    [Fact]
    public void What_the_library_saves_otherwise_is_refused()
    {
        var refused = Assert.Throws<InvalidOperationException>(() => new SequenceState(new byte[100], 3, 1, 512));
        Assert.Contains("saves a sequence in another way", refused.Message);
    }

    private static Configuration Resolve(string code, string weights, int batch, int context) => Catalogue.Resolve(code is "G0" or "I0"
        ? new ConfigurationRequest(code, weights, batch, context, ModelWidth: 512, Heads: 4, KeyValueHeads: 2, FeedForwardWidth: 320, Vocabulary: 0, Stack: KernelStacks.LlamaCpp)
        : new ConfigurationRequest(code, weights, batch, context, ModelWidth: 256, Heads: 3, FeedForwardWidth: 704, Vocabulary: 0, Stack: KernelStacks.LlamaCpp));

    private static float[][] Outputs(LlamaStep step, int batch) => [.. Enumerable.Range(0, batch).Select(b => step.Output(b).ToArray())];

    /// <summary>Root of the mean square of the difference, as a share of that of the expected.</summary>
    private static double Difference(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        return Math.Sqrt(expected.Zip(actual, (e, a) => (double)(e - a) * (e - a)).Sum() / expected.Sum(e => (double)e * e));
    }
}
