using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EnergyGrid.Workloads;

/// <summary>
/// Four FP16 rows of a panel with one vector or with four, in vectors of 512 bits: each weight is widened once for the four, and sixteen sums stay in registers. The vectors have been multiplied
/// with <see cref="PackedMatrix.InputScale"/>, so that weights need no multiplication of their own.
/// </summary>
internal static unsafe class HalfProduct
{
    /// <summary>Vectors that are taken at once.</summary>
    public const int Vectors = 4;

    private const int Rows = PackedMatrix.Panel;

    // A panel of 512 inputs is 4 KiB: the next one but one.
    private const int Ahead = 8192;

    /// <summary>Whether this processor has what it takes.</summary>
    public static bool IsSupported => Vector512.IsHardwareAccelerated;

    /// <summary>sums[row] = Σ_k w[row][k]·x[k].</summary>
    /// <param name="w">Four rows, <paramref name="width"/> apart.</param>
    /// <param name="x">One vector.</param>
    /// <param name="width">Inputs, a multiple of 16.</param>
    /// <param name="sums">Receives 4 results.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void One(ushort* w, float* x, int width, float* sums)
    {
        // One row after the other: with nothing but memory to wait for, one stream is what its look-ahead follows best.
        for (var row = 0; row < Rows; row++, w += width)
        {
            Vector512<float> a = default, b = default, c = default, d = default;
            nint k = 0;
            for (; k <= width - 64; k += 64)
            {
                a = Vector512.MultiplyAddEstimate(Halves.Moved(w + k), Vector512.Load(x + k), a);
                b = Vector512.MultiplyAddEstimate(Halves.Moved(w + k + 16), Vector512.Load(x + k + 16), b);
                c = Vector512.MultiplyAddEstimate(Halves.Moved(w + k + 32), Vector512.Load(x + k + 32), c);
                d = Vector512.MultiplyAddEstimate(Halves.Moved(w + k + 48), Vector512.Load(x + k + 48), d);
            }

            for (; k < width; k += 16) a = Vector512.MultiplyAddEstimate(Halves.Moved(w + k), Vector512.Load(x + k), a);
            sums[row] = Vector512.Sum(a + b + (c + d));
        }
    }

    /// <summary>sums[vector][row] = Σ_k w[row][k]·x[vector][k].</summary>
    /// <param name="w">Four rows, <paramref name="width"/> apart.</param>
    /// <param name="x">Four vectors, <paramref name="width"/> apart.</param>
    /// <param name="width">Inputs, a multiple of 16.</param>
    /// <param name="sums">Receives 16 results.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Four(ushort* w, float* x, int width, float* sums)
    {
        Prefetch(w, width);
        ushort* w1 = w + width, w2 = w1 + width, w3 = w2 + width;
        float* x1 = x + width, x2 = x1 + width, x3 = x2 + width;
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default, d0 = default, d1 = default, d2 = default, d3 = default;
        for (nint k = 0; k < width; k += 16)
        {
            Vector512<float> p = Halves.Moved(w + k), q = Halves.Moved(w1 + k), r = Halves.Moved(w2 + k), s = Halves.Moved(w3 + k);
            var v = Vector512.Load(x + k);
            a0 = Vector512.MultiplyAddEstimate(p, v, a0);
            a1 = Vector512.MultiplyAddEstimate(q, v, a1);
            a2 = Vector512.MultiplyAddEstimate(r, v, a2);
            a3 = Vector512.MultiplyAddEstimate(s, v, a3);
            v = Vector512.Load(x1 + k);
            b0 = Vector512.MultiplyAddEstimate(p, v, b0);
            b1 = Vector512.MultiplyAddEstimate(q, v, b1);
            b2 = Vector512.MultiplyAddEstimate(r, v, b2);
            b3 = Vector512.MultiplyAddEstimate(s, v, b3);
            v = Vector512.Load(x2 + k);
            c0 = Vector512.MultiplyAddEstimate(p, v, c0);
            c1 = Vector512.MultiplyAddEstimate(q, v, c1);
            c2 = Vector512.MultiplyAddEstimate(r, v, c2);
            c3 = Vector512.MultiplyAddEstimate(s, v, c3);
            v = Vector512.Load(x3 + k);
            d0 = Vector512.MultiplyAddEstimate(p, v, d0);
            d1 = Vector512.MultiplyAddEstimate(q, v, d1);
            d2 = Vector512.MultiplyAddEstimate(r, v, d2);
            d3 = Vector512.MultiplyAddEstimate(s, v, d3);
        }

        Sums(a0, a1, a2, a3).Store(sums);
        Sums(b0, b1, b2, b3).Store(sums + 4);
        Sums(c0, c1, c2, c3).Store(sums + 8);
        Sums(d0, d1, d2, d3).Store(sums + 12);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Sums(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d) =>
        TileProduct.Sums(a.GetLower() + a.GetUpper(), b.GetLower() + b.GetUpper(), c.GetLower() + c.GetUpper(), d.GetLower() + d.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(ushort* w, int width)
    {
        if (!Sse.IsSupported) return;
        for (nint i = 0; i < 2 * Rows * width; i += 64) Sse.Prefetch1((byte*)w + Ahead + i);
    }
}
