using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads;

/// <summary>What a floor needs to know of a device.</summary>
/// <param name="Name">Hardware class.</param>
/// <param name="BandwidthBytesPerSecond">Memory bandwidth, B/s.</param>
/// <param name="PeakFlopsPerSecond">Dense peak that the floors use, FLOP/s: for the NVIDIA profiles 790e12, what can be sustained.</param>
/// <param name="DatasheetFlopsPerSecond">Dense FP16 peak of the datasheet, FLOP/s.</param>
/// <param name="MemoryBytes">Device memory, B.</param>
/// <param name="CacheBytes">Last-level cache, B.</param>
public sealed record DeviceProfile(
    string Name,
    double BandwidthBytesPerSecond,
    double PeakFlopsPerSecond,
    double DatasheetFlopsPerSecond,
    double MemoryBytes,
    double CacheBytes)
{
    /// <summary>NVIDIA H100 SXM, 80 GB, datasheet bandwidth.</summary>
    public static DeviceProfile H100Sxm { get; } = new("H100-SXM-80GB", 3.35e12, 790e12, 989e12, 80e9, 50e6);

    /// <summary>NVIDIA H200 SXM, 141 GB, datasheet bandwidth.</summary>
    public static DeviceProfile H200Sxm { get; } = new("H200-SXM-141GB", 4.8e12, 790e12, 989e12, 141e9, 50e6);

    /// <summary>The share of the memory that a working set may take; the rest is the runtime's and the partial results'.</summary>
    public const double UsableShare = 0.95;

    /// <summary>B.</summary>
    public double UsableBytes => UsableShare * MemoryBytes;

    /// <summary>The same profile with the floors at the datasheet's peak.</summary>
    public DeviceProfile AtDatasheetPeak() => this with { PeakFlopsPerSecond = DatasheetFlopsPerSecond };

    /// <summary>floor = max(bytes / bandwidth, FLOP / peak): the least time of one layer's step, s.</summary>
    public double FloorSeconds(StepCost cost) => Math.Max(cost.Bytes / BandwidthBytesPerSecond, cost.Flops / PeakFlopsPerSecond);

    /// <summary>floor_phases: the same maximum summed over the weight phase and the attention phase, whose kernels run in sequence, s.</summary>
    public double FloorPhasesSeconds(StepCost cost) =>
        Math.Max(cost.WeightBytes / BandwidthBytesPerSecond, cost.WeightFlops / PeakFlopsPerSecond)
        + Math.Max(cost.StateBytes / BandwidthBytesPerSecond, cost.AttentionFlops / PeakFlopsPerSecond);

    /// <summary>The batch from which FLOPs, not bytes, set the floor of that configuration; double.PositiveInfinity where they never do.</summary>
    public double ComputeBoundBatch(Configuration c)
    {
        // bytes = W + B·k and FLOP = B·f: W/BW + B·k/BW = B·f/peak.
        var one = Catalogue.Cost(c with { Batch = 1 });
        var gain = one.Flops / PeakFlopsPerSecond - one.StateBytes / BandwidthBytesPerSecond;
        return gain > 0 ? one.WeightBytes / BandwidthBytesPerSecond / gain : double.PositiveInfinity;
    }
}
