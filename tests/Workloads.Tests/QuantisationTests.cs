using EnergyGrid.Workloads.Tests.Independent;

namespace EnergyGrid.Workloads.Tests;

public sealed class QuantisationTests
{
    [Theory]
    [InlineData("FP16", 16)]
    [InlineData("INT8", 8.125)]
    [InlineData("INT4", 4.15625)]
    [InlineData("Q8_0", 8.5)]
    [InlineData("Q4_0", 4.5)]
    public void Storage_takes_exactly_the_stated_bits(string format, double bits)
    {
        using var m = new PackedMatrix(format, 64, 1536);
        Assert.Equal(bits, 8.0 * m.Bytes / (64 * 1536));
        Assert.Equal(m.Bytes, PackedMatrix.BytesOf(format, 64, 1536));
        Assert.Equal(bits, WeightFormat.Bits(format));
    }

    [Theory]
    [InlineData("INT8", 512)]
    [InlineData("INT8", 364)]
    [InlineData("INT4", 512)]
    [InlineData("INT4", 364)]
    [InlineData("FP16", 364)]
    public void A_weight_comes_back_within_half_a_step(string format, int inputs)
    {
        const int outputs = 12;
        var weights = Random(outputs * inputs, 3);
        using var m = new PackedMatrix(format, outputs, inputs);
        m.Fill(weights);
        for (var n = 0; n < outputs; n++)
        {
            for (var k = 0; k < inputs; k++)
            {
                var group = weights.AsSpan(n * inputs + k / 128 * 128, Math.Min(128, inputs - k / 128 * 128)).ToArray();
                double step = format switch
                {
                    "INT8" => group.Max(Math.Abs) / 127,
                    "INT4" => (Math.Max(0, group.Max()) - Math.Min(0, group.Min())) / 15,
                    _ => Math.Abs(weights[n * inputs + k]) / 1024 + 1e-7,
                };
                // The scale itself is FP16: 2^-11 relative, over at most 127 steps; INT4's zero is rounded too, and both ends may be clamped.
                var bound = step * (format == "INT4" ? 1.02 : 0.5 + 127 * Math.Pow(2, -11));
                Assert.InRange(Math.Abs(Dense.Weight(m, n, k) - weights[n * inputs + k]), 0, bound);
            }
        }
    }

    [Theory]
    [InlineData(63.5f)]
    [InlineData(64)]
    [InlineData(60000)]
    public unsafe void FP16_holds_every_weight_exactly_the_smallest_and_the_largest_beside_each_other(float largest)
    {
        const int outputs = 8, inputs = 600;
        var weights = Random(outputs * inputs, 5).Select((w, i) => (float)(Half)(i % 7 == 0 ? w * 1e-5f : w)).ToArray();
        (weights[0], weights[3], weights[^1]) = (5.9604645e-8f, -largest, 6.1e-5f);
        weights = [.. weights.Select(w => (float)(Half)w)];
        using var m = new PackedMatrix("FP16", outputs, inputs);
        m.Fill(weights);
        Assert.Equal(largest < 64 ? 1 / 1024f : 1, m.DataScale);
        var row = new Half[inputs];
        for (var n = 0; n < outputs; n++)
        {
            m.CopyRow(n, row);
            for (var k = 0; k < inputs; k++)
            {
                Assert.Equal(weights[n * inputs + k], (float)row[k]);
                Assert.Equal(weights[n * inputs + k], Dense.Weight(m, n, k));
            }
        }

        // Multiplied by either way, with activations as large as FP16 has them.
        using var pool = new WorkerPool(2);
        foreach (var batch in new[] { 1, 5 })
        {
            using var x = new AlignedBuffer<float>(batch * inputs);
            Noise.Normal(3, 1, x.Pointer, (int)x.Length);
            x.Slice(7, 1)[0] = 65504;
            using var y = new AlignedBuffer<float>(batch * outputs);
            MatrixProduct.Multiply(pool, m, x.Pointer, inputs, y.Pointer, outputs, batch);
            for (var b = 0; b < batch; b++)
            {
                var expected = Dense.Multiply(m, Dense.ToDouble(x.Slice(b * inputs, inputs)));
                var scale = expected.Max(Math.Abs) + 1;
                for (var n = 0; n < outputs; n++) Assert.InRange(Math.Abs(expected[n] - y.Slice(b * outputs, outputs)[n]) / scale, 0, 1e-6);
            }
        }
    }

    [Theory]
    [InlineData("Q8_0", 127, 0.5)]
    [InlineData("Q4_0", 8, 1)]
    public void A_weight_in_blocks_comes_back_within_a_step_and_the_largest_exactly_as_the_scale(string format, int levels, double steps)
    {
        const int outputs = 16, inputs = 608;
        var weights = Random(outputs * inputs, 4);
        weights.AsSpan(32, 32).Clear();
        using var m = new PackedMatrix(format, outputs, inputs);
        m.Fill(weights);
        var codes = new sbyte[32];
        for (var n = 0; n < outputs; n++)
        {
            for (var k = 0; k < inputs; k += 32)
            {
                var block = weights.AsSpan(n * inputs + k, 32).ToArray();
                var most = block.MaxBy(Math.Abs);
                // The scale is FP16: 2^-11 relative, over all levels.
                var bound = Math.Abs(most) / levels * (steps + levels * Math.Pow(2, -11));
                for (var i = 0; i < 32; i++) Assert.InRange(Math.Abs(Dense.Weight(m, n, k + i) - block[i]), 0, bound);
                var scale = m.Blocks!.Get(n, k / 32, codes);
                Assert.All(Enumerable.Range(0, 32), i => Assert.Equal(Dense.Weight(m, n, k + i), codes[i] * (double)scale));
                Assert.Equal(Math.Abs(most) / levels, Math.Abs(scale), Math.Abs(most) / levels * Math.Pow(2, -11));
                if (most != 0) Assert.Equal(Math.Sign(most) * levels, codes[Array.IndexOf(block, most)] * Math.Sign(scale));
            }
        }
    }

    [Theory]
    [InlineData("Q8_0")]
    [InlineData("Q4_0")]
    public void Integers_in_blocks_are_multiplied_exactly_by_every_instruction_and_for_every_batch(string format)
    {
        foreach (var batch in new[] { 1, 3, 4, 7, 9 }) Multiplied(format, 72, 352, batch);
        // More bands than an item takes, and more items than threads.
        Multiplied(format, 1024, 2048, 2);
    }

    private static unsafe void Multiplied(string format, int outputs, int inputs, int batch)
    {
        using var pool = new WorkerPool(3);
        using var m = new PackedMatrix(format, outputs, inputs);
        m.FillNormal(pool, 8);
        using var x = new AlignedBuffer<float>((long)batch * (inputs + 8));
        Noise.Normal(9, 3, x.Pointer, (int)x.Length);
        // A block of nothing, and one whose largest is the least negative.
        x.Slice(32, 32).Clear();
        x.Slice(64, 1)[0] = -100;
        using var y = new AlignedBuffer<float>((long)batch * (outputs + 4));
        MatrixProduct.Multiply(pool, m, x.Pointer, inputs + 8, y.Pointer, outputs + 4, batch);
        for (var b = 0; b < batch; b++)
        {
            var expected = Dense.Multiply(m, Dense.ToDouble(x.Slice(b * (inputs + 8), inputs)));
            for (var n = 0; n < outputs; n++) Assert.Equal(expected[n], y.Slice(b * (outputs + 4), outputs)[n], 2e-4);
        }

        var first = y.Slice(0, (int)y.Length).ToArray();
        if (System.Runtime.Intrinsics.X86.Avx2.IsSupported) Same<WideDot>();
        Same<PlainDot>();

        void Same<TDot>() where TDot : struct, IByteDot
        {
            y.Slice(0, (int)y.Length).Clear();
            BlockProduct.Multiply<TDot>(pool, m.Blocks!, x.Pointer, inputs + 8, y.Pointer, outputs + 4, batch);
            Assert.Equal(first, y.Slice(0, (int)y.Length).ToArray());
        }
    }

    [Fact]
    public void Zero_points_represent_zero_exactly_and_follow_the_range()
    {
        var weights = new float[4 * 512];
        for (var k = 0; k < 128; k++)
        {
            weights[k] = k / 127f;                  // all positive: zero 0
            weights[128 + k] = -k / 127f;           // all negative: zero 15
            weights[256 + k] = k / 127f * 1.5f - 0.7f; // mixed
        }

        using var m = new PackedMatrix("INT4", 4, 512);
        m.Fill(weights);
        Assert.Equal(0, m.Zeros[0] & 15);
        Assert.Equal(15, m.Zeros[0] >> 4);
        Assert.Equal(7, m.Zeros[1] & 15);
        Assert.Equal(0, Dense.Weight(m, 0, 0));
        Assert.Equal(0, Dense.Weight(m, 0, 128));
        Assert.Equal(0, Dense.Weight(m, 0, 400));
        Assert.All(m.Scales[4..].ToArray(), scale => Assert.Equal((Half)0, scale));
    }

    [Theory]
    [InlineData("FP16")]
    [InlineData("INT8")]
    [InlineData("INT4")]
    public unsafe void A_row_times_unit_vectors_gives_the_documented_weights_at_the_documented_places(string format)
    {
        using var m = new PackedMatrix(format, 16, 876);
        using var pool = new WorkerPool(2);
        m.FillNormal(pool, 77);
        using var unit = new AlignedBuffer<float>(8 * PackedMatrix.Chunk);
        var sums = stackalloc float[8];
        for (var start = 0; start < m.PaddedInputs; start += PackedMatrix.Chunk)
        {
            var width = Math.Min(PackedMatrix.Chunk, m.PaddedInputs - start);
            for (var k = 0; k < width; k += 8)
            {
                // Vector b picks input k + b: in the interleaved order, the diagonal of one block of 64.
                var block = unit.Slice(8 * k, 64);
                for (var b = 0; b < 8; b++)
                {
                    block[9 * b] = 1;
                }

                for (var n = 0; n < 16; n++)
                {
                    m.Multiply(n, start, width, unit.Pointer, sums);
                    for (var b = 0; b < 8; b++)
                    {
                        Assert.Equal(start + k + b < 876 ? Dense.Weight(m, n, start + k + b) : 0, sums[b], 1e-7);
                    }
                }

                block.Clear();
            }
        }
    }

    [Fact]
    public unsafe void Noise_is_normal_and_places_are_independent_of_what_is_filled_with_them()
    {
        var x = new float[1 << 16];
        var tail = new float[19];
        fixed (float* p = x, q = tail)
        {
            Noise.Normal(Noise.Key(5, 1), 2, p, x.Length);
            Noise.Normal(Noise.Key(5, 1), 2, q, tail.Length);
        }

        Assert.Equal(x.AsSpan(0, 19).ToArray(), tail);
        double Moment(int n) => x.Average(v => Math.Pow(v / 2, n));
        // Five standard errors of each moment over 65536 draws: sqrt(1, 2, 15, 96) / 256.
        Assert.InRange(Moment(1), -5 / 256.0, 5 / 256.0);
        Assert.InRange(Moment(2), 1 - 5 * 1.42 / 256, 1 + 5 * 1.42 / 256);
        Assert.InRange(Moment(3), -5 * 3.9 / 256, 5 * 3.9 / 256);
        Assert.InRange(Moment(4), 3 - 5 * 9.8 / 256, 3 + 5 * 9.8 / 256);
        Assert.InRange(x.Count(v => Math.Abs(v) < 2) / (double)x.Length, 0.6827 - 0.01, 0.6827 + 0.01);
    }

    [Fact]
    public void Eight_bit_floats_round_to_the_nearest_value_that_exists()
    {
        for (var b = 0; b < 256; b++)
        {
            if ((b & 127) != 127)
            {
                Assert.Equal(Entries.Decode((byte)b), EightBitFloat.Table[b]);
                Assert.Equal(b, EightBitFloat.Encode(EightBitFloat.Table[b]));
            }
        }

        foreach (var x in Random(5000, 8).Select(v => v * 100))
        {
            Assert.Equal(Entries.RoundToFp8(x), EightBitFloat.Table[EightBitFloat.Encode(x)]);
        }

        Assert.Equal(448, EightBitFloat.Table[EightBitFloat.Encode(1e9f)]);
    }

    [Fact]
    public unsafe void An_entry_of_584_bytes_comes_back_as_its_formats_allow()
    {
        Assert.Equal(64 * 584, EntryPages.PageBytes);
        Assert.Equal(2 * EntryPages.PageBytes, EntryPages.Bytes(65));
        var pages = new byte[EntryPages.Bytes(70)];
        var x = Random(70 * 512, 4);
        var y = new float[512];
        fixed (byte* p = pages)
        fixed (float* target = y)
        {
            for (var e = 0; e < 70; e++)
            {
                EntryPages.Write(p, e, x.AsSpan(e * 512, 512));
            }

            for (var e = 0; e < 70; e++)
            {
                EntryPages.Read(p, e, target);
                Assert.Equal(Entries.Read(pages, e), Dense.ToDouble(y));
                Assert.Equal(Entries.Round(Dense.ToDouble(x.AsSpan(e * 512, 512))), Dense.ToDouble(y));
                Assert.Equal(0, pages[EntryPages.ScalesAt(e) + 7]);
            }
        }
    }

    private static float[] Random(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() * 2 - 1) * (float)Math.Exp(random.NextDouble() * -6))];
    }
}
