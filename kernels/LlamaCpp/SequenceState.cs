using System.Buffers.Binary;
using System.Runtime.InteropServices;
using EnergyGrid.Workloads;

namespace EnergyGrid.LlamaCpp;

/// <summary>
/// The KV cache of one sequence as llama.cpp saves it and takes it back (<c>llama_state_seq_get_data</c>), with keys and values that are put here: a cache of any length without computing it.
/// </summary>
/// <remarks>
/// <code>
/// 8 B of head │ u32 streams │ u32 0 for each stream but one │ u32 cells │ per cell: i32 position, u32 1, i32 sequence │ u32 0: values not transposed │ u32 layers │
/// per layer: i32 type, u64 bytes of a row, the cells' keys │ per layer the same with values
/// </code>
/// Head and streams are those of a sample that the library made. The sample's size and types are held against this: a library that saves something else is refused, not misread.
/// </remarks>
internal sealed unsafe class SequenceState : IDisposable
{
    private const int HeadBytes = 8, CellBytes = 12, RowsHeadBytes = 12, Half16 = 1;

    private readonly AlignedBuffer<byte> _bytes;
    private readonly int _cells, _layers, _rowBytes;
    private readonly long _rows;

    /// <param name="sample">What the library saves of its first sequence with one cell.</param>
    /// <param name="cells">Tokens, at positions from 0; at least 1.</param>
    /// <param name="layers">Layers.</param>
    /// <param name="rowBytes">Bytes of a token's keys in one layer, FP16; of its values as many.</param>
    /// <exception cref="InvalidOperationException">The library saves something else.</exception>
    public SequenceState(ReadOnlySpan<byte> sample, int cells, int layers, int rowBytes)
    {
        (_cells, _layers, _rowBytes) = (cells, layers, rowBytes);
        var streams = Streams(sample, layers, rowBytes);
        _rows = HeadBytes + sizeof(uint) * (1L + streams) + (long)cells * CellBytes + 2 * sizeof(uint);
        _bytes = new AlignedBuffer<byte>(_rows + 2L * layers * (RowsHeadBytes + (long)cells * rowBytes));
        sample[..(HeadBytes + sizeof(uint))].CopyTo(_bytes.Slice(0, HeadBytes + sizeof(uint)));
        // Whose it is, is said where it is given back: the other streams stay empty, and it comes last.
        long at = HeadBytes + sizeof(uint) * (long)streams;
        Put(ref at, cells);
        for (var cell = 0; cell < cells; cell++)
        {
            Put(ref at, cell);
            Put(ref at, 1);
            Put(ref at, 0);
        }

        Put(ref at, 0);
        Put(ref at, layers);
        for (var part = 0; part < 2 * layers; part++)
        {
            at = Part(part) - RowsHeadBytes;
            Put(ref at, Half16);
            Put(ref at, rowBytes);
        }
    }

    /// <summary>All of it, as the library takes it.</summary>
    public byte* Pointer => _bytes.Pointer;

    /// <summary>Bytes of it.</summary>
    public long Bytes => _bytes.Length;

    /// <summary>FP16 keys of a token in a layer.</summary>
    public Span<Half> Keys(int layer, int cell) => Row(layer, cell);

    /// <summary>FP16 values of a token in a layer.</summary>
    public Span<Half> Values(int layer, int cell) => Row(_layers + layer, cell);

    public void Dispose() => _bytes.Dispose();

    private long Part(int part) => _rows + part * (RowsHeadBytes + (long)_cells * _rowBytes) + RowsHeadBytes;

    private Span<Half> Row(int part, int cell) => MemoryMarshal.Cast<byte, Half>(_bytes.Slice(Part(part) + (long)cell * _rowBytes, _rowBytes));

    private void Put(ref long at, int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(_bytes.Slice(at, sizeof(int)), value);
        at += sizeof(int);
    }

    private static int Streams(ReadOnlySpan<byte> sample, int layers, int rowBytes)
    {
        if (sample.Length < HeadBytes + sizeof(uint)) throw Other($"{sample.Length} B");
        var streams = At(sample, HeadBytes);
        var expected = HeadBytes + sizeof(uint) * (1L + streams) + CellBytes + 2 * sizeof(uint) + 2L * layers * (RowsHeadBytes + rowBytes);
        if (streams is < 1 or > 1 << 16 || sample.Length != expected) throw Other($"{sample.Length} B where {expected} are expected for {streams} streams");
        // The first sequence's own stream is the first.
        var own = sample[(HeadBytes + sizeof(uint))..];
        int[] found = [At(own, 0), At(own, 4), At(own, 8), At(own, 16), At(own, 20), At(own, 24), At(own, 28), At(own, 32)];
        if (!found.AsSpan().SequenceEqual([1, 0, 1, 0, layers, Half16, rowBytes, 0])) throw Other($"cells, position, sequences, transposed, layers, type and bytes of a row are {string.Join(", ", found)}");
        return streams;

        static InvalidOperationException Other(string what) => new($"This build of llama.cpp saves a sequence in another way than is known here: {what}.");
    }

    private static int At(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadInt32LittleEndian(bytes[offset..]);
}
