using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EnergyGrid.Workloads;

/// <summary>Weights of one row within one group of inputs, converted to FP32 as they are read.</summary>
internal interface IRowGroup
{
    /// <summary>Weights <paramref name="k"/> to k + 7 of the group; k is a multiple of 8.</summary>
    Vector256<float> Load(nint k);
}

/// <summary>One packed row of a chunk: where its groups of 128 inputs lie.</summary>
internal interface IPackedRow<out TGroup> where TGroup : struct, IRowGroup
{
    /// <summary>Group <paramref name="g"/> with its scale.</summary>
    TGroup Group(int g);
}

/// <summary>FP16: the bits.</summary>
internal readonly unsafe struct HalfGroup(ushort* data, float factor) : IRowGroup
{
    private readonly ushort* _data = data;
    private readonly float _factor = factor;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<float> Load(nint k) => Halves.Load(_data + k, _factor);
}

/// <summary>INT8: w = q·scale.</summary>
internal readonly unsafe struct ByteGroup(sbyte* data, float scale) : IRowGroup
{
    private readonly sbyte* _data = data;
    private readonly Vector256<float> _scale = Vector256.Create(scale);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<float> Load(nint k) => Vector256.ConvertToSingle(Widen(_data + k)) * _scale;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Widen(sbyte* source)
    {
        if (Avx2.IsSupported)
        {
            return Avx2.ConvertToVector256Int32(source);
        }

        var shorts = Vector128.WidenLower(Vector64.Load(source).ToVector128Unsafe());
        return Vector256.Create(Vector128.WidenLower(shorts), Vector128.WidenUpper(shorts));
    }
}

/// <summary>INT4: w = q·scale − zero·scale. Both products have at most 15 significant bits and the difference is exact.</summary>
internal readonly unsafe struct NibbleGroup(byte* data, float scale, int zero) : IRowGroup
{
    private readonly byte* _data = data;
    private readonly Vector256<float> _scale = Vector256.Create(scale);
    private readonly Vector256<float> _offset = Vector256.Create(-zero * scale);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<float> Load(nint k) =>
        Vector256.MultiplyAddEstimate(Vector256.ConvertToSingle(Nibbles(*(uint*)(_data + (k >>> 1)))), _scale, _offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Nibbles(uint word)
    {
        if (Avx2.IsSupported)
        {
            return (Avx2.ShiftRightLogicalVariable(Vector256.Create(word), Vector256.Create(0u, 16, 4, 20, 8, 24, 12, 28)) & Vector256.Create(15u)).AsInt32();
        }

        return Vector256.Create((int)word & 15, (int)(word >> 16) & 15, (int)(word >> 4) & 15, (int)(word >> 20) & 15, (int)(word >> 8) & 15, (int)(word >> 24) & 15, (int)(word >> 12) & 15, (int)(word >> 28));
    }
}

/// <param name="data">First weight.</param>
/// <param name="factor">What it is multiplied with, over <see cref="Halves.Lift"/>.</param>
internal readonly unsafe struct HalfRow(ushort* data, float factor) : IPackedRow<HalfGroup>
{
    private readonly ushort* _data = data;
    private readonly float _factor = factor;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public HalfGroup Group(int g) => new(_data + g * WeightFormat.Group, _factor);
}

/// <param name="data">First weight.</param>
/// <param name="scales">FP16 [group].</param>
internal readonly unsafe struct ByteRow(sbyte* data, ushort* scales) : IPackedRow<ByteGroup>
{
    private readonly sbyte* _data = data;
    private readonly ushort* _scales = scales;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ByteGroup Group(int g) => new(_data + g * WeightFormat.Group, Halves.Single(_scales[g]));
}

/// <param name="data">First word.</param>
/// <param name="scales">FP16 of the whole matrix.</param>
/// <param name="zeros">Nibbles of the whole matrix.</param>
/// <param name="first">Index of the row's first scale and zero.</param>
internal readonly unsafe struct NibbleRow(byte* data, ushort* scales, byte* zeros, long first) : IPackedRow<NibbleGroup>
{
    private readonly byte* _data = data;
    private readonly ushort* _scales = scales;
    private readonly byte* _zeros = zeros;
    private readonly long _first = first;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public NibbleGroup Group(int g)
    {
        var index = _first + g;
        return new(_data + g * (WeightFormat.Group / 2), Halves.Single(_scales[index]), _zeros[index >> 1] >> (int)(4 * (index & 1)) & 15);
    }
}
