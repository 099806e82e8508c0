using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EnergyGrid.Workloads;

/// <summary>
/// One packed row with up to eight vectors. Each weight is converted once for the eight, between the multiplications, whose units conversion leaves free:
/// every format runs at nearly the speed of the multiplications alone.
/// </summary>
internal static unsafe class RowProduct
{
    /// <summary>Vectors that are taken at once.</summary>
    public const int Vectors = 8;

    // FP16 weights pass two lines an iteration of 32; the memory's own look-ahead ends with its page of 4 KiB.
    private const int Ahead = 4096;

    /// <summary>Copies <paramref name="count"/> ≤ 8 vectors to the order in which a row meets them: [width / 8][8 vectors][8 inputs], absent vectors and inputs zero.</summary>
    /// <param name="x">[count], <paramref name="stride"/> apart.</param>
    /// <param name="stride">Floats.</param>
    /// <param name="count">Vectors.</param>
    /// <param name="real">Inputs that exist.</param>
    /// <param name="width">Inputs with padding, a multiple of 8.</param>
    /// <param name="target">8 · width floats.</param>
    public static void Interleave(float* x, int stride, int count, int real, int width, float* target)
    {
        if (count < Vectors || real < width)
        {
            new Span<float>(target, Vectors * width).Clear();
        }

        for (var b = 0; b < count; b++)
        {
            var from = x + (long)b * stride;
            var to = target + 8 * b;
            var k = 0;
            for (; k <= real - 8; k += 8)
            {
                Vector256.Load(from + k).Store(to + Vectors * k);
            }

            new ReadOnlySpan<float>(from + k, real - k).CopyTo(new Span<float>(to + Vectors * k, 8));
        }
    }

    /// <summary>y[b] (+)= Σ_k w[k]·x[b][k] for eight vectors.</summary>
    /// <param name="row">Packed weights.</param>
    /// <param name="stream">Where the row begins in memory, to look ahead from.</param>
    /// <param name="bytes">Bytes of the row.</param>
    /// <param name="x">As <see cref="Interleave"/> leaves them.</param>
    /// <param name="width">Weights, a multiple of 8.</param>
    /// <param name="sums">Receives 8 results.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<TRow, TGroup>(TRow row, byte* stream, int bytes, float* x, int width, float* sums)
        where TRow : struct, IPackedRow<TGroup>
        where TGroup : struct, IRowGroup
    {
        if (Sse.IsSupported)
        {
            for (var i = 0; i < bytes; i += 64)
            {
                Sse.Prefetch1(stream + Ahead + i);
            }
        }

        Vector256<float> a = default, b = default, c = default, d = default, e = default, f = default, g = default, h = default;
        for (var from = 0; from < width; from += WeightFormat.Group)
        {
            var group = row.Group(from / WeightFormat.Group);
            nint count = Math.Min(WeightFormat.Group, width - from);
            for (nint k = 0; k < count; k += 8)
            {
                var w = group.Load(k);
                a = Vector256.MultiplyAddEstimate(w, Vector256.Load(x), a);
                b = Vector256.MultiplyAddEstimate(w, Vector256.Load(x + 8), b);
                c = Vector256.MultiplyAddEstimate(w, Vector256.Load(x + 16), c);
                d = Vector256.MultiplyAddEstimate(w, Vector256.Load(x + 24), d);
                e = Vector256.MultiplyAddEstimate(w, Vector256.Load(x + 32), e);
                f = Vector256.MultiplyAddEstimate(w, Vector256.Load(x + 40), f);
                g = Vector256.MultiplyAddEstimate(w, Vector256.Load(x + 48), g);
                h = Vector256.MultiplyAddEstimate(w, Vector256.Load(x + 56), h);
                x += 8 * Vectors;
            }
        }

        TileProduct.Sums(a, b, c, d).Store(sums);
        TileProduct.Sums(e, f, g, h).Store(sums + 4);
    }
}
