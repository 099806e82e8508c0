namespace EnergyGrid.Workloads;

/// <summary>What one layer does to its sequences. A model repeats a unit of one or more kinds.</summary>
public enum LayerKind
{
    /// <summary>Dense attention with one K and V head for each query head.</summary>
    MultiHead,

    /// <summary>Dense attention with fewer K and V heads than query heads; the softmax layers of a hybrid model.</summary>
    Grouped,

    /// <summary>Multi-head latent attention, decoded absorbed: scores over the latent and its RoPE part, values over the latent.</summary>
    Latent,

    /// <summary>Native sparse attention: compressed, selected and window branches of grouped attention.</summary>
    NativeSparse,

    /// <summary>Compressed sparse attention: an indexer selects the top k of the entries compressed by 4, a window beside them.</summary>
    CompressedSparse,

    /// <summary>Heavily compressed attention: all entries compressed by 128, a window beside them.</summary>
    HeavilyCompressed,

    /// <summary>Linear attention with a decaying state per head.</summary>
    Lightning,
}
