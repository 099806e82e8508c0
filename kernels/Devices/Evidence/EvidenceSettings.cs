using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Evidence;

/// <summary>How long and how often things are measured, and at which shapes.</summary>
public sealed record EvidenceSettings
{
    /// <summary>Window at each duty level, s. The counter steps every 0.1 s: both edges are below 1 % of it even where they are not on a tick.</summary>
    public double CeilingSeconds { get; init; } = 6;

    /// <summary>Duty levels of each ceiling kernel. Six, so that four remain where the power cap takes the highest.</summary>
    public ImmutableArray<double> DutyLevels { get; init; } = CarefulDuties;

    /// <summary>How long the stream ceiling is measured again around each step, s.</summary>
    public double StreamSeconds { get; init; } = 1;

    /// <summary>A stretch of steps at one L', s.</summary>
    public double StepSeconds { get; init; } = 1.5;

    /// <summary>Stretches at each L'.</summary>
    public int Repeats { get; init; } = 5;

    /// <summary>Making data for and loading one step, s, for planning only.</summary>
    public double LoadSeconds { get; init; } = 15;

    /// <summary>A stretch of the perturbation design, s.</summary>
    public double PerturbationSeconds { get; init; } = 4;

    /// <summary>Blocks of four stretches (off, on, on, off).</summary>
    public int PerturbationBlocks { get; init; } = 8;

    /// <summary>How often each comparison against the oracle runs, each time with fresh data.</summary>
    public int ComparisonSeeds { get; init; } = 1;

    /// <summary>Whether everything is measured as shortly as it shows anything: the copy kernel at full duty alone, the steps with a bar first.</summary>
    public bool Brief { get; init; }

    /// <summary>Whether shapes are cut down to what an emulation can run.</summary>
    public bool Small { get; init; }

    /// <summary>Seed of all data; fresh for every directory.</summary>
    public required ulong Seed { get; init; }

    /// <summary>What suits a bench.</summary>
    /// <param name="kind">What stands behind it.</param>
    /// <param name="seed">Of all data.</param>
    /// <param name="brief">Whether two calls of six minutes are to hold everything; else precision comes first, over as many calls as it takes.</param>
    public static EvidenceSettings For(BenchKind kind, ulong seed, bool brief = false) => (kind, brief) switch
    {
        (BenchKind.Emulated, _) => new()
        {
            Seed = seed,
            Small = true,
            Brief = brief,
            CeilingSeconds = 0.4,
            DutyLevels = brief ? BriefDuties : CarefulDuties,
            StreamSeconds = 0.05,
            StepSeconds = 0.05,
            Repeats = 2,
            LoadSeconds = 2,
            PerturbationSeconds = 0.05,
            PerturbationBlocks = 2,
        },
        (_, true) => new()
        {
            Seed = seed,
            Brief = true,
            CeilingSeconds = 2.5,
            DutyLevels = BriefDuties,
            StreamSeconds = 0.5,
            StepSeconds = 0.5,
            Repeats = 3,
            LoadSeconds = 3,
            PerturbationSeconds = 1.5,
            PerturbationBlocks = 4,
        },
        _ => new() { Seed = seed },
    };

    /// <summary>The catalogue's steps at the paper's batches, with a pair of L' that fits the device.</summary>
    /// <exception cref="ConfigurationRefusedException">Not one unit fits: by how much.</exception>
    public Configuration Step(string code, BenchIdentity device)
    {
        var profile = Profile(device);
        if (!Small) return Catalogue.Resolve(new ConfigurationRequest(code, Stack: "cuda", DataSeed: DataSeed), profile);
        var definition = Catalogue.Definition(code);
        var context = definition.Has(LayerKind.CompressedSparse) ? 2048 : definition.Has(LayerKind.NativeSparse) ? 1024 : 96;
        var unit = definition.Unit.Length;
        return Catalogue.Resolve(
            new ConfigurationRequest(code, Batch: 3, Context: context, ModelWidth: 256, Heads: definition.Has(LayerKind.CompressedSparse) ? 8 : 2, KeyValueHeads: definition.HasGroupedHeads ? 1 : null,
                FeedForwardWidth: 384, ModelLayers: 2 * unit, ShortLayers: unit, LongLayers: 2 * unit, Vocabulary: 0, Stack: "cuda", DataSeed: DataSeed), profile);
    }

    /// <summary>The device as the catalogue sees it.</summary>
    public static DeviceProfile Profile(BenchIdentity device) =>
        new(device.Model, DeviceProfile.H100Sxm.BandwidthBytesPerSecond, DeviceProfile.H100Sxm.PeakFlopsPerSecond, DeviceProfile.H100Sxm.DatasheetFlopsPerSecond, device.MemoryBytes, device.CacheBytes);

    private static ImmutableArray<double> CarefulDuties => [0.15, 0.3, 0.45, 0.6, 0.8, 1.0];

    private static ImmutableArray<double> BriefDuties => [0.25, 0.5, 0.75, 1.0];

    private long DataSeed => (long)(Seed & ((1UL << 53) - 1));
}
