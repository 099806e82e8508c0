using System.Collections.Immutable;

namespace EnergyGrid.Workloads;

/// <summary>One entry of the catalogue: the defaults of a configuration and the layers it repeats.</summary>
/// <param name="Code">A … K, D', E', F', G0, I0, I0'.</param>
/// <param name="Title">For people, for example <c>MHA FP16 baseline</c>.</param>
/// <param name="Weights">Default weight format.</param>
/// <param name="WeightsAreFixed">The code itself names the format (A, B, C; D, E, F; D', E', F').</param>
/// <param name="Batch">Default batch: Table 3's, H's is ours.</param>
/// <param name="Context">Default tokens of context.</param>
/// <param name="ModelWidth">Default d_model.</param>
/// <param name="FeedForwardWidth">Default d_ff.</param>
/// <param name="KeyValueHeads">Default KV heads of grouped layers; 0: one per query head.</param>
/// <param name="ModelLayers">Default layers of the whole model.</param>
/// <param name="NominalBillions">The size that the paper's name for the model says, 10⁹ parameters; what is counted may differ (<see cref="Catalogue.CountedBillions"/>).</param>
/// <param name="Unit">The layers that a model repeats, in order.</param>
public sealed record WorkloadDefinition(
    string Code,
    string Title,
    string Weights,
    bool WeightsAreFixed,
    int Batch,
    int Context,
    int ModelWidth,
    int FeedForwardWidth,
    int KeyValueHeads,
    int ModelLayers,
    int NominalBillions,
    ImmutableArray<LayerKind> Unit)
{
    /// <summary>Whether a layer of the unit has grouped K and V heads, whose number a plan may set.</summary>
    public bool HasGroupedHeads => KeyValueHeads > 0;

    /// <summary>Whether the unit has layers of that kind.</summary>
    public bool Has(LayerKind kind) => Unit.Contains(kind);
}
