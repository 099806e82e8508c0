using System.Numerics.Tensors;
using System.Runtime.Intrinsics;

namespace EnergyGrid.Workloads;

/// <summary>y = W·x for a batch of vectors: weights are read once, whatever the batch.</summary>
internal static unsafe class MatrixProduct
{
    private const int RowsAtOnce = 64;

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
        if (w.Blocks is { } rows)
        {
            if (blocks != 1) throw new ArgumentException($"{w.Format} has no outputs with inputs of their own", nameof(blocks));
            BlockProduct.Multiply(pool, rows, x, xStride, y, yStride, batch);
            return;
        }

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
            if (w.Format == WeightFormat.Fp16 && HalfProduct.IsSupported) HalfRows(pool, worker, w, first * PackedMatrix.Panel, last * PackedMatrix.Panel, x + (long)block * xBlockStride, xStride, y, yStride, batch);
            else Rows(pool, worker, w, first * PackedMatrix.Panel, last * PackedMatrix.Panel, x + (long)block * xBlockStride, xStride, y, yStride, batch);
        });
    }

    // As Rows, four outputs at a time.
    private static void HalfRows(WorkerPool pool, int worker, PackedMatrix w, int first, int last, float* x, int xStride, float* y, int yStride, int batch)
    {
        const int most = HalfProduct.Vectors * PackedMatrix.Panel;
        var chunk = pool.Scratch(worker, batch * PackedMatrix.Chunk + most);
        var sums = chunk + batch * PackedMatrix.Chunk;
        for (var start = 0; start < w.PaddedInputs; start += PackedMatrix.Chunk)
        {
            var width = Math.Min(PackedMatrix.Chunk, w.PaddedInputs - start);
            var real = Math.Min(width, w.Inputs - start);
            for (var b = 0; b < batch; b++)
            {
                TensorPrimitives.Multiply(new ReadOnlySpan<float>(x + (long)b * xStride + start, real), w.InputScale, new Span<float>(chunk + b * width, width));
                new Span<float>(chunk + b * width + real, width - real).Clear();
            }

            for (var panel = first / PackedMatrix.Panel; panel < last / PackedMatrix.Panel; panel++)
            {
                for (var b = 0; b < batch;)
                {
                    var isOne = batch - b < HalfProduct.Vectors;
                    w.MultiplyPanel(panel, start, width, chunk + b * width, isOne, sums);
                    for (var i = 0; i < (isOne ? 1 : HalfProduct.Vectors); i++, b++)
                    {
                        var target = y + (long)b * yStride + panel * PackedMatrix.Panel;
                        var sum = Vector128.Load(sums + i * PackedMatrix.Panel);
                        (start > 0 ? sum + Vector128.Load(target) : sum).Store(target);
                    }
                }
            }
        }
    }

    private static void Rows(WorkerPool pool, int worker, PackedMatrix w, int first, int last, float* x, int xStride, float* y, int yStride, int batch)
    {
        const int vectors = RowProduct.Vectors;
        var groups = (batch + vectors - 1) / vectors;
        var chunk = pool.Scratch(worker, groups * vectors * PackedMatrix.Chunk + vectors);
        var sums = chunk + groups * vectors * PackedMatrix.Chunk;
        for (var start = 0; start < w.PaddedInputs; start += PackedMatrix.Chunk)
        {
            var width = Math.Min(PackedMatrix.Chunk, w.PaddedInputs - start);
            var real = Math.Min(width, w.Inputs - start);
            for (var b = 0; b < batch; b += vectors)
            {
                RowProduct.Interleave(x + (long)b * xStride + start, xStride, Math.Min(vectors, batch - b), real, width, chunk + b * width);
            }

            // Rows that stay in the second cache while every eight vectors pass them.
            for (var block = first; block < last; block += RowsAtOnce)
            {
                for (var b = 0; b < batch; b += vectors)
                {
                    var count = Math.Min(vectors, batch - b);
                    for (var n = block; n < Math.Min(last, block + RowsAtOnce); n++)
                    {
                        w.Multiply(n, start, width, chunk + b * width, sums);
                        var target = y + (long)b * yStride + n;
                        for (var i = 0; i < count; i++)
                        {
                            target[(long)i * yStride] = start > 0 ? target[(long)i * yStride] + sums[i] : sums[i];
                        }
                    }
                }
            }
        }
    }
}
