using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>From when on something counts as evidence for a ceiling. Ours, not the paper's.</summary>
/// <param name="PowerCap">Share of the window in which the power-cap time counter advanced; above it.</param>
/// <param name="MemoryBandwidth">phi_mem; at or above it.</param>
/// <param name="Compute">Achieved / peak FLOP/s; at or above it.</param>
public sealed record CeilingThresholds(double PowerCap = 0.01, double MemoryBandwidth = 0.8, double Compute = 0.7);

/// <summary>
/// Evidence of what holds a cell back, apart from (3), which has no memory arm. Several may be present at once; where none is, it is <c>unresolved</c>,
/// also if it could not be looked at.
/// </summary>
public static class CeilingEvidence
{
    /// <summary>The power-cap time counter advanced.</summary>
    public const string PowerCap = "power_cap";

    /// <summary>Close to the measured stream bandwidth.</summary>
    public const string MemoryBandwidth = "hbm";

    /// <summary>Close to the peak of the matrix units.</summary>
    public const string Compute = "compute";

    /// <summary>s* is missed.</summary>
    public const string Latency = "latency";

    /// <summary>No evidence for any.</summary>
    public const string Unresolved = "unresolved";

    /// <summary>The evidence, in the order power_cap, hbm, compute, latency, or <c>unresolved</c> alone.</summary>
    /// <param name="powerCapFraction">Share of the window, 0–1; null or NaN if the counter cannot be read.</param>
    /// <param name="memory"><see cref="Phi.Memory"/>.</param>
    /// <param name="computeFraction">Achieved / peak FLOP/s; null if unknown.</param>
    /// <param name="meetsService">Whether s* is met; null if it does not apply.</param>
    /// <param name="thresholds">Null for the defaults.</param>
    public static ImmutableArray<string> Of(
        double? powerCapFraction, Figure memory, double? computeFraction, bool? meetsService, CeilingThresholds? thresholds = null)
    {
        ArgumentNullException.ThrowIfNull(memory);
        thresholds ??= new CeilingThresholds();
        var evidence = ImmutableArray.CreateBuilder<string>();
        if (powerCapFraction > thresholds.PowerCap)
        {
            evidence.Add(PowerCap);
        }
        if (memory.Value >= thresholds.MemoryBandwidth)
        {
            evidence.Add(MemoryBandwidth);
        }
        if (computeFraction >= thresholds.Compute)
        {
            evidence.Add(Compute);
        }
        if (meetsService == false)
        {
            evidence.Add(Latency);
        }
        if (evidence.Count == 0)
        {
            evidence.Add(Unresolved);
        }
        return evidence.ToImmutable();
    }
}
