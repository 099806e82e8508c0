using System.Numerics.Tensors;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EnergyGrid.Workloads;

/// <summary>
/// A weight matrix [outputs][inputs], stored in the order in which a multiplication reads it: FP16, INT8 and INT4 as below, Q8_0 and Q4_0 as <see cref="BlockRows"/>.
/// </summary>
/// <remarks>
/// <code>
/// inputs →   chunk 0 (512)      chunk 1 (512)      last chunk (the rest, padded to 16)
/// outputs  ┌──────────────────┬──────────────────┬───────┐
/// panel 0  │ tile: 4 rows,    │ tile             │ tile  │   tiles of one chunk follow one another, panel by panel;
/// (4 rows) │ each contiguous  │                  │       │   then comes the next chunk. A thread streams its panels
/// panel 1  │ tile             │ tile             │ tile  │   of a chunk while the chunk of activations stays in L1.
/// </code>
/// FP16: 2 B per weight, which is what is stored times <see cref="DataScale"/>: as a rule 2^10 times the weight, so that none is subnormal, which processors are slow with. INT8: one signed byte. INT4: words of 8 consecutive inputs, nibble i holding input 0,2,4,6,1,3,5,7 (AWQ's order).
/// Scales are FP16, one for each row and group of 128 inputs, in the tiles' order: [chunk][panel][row][group]; INT4's zeros, one nibble each, likewise, two a byte, low first.
/// INT8: w = q·scale. INT4: w = (q − zero)·scale. The last group of a row may be short (d_ff 28396).
/// GPTQ corrects errors through the Hessian of the activations and AWQ rescales channels by their magnitude; for independent activations of
/// unit variance both are the identity and leave rounding to nearest within the group, which is what is done here.
/// </remarks>
internal sealed unsafe class PackedMatrix : IDisposable
{
    public const int Chunk = 512, Panel = 4;

    private const float Stored = 1f / 1024, MostStored = 63.9f;

    private readonly AlignedBuffer<byte> _data;
    private readonly AlignedBuffer<Half>? _scales;
    private readonly AlignedBuffer<byte>? _zeros;

    /// <param name="format">One of <see cref="WeightFormat"/>.</param>
    /// <param name="outputs">Rows, a multiple of 4.</param>
    /// <param name="inputs">Columns.</param>
    public PackedMatrix(string format, int outputs, int inputs)
    {
        if (outputs % Panel != 0)
        {
            throw new ArgumentException($"outputs {outputs} must be a multiple of {Panel}", nameof(outputs));
        }

        (Format, Outputs, Inputs) = (format, outputs, inputs);
        PaddedInputs = Pad(inputs);
        if (WeightFormat.IsInBlocks(format))
        {
            (Blocks, _data) = (new BlockRows(format, outputs, inputs), new AlignedBuffer<byte>(0));
            return;
        }

        var elements = (long)outputs * PaddedInputs;
        _data = new AlignedBuffer<byte>(format switch { WeightFormat.Fp16 => 2 * elements, WeightFormat.Int8 => elements, WeightFormat.Int4 => elements / 2, _ => throw new ArgumentOutOfRangeException(nameof(format)) });
        if (format != WeightFormat.Fp16)
        {
            _scales = new AlignedBuffer<Half>((long)outputs * Groups(PaddedInputs));
            _zeros = format == WeightFormat.Int4 ? new AlignedBuffer<byte>((long)outputs * Groups(PaddedInputs) / 2) : null;
        }
    }

    public string Format { get; }

    public int Outputs { get; }

    public int Inputs { get; }

    /// <summary>Inputs with zero weights up to a multiple of 16.</summary>
    public int PaddedInputs { get; }

    /// <summary>The weights of a format in blocks; null in another.</summary>
    public BlockRows? Blocks { get; }

    /// <summary>What a stored FP16 number is to be multiplied with to be the weight: 2^-10, or 1 where a weight is 64 or more. Exact either way.</summary>
    public float DataScale { get; private set; } = Stored;

    /// <summary>What a vector is multiplied with before <see cref="MultiplyPanel"/>.</summary>
    public float InputScale => DataScale * Halves.Lift;

    public long Bytes => _data.Bytes + (Blocks?.Bytes ?? 0) + (_scales?.Bytes ?? 0) + (_zeros?.Bytes ?? 0);

    public ReadOnlySpan<byte> Data => Blocks is not null ? Blocks.Data : new(_data.Pointer, checked((int)_data.Bytes));

    public ReadOnlySpan<Half> Scales => _scales is null ? default : new(_scales.Pointer, checked((int)_scales.Length));

    public ReadOnlySpan<byte> Zeros => _zeros is null ? default : new(_zeros.Pointer, checked((int)_zeros.Length));

    public static int Pad(int inputs) => (inputs + 15) & ~15;

    /// <summary>Bytes that such a matrix takes.</summary>
    public static double BytesOf(string format, int outputs, int inputs)
    {
        var elements = (double)outputs * Pad(inputs);
        var groups = (double)outputs * Groups(Pad(inputs));
        return format switch
        {
            WeightFormat.Fp16 => 2 * elements,
            WeightFormat.Int8 => elements + 2 * groups,
            WeightFormat.Int4 => elements / 2 + 2.5 * groups,
            _ => WeightFormat.Bits(format) / 8 * outputs * inputs,
        };
    }

    public void Dispose()
    {
        _data.Dispose();
        Blocks?.Dispose();
        _scales?.Dispose();
        _zeros?.Dispose();
    }

    /// <summary>Weights ~ N(0, 1/inputs), drawn for each row and chunk by its own key, then quantised.</summary>
    public void FillNormal(WorkerPool pool, ulong key)
    {
        var deviation = 1 / MathF.Sqrt(Inputs);
        var panels = Outputs / Panel;
        const int batch = 64;
        pool.For((panels + batch - 1) / batch, (worker, item) =>
        {
            var row = pool.Scratch(worker, Chunk);
            for (var panel = item * batch; panel < Math.Min(panels, (item + 1) * batch); panel++)
            {
                for (var start = 0; start < PaddedInputs; start += Chunk)
                {
                    var width = Math.Min(Chunk, PaddedInputs - start);
                    var real = Math.Min(Chunk, Inputs - start);
                    for (var r = 0; r < Panel; r++)
                    {
                        Noise.Normal(Noise.Key((long)key, panel * Panel + r, start / Chunk), deviation, row, real);
                        new Span<float>(row + real, width - real).Clear();
                        Pack(panel, start, r, width, new Span<float>(row, width));
                    }
                }
            }
        });
    }

    /// <summary>Sets every weight from a source's next outputs · inputs values, row by row, then quantised.</summary>
    public void Fill(WorkerPool pool, IWeightValues values)
    {
        const int panelsAtOnce = 64;
        using var rows = new AlignedBuffer<float>((long)Math.Min(Outputs, panelsAtOnce * Panel) * Inputs);
        for (var first = 0; first < Outputs; first += panelsAtOnce * Panel)
        {
            var (from, count) = (first, Math.Min(panelsAtOnce * Panel, Outputs - first));
            values.Read(rows.Slice(0, count * Inputs));
            MakeRoom(rows.Slice(0, count * Inputs));
            pool.For(count / Panel, (worker, item) =>
            {
                var row = pool.Scratch(worker, Chunk);
                for (var start = 0; start < PaddedInputs; start += Chunk)
                {
                    var width = Math.Min(Chunk, PaddedInputs - start);
                    var real = Math.Min(Chunk, Inputs - start);
                    for (var r = 0; r < Panel; r++)
                    {
                        rows.Slice((long)(item * Panel + r) * Inputs + start, real).CopyTo(new Span<float>(row, real));
                        new Span<float>(row + real, width - real).Clear();
                        Pack(from / Panel + item, start, r, width, new Span<float>(row, width));
                    }
                }
            });
        }
    }

    /// <summary>Sets every weight from a row-major matrix [outputs][inputs].</summary>
    public void Fill(ReadOnlySpan<float> weights)
    {
        MakeRoom(weights);
        Span<float> row = stackalloc float[Chunk];
        for (var n = 0; n < Outputs; n++)
        {
            for (var start = 0; start < PaddedInputs; start += Chunk)
            {
                var width = Math.Min(Chunk, PaddedInputs - start);
                var real = Math.Min(Chunk, Inputs - start);
                row.Clear();
                weights.Slice(n * Inputs + start, real).CopyTo(row);
                Pack(n / Panel, start, n % Panel, width, row[..width]);
            }
        }
    }

    /// <summary>The weights of a row of an FP16 matrix, one after the other.</summary>
    /// <param name="n">Which row.</param>
    /// <param name="target">As many as there are inputs.</param>
    /// <exception cref="InvalidOperationException">It has another format.</exception>
    public void CopyRow(int n, Span<Half> target)
    {
        if (Format != WeightFormat.Fp16) throw new InvalidOperationException($"A matrix in {Format} has no FP16 weights.");
        for (var start = 0; start < Inputs; start += Chunk)
        {
            var width = Math.Min(Chunk, PaddedInputs - start);
            Weights(new ReadOnlySpan<Half>((Half*)_data.Pointer + Element(n / Panel, start, n % Panel, width), Math.Min(Chunk, Inputs - start)), target[start..]);
        }
    }

    /// <summary>Multiplies a row's inputs of a chunk with eight vectors. See <see cref="RowProduct"/>.</summary>
    /// <param name="n">Which row.</param>
    /// <param name="start">First input, that of a chunk.</param>
    /// <param name="width">Inputs of the chunk, padding included.</param>
    /// <param name="x">FP32, as <see cref="RowProduct.Interleave"/> leaves them.</param>
    /// <param name="sums">Receives 8 results.</param>
    public void Multiply(int n, int start, int width, float* x, float* sums)
    {
        var first = Element(n / Panel, start, n % Panel, width);
        var scale = Scale(n / Panel, start, n % Panel, width);
        switch (Format)
        {
            case WeightFormat.Fp16:
                var halves = (ushort*)_data.Pointer + first;
                RowProduct.Multiply<HalfRow, HalfGroup>(new(halves, InputScale), (byte*)halves, 2 * width, x, width, sums);
                break;
            case WeightFormat.Int8:
                var bytes = _data.Pointer + first;
                RowProduct.Multiply<ByteRow, ByteGroup>(new((sbyte*)bytes, (ushort*)_scales!.Pointer + scale), bytes, width, x, width, sums);
                break;
            default:
                var words = _data.Pointer + first / 2;
                RowProduct.Multiply<NibbleRow, NibbleGroup>(new(words, (ushort*)_scales!.Pointer, _zeros!.Pointer, scale), words, width / 2, x, width, sums);
                break;
        }
    }

    /// <summary>Multiplies the four rows of a panel of an FP16 matrix with one vector or with four. See <see cref="HalfProduct"/>.</summary>
    /// <param name="panel">Which.</param>
    /// <param name="start">First input, that of a chunk.</param>
    /// <param name="width">Inputs of the chunk, padding included.</param>
    /// <param name="x">FP32, <paramref name="width"/> for each vector, times <see cref="InputScale"/>.</param>
    /// <param name="isOne">Whether there is one vector; else four.</param>
    /// <param name="sums">Receives 4 results for each.</param>
    public void MultiplyPanel(int panel, int start, int width, float* x, bool isOne, float* sums)
    {
        var halves = (ushort*)_data.Pointer + Element(panel, start, 0, width);
        if (isOne) HalfProduct.One(halves, x, width, sums);
        else HalfProduct.Four(halves, x, width, sums);
    }

    internal static int Groups(int width) => (width + WeightFormat.Group - 1) / WeightFormat.Group;

    private long Element(int panel, int start, int row, int width) => (long)start * Outputs + (long)(panel * Panel + row) * width;

    private long Scale(int panel, int start, int row, int width) => (long)(start / WeightFormat.Group) * Outputs + (long)(panel * Panel + row) * Groups(width);

    private void Pack(int panel, int start, int r, int width, Span<float> row)
    {
        if (Blocks is not null)
        {
            Blocks.Put(panel * Panel + r, start, row);
            return;
        }

        var element = Element(panel, start, r, width);
        if (Format == WeightFormat.Fp16)
        {
            // Rounded as a weight first, so that it is one.
            var stored = new Span<Half>((Half*)_data.Pointer + element, width);
            TensorPrimitives.ConvertToHalf(row, stored);
            TensorPrimitives.ConvertToSingle(stored, row);
            TensorPrimitives.Multiply(row, 1 / DataScale, row);
            TensorPrimitives.ConvertToHalf(row, stored);
            return;
        }

        var scale = Scale(panel, start, r, width);
        for (var g = 0; g < Groups(width); g++)
        {
            var from = g * WeightFormat.Group;
            var padded = row.Slice(from, Math.Min(WeightFormat.Group, width - from));
            if (Format == WeightFormat.Int8)
            {
                _scales!.Pointer[scale + g] = Quantise8(padded, (sbyte*)_data.Pointer + element + from);
            }
            else
            {
                _scales!.Pointer[scale + g] = Quantise4(padded, (uint*)(_data.Pointer + (element + from) / 2), out var zero);
                var index = scale + g;
                var cell = _zeros!.Pointer + (index >> 1);
                var shift = (int)(4 * (index & 1));
                *cell = (byte)(*cell & ~(15 << shift) | zero << shift);
            }
        }
    }

    // Before the first weight that has no room 2^10 times as large.
    private void MakeRoom(ReadOnlySpan<float> weights)
    {
        if (Format != WeightFormat.Fp16 || DataScale == 1 || MathF.Abs(TensorPrimitives.MaxMagnitude(weights)) < MostStored) return;
        for (var from = 0L; from < _data.Bytes / 2; from += Chunk)
        {
            var stored = new Span<Half>((Half*)_data.Pointer + from, (int)Math.Min(Chunk, _data.Bytes / 2 - from));
            Weights(stored, stored);
        }

        DataScale = 1;
    }

    private void Weights(ReadOnlySpan<Half> stored, Span<Half> weights)
    {
        Span<float> wide = stackalloc float[Chunk];
        TensorPrimitives.ConvertToSingle(stored, wide);
        TensorPrimitives.Multiply(wide, DataScale, wide);
        TensorPrimitives.ConvertToHalf(wide[..stored.Length], weights);
    }

    private static Half Quantise8(Span<float> group, sbyte* target)
    {
        var largest = Math.Abs(TensorPrimitives.MaxMagnitude(group));
        var scale = (Half)(largest / 127);
        var inverse = scale == Half.Zero ? 0 : 1 / (float)scale;
        for (var i = 0; i < group.Length; i += 8)
        {
            var q = Vector256.Round(Vector256.Create(group.Slice(i, 8)) * inverse);
            var clamped = Vector256.ConvertToInt32(Vector256.Min(Vector256.Max(q, Vector256.Create(-127f)), Vector256.Create(127f)));
            var words = Vector128.Narrow(clamped.GetLower(), clamped.GetUpper());
            Vector128.Narrow(words, words).GetLower().Store(target + i);
        }

        return scale;
    }

    private static Half Quantise4(Span<float> group, uint* target, out int zero)
    {
        // Zero itself is always representable, as in AWQ: the range includes it.
        var least = Math.Min(0, TensorPrimitives.Min((ReadOnlySpan<float>)group));
        var most = Math.Max(0, TensorPrimitives.Max((ReadOnlySpan<float>)group));
        var scale = (Half)((most - least) / 15);
        var inverse = scale == Half.Zero ? 0 : 1 / (float)scale;
        zero = (int)Math.Clamp(MathF.Round(-least * inverse), 0, 15);
        var offset = Vector256.Create((float)zero);
        var shifts = Vector256.Create(0u, 16, 4, 20, 8, 24, 12, 28);
        for (var i = 0; i < group.Length; i += 8)
        {
            var q = Vector256.Round(Vector256.Create(group.Slice(i, 8)) * inverse) + offset;
            var clamped = Vector256.ConvertToInt32(Vector256.Min(Vector256.Max(q, Vector256<float>.Zero), Vector256.Create(15f))).AsUInt32();
            uint word = 0;
            if (Avx2.IsSupported)
            {
                word = Vector256.Sum(Avx2.ShiftLeftLogicalVariable(clamped, shifts));
            }
            else
            {
                for (var j = 0; j < 8; j++)
                {
                    word |= clamped[j] << (int)shifts[j];
                }
            }

            target[i / 8] = word;
        }

        return scale;
    }
}
