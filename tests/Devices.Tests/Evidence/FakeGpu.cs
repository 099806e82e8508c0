using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Devices.Evidence;

namespace EnergyGrid.Devices.Tests.Evidence;

/// <summary>The simulated bench under the identity of a GPU, so that bars are judged; what a test wants otherwise, it overrides.</summary>
internal sealed class FakeGpu : IEvidenceBench
{
    private readonly SimulatedBench _inner = new(SimulatedProfile.H100, 1e9, 3);

    public FakeGpu(BenchKind kind = BenchKind.Gpu) => Identity = _inner.Identity with { Kind = kind, KernelsSha256 = "abc", Driver = "550.54" };

    public BenchIdentity Identity { get; set; }

    public double Pace => _inner.Pace;

    /// <summary>Time of a step over that of the simulated board.</summary>
    public double Slower { get; init; } = 1;

    /// <summary>Time of a step while metered over the simulated board's.</summary>
    public double SlowerMetered { get; init; } = 1;

    public Func<string, ulong, KernelComparison> Comparing { get; init; } = (name, seed) => new(name, "", seed, 1e-4, 1e-3, [name]);

    public ImmutableArray<string> Comparisons { get; init; } = [];

    public ImmutableArray<string> Kernels { get; init; } = [];

    public string? Hindrance() => null;

    public SensorFindings Qualify(CancellationToken stop) => _inner.Qualify(stop);

    public CeilingWindow RunCeiling(CeilingKernel kernel, double duty, double seconds, CancellationToken stop) => _inner.RunCeiling(kernel, duty, seconds, stop);

    public KernelComparison Compare(string name, ulong seed, CancellationToken stop) => Comparing(name, seed);

    public string? Refusal(Configuration configuration, int layers) => _inner.Refusal(configuration, layers);

    public void Load(Configuration configuration, int layers, CancellationToken stop) => _inner.Load(configuration, layers, stop);

    public StepStretch RunSteps(double seconds, bool metered, CancellationToken stop)
    {
        var stretch = _inner.RunSteps(seconds, metered, stop);
        return stretch with { Seconds = stretch.Seconds * Slower * (metered ? SlowerMetered : 1) };
    }

    public void Release() => _inner.Release();

    public (INode Node, TimeProvider Time) OpenNode(string host) => _inner.OpenNode(host);

    public void Dispose() => _inner.Dispose();
}

/// <summary>Units that count how often they ran.</summary>
internal sealed class CountingSection(string name, int units, Func<int, object?>? result = null) : IEvidenceSection
{
    public string Name { get; } = name;

    public string Title => "counting";

    public List<string> Ran { get; } = [];

    /// <summary>What one unit says that it takes, s.</summary>
    public double Seconds { get; init; } = 1;

    public IReadOnlyList<EvidenceUnit> Units(EvidenceContext context) => [.. Enumerable.Range(1, units).Select(i => new EvidenceUnit($"u{i}", Seconds * context.Bench.Pace, _ =>
    {
        Ran.Add($"u{i}");
        return Task.FromResult(result is null ? new { value = i } : result(i));
    }))];

    public SectionReport Report(EvidenceContext context, UnitDocuments documents) => SectionReport.Plain(SectionVerdict.Shown, $"{documents.Count} units");
}

/// <summary>A directory for one test.</summary>
internal sealed class Scratch : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("energygrid-evidence-");

    public string Path => System.IO.Path.Combine(_directory.FullName, "out");

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => _directory.Delete(recursive: true);
}
