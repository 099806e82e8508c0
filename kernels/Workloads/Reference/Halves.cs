using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace EnergyGrid.Workloads;

/// <summary>FP16 to FP32 in vectors. The runtime exposes no F16C instruction, so the bits are moved and the exponent corrected by a multiplication.</summary>
internal static unsafe class Halves
{
    /// <summary>Converts <paramref name="count"/> finite numbers; a multiple of 8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(ushort* source, float* target, int count)
    {
        var i = 0;
        for (; i <= count - 16; i += 16)
        {
            Load(source + i).Store(target + i);
            Load(source + i + 8).Store(target + i + 8);
        }

        for (; i < count; i += 8)
        {
            Load(source + i).Store(target + i);
        }
    }

    /// <summary>Eight finite numbers. Exponent and mantissa move up by 13 bits; the biases 127 and 15 differ by 112; subnormals come out right.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(ushort* source) => Load(source, Lift);

    /// <summary>What the bits of <see cref="Moved"/> are to be multiplied with: 2^112.</summary>
    public const float Lift = 5.192296858534828e33f;

    /// <summary>Sixteen finite numbers, each over <see cref="Lift"/>. Where none is subnormal but zero, none of these is either, and they may be multiplied as they are: a processor takes its time for subnormal ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Moved(ushort* source)
    {
        var wide = Vector512.WidenLower(Vector256.Load((short*)source).ToVector512Unsafe());
        return ((wide << 13) & Vector512.Create(unchecked((int)0x8FFFE000))).AsSingle();
    }

    /// <summary>Eight finite numbers times <paramref name="factor"/> over <see cref="Lift"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(ushort* source, float factor)
    {
        var wide = Vector256.WidenLower(Vector128.Load((short*)source).ToVector256Unsafe());
        return ((wide << 13) & Vector256.Create(unchecked((int)0x8FFFE000))).AsSingle() * factor;
    }

    /// <summary>One finite number, as in <see cref="Load"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Single(ushort bits) => BitConverter.Int32BitsToSingle(((short)bits << 13) & unchecked((int)0x8FFFE000)) * Lift;
}
