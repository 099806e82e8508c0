using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Cuda.Binding;
using EnergyGrid.Devices.Cuda.Steps;
using EnergyGrid.Workloads;
using Xunit.Abstractions;

namespace EnergyGrid.Devices.Tests.Cuda.Steps;

/// <summary>Whole steps of every configuration at tiny shapes on the emulated driver, against the reference implementation with the same seed.</summary>
[Collection("cuda")]
public sealed class StepTests : IDisposable
{
    /// <summary>The device rounds activations to FP16 before the norm's factor is applied, the reference implementation after.</summary>
    private const double Tolerance = 2e-3;

    private readonly PrimaryContext _context;
    private readonly CudaStream _stream;
    private readonly KernelLibrary _library;
    private readonly ITestOutputHelper _output;

    public StepTests(EmulatedLibraries libraries, ITestOutputHelper output)
    {
        _ = libraries;
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
    public void A_step_on_the_emulated_driver_is_the_reference_implementations(string code, int layers, int batch, int context)
    {
        var c = Tiny(code, batch, context);
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
            var error = RelativeError(step.ReadOutput(), reference.Output);
            _output.WriteLine($"{code} {layers} layers, run {run}: {error:E2}");
            Assert.True(error <= Tolerance, $"run {run}: relative error {error:E2}");
        }

        foreach (var buffer in plan.Buffers.Where(b => b.Use == BufferUse.Counters))
        {
            Assert.All(step.Read<uint>(buffer.Name), counter => Assert.Equal(0u, counter));
        }
    }

    internal static Configuration Tiny(string code, int batch, int context, string? data = null) => Catalogue.Resolve(new ConfigurationRequest(
        code, Batch: batch, Context: context, ModelWidth: 256, Heads: code is "H" ? 8 : code is "G" or "G0" or "I" or "I0" ? 4 : 2, KeyValueHeads: code is "G" or "G0" or "I" or "I0" ? 2 : null,
        FeedForwardWidth: 292, ShortLayers: 8, LongLayers: 8, Stack: "cuda", DataSeed: 5, Data: data));

    /// <summary>‖actual − expected‖ / ‖expected‖; NaN anywhere gives NaN.</summary>
    internal static double RelativeError(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        Assert.Equal(expected.Length, actual.Length);
        var (difference, size) = (0.0, 0.0);
        for (var i = 0; i < actual.Length; i++)
        {
            difference += Math.Pow((double)actual[i] - expected[i], 2);
            size += Math.Pow(expected[i], 2);
        }

        return Math.Sqrt(difference / size);
    }
}
