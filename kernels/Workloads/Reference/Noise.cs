using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace EnergyGrid.Workloads;

/// <summary>
/// Random numbers by counter: what stands at a place depends on its key alone, never on who fills it or in what order.
/// Only exactly rounded operations are used, so the same key gives the same numbers on every machine.
/// </summary>
internal static unsafe class Noise
{
    /// <summary>A key from the seed and the coordinates of what is filled (SplitMix64 steps).</summary>
    public static ulong Key(long seed, params ReadOnlySpan<long> coordinates)
    {
        var key = Mix((ulong)seed + 0x9E3779B97F4A7C15UL);
        foreach (var x in coordinates)
        {
            key = Mix(key ^ ((ulong)x + 0x9E3779B97F4A7C15UL));
        }

        return key;
    }

    /// <summary>64 well mixed bits of a key and an index.</summary>
    public static ulong Bits(ulong key, long index) => Mix(key + ((ulong)index + 1) * 0x9E3779B97F4A7C15UL);

    /// <summary>Independent normal numbers with mean 0 and that deviation (Box and Muller); tails end at 5.77 deviations.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Normal(ulong key, float deviation, float* target, int count)
    {
        var low = Vector256.Create((uint)key);
        var high = Vector256.Create((uint)(key >> 32) | 1u);
        var lanes = Vector256.Create(0u, 1, 2, 3, 4, 5, 6, 7);
        var full = count & ~15;
        for (uint i = 0; i < full; i += 16)
        {
            Pair(lanes + Vector256.Create(i), low, high, deviation, out var a, out var b);
            a.Store(target + i);
            b.Store(target + i + 8);
        }

        if (full < count)
        {
            var tail = stackalloc float[16];
            Pair(lanes + Vector256.Create((uint)full), low, high, deviation, out var a, out var b);
            a.Store(tail);
            b.Store(tail + 8);
            new ReadOnlySpan<float>(tail, count - full).CopyTo(new Span<float>(target + full, count - full));
        }
    }

    private static void Pair(Vector256<uint> counter, Vector256<uint> low, Vector256<uint> high, float deviation, out Vector256<float> a, out Vector256<float> b)
    {
        var first = Hash((counter * 0x9E3779B9u) ^ low, high);
        var second = Hash(first ^ high, low);
        // (0, 1] and quarter turns in [0, 4).
        var u = Vector256.ConvertToSingle(((first >>> 8) + Vector256<uint>.One).AsInt32()) * (1f / (1 << 24));
        var turn = Vector256.ConvertToSingle((second >>> 8).AsInt32()) * (4f / (1 << 24));
        var radius = Vector256.Sqrt(Ln(u) * -2f) * deviation;
        var quadrant = Vector256.Floor(turn + Vector256.Create(0.5f));
        var angle = (turn - quadrant) * 1.57079632679f;
        var square = angle * angle;
        var sin = angle * (Vector256.Create(1f) + square * (Vector256.Create(-1.6666654611e-1f) + square * (Vector256.Create(8.3321608736e-3f) + square * -1.9515295891e-4f)));
        var cos = Vector256.Create(1f) - square * 0.5f + square * square * (Vector256.Create(4.166664568298827e-2f) + square * (Vector256.Create(-1.388731625493765e-3f) + square * 2.443315711809948e-5f));
        var q = Vector256.ConvertToInt32(quadrant);
        var swap = Vector256.Equals(q & Vector256<int>.One, Vector256<int>.One).AsSingle();
        var sign = ((q & Vector256.Create(2)) << 30).AsSingle();
        a = radius * (Vector256.ConditionalSelect(swap, sin, cos) ^ sign);
        b = radius * (Vector256.ConditionalSelect(swap, cos, sin) ^ sign);
    }

    private static Vector256<uint> Hash(Vector256<uint> x, Vector256<uint> key)
    {
        x ^= x >>> 16;
        x *= 0x7feb352du;
        x ^= (x >>> 15) ^ key;
        x *= 0x846ca68bu;
        return x ^ (x >>> 16);
    }

    /// <summary>Natural logarithm of positive normal numbers to 1 unit in the last place or so (the polynomial of Cephes' logf).</summary>
    private static Vector256<float> Ln(Vector256<float> x)
    {
        var bits = x.AsInt32();
        // Mantissa in [sqrt(1/2), sqrt 2).
        var exponent = (bits - Vector256.Create(0x3f3504f3)) >> 23;
        var m = (bits - (exponent << 23)).AsSingle() - Vector256.Create(1f);
        var z = m * m;
        var p = Vector256.Create(7.0376836292e-2f);
        p = p * m + Vector256.Create(-1.1514610310e-1f);
        p = p * m + Vector256.Create(1.1676998740e-1f);
        p = p * m + Vector256.Create(-1.2420140846e-1f);
        p = p * m + Vector256.Create(1.4249322787e-1f);
        p = p * m + Vector256.Create(-1.6668057665e-1f);
        p = p * m + Vector256.Create(2.0000714765e-1f);
        p = p * m + Vector256.Create(-2.4999993993e-1f);
        p = p * m + Vector256.Create(3.3333331174e-1f);
        return m - z * 0.5f + p * m * z + Vector256.ConvertToSingle(exponent) * 0.69314718056f;
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
