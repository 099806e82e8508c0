using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EnergyGrid.Workloads;

/// <summary>acc[j] + Σ over four bytes of weight · activation, for eight outputs j; exact.</summary>
internal interface IByteDot
{
    /// <param name="acc">One sum for each output.</param>
    /// <param name="weights">[output][4 inputs], unsigned.</param>
    /// <param name="activations">The same four inputs for each output, from −127.</param>
    static abstract Vector256<int> Add(Vector256<int> acc, Vector256<byte> weights, Vector256<sbyte> activations);
}

/// <summary>By the instruction made for it.</summary>
internal readonly struct VnniDot : IByteDot
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add(Vector256<int> acc, Vector256<byte> weights, Vector256<sbyte> activations) => AvxVnni.MultiplyWideningAndAdd(acc, weights, activations);
}

/// <summary>By AVX2: pairs would overflow 16 bits with weights up to 255, so the bytes are widened first.</summary>
internal readonly struct WideDot : IByteDot
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add(Vector256<int> acc, Vector256<byte> weights, Vector256<sbyte> activations)
    {
        // Even and odd bytes: two products of an output lie in one 32-bit lane either way.
        var even = Avx2.MultiplyAddAdjacent((weights.AsInt16() & Vector256.Create((short)0xFF)), (activations.AsInt16() << 8) >> 8);
        var odd = Avx2.MultiplyAddAdjacent((weights.AsUInt16() >>> 8).AsInt16(), activations.AsInt16() >> 8);
        return acc + even + odd;
    }
}

/// <summary>On any processor.</summary>
internal readonly struct PlainDot : IByteDot
{
    public static Vector256<int> Add(Vector256<int> acc, Vector256<byte> weights, Vector256<sbyte> activations)
    {
        for (var j = 0; j < 8; j++)
        {
            var sum = acc[j];
            for (var i = 4 * j; i < 4 * j + 4; i++) sum += weights[i] * activations[i];
            acc = acc.WithElement(j, sum);
        }

        return acc;
    }
}

/// <summary>y = W·x in integers, block by block, as llama.cpp multiplies Q8_0 and Q4_0: activations are quantised to 8 bits in blocks of 32, and what is rounded is the sum over blocks alone.</summary>
internal static unsafe class BlockProduct
{
    private const int Block = WeightFormat.Block, Band = BlockRows.Band;

    // The memory's own look-ahead ends with its page of 4 KiB.
    private const int Ahead = 4096;

    /// <summary>Vectors that are taken at once.</summary>
    private const int Vectors = 4;

    /// <param name="pool">Shares the outputs out.</param>
    /// <param name="w">[outputs][inputs].</param>
    /// <param name="x">FP32 [batch][inputs], <paramref name="xStride"/> apart.</param>
    /// <param name="xStride">Floats.</param>
    /// <param name="y">FP32 [batch][outputs], <paramref name="yStride"/> apart; overwritten.</param>
    /// <param name="yStride">Floats.</param>
    /// <param name="batch">Vectors.</param>
    public static void Multiply(WorkerPool pool, BlockRows w, float* x, int xStride, float* y, int yStride, int batch)
    {
        if (AvxVnni.IsSupported) Multiply<VnniDot>(pool, w, x, xStride, y, yStride, batch);
        else if (Avx2.IsSupported) Multiply<WideDot>(pool, w, x, xStride, y, yStride, batch);
        else Multiply<PlainDot>(pool, w, x, xStride, y, yStride, batch);
    }

    /// <summary>The same by one way of multiplying bytes.</summary>
    internal static void Multiply<TDot>(WorkerPool pool, BlockRows w, float* x, int xStride, float* y, int yStride, int batch) where TDot : struct, IByteDot
    {
        var blocks = w.Blocks;
        // [batch][inputs] bytes, then [batch][blocks] of scales and of what the weights' offset adds.
        var memory = (byte*)pool.Shared((batch * (w.Inputs + 8 * blocks) + 3) / 4);
        var bytes = (sbyte*)memory;
        var scales = (float*)(memory + batch * w.Inputs);
        var offsets = (int*)(scales + batch * blocks);
        pool.For(batch, (_, b) => Quantise(x + (long)b * xStride, blocks, w.Offset, bytes + b * w.Inputs, scales + b * blocks, offsets + b * blocks));

        var bands = w.Outputs / Band;
        var share = Math.Max(1, (1 << 18) / (blocks * w.BlockBytes));
        while (share > 1 && (bands + share - 1) / share < 4 * pool.Threads) share /= 2;
        pool.For((bands + share - 1) / share, (_, item) =>
        {
            for (var band = item * share; band < Math.Min(bands, (item + 1) * share); band++)
            {
                var at = w.BandAt(band);
                var target = y + band * Band;
                var b = 0;
                for (; b <= batch - Vectors; b += Vectors) Four<TDot>(w.IsEight, at, blocks, bytes + b * w.Inputs, scales + b * blocks, offsets + b * blocks, target + (long)b * yStride, yStride);
                for (; b < batch; b++) One<TDot>(w.IsEight, at, blocks, bytes + b * w.Inputs, scales + b * blocks, offsets + b * blocks, target + (long)b * yStride);
            }
        });
    }

    /// <summary>Activations in 8 bits: scale max|x|/127 rounded to FP16, q rounded to the nearest, and −offset·Σq for each block.</summary>
    private static void Quantise(float* x, int blocks, int offset, sbyte* bytes, float* scales, int* offsets)
    {
        for (var block = 0; block < blocks; block++, x += Block, bytes += Block)
        {
            Vector256<float> a = Vector256.Load(x), b = Vector256.Load(x + 8), c = Vector256.Load(x + 16), d = Vector256.Load(x + 24);
            var largest = Vector256.Max(Vector256.Max(Vector256.Abs(a), Vector256.Abs(b)), Vector256.Max(Vector256.Abs(c), Vector256.Abs(d)));
            var quarter = Vector128.Max(largest.GetLower(), largest.GetUpper());
            var most = MathF.Max(MathF.Max(quarter[0], quarter[1]), MathF.Max(quarter[2], quarter[3]));
            var inverse = most == 0 ? 0 : 127 / most;
            scales[block] = (float)(Half)(most / 127);
            Vector256<int> p = Whole(a, inverse), q = Whole(b, inverse), r = Whole(c, inverse), s = Whole(d, inverse);
            offsets[block] = -offset * Vector256.Sum(p + q + r + s);
            Vector256.Narrow(Vector256.Narrow(p, q), Vector256.Narrow(r, s)).Store(bytes);
        }

        static Vector256<int> Whole(Vector256<float> value, float inverse) => Vector256.ConvertToInt32(Vector256.Round(value * inverse));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One<TDot>(bool isEight, byte* w, int blocks, sbyte* x, float* scales, int* offsets, float* y) where TDot : struct, IByteDot
    {
        Vector256<float> sum = default;
        var low = Vector256.Create((byte)15);
        for (var block = 0; block < blocks; block++, x += Block)
        {
            var acc = Vector256.Create(offsets[block]);
            var scale = Halves.Load((ushort*)w) * scales[block];
            w += BlockRows.ScaleBytes;
            if (isEight)
            {
                Prefetch(w, 5);
                for (var step = 0; step < 8; step++) acc = TDot.Add(acc, Vector256.Load(w + 32 * step), Activations(x, step));
                w += Band * Block;
            }
            else
            {
                Prefetch(w, 3);
                for (var step = 0; step < 4; step++)
                {
                    var both = Vector256.Load(w + 32 * step);
                    acc = TDot.Add(acc, both & low, Activations(x, step));
                    acc = TDot.Add(acc, (both.AsUInt16() >>> 4).AsByte() & low, Activations(x, step + 4));
                }

                w += Band * Block / 2;
            }

            sum = Vector256.MultiplyAddEstimate(Vector256.ConvertToSingle(acc), scale, sum);
        }

        sum.Store(y);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four<TDot>(bool isEight, byte* w, int blocks, sbyte* x, float* scales, int* offsets, float* y, int yStride) where TDot : struct, IByteDot
    {
        Vector256<float> sum0 = default, sum1 = default, sum2 = default, sum3 = default;
        var low = Vector256.Create((byte)15);
        sbyte* x1 = x + blocks * Block, x2 = x1 + blocks * Block, x3 = x2 + blocks * Block;
        for (var block = 0; block < blocks; block++)
        {
            Vector256<int> a = Vector256.Create(offsets[block]), b = Vector256.Create(offsets[block + blocks]);
            Vector256<int> c = Vector256.Create(offsets[block + 2 * blocks]), d = Vector256.Create(offsets[block + 3 * blocks]);
            var scale = Halves.Load((ushort*)w);
            w += BlockRows.ScaleBytes;
            if (isEight)
            {
                Prefetch(w, 5);
                for (var step = 0; step < 8; step++)
                {
                    var v = Vector256.Load(w + 32 * step);
                    a = TDot.Add(a, v, Activations(x, step));
                    b = TDot.Add(b, v, Activations(x1, step));
                    c = TDot.Add(c, v, Activations(x2, step));
                    d = TDot.Add(d, v, Activations(x3, step));
                }

                w += Band * Block;
            }
            else
            {
                Prefetch(w, 3);
                for (var step = 0; step < 4; step++)
                {
                    var both = Vector256.Load(w + 32 * step);
                    var v = both & low;
                    a = TDot.Add(a, v, Activations(x, step));
                    b = TDot.Add(b, v, Activations(x1, step));
                    c = TDot.Add(c, v, Activations(x2, step));
                    d = TDot.Add(d, v, Activations(x3, step));
                    v = (both.AsUInt16() >>> 4).AsByte() & low;
                    a = TDot.Add(a, v, Activations(x, step + 4));
                    b = TDot.Add(b, v, Activations(x1, step + 4));
                    c = TDot.Add(c, v, Activations(x2, step + 4));
                    d = TDot.Add(d, v, Activations(x3, step + 4));
                }

                w += Band * Block / 2;
            }

            sum0 = Vector256.MultiplyAddEstimate(Vector256.ConvertToSingle(a), scale * scales[block], sum0);
            sum1 = Vector256.MultiplyAddEstimate(Vector256.ConvertToSingle(b), scale * scales[block + blocks], sum1);
            sum2 = Vector256.MultiplyAddEstimate(Vector256.ConvertToSingle(c), scale * scales[block + 2 * blocks], sum2);
            sum3 = Vector256.MultiplyAddEstimate(Vector256.ConvertToSingle(d), scale * scales[block + 3 * blocks], sum3);
            x += Block;
            x1 += Block;
            x2 += Block;
            x3 += Block;
        }

        sum0.Store(y);
        sum1.Store(y + yStride);
        sum2.Store(y + 2L * yStride);
        sum3.Store(y + 3L * yStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<sbyte> Activations(sbyte* x, int step) => Vector256.Create(((int*)x)[step]).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* w, int lines)
    {
        if (!Sse.IsSupported) return;
        for (var i = 0; i < lines; i++) Sse.Prefetch1(w + Ahead + 64 * i);
    }
}
