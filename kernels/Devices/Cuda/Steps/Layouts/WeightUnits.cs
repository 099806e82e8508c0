using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>Packs matrices of the reference implementation into weight units on the host: what the fill kernels do on the device, for tests and for kernels that are checked alone.</summary>
internal static class WeightUnits
{
    /// <summary>The units of the stored matrix whose rows are <paramref name="rows"/> of <paramref name="sources"/>, all of one format and as many inputs.</summary>
    public static byte[] Pack(IReadOnlyList<PackedMatrix> sources, IReadOnlyList<SourceRow> rows)
    {
        if (sources.Any(m => m.Inputs != sources[0].Inputs || m.Format != sources[0].Format) || rows.Count % WeightLayout.TileRows != 0)
        {
            throw new ArgumentException("fused matrices have one format, as many inputs, and rows that are a multiple of 16", nameof(sources));
        }

        var layout = new WeightLayout(sources[0].Format, rows.Count, sources[0].Inputs);
        var units = new byte[layout.Bytes];
        for (var n = 0; n < rows.Count; n++)
        {
            Span<byte> target = units;
            for (var k = 0; k < layout.PaddedInputs; k++)
            {
                var stored = rows[n].Matrix < 0 ? Absent(layout.Format) : Read(sources[rows[n].Matrix], rows[n].Row, k);
                Put(target, layout, n, k, stored);
            }
        }

        return units;
    }

    /// <summary>The weight of one stored element as the kernels dequantise it.</summary>
    public static float Weight(WeightLayout layout, ReadOnlySpan<byte> units, int row, int input)
    {
        var bit = layout.WeightBit(row, input);
        var at = (int)(bit / 8);
        if (layout.Format == WeightFormat.Fp16)
        {
            return (float)BitConverter.ToHalf(units[at..]);
        }

        var scale = (float)BitConverter.ToHalf(units[(int)layout.ScaleAt(row, input)..]);
        if (layout.Format == WeightFormat.Int8)
        {
            return (units[at] - 128) * scale;
        }

        var zero = layout.ZeroBit(row, input);
        return ((units[at] >> (int)(bit % 8) & 15) - (units[(int)(zero / 8)] >> (int)(zero % 8) & 15)) * scale;
    }

    private static (int Code, Half Scale, int Zero) Absent(string format) => format == WeightFormat.Int8 ? (128, Half.Zero, 0) : (0, Half.Zero, 0);

    /// <summary>The stored code, scale and zero of an element; what lies behind the last input is the code of zero.</summary>
    private static (int Code, Half Scale, int Zero) Read(PackedMatrix matrix, int row, int input)
    {
        const int group = WeightFormat.Group;
        if (input / group >= PackedMatrix.Groups(matrix.PaddedInputs))
        {
            return Absent(matrix.Format);
        }

        var start = input / PackedMatrix.Chunk * PackedMatrix.Chunk;
        var width = Math.Min(PackedMatrix.Chunk, matrix.PaddedInputs - start);
        var element = (long)start * matrix.Outputs + (long)row * width + input - start;
        var beyond = input >= matrix.PaddedInputs;
        if (matrix.Format == WeightFormat.Fp16)
        {
            return (beyond ? 0 : BitConverter.HalfToUInt16Bits((Half)((float)BitConverter.ToHalf(matrix.Data[(int)(2 * element)..]) * matrix.DataScale)), Half.Zero, 0);
        }

        var scale = (int)((long)(start / group) * matrix.Outputs + (long)row * PackedMatrix.Groups(width) + (input - start) / group);
        if (matrix.Format == WeightFormat.Int8)
        {
            return (beyond ? 128 : (sbyte)matrix.Data[(int)element] + 128, matrix.Scales[scale], 0);
        }

        var zero = matrix.Zeros[scale / 2] >> 4 * (scale % 2) & 15;
        var shift = 4 * (input % 8 / 2) + 16 * (input % 2);
        return (beyond ? zero : (int)(BitConverter.ToUInt32(matrix.Data[(int)(element / 8 * 4)..]) >> shift) & 15, matrix.Scales[scale], zero);
    }

    private static void Put(Span<byte> units, WeightLayout layout, int row, int input, (int Code, Half Scale, int Zero) stored)
    {
        var bit = layout.WeightBit(row, input);
        var at = (int)(bit / 8);
        switch (layout.Format)
        {
            case WeightFormat.Fp16:
                BitConverter.TryWriteBytes(units[at..], (ushort)stored.Code);
                return;
            case WeightFormat.Int8:
                units[at] = (byte)stored.Code;
                break;
            default:
                units[at] |= (byte)(stored.Code << (int)(bit % 8));
                if (input % WeightFormat.Group == 0)
                {
                    var zero = layout.ZeroBit(row, input);
                    units[(int)(zero / 8)] |= (byte)(stored.Zero << (int)(zero % 8));
                }

                break;
        }

        BitConverter.TryWriteBytes(units[(int)layout.ScaleAt(row, input)..], stored.Scale);
    }
}
