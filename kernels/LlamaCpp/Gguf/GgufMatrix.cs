using System.Runtime.InteropServices;
using EnergyGrid.Workloads;
using Microsoft.Win32.SafeHandles;

namespace EnergyGrid.LlamaCpp.Gguf;

/// <summary>Writes a matrix of the reference as a tensor of ggml's.</summary>
internal static class GgufMatrix
{
    /// <summary>How ggml stores a weight format.</summary>
    /// <exception cref="ArgumentException">It has none of that kind.</exception>
    public static GgufType TypeOf(string weights) => weights switch
    {
        WeightFormat.Fp16 => GgufType.F16,
        WeightFormat.Q8 => GgufType.Q80,
        WeightFormat.Q4 => GgufType.Q40,
        _ => throw new ArgumentException($"GGUF has no {weights}", nameof(weights)),
    };

    /// <param name="file">Into which.</param>
    /// <param name="offset">Where the tensor begins in it, B.</param>
    /// <param name="matrix">What.</param>
    /// <param name="rowAt">Which of its rows lies at a row of the tensor; null for the same.</param>
    public static void Write(SafeFileHandle file, long offset, PackedMatrix matrix, Func<int, int>? rowAt = null)
    {
        var rowBytes = (int)GgufHeader.Bytes(TypeOf(matrix.Format), matrix.Inputs);
        var rowsAtOnce = Math.Max(1, (1 << 20) / rowBytes);
        var buffer = new byte[rowsAtOnce * rowBytes];
        for (var first = 0; first < matrix.Outputs; first += rowsAtOnce)
        {
            var rows = Math.Min(rowsAtOnce, matrix.Outputs - first);
            for (var r = 0; r < rows; r++)
            {
                var row = rowAt?.Invoke(first + r) ?? first + r;
                var target = buffer.AsSpan(r * rowBytes, rowBytes);
                if (matrix.Blocks is { } blocks) WriteBlocks(blocks, row, target);
                else matrix.CopyRow(row, MemoryMarshal.Cast<byte, Half>(target));
            }

            RandomAccess.Write(file, buffer.AsSpan(0, rows * rowBytes), offset + (long)first * rowBytes);
        }
    }

    // Q8_0: scale, 32 bytes. Q4_0: scale, then a byte for elements j and j + 16, low four bits first, eight added to each.
    private static void WriteBlocks(BlockRows blocks, int row, Span<byte> target)
    {
        Span<sbyte> q = stackalloc sbyte[WeightFormat.Block];
        var bytes = blocks.IsEight ? 34 : 18;
        for (var block = 0; block < blocks.Blocks; block++)
        {
            var at = target.Slice(block * bytes, bytes);
            BitConverter.TryWriteBytes(at, (Half)blocks.Get(row, block, q));
            if (blocks.IsEight)
            {
                MemoryMarshal.AsBytes(q).CopyTo(at[2..]);
                continue;
            }

            for (var i = 0; i < 16; i++) at[2 + i] = (byte)(q[i] + 8 | q[i + 16] + 8 << 4);
        }
    }
}
