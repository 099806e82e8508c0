using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace EnergyGrid.Workloads;

/// <summary>
/// H's cache entries, 584 bytes each in pages of 64: first the 64 data parts of 576 B (448 FP8, 64 BF16), then the 64 scale parts of 8 B (7 scales, 1 pad).
/// </summary>
internal static unsafe class EntryPages
{
    public const int PageEntries = 64, DataBytes = 576, ScaleBytes = 8, Plain = 448, Group = 64, Width = LayerShape.SharedHead;

    public const int PageBytes = PageEntries * LayerShape.EntryBytes;

    public static long Bytes(long entries) => (entries + PageEntries - 1) / PageEntries * PageBytes;

    /// <summary>Where the data of an entry begins, B from the first page.</summary>
    public static long DataAt(long entry) => entry / PageEntries * PageBytes + entry % PageEntries * DataBytes;

    /// <summary>Where its scales begin.</summary>
    public static long ScalesAt(long entry) => entry / PageEntries * PageBytes + PageEntries * DataBytes + entry % PageEntries * ScaleBytes;

    public static void Write(byte* pages, long entry, ReadOnlySpan<float> x)
    {
        var data = pages + DataAt(entry);
        var scales = pages + ScalesAt(entry);
        for (var g = 0; g < Plain / Group; g++)
        {
            var part = x.Slice(g * Group, Group);
            scales[g] = EightBitFloat.EncodeScale(Math.Abs(TensorPrimitives.MaxMagnitude(part)));
            var inverse = 1 / EightBitFloat.DecodeScale(scales[g]);
            for (var i = 0; i < Group; i++)
            {
                data[g * Group + i] = EightBitFloat.Encode(part[i] * inverse);
            }
        }

        scales[7] = 0;
        var brain = (ushort*)(data + Plain);
        for (var i = 0; i < LayerShape.RopeWidth; i++)
        {
            brain[i] = EightBitFloat.EncodeBrain(x[Plain + i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Read(byte* pages, long entry, float* target)
    {
        var data = pages + DataAt(entry);
        var scales = pages + ScalesAt(entry);
        for (var g = 0; g < Plain / Group; g++)
        {
            Widen(data + g * Group, EightBitFloat.DecodeScale(scales[g]), target + g * Group, Group);
        }

        var brain = (ushort*)(data + Plain);
        for (var i = 0; i < LayerShape.RopeWidth; i += 8)
        {
            var wide = Vector256.WidenLower(Vector128.Load(brain + i).ToVector256Unsafe());
            (wide << 16).AsSingle().Store(target + Plain + i);
        }
    }

    /// <summary>FP8 bytes times a scale. Bits move to FP32's places; the biases 127 and 7 differ by 120; subnormals come out right.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(byte* source, float scale, float* target, int count)
    {
        var factor = Vector256.Create(scale * 1.329227995784916e36f);
        for (var i = 0; i < count; i += 8)
        {
            var words = Vector128.WidenLower(Vector64.Load((sbyte*)source + i).ToVector128Unsafe());
            var wide = Vector256.WidenLower(words.ToVector256Unsafe());
            (((wide << 20) & Vector256.Create(unchecked((int)0x87F00000))).AsSingle() * factor).Store(target + i);
        }
    }
}
