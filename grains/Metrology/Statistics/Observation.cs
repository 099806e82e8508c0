using System.Collections.Immutable;

namespace EnergyGrid.Metrology;

/// <summary>One window of a trial at one L'. J/s is the reading of one sensor, which is what bounds in watts act on.</summary>
/// <param name="Layers">L'.</param>
/// <param name="JoulesPerStep">ΣE / Σsteps of one copy, J.</param>
/// <param name="SecondsPerStep">Covered time × sensors / Σsteps of one copy, s: with copies on several devices the window counts once for each of them.</param>
public readonly record struct EnergyPoint(int Layers, double JoulesPerStep, double SecondsPerStep);

/// <summary>One trial as the statistics see it: one cell in one pass on one device group.</summary>
/// <param name="Node">The host. A device group belongs to one node.</param>
/// <param name="Device">The device group's name, unique over all nodes (its UUIDs).</param>
/// <param name="Pass">The pass on that device group; with the device group it names the pass. Order matters only to tell Stein's first stage.</param>
/// <param name="Cell">The cell's label in the plan; the label keeps A/A twins apart.</param>
/// <param name="JoulesPerToken">J per token (per layer, for kernel workloads); positive and finite where valid, ignored otherwise.</param>
/// <param name="Valid">False for a trial that a guard invalidated or that failed: counted, never used.</param>
/// <param name="Reason">Why it is not valid; empty if it is.</param>
/// <param name="Points">The points whose slope over L' is <paramref name="JoulesPerToken"/> (times the batch), for the type B terms; none if powers are unknown.</param>
public sealed record Observation(
    string Node,
    string Device,
    int Pass,
    string Cell,
    double JoulesPerToken,
    bool Valid,
    string Reason = "",
    ImmutableArray<EnergyPoint> Points = default);
