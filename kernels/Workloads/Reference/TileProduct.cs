using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EnergyGrid.Workloads;

/// <summary>The inner products of a few FP32 rows with many: what matrix-vector products and attention scores have in common.</summary>
internal static unsafe class TileProduct
{
    /// <summary>y[b][0..3] (+)= Σ_k rows[0..3][k]·x[b][k].</summary>
    /// <param name="rows">4 rows, <paramref name="rowStride"/> apart, in L1.</param>
    /// <param name="rowStride">Floats.</param>
    /// <param name="x">[batch], <paramref name="xStride"/> apart.</param>
    /// <param name="xStride">Floats.</param>
    /// <param name="width">Multiple of 8.</param>
    /// <param name="batch">Vectors in x.</param>
    /// <param name="y">4 results for each, <paramref name="yStride"/> apart.</param>
    /// <param name="yStride">Floats.</param>
    /// <param name="add">Adds to what y holds.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Four(float* rows, int rowStride, float* x, int xStride, int width, int batch, float* y, int yStride, bool add)
    {
        var b = 0;
        for (; b <= batch - 3 && batch - b != 4; b += 3)
        {
            Three(rows, rowStride, x + (long)b * xStride, xStride, width, y + (long)b * yStride, yStride, add);
        }

        for (; b <= batch - 2; b += 2)
        {
            Two(rows, rowStride, x + (long)b * xStride, xStride, width, y + (long)b * yStride, yStride, add);
        }

        if (b < batch)
        {
            One(rows, rowStride, x + (long)b * xStride, width, y + (long)b * yStride, add);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Three(float* w, int stride, float* x, int xStride, int width, float* y, int yStride, bool add)
    {
        float* w1 = w + stride, w2 = w1 + stride, w3 = w2 + stride, x1 = x + xStride, x2 = x1 + xStride;
        Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default;
        Vector256<float> b0 = default, b1 = default, b2 = default, b3 = default;
        Vector256<float> c0 = default, c1 = default, c2 = default, c3 = default;
        for (nint k = 0; k < width; k += 8)
        {
            var p = Vector256.Load(x + k);
            var q = Vector256.Load(x1 + k);
            var r = Vector256.Load(x2 + k);
            var v = Vector256.Load(w + k);
            a0 = Vector256.MultiplyAddEstimate(v, p, a0);
            b0 = Vector256.MultiplyAddEstimate(v, q, b0);
            c0 = Vector256.MultiplyAddEstimate(v, r, c0);
            v = Vector256.Load(w1 + k);
            a1 = Vector256.MultiplyAddEstimate(v, p, a1);
            b1 = Vector256.MultiplyAddEstimate(v, q, b1);
            c1 = Vector256.MultiplyAddEstimate(v, r, c1);
            v = Vector256.Load(w2 + k);
            a2 = Vector256.MultiplyAddEstimate(v, p, a2);
            b2 = Vector256.MultiplyAddEstimate(v, q, b2);
            c2 = Vector256.MultiplyAddEstimate(v, r, c2);
            v = Vector256.Load(w3 + k);
            a3 = Vector256.MultiplyAddEstimate(v, p, a3);
            b3 = Vector256.MultiplyAddEstimate(v, q, b3);
            c3 = Vector256.MultiplyAddEstimate(v, r, c3);
        }

        Put(y, a0, a1, a2, a3, add);
        Put(y + yStride, b0, b1, b2, b3, add);
        Put(y + 2L * yStride, c0, c1, c2, c3, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Two(float* w, int stride, float* x, int xStride, int width, float* y, int yStride, bool add)
    {
        float* w1 = w + stride, w2 = w1 + stride, w3 = w2 + stride, x1 = x + xStride;
        Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default;
        Vector256<float> b0 = default, b1 = default, b2 = default, b3 = default;
        for (nint k = 0; k < width; k += 8)
        {
            var p = Vector256.Load(x + k);
            var q = Vector256.Load(x1 + k);
            var v = Vector256.Load(w + k);
            a0 = Vector256.MultiplyAddEstimate(v, p, a0);
            b0 = Vector256.MultiplyAddEstimate(v, q, b0);
            v = Vector256.Load(w1 + k);
            a1 = Vector256.MultiplyAddEstimate(v, p, a1);
            b1 = Vector256.MultiplyAddEstimate(v, q, b1);
            v = Vector256.Load(w2 + k);
            a2 = Vector256.MultiplyAddEstimate(v, p, a2);
            b2 = Vector256.MultiplyAddEstimate(v, q, b2);
            v = Vector256.Load(w3 + k);
            a3 = Vector256.MultiplyAddEstimate(v, p, a3);
            b3 = Vector256.MultiplyAddEstimate(v, q, b3);
        }

        Put(y, a0, a1, a2, a3, add);
        Put(y + yStride, b0, b1, b2, b3, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One(float* w, int stride, float* x, int width, float* y, bool add)
    {
        float* w1 = w + stride, w2 = w1 + stride, w3 = w2 + stride;
        Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default;
        for (nint k = 0; k < width; k += 8)
        {
            var p = Vector256.Load(x + k);
            a0 = Vector256.MultiplyAddEstimate(Vector256.Load(w + k), p, a0);
            a1 = Vector256.MultiplyAddEstimate(Vector256.Load(w1 + k), p, a1);
            a2 = Vector256.MultiplyAddEstimate(Vector256.Load(w2 + k), p, a2);
            a3 = Vector256.MultiplyAddEstimate(Vector256.Load(w3 + k), p, a3);
        }

        Put(y, a0, a1, a2, a3, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(float* y, Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d, bool add)
    {
        var sum = Sums(a, b, c, d);
        (add ? sum + Vector128.Load(y) : sum).Store(y);
    }

    /// <summary>The sum of each vector's elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sums(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d)
    {
        if (Avx.IsSupported)
        {
            var pairs = Avx.HorizontalAdd(Avx.HorizontalAdd(a, b), Avx.HorizontalAdd(c, d));
            return pairs.GetLower() + pairs.GetUpper();
        }

        return Vector128.Create(Vector256.Sum(a), Vector256.Sum(b), Vector256.Sum(c), Vector256.Sum(d));
    }
}
