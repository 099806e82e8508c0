using System.Runtime.CompilerServices;

namespace EnergyGrid.Workloads;

/// <summary>y = W·x for a batch of vectors: weights are read once, whatever the batch.</summary>
internal static unsafe class MatrixProduct
{
    /// <param name="pool">Shares the outputs out.</param>
    /// <param name="w">[outputs][inputs]; block g of the outputs multiplies block g of x.</param>
    /// <param name="x">FP32 [batch][≥ blocks · inputs], <paramref name="xStride"/> apart. What lies behind the last input is not read.</param>
    /// <param name="xStride">Floats.</param>
    /// <param name="y">FP32 [batch][outputs], <paramref name="yStride"/> apart; overwritten.</param>
    /// <param name="yStride">Floats.</param>
    /// <param name="batch">Vectors.</param>
    /// <param name="blocks">Outputs fall into that many equal blocks with inputs of their own (heads, output groups).</param>
    /// <param name="xBlockStride">Floats between the inputs of two blocks.</param>
    public static void Multiply(WorkerPool pool, PackedMatrix w, float* x, int xStride, float* y, int yStride, int batch, int blocks = 1, int xBlockStride = 0)
    {
        var panelsInBlock = w.Outputs / blocks / PackedMatrix.Panel;
        // Items of about 1 MiB of FP32: enough to amortise the copy of x, small enough to even out two busy cores.
        var wanted = Math.Max(4, (1 << 18) / (PackedMatrix.Panel * w.PaddedInputs));
        var share = Math.Min(panelsInBlock, Math.Max(wanted, 64));
        while (share > 4 && (long)blocks * ((panelsInBlock + share - 1) / share) < 4 * pool.Threads)
        {
            share /= 2;
        }

        var items = (panelsInBlock + share - 1) / share;
        pool.For(blocks * items, (worker, item) =>
        {
            var block = item / items;
            var first = block * panelsInBlock + item % items * share;
            var last = Math.Min((block + 1) * panelsInBlock, first + share);
            Panels(pool, worker, w, first, last, x + (long)block * xBlockStride, xStride, y, yStride, batch);
        });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Panels(WorkerPool pool, int worker, PackedMatrix w, int first, int last, float* x, int xStride, float* y, int yStride, int batch)
    {
        // Activations are copied next to one another: rows a power of two apart would fall into the same few sets of L1.
        var tile = pool.Scratch(worker, PackedMatrix.Chunk * (PackedMatrix.Panel + batch));
        var chunk = tile + PackedMatrix.Panel * PackedMatrix.Chunk;
        for (var start = 0; start < w.PaddedInputs; start += PackedMatrix.Chunk)
        {
            var width = Math.Min(PackedMatrix.Chunk, w.PaddedInputs - start);
            var real = Math.Min(width, w.Inputs - start);
            for (var b = 0; b < batch; b++)
            {
                new ReadOnlySpan<float>(x + (long)b * xStride + start, real).CopyTo(new Span<float>(chunk + b * width, real));
                new Span<float>(chunk + b * width + real, width - real).Clear();
            }

            for (var panel = first; panel < last; panel++)
            {
                w.Unpack(panel, start, width, tile);
                if (panel + 2 < last)
                {
                    w.Prefetch(panel + 2, start, width);
                }

                TileProduct.Four(tile, PackedMatrix.Chunk, chunk, width, width, batch, y + panel * PackedMatrix.Panel, yStride, start > 0);
            }
        }
    }
}
