using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads;

/// <summary>The formats in which a decode step holds its numbers.</summary>
/// <param name="Weights">As the configuration says: <see cref="WeightFormat"/>.</param>
/// <param name="State">Of the KV cache or the recurrent state; several with a plus between them where the layers of a unit differ.</param>
/// <param name="Activations">As they enter a product or the attention.</param>
public sealed record Precisions(string Weights, string State, string Activations)
{
    /// <summary>Of a configuration of the catalogue, whatever runs it: reference steps round as matrix units do, and a simulated device counts the same bytes.</summary>
    /// <exception cref="ConfigurationRefusedException">No such workload.</exception>
    public static Precisions Of(Configuration configuration) => Of(Catalogue.Definition(configuration.Workload), configuration.Weights);

    /// <summary>Of a workload with that weight format.</summary>
    public static Precisions Of(WorkloadDefinition workload, string weights) => new(weights, string.Join('+', workload.Unit.Select(StateOf).Distinct()), WeightFormat.IsInBlocks(weights) ? "INT8 in blocks of 32" : "FP16");

    // H's entries are FP8 with their RoPE part in BF16 beside it; a lightning layer sums its state for the whole context.
    private static string StateOf(LayerKind kind) => kind switch
    {
        LayerKind.CompressedSparse or LayerKind.HeavilyCompressed => "FP8",
        LayerKind.Lightning => "FP32",
        _ => "FP16",
    };
}
