using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Cuda.Binding;
using EnergyGrid.Devices.Cuda.Steps;
using EnergyGrid.Workloads;
using Xunit.Abstractions;

namespace EnergyGrid.Devices.Tests.Cuda.Steps;

/// <summary>The kernels' host form: what a thread may not do alone (barriers, copies that are not waited for) is a fault.</summary>
public sealed class HostStepTests(EmulatedLibraries libraries, ITestOutputHelper output) : StepTests(libraries, output, "host");

/// <summary>The committed PTX itself, as a GPU's driver would get it: memory outside what was asked for, shared or global, is a fault.</summary>
public sealed class PtxStepTests(EmulatedLibraries libraries, ITestOutputHelper output) : StepTests(libraries, output, "ptx");

/// <summary>Whole steps of every configuration at tiny shapes on the emulated driver, against the reference implementation with the same seed.</summary>
[Collection("cuda")]
public abstract class StepTests : IDisposable
{
    /// <summary>The device rounds activations to FP16 before the norm's factor is applied, the reference implementation after.</summary>
    private const double Tolerance = 2e-3;

    /// <summary>One product of the same activations: nothing is rounded but the sums.</summary>
    private const double HeadTolerance = 1e-5;

    private readonly PrimaryContext _context;
    private readonly CudaStream _stream;
    private readonly KernelLibrary _library;
    private readonly ITestOutputHelper _output;

    private readonly IDisposable _execution;

    protected StepTests(EmulatedLibraries libraries, ITestOutputHelper output, string execution)
    {
        _ = libraries;
        _execution = EmulatedLibraries.Set("EMULATED_CUDA_EXECUTE", execution);
        _output = output;
        _context = CudaDriver.Open(0);
        _stream = new CudaStream(CUStreamFlags.NonBlocking);
        _library = new KernelLibrary(_context, CudaDriver.Boards()[0]);
    }

    public void Dispose()
    {
        _library.Dispose();
        _stream.Dispose();
        _context.Dispose();
        _execution.Dispose();
    }

    [Theory]
    [InlineData("A", 1, 3, 150)]
    [InlineData("A", 2, 3, 100)]
    [InlineData("B", 1, 3, 130)]
    [InlineData("C", 2, 3, 130)]
    [InlineData("J", 1, 11, 100)]
    [InlineData("D", 1, 3, 150)]
    [InlineData("D", 2, 3, 100)]
    [InlineData("E", 1, 3, 130)]
    [InlineData("F", 1, 3, 130)]
    [InlineData("K", 1, 10, 100)]
    [InlineData("G0", 1, 3, 300)]
    [InlineData("G", 2, 3, 1280)]
    [InlineData("I0", 1, 3, 200)]
    [InlineData("I", 8, 3, 100)]
    [InlineData("H", 2, 3, 2048)]
    [InlineData("D'", 1, 20, 40, 5)]
    [InlineData("F'", 1, 27, 40, 3)]
    [InlineData("E", 1, 2, 70, 40)]
    public void A_step_on_the_emulated_driver_is_the_reference_implementations(string code, int layers, int batch, int context, int heads = 0)
    {
        var c = Tiny(code, batch, context, heads);
        var plan = StepPlan.Create(c, layers, _library.Device());
        using var step = ResidentStep.Create(plan, _library, _stream);
        using var reference = DecodeStep.Create(c, layers, 2);
        Assert.True(step.IsProgrammatic);
        Assert.Equal(plan.Launches.Count, step.Nodes);

        // Twice: counters are zero again, and states have moved on alike.
        for (var run = 1; run <= 2; run++)
        {
            step.Poison();
            step.Run();
            reference.Run();
            var error = StepComparison.RelativeError(step.ReadOutput(), reference.Output);
            _output.WriteLine($"{code} {layers} layers, run {run}: {error:E2}");
            Assert.True(error <= Tolerance, $"run {run}: relative error {error:E2}");
        }

        foreach (var buffer in plan.Buffers)
        {
            var words = buffer.Use is BufferUse.Counters or BufferUse.Activations ? step.Read<uint>(buffer.Name) : [];
            Assert.True(buffer.Use != BufferUse.Counters || words.All(w => w == 0), $"{buffer.Name} is not zero again");
            // Sums of squares are apart: columns that the batch lacks stay as they are.
            Assert.True(buffer.Name == "squares" || !words.Contains(uint.MaxValue), $"{buffer.Name} is not written whole");
        }
    }

    [Theory]
    [InlineData("A", 1, 150)]
    [InlineData("B", 1, 100)]
    [InlineData("F", 1, 130)]
    [InlineData("G", 1, 1088)]
    [InlineData("I", 1, 100)]
    [InlineData("H", 1, 4096)]
    [InlineData("H", 2, 2048)]
    public void What_every_kernel_leaves_is_the_reference_implementations(string code, int layers, int context)
    {
        var c = Tiny(code, 3, context);
        using var step = ResidentStep.Create(StepPlan.Create(c, layers, _library.Device()), _library, _stream);
        using var reference = DecodeStep.Create(c, layers, 2);
        step.Poison();
        var errors = StepComparison.Run(step, reference);
        foreach (var error in errors)
        {
            _output.WriteLine($"{code} {error.Kernel}, {error.What}: {error.RelativeError:E2}");
        }

        Assert.Equal("residual stream", errors[^1].What);
        Assert.Contains(errors, e => e.What is "attention");
        Assert.All(errors, e => Assert.True(e.RelativeError <= Tolerance, $"{e.Kernel}, {e.What}: {e.RelativeError:E2}"));
        if (reference.LayerList[^1].Attention is CompressedAttention { } compressed && layers == 1)
        {
            // Scores that all but agree may change places at the bar.
            for (var b = 0; b < c.Batch; b++)
            {
                var selected = step.Read<int>("selected entries").AsSpan(b * LayerShape.TopK, LayerShape.TopK).ToArray();
                Assert.Equal(selected.Order(), selected);
                Assert.InRange(selected.Except(compressed.Selected(b).ToArray()).Count(), 0, 2);
            }
        }
    }

    [Theory]
    [InlineData("C", 1)]
    [InlineData("G", 1)]
    [InlineData("F", 1)]
    [InlineData("I", 1)]
    [InlineData("H", 2)]
    public void Data_on_the_device_are_the_reference_implementations(string code, int layers)
    {
        var c = Tiny(code, 3, code == "H" ? 2048 : code == "G" ? 1088 : 100);
        var plan = StepPlan.Create(c, layers, _library.Device());
        using var step = ResidentStep.Create(plan, _library, _stream);
        using var reference = DecodeStep.Create(c, layers, 2);
        for (var i = 0; i < layers; i++)
        {
            var layer = reference.LayerList[i];
            Assert.Equal(layer.Gains(0).ToArray().Concat(layer.Gains(1).ToArray()), step.Read<float>($"layer {i}: norm gains"));
            var matrices = layer.Matrices.ToArray();
            var weights = plan.Matrices.Where(m => m.Layer == i).ToArray();
            Assert.Equal(matrices.Length, weights.Sum(w => w.Sources.Count));
            foreach (var stored in weights)
            {
                // By key order: the attention's matrices in the order of their making, then gate, up and down.
                PackedMatrix[] sources = [.. stored.Sources.Select(s => matrices[Array.IndexOf(Names(layer.Kind), s.Name)])];
                Assert.True(WeightUnits.Pack(sources, stored.Rows).AsSpan().SequenceEqual(step.Read<byte>($"layer {i}: {stored.Name}")), $"layer {i}: {stored.Name}");
            }

            switch (layer.Attention)
            {
                case GroupedAttention grouped:
                    for (var b = 0; b < c.Batch; b++)
                    {
                        for (var h = 0; h < c.KeyValueHeads; h++)
                        {
                            var place = (b * c.KeyValueHeads + h) * c.Context * LayerShape.Head;
                            Close(step.Read<Half>($"layer {i}: keys").AsSpan(place, c.Context * LayerShape.Head), grouped.Keys(b, h));
                            Close(step.Read<Half>($"layer {i}: values").AsSpan(place, c.Context * LayerShape.Head), grouped.Values(b, h));
                        }
                    }

                    break;
                case LatentAttention latent:
                    Close(step.Read<Half>($"layer {i}: latent cache"), [.. latent.Cache(0), .. latent.Cache(1), .. latent.Cache(2)]);
                    break;
                case LightningAttention lightning:
                    float[] states = [.. Enumerable.Range(0, c.Batch * c.Heads).SelectMany(n => lightning.StateOf(n / c.Heads, n % c.Heads).ToArray())];
                    Assert.True(StepComparison.RelativeError(step.Read<float>($"layer {i}: state"), states) < 1e-6);
                    break;
                case CompressedAttention compressed:
                    Assert.Equal(compressed.Sinks.ToArray(), step.Read<float>($"layer {i}: sinks"));
                    float[] recent = [.. compressed.Recent(0), .. compressed.Recent(1), .. compressed.Recent(2)];
                    Assert.True(StepComparison.RelativeError(step.Read<float>($"layer {i}: recent projections"), recent) < 1e-6);
                    Mostly(step.Read<byte>($"layer {i}: entries"), [.. compressed.Stored(0), .. compressed.Stored(1), .. compressed.Stored(2)]);
                    Mostly(step.Read<byte>($"layer {i}: window"), [.. compressed.WindowOf(0), .. compressed.WindowOf(1), .. compressed.WindowOf(2)]);
                    break;
                default:
                    Assert.Fail($"no comparison for {layer.Attention}");
                    break;
            }
        }

        // Projections are summed in another order: a few numbers fall on the other side of a rounding.
        static void Close(ReadOnlySpan<Half> actual, ReadOnlySpan<Half> expected) => Assert.True(StepComparison.RelativeError(Single(actual), Single(expected)) < 1e-4);
        static float[] Single(ReadOnlySpan<Half> halves) => [.. halves.ToArray().Select(h => (float)h)];
        static void Mostly(ReadOnlySpan<byte> actual, byte[] expected)
        {
            Assert.Equal(expected.Length, actual.Length);
            var same = actual.ToArray().Zip(expected).Count(p => p.First == p.Second);
            Assert.True(same > 0.998 * expected.Length, $"{same} of {expected.Length} bytes agree");
        }
    }

    [Theory]
    [InlineData("A", 3, 200)]
    [InlineData("B", 11, 600)]
    [InlineData("C", 3, 600)]
    [InlineData("K", 27, 300)]
    public void The_lm_head_alone_is_the_reference_implementations(string code, int batch, int vocabulary)
    {
        var c = Tiny(code, batch, 40) with { Vocabulary = vocabulary };
        using var step = ResidentStep.Create(StepPlan.Create(c, StepLayers.HeadAlone, _library.Device()), _library, _stream);
        using var reference = DecodeStep.Create(c, StepLayers.HeadAlone, 2);
        Assert.Equal(1, step.Nodes);
        var stored = Assert.Single(step.Plan.Matrices);
        Assert.True(WeightUnits.Pack([.. reference.Matrices], stored.Rows).AsSpan().SequenceEqual(step.Read<byte>($"layer 0: {stored.Name}")));

        // Twice: counters are zero again.
        for (var run = 1; run <= 2; run++)
        {
            step.Poison();
            var error = Assert.Single(StepComparison.Run(step, reference));
            _output.WriteLine($"{code} head, run {run}: {error.RelativeError:E2}");
            Assert.Equal(("logits", batch * StepLayers.HeadRows(c)), (error.What, step.ReadOutput().Length));
            Assert.True(error.RelativeError <= HeadTolerance, $"run {run}: relative error {error.RelativeError:E2}");
        }

        using var zeros = ResidentStep.Create(StepPlan.Create(c with { Data = "zeros" }, StepLayers.HeadAlone, _library.Device()), _library, _stream);
        zeros.Run();
        Assert.All(zeros.ReadOutput(), v => Assert.Equal(0, v));
    }

    [Fact]
    public void Zero_data_give_zeros_and_the_step_is_the_same_with_and_without_programmatic_launches()
    {
        using var zeros = ResidentStep.Create(StepPlan.Create(Tiny("C", 3, 100, data: "zeros"), 1, _library.Device()), _library, _stream);
        zeros.Run();
        Assert.All(zeros.ReadOutput(), v => Assert.Equal(0, v));

        var plan = StepPlan.Create(Tiny("A", 3, 100), 1, _library.Device());
        using var overlapped = ResidentStep.Create(plan, _library, _stream);
        using var serial = ResidentStep.Create(plan, _library, _stream, programmatic: false);
        Assert.Equal((true, false), (overlapped.IsProgrammatic, serial.IsProgrammatic));
        overlapped.Run();
        serial.Run();
        Assert.Equal(serial.ReadOutput(), overlapped.ReadOutput());
        Assert.DoesNotContain(serial.ReadOutput(), float.IsNaN);
    }

    [Fact]
    public void The_order_of_threads_makes_no_difference()
    {
        var plan = StepPlan.Create(Tiny("F", 3, 100), 1, _library.Device());
        using var step = ResidentStep.Create(plan, _library, _stream);
        step.Run();
        var forward = step.ReadOutput();
        foreach (var order in (string[])["backward", "mixed"])
        {
            using var set = EmulatedLibraries.Set("SIMT_ORDER", order);
            step.Poison();
            step.Run();
            // Sums of squares are added up in the order of arrival.
            Assert.True(StepComparison.RelativeError(step.ReadOutput(), forward) < 1e-4, order);
        }
    }

    internal static Configuration Tiny(string code, int batch, int context, int heads = 0, string? data = null) => Catalogue.Resolve(new ConfigurationRequest(
        code, Batch: batch, Context: context, ModelWidth: 256, Heads: heads > 0 ? heads : code is "H" ? 8 : code is "G" or "G0" or "I" or "I0" ? 4 : 2, KeyValueHeads: code is "G" or "G0" or "I" or "I0" ? 2 : null,
        FeedForwardWidth: 292, ShortLayers: 8, LongLayers: 8, Stack: "cuda", DataSeed: 5, Data: data));

    private static string[] Names(LayerKind kind) =>
    [
        .. kind switch
        {
            LayerKind.Latent => (string[])["q_a", "q_b", "kv_a", "uk", "uv", "o"],
            LayerKind.Lightning => ["q", "k", "v", "output_gate", "o"],
            LayerKind.CompressedSparse => ["q_a", "q_b", "kv", "o_a", "o_b", "compress_kv", "compress_gate", "index_kv", "index_gate", "index_q", "index_weight"],
            LayerKind.HeavilyCompressed => ["q_a", "q_b", "kv", "o_a", "o_b", "compress_kv", "compress_gate"],
            _ => ["q", "k", "v", "o"],
        },
        "gate", "up", "down",
    ];
}
