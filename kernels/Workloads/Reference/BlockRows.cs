using System.Numerics.Tensors;

namespace EnergyGrid.Workloads;

/// <summary>A weight matrix in Q8_0 or Q4_0, stored so that eight outputs are multiplied at once and no sum crosses a vector.</summary>
/// <remarks>
/// <code>
/// band: 8 outputs │ block of 32 inputs │ block │ …        bands follow one another; within one, its blocks
/// block           8 FP16 scales, then steps of [8 outputs][4 inputs] bytes
/// Q8_0            8 steps: q + 128
/// Q4_0            4 steps: q + 8 of step s in the low four bits, of step s + 4 in the high ones
/// </code>
/// w = q·scale. A scale is what ggml makes of the block: Q8_0 max|w|/127, Q4_0 the weight of largest magnitude over −8, so that this one comes back exactly as the scale is rounded.
/// </remarks>
internal sealed unsafe class BlockRows : IDisposable
{
    /// <summary>Outputs that are multiplied at once.</summary>
    public const int Band = 8;

    /// <summary>Bytes of a band's scales within one block.</summary>
    public const int ScaleBytes = 2 * Band;

    private const int Block = WeightFormat.Block;

    private readonly AlignedBuffer<byte> _data;

    /// <param name="format">Q8_0 or Q4_0.</param>
    /// <param name="outputs">Rows, a multiple of 8.</param>
    /// <param name="inputs">Columns, a multiple of 32.</param>
    /// <exception cref="ArgumentException">Others.</exception>
    public BlockRows(string format, int outputs, int inputs)
    {
        if (outputs % Band != 0 || inputs % Block != 0) throw new ArgumentException($"{outputs} outputs of {inputs} inputs: {format} takes multiples of {Band} and {Block}", nameof(outputs));
        (IsEight, Outputs, Inputs) = (format == WeightFormat.Q8, outputs, inputs);
        BlockBytes = ScaleBytes + (IsEight ? Band * Block : Band * Block / 2);
        _data = new AlignedBuffer<byte>((long)outputs / Band * Blocks * BlockBytes);
        if (!IsEight) return;
        // A weight of nothing is q = 0, which is stored as 128.
        for (var block = 0L; block < _data.Length / BlockBytes; block++) _data.Slice(block * BlockBytes + ScaleBytes, Band * Block).Fill(128);
    }

    /// <summary>Q8_0; else Q4_0.</summary>
    public bool IsEight { get; }

    public int Outputs { get; }

    public int Inputs { get; }

    /// <summary>Blocks of a row.</summary>
    public int Blocks => Inputs / Block;

    /// <summary>Bytes of one block of a band.</summary>
    public int BlockBytes { get; }

    public long Bytes => _data.Bytes;

    public ReadOnlySpan<byte> Data => new(_data.Pointer, checked((int)_data.Bytes));

    /// <summary>What is added to a weight's q where it is stored.</summary>
    public int Offset => IsEight ? 128 : 8;

    /// <summary>Where a band begins; <see cref="Blocks"/> · <see cref="BlockBytes"/> bytes.</summary>
    public byte* BandAt(int band) => _data.Pointer + (long)band * Blocks * BlockBytes;

    public void Dispose() => _data.Dispose();

    /// <summary>Quantises weights of a row.</summary>
    /// <param name="row">Which.</param>
    /// <param name="start">Input of the first, a multiple of 32.</param>
    /// <param name="weights">As many as are there, a multiple of 32.</param>
    public void Put(int row, int start, ReadOnlySpan<float> weights)
    {
        for (var from = 0; from < weights.Length; from += Block)
        {
            var values = weights.Slice(from, Block);
            var at = At(row, (start + from) / Block);
            if (IsEight) Put8(at, row % Band, values);
            else Put4(at, row % Band, values);
        }
    }

    /// <summary>A row's scale and its 32 q of one block, without the offset.</summary>
    public float Get(int row, int block, Span<sbyte> q)
    {
        var at = At(row, block);
        var codes = at + ScaleBytes + row % Band * 4;
        for (var i = 0; i < Block; i++)
        {
            var step = i / 4;
            q[i] = (sbyte)((IsEight ? codes[step * 32 + i % 4] : codes[step % 4 * 32 + i % 4] >> (step < 4 ? 0 : 4) & 15) - Offset);
        }

        return (float)((Half*)at)[row % Band];
    }

    private byte* At(int row, int block) => BandAt(row / Band) + (long)block * BlockBytes;

    private static void Put8(byte* at, int lane, ReadOnlySpan<float> values)
    {
        var scale = MathF.Abs(TensorPrimitives.MaxMagnitude(values)) / 127;
        var inverse = scale == 0 ? 0 : 1 / scale;
        ((Half*)at)[lane] = (Half)scale;
        var codes = at + ScaleBytes + lane * 4;
        for (var i = 0; i < Block; i++) codes[i / 4 * 32 + i % 4] = (byte)(128 + (int)MathF.Round(values[i] * inverse, MidpointRounding.AwayFromZero));
    }

    private static void Put4(byte* at, int lane, ReadOnlySpan<float> values)
    {
        var scale = TensorPrimitives.MaxMagnitude(values) / -8;
        var inverse = scale == 0 ? 0 : 1 / scale;
        ((Half*)at)[lane] = (Half)scale;
        var codes = at + ScaleBytes + lane * 4;
        for (var i = 0; i < Block / 2; i++)
        {
            int low = Code(values[i]), high = Code(values[i + Block / 2]);
            codes[i / 4 * 32 + i % 4] = (byte)(low | high << 4);
        }

        int Code(float value) => Math.Min(15, (int)(value * inverse + 8.5f));
    }
}
