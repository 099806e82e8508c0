namespace EnergyGrid.Metrology;

/// <summary>One trial as the statistics see it: one cell in one pass on one device group.</summary>
/// <param name="Node">The host. A device group belongs to one node.</param>
/// <param name="Device">The device group's name, unique over all nodes (its UUIDs).</param>
/// <param name="Pass">The pass on that device group; with the device group it names the pass. Order matters only to tell Stein's first stage.</param>
/// <param name="Cell">The cell's label in the plan; the label keeps A/A twins apart.</param>
/// <param name="JoulesPerToken">J per token (per layer, for kernel workloads); positive and finite where valid, ignored otherwise.</param>
/// <param name="Valid">False for a trial that a guard invalidated or that failed: counted, never used.</param>
/// <param name="Reason">Why it is not valid; empty if it is.</param>
/// <param name="MeanWatts">Mean power of one device over the window, W, for the type B term; NaN if unknown.</param>
public sealed record Observation(
    string Node,
    string Device,
    int Pass,
    string Cell,
    double JoulesPerToken,
    bool Valid,
    string Reason = "",
    double MeanWatts = double.NaN);
