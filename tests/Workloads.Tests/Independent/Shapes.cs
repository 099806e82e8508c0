namespace EnergyGrid.Workloads.Tests.Independent;

/// <summary>Layers counted tensor by tensor in whole numbers, from the shapes as models publish them. Shares no formula with the catalogue.</summary>
internal static class Shapes
{
    /// <summary>Rows and columns of every matrix of a layer with grouped softmax attention: q, k, v, o; gate, up, down.</summary>
    public static (long Rows, long Columns)[] Grouped(long width, long keyValueHeads, long feedForward) =>
        [(width, width), (keyValueHeads * 128, width), (keyValueHeads * 128, width), (width, width), (feedForward, width), (feedForward, width), (width, feedForward)];

    /// <summary>Of a lightning layer: q, k, v, output gate, o; gate, up, down.</summary>
    public static (long Rows, long Columns)[] Lightning(long width, long feedForward) =>
        [(width, width), (width, width), (width, width), (width, width), (width, width), (feedForward, width), (feedForward, width), (width, feedForward)];

    public static long Elements((long Rows, long Columns)[] matrices) => matrices.Sum(m => m.Rows * m.Columns);

    /// <summary>Bytes of K and V of one sequence, FP16, every slot read once.</summary>
    public static long CacheBytes(long keyValueHeads, long context) => context * 2 * keyValueHeads * 128 * 2;

    /// <summary>A multiplication and an addition for every query head, slot and dimension, for scores and again for values.</summary>
    public static long AttentionFlops(long heads, long context) => heads * context * 128 * 2 * 2;
}
