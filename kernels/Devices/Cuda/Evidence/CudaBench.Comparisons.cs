using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda.Loads;
using EnergyGrid.Devices.Cuda.Steps;
using EnergyGrid.Devices.Evidence;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Evidence;

/// <summary>Every kernel on the device against the oracle: the ceiling kernels alone, all others as the steps that they make up.</summary>
public sealed partial class CudaBench
{
    /// <summary>The device rounds activations to FP16 before the norm's factor is applied, the oracle after; a layer rounds them some ten times.</summary>
    private const double StepTolerance = 2e-3;

    /// <summary>Tokens of context at full width: more would cost the oracle minutes and exercise no other code.</summary>
    private const int MostOracleContext = 8192;

    private const string Small = " small", Full = " full width", Batch = ", batch ";

    public ImmutableArray<string> Comparisons =>
    [
        .. Enum.GetValues<CeilingKernel>().Select(k => k.ToString().ToLowerInvariant()),
        .. Catalogue.Codes.Select(code => code + Small),
        // The product has a variant for each range of batches; the catalogue's own batches leave some of them out.
        .. from code in new[] { "A", "B", "C" } from batch in new[] { 16, 24, 32 } select string.Create(CultureInfo.InvariantCulture, $"{code}{Small}{Batch}{batch}"),
        // An oracle on a processor takes seconds for a layer that an emulation would take hours for.
        .. Identity.Kind == BenchKind.Gpu ? Catalogue.Codes.Select(code => code + Full) : [],
    ];

    public KernelComparison Compare(string name, ulong seed, CancellationToken stop) => Guarded(() =>
    {
        Unload();
        if (Enum.TryParse<CeilingKernel>(name, ignoreCase: true, out var kernel)) return CompareCeiling(kernel, seed);
        var code = name[..name.IndexOf(' ', StringComparison.Ordinal)];
        if (name.EndsWith(Full, StringComparison.Ordinal)) return CompareStep(name, FullWidth(code, seed), seed, stop);
        var small = new EvidenceSettings { Seed = seed, Small = true }.Step(code, Identity);
        var batch = name.IndexOf(Batch, StringComparison.Ordinal);
        return CompareStep(name, batch < 0 ? small : small with { Batch = int.Parse(name.AsSpan(batch + Batch.Length), CultureInfo.InvariantCulture) }, seed, stop);
    });

    private KernelComparison CompareCeiling(CeilingKernel kernel, ulong seed)
    {
        var size = Identity.Kind == BenchKind.Emulated ? LoadSize.Emulation : new LoadSize(64 << 20, 1);
        using var load = new CeilingLoad(kernel, Library, Stream, seed, size);
        var name = kernel.ToString().ToLowerInvariant();
        return new(name, string.Create(CultureInfo.InvariantCulture, $"{load.Bytes / 1e6:0.###} MB a launch"), seed, load.Error(), kernel == CeilingKernel.Matrix ? 1e-5 : 0, [name],
            kernel == CeilingKernel.Matrix ? "sums after one and three rounds, and their size" : "bit for bit");
    }

    private KernelComparison CompareStep(string name, Configuration c, ulong seed, CancellationToken stop)
    {
        var layers = Catalogue.UnitSize(c);
        if (StepPlan.Refusal(c, layers, Library.Device()) is { } refusal) throw new EvidenceFaultException(refusal);
        var plan = StepPlan.Create(c, layers, Library.Device());
        using var step = ResidentStep.Create(plan, Library, Stream);
        using var oracle = DecodeStep.Create(c, layers, Environment.ProcessorCount);
        var worst = 0.0;
        // Twice: counters must be zero again, and states have moved on alike.
        for (var run = 0; run < 2; run++)
        {
            stop.ThrowIfCancellationRequested();
            step.Run();
            oracle.Run(stop);
            var error = RelativeError(step.ReadOutput(), oracle.Output);
            worst = error <= worst ? worst : error;
        }
        var shape = string.Create(CultureInfo.InvariantCulture, $"{layers} layer(s), {c.Weights}, batch {c.Batch}, context {c.Context}, d {c.ModelWidth}, {c.Heads} heads, d_ff {c.FeedForwardWidth}");
        return new(name, shape, seed, worst, StepTolerance, [.. plan.Fills.Concat(plan.Launches).Select(l => l.Kernel).Distinct().Order(StringComparer.Ordinal)],
            step.IsProgrammatic ? "kernels begin before the one ahead ends" : "");
    }

    private static Configuration FullWidth(string code, ulong seed)
    {
        var definition = Catalogue.Definition(code);
        var unit = definition.Unit.Length;
        return Catalogue.Resolve(new ConfigurationRequest(code, Context: Math.Min(definition.Context, MostOracleContext), ShortLayers: unit, LongLayers: unit, Stack: "cuda", DataSeed: (long)(seed & ((1UL << 53) - 1))));
    }

    private static double RelativeError(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        var (difference, size) = (0.0, 0.0);
        for (var i = 0; i < expected.Length; i++)
        {
            difference += Math.Pow((double)actual[i] - expected[i], 2);
            size += Math.Pow(expected[i], 2);
        }
        return Math.Sqrt(difference / size);
    }
}
