using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads;

/// <summary>
/// Parameters, bytes and arithmetic of one layer, from shape alone (docs: the workload catalogue, "Projections and formulas").
/// The constants are the models' own; only widths, heads, context and batch vary.
/// </summary>
public static class LayerShape
{
    /// <summary>Width of a head, elements. H's heads are <see cref="SharedHead"/> wide.</summary>
    public const int Head = 128;

    /// <summary>Rank of the query's low-rank projection (MLA, CSA, HCA).</summary>
    public const int QueryRank = 1536;

    /// <summary>Width of MLA's latent.</summary>
    public const int LatentWidth = 512;

    /// <summary>RoPE dimensions of MLA's and H's entries.</summary>
    public const int RopeWidth = 64;

    /// <summary>Width of H's heads and of its shared K = V entry.</summary>
    public const int SharedHead = 512;

    /// <summary>NSA: tokens compressed into one entry, and the stride between entries.</summary>
    public const int CompressLength = 32, CompressStride = 16;

    /// <summary>NSA: selected blocks per KV head and sequence, and their tokens.</summary>
    public const int SelectedBlocks = 16, SelectedBlock = 64;

    /// <summary>NSA: tokens in the window.</summary>
    public const int SparseWindow = 512;

    /// <summary>H: tokens in the window.</summary>
    public const int Window = 128;

    /// <summary>H: output groups and the rank of each.</summary>
    public const int OutputGroups = 8, OutputRank = 1024;

    /// <summary>CSA: tokens per entry; HCA: tokens per entry.</summary>
    public const int LightCompression = 4, HeavyCompression = 128;

    /// <summary>CSA's indexer: heads, their width, selected entries, and bytes of one index key (128 FP8 and an FP32 scale).</summary>
    public const int IndexHeads = 64, IndexHead = 128, TopK = 512, IndexKeyBytes = 132;

    /// <summary>H: bytes of one stored entry: 448 FP8, 64 BF16, 7 scales, 1 pad.</summary>
    public const int EntryBytes = 584;

    /// <summary>NSA: compressed entries of <paramref name="context"/> tokens: ⌊(s−32)/16⌋ + 1.</summary>
    public static long CompressedEntries(long context) => (context - CompressLength) / CompressStride + 1;

    /// <summary>NSA: entries that a decode step reads, T = compressed + 16·64 + 512.</summary>
    public static long SparseTokens(long context) => CompressedEntries(context) + SelectedBlocks * SelectedBlock + SparseWindow;

    /// <summary>Weights of one layer, elements: the projection matrices and the MLP; no norms, no gates of NSA, no embedding.</summary>
    public static double Parameters(Configuration c, LayerKind kind)
    {
        double d = c.ModelWidth, ff = c.FeedForwardWidth, h = c.Heads, n = c.KeyValueHeads;
        double mlp = 3 * d * ff;
        double shared = d * QueryRank + QueryRank * h * SharedHead + d * SharedHead + h * SharedHead * OutputRank + OutputGroups * OutputRank * d + mlp;
        return kind switch
        {
            LayerKind.MultiHead => 4 * d * h * Head + mlp,
            LayerKind.Grouped or LayerKind.NativeSparse => 2 * d * h * Head + 2 * d * n * Head + mlp,
            LayerKind.Latent => d * QueryRank + QueryRank * h * (Head + RopeWidth) + d * (LatentWidth + RopeWidth) + 2 * LatentWidth * h * Head + Head * h * d + mlp,
            LayerKind.CompressedSparse => shared + 2 * d * 1024 + 2 * d * 256 + QueryRank * (double)(IndexHeads * IndexHead) + d * IndexHeads,
            LayerKind.HeavilyCompressed => shared + 2 * d * SharedHead,
            LayerKind.Lightning => 5 * d * h * Head + mlp,
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };
    }

    /// <summary>KV, index and state bytes that one sequence moves in one layer and step, B.</summary>
    public static double StateBytesMoved(Configuration c, LayerKind kind)
    {
        double s = c.Context, h = c.Heads, n = c.KeyValueHeads;
        return kind switch
        {
            LayerKind.MultiHead => 4 * h * Head * s,
            LayerKind.Grouped => 4 * n * Head * s,
            LayerKind.Latent => 2 * (LatentWidth + RopeWidth) * s,
            LayerKind.NativeSparse => 4 * n * Head * SparseTokens(c.Context),
            LayerKind.CompressedSparse => s / LightCompression * IndexKeyBytes + (TopK + Window) * EntryBytes,
            LayerKind.HeavilyCompressed => (s / HeavyCompression + Window) * EntryBytes,
            LayerKind.Lightning => 2 * h * Head * Head * 4,
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };
    }

    /// <summary>KV, index and state bytes that one sequence occupies in one layer, B.</summary>
    public static double StateBytesStored(Configuration c, LayerKind kind)
    {
        double s = c.Context, h = c.Heads, n = c.KeyValueHeads;
        return kind switch
        {
            LayerKind.NativeSparse => 4 * n * Head * (s + CompressedEntries(c.Context)),
            LayerKind.CompressedSparse => s / LightCompression * (IndexKeyBytes + EntryBytes) + Window * EntryBytes,
            LayerKind.Lightning => h * Head * Head * 4,
            _ => StateBytesMoved(c, kind),
        };
    }

    /// <summary>Attention arithmetic of one sequence in one layer and step, FLOP: model FLOPs, without dequantisation and padding.</summary>
    public static double AttentionFlops(Configuration c, LayerKind kind)
    {
        double s = c.Context, h = c.Heads;
        return kind switch
        {
            LayerKind.MultiHead or LayerKind.Grouped => 4 * h * Head * s,
            LayerKind.Latent => 2 * h * (2 * LatentWidth + RopeWidth) * s,
            LayerKind.NativeSparse => 4 * h * Head * SparseTokens(c.Context),
            LayerKind.CompressedSparse => 2.0 * IndexHeads * IndexHead * (s / LightCompression) + 4 * h * SharedHead * (TopK + Window),
            LayerKind.HeavilyCompressed => 4 * h * SharedHead * (s / HeavyCompression + Window),
            LayerKind.Lightning => 5 * h * Head * Head,
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };
    }

    /// <summary>One layer of that kind, one step, the whole batch.</summary>
    public static StepCost Cost(Configuration c, LayerKind kind)
    {
        var parameters = Parameters(c, kind);
        var weights = parameters * WeightFormat.Bits(c.Weights) / 8;
        return new StepCost(
            parameters,
            weights,
            c.Batch * StateBytesMoved(c, kind),
            2 * parameters * c.Batch,
            c.Batch * AttentionFlops(c, kind),
            weights + c.Batch * StateBytesStored(c, kind));
    }
}
