using System.Buffers.Binary;
using System.Text;

namespace EnergyGrid.LlamaCpp.Gguf;

/// <summary>How a tensor's elements are stored, by ggml's numbers.</summary>
internal enum GgufType
{
    F32 = 0,
    F16 = 1,
    Q40 = 2,
    Q80 = 8,
}

/// <summary>
/// What stands before the tensors of a GGUF file of version 3: keys with values, then each tensor's name, shape, type and place. Shapes are given innermost first: [inputs, outputs].
/// The format: ggml's docs/gguf.md.
/// </summary>
internal sealed class GgufHeader
{
    private const uint Version = 3;
    private const int Alignment = 32;
    private const uint TypeUInt32 = 4, TypeInt32 = 5, TypeFloat32 = 6, TypeBool = 7, TypeString = 8, TypeArray = 9;

    private readonly MemoryStream _keys = new();
    private readonly List<(string Name, long[] Shape, GgufType Type, long Offset)> _tensors = [];
    private int _keyCount;
    private long _dataBytes;

    public GgufHeader Add(string key, string value) => Key(key, TypeString, () => Text(_keys, value));

    public GgufHeader Add(string key, int value) => Key(key, TypeUInt32, () => Number(_keys, (uint)value));

    public GgufHeader Add(string key, float value) => Key(key, TypeFloat32, () => Number(_keys, BitConverter.SingleToUInt32Bits(value)));

    public GgufHeader Add(string key, bool value) => Key(key, TypeBool, () => _keys.WriteByte(value ? (byte)1 : (byte)0));

    public GgufHeader Add(string key, IReadOnlyList<string> values) => Key(key, TypeArray, () =>
    {
        Number(_keys, TypeString);
        Number(_keys, (ulong)values.Count);
        foreach (var value in values) Text(_keys, value);
    });

    public GgufHeader Add(string key, IReadOnlyList<int> values) => Key(key, TypeArray, () =>
    {
        Number(_keys, TypeInt32);
        Number(_keys, (ulong)values.Count);
        foreach (var value in values) Number(_keys, (uint)value);
    });

    /// <summary>Adds a tensor behind those that are there; its number among them.</summary>
    public int Tensor(string name, GgufType type, params long[] shape)
    {
        _tensors.Add((name, shape, type, _dataBytes));
        _dataBytes += Align(Bytes(type, shape.Aggregate(1L, (a, b) => a * b)));
        return _tensors.Count - 1;
    }

    /// <summary>The header, padded up to the first tensor.</summary>
    public byte[] ToBytes()
    {
        var all = new MemoryStream();
        all.Write("GGUF"u8);
        Number(all, Version);
        Number(all, (ulong)_tensors.Count);
        Number(all, (ulong)_keyCount);
        _keys.WriteTo(all);
        foreach (var (name, shape, type, offset) in _tensors)
        {
            Text(all, name);
            Number(all, (uint)shape.Length);
            foreach (var width in shape) Number(all, (ulong)width);
            Number(all, (uint)type);
            Number(all, (ulong)offset);
        }

        all.SetLength(Align(all.Length));
        return all.ToArray();
    }

    /// <summary>Where a tensor begins behind the header, B.</summary>
    public long OffsetOf(int tensor) => _tensors[tensor].Offset;

    /// <summary>Of all tensors, with what lies between them, B.</summary>
    public long DataBytes => _dataBytes;

    /// <summary>Bytes of so many elements.</summary>
    public static long Bytes(GgufType type, long elements) => type switch
    {
        GgufType.F32 => 4 * elements,
        GgufType.F16 => 2 * elements,
        GgufType.Q80 => elements / 32 * 34,
        GgufType.Q40 => elements / 32 * 18,
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };

    private GgufHeader Key(string key, uint type, Action value)
    {
        Text(_keys, key);
        Number(_keys, type);
        value();
        _keyCount++;
        return this;
    }

    private static long Align(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    private static void Text(MemoryStream to, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Number(to, (ulong)bytes.Length);
        to.Write(bytes);
    }

    private static void Number(MemoryStream to, uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        to.Write(bytes);
    }

    private static void Number(MemoryStream to, ulong value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        to.Write(bytes);
    }
}
