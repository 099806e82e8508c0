using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>A share of a node's input energy.</summary>
/// <param name="Joules">J.</param>
/// <param name="Provenance"><see cref="Provenance.Modelled"/> unless the node ran one cell alone.</param>
/// <param name="MayClaim">Whether a claim may rest on it.</param>
/// <param name="Reason">Why not; empty if it may.</param>
public readonly record struct NodeShare(double Joules, Provenance Provenance, bool MayClaim, string Reason);

/// <summary>Whose energy a node's input energy is.</summary>
public static class NodeAttribution
{
    /// <summary>Windows of one node that overlap less than this are not one window.</summary>
    public const double MinOverlap = 0.95;

    /// <summary>
    /// <c>E_node,i = E_gpu,i + (E_node − ΣE_gpu) · (allocated GPUs / GPUs in node)</c>. Measured only if all GPUs of the node ran the same
    /// cell with windows overlapping by 95 % at least and the share is of all of them; otherwise modelled, and no claim rests on it.
    /// </summary>
    /// <param name="gpuJoules">E_gpu,i: the allocated GPUs, J.</param>
    /// <param name="nodeJoules">E_node over the same window, J.</param>
    /// <param name="allGpuJoules">ΣE_gpu: every GPU of the node, J.</param>
    /// <param name="allocatedGpus">How many are allocated.</param>
    /// <param name="nodeGpus">How many there are.</param>
    /// <param name="sameCellGpus">How many ran the same cell with windows overlapping enough.</param>
    /// <param name="provenance">The worst of the three energies.</param>
    /// <exception cref="ArgumentException">More GPUs allocated than there are, or none.</exception>
    public static NodeShare Of(double gpuJoules, double nodeJoules, double allGpuJoules, int allocatedGpus, int nodeGpus, int sameCellGpus, Provenance provenance)
    {
        if (allocatedGpus < 1 || allocatedGpus > nodeGpus) throw new ArgumentException($"{allocatedGpus} of {nodeGpus} GPUs are allocated; it must be at least 1 and at most all.");
        if (allocatedGpus == nodeGpus && sameCellGpus == nodeGpus) return new NodeShare(nodeJoules, provenance, provenance == Provenance.Measured, provenance == Provenance.Measured ? "" : $"the energies are {provenance.ToString().ToLowerInvariant()}");
        var share = gpuJoules + (nodeJoules - allGpuJoules) * ((double)allocatedGpus / nodeGpus);
        var reason = sameCellGpus == nodeGpus
            ? $"{allocatedGpus} of the node's {nodeGpus} GPUs: sum energy and tokens over the node"
            : $"{sameCellGpus} of the node's {nodeGpus} GPUs ran this cell";
        return new NodeShare(share, Provenances.Worst(provenance, Provenance.Modelled), false, reason);
    }

    /// <summary>The common part of windows over the longest of them, 0–1.</summary>
    /// <param name="windows">Edges, ns since the Unix epoch.</param>
    /// <exception cref="ArgumentException">No window, or an empty one.</exception>
    public static double Overlap(ReadOnlySpan<(long From, long To)> windows)
    {
        if (windows.IsEmpty) throw new ArgumentException("No window.");
        var (from, to, longest) = (long.MinValue, long.MaxValue, 0L);
        foreach (var window in windows)
        {
            Readings.CheckInterval(window.From, window.To);
            (from, to, longest) = (Math.Max(from, window.From), Math.Min(to, window.To), Math.Max(longest, window.To - window.From));
        }
        return Math.Max(0, to - from) / (double)longest;
    }
}
