using EnergyGrid.Devices.Cuda.Steps;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Tests.Cuda.Steps;

public sealed class LayoutTests
{
    [Theory]
    [InlineData(WeightFormat.Fp16, 272, 200)]
    [InlineData(WeightFormat.Int8, 272, 200)]
    [InlineData(WeightFormat.Int4, 272, 200)]
    [InlineData(WeightFormat.Int4, 64, 1100)]
    public unsafe void Every_weight_of_a_packed_matrix_is_where_the_layout_says_and_none_lies_elsewhere(string format, int rows, int inputs)
    {
        using var pool = new WorkerPool(1);
        using var matrix = new PackedMatrix(format, rows, inputs);
        matrix.FillNormal(pool, 7);
        var layout = new WeightLayout(format, rows, inputs);
        var units = WeightUnits.Pack([matrix], [.. RowOrder.Plain(0, rows)]);

        // The oracle multiplies unit vectors: column k of the matrix.
        using var x = new AlignedBuffer<float>(inputs);
        using var y = new AlignedBuffer<float>(rows);
        for (var k = 0; k < layout.PaddedInputs; k++)
        {
            if (k < inputs)
            {
                x.Slice(0, inputs).Clear();
                x.Pointer[k] = 1;
                MatrixProduct.Multiply(pool, matrix, x.Pointer, inputs, y.Pointer, rows, 1);
            }

            for (var n = 0; n < rows; n++)
            {
                var weight = WeightUnits.Weight(layout, units, n, k);
                Assert.True(weight == (k < inputs ? y.Pointer[n] : 0), $"({n}, {k}): {weight}, not {y.Pointer[n]}");
            }
        }

        Assert.Equal(layout.Bytes, units.Length);
        Assert.Equal(rows * layout.PaddedInputs, Enumerable.Range(0, rows).SelectMany(n => Enumerable.Range(0, layout.PaddedInputs).Select(k => layout.WeightBit(n, k))).Distinct().Count());
    }

    [Theory]
    [InlineData(WeightFormat.Fp16, 32768)]
    [InlineData(WeightFormat.Int8, 33280)]
    [InlineData(WeightFormat.Int4, 17024)]
    public void A_whole_unit_has_the_bytes_of_the_design(string format, int bytes) => Assert.Equal(bytes, new WeightLayout(format, 256, 128).UnitBytes(16));

    [Fact]
    public void A_tile_is_the_fragment_that_the_matrix_units_take()
    {
        // Lane 4g + t holds of register 0 row g, columns 2t and 2t + 1; register 1 is 8 rows down, register 2 is 8 columns on.
        for (var lane = 0; lane < 32; lane++)
        {
            for (var register = 0; register < 4; register++)
            {
                for (var half = 0; half < 2; half++)
                {
                    Assert.Equal((lane, register, half), WeightLayout.Fragment(lane / 4 + 8 * (register & 1), 2 * (lane % 4) + half + 8 * (register >> 1)));
                }
            }
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(8, 1)]
    [InlineData(9, 2)]
    [InlineData(24, 3)]
    [InlineData(32, 4)]
    [InlineData(33, 8)]
    [InlineData(64, 8)]
    public void A_panel_returns_what_was_packed_and_pads_with_zeros(int batch, int tiles)
    {
        var panel = new Panel(200, batch, 2);
        var random = new Random(3);
        var rows = Enumerable.Range(0, batch * 400).Select(_ => (float)(Half)random.NextDouble()).ToArray();
        var packed = panel.Pack(rows);

        Assert.Equal(tiles, panel.ColumnTiles);
        Assert.Equal(panel.Bytes, 2 * packed.Length);
        Assert.Equal(rows, panel.Unpack(packed));
        Assert.Equal(rows.Count(v => v != 0), packed.Count(h => h != Half.Zero));
    }

    [Fact]
    public void Partners_of_rope_and_of_swiglu_stand_eight_rows_apart()
    {
        var rotary = RowOrder.Rotary(0, 256, 128).ToArray();
        Assert.Equal(256, rotary.Distinct().Count());
        var gates = RowOrder.Interleaved(0, 1, 28396).ToArray();
        Assert.Equal(2 * 28396, gates.Where(r => r.Matrix >= 0).Distinct().Count());
        Assert.Equal(0, gates.Length % WeightLayout.TileRows);
        for (var i = 0; i < rotary.Length; i += 16)
        {
            for (var r = 0; r < 8; r++)
            {
                Assert.Equal(rotary[i + r].Row + 64, rotary[i + r + 8].Row);
                Assert.Equal((0, 1, gates[i + r].Row), (gates[i + r].Matrix, gates[i + r + 8].Matrix, gates[i + r + 8].Row));
            }
        }

        var split = RowOrder.PlainThenRotary(0, 3, 128, 64).ToArray();
        Assert.Equal(3 * 192, split.Distinct().Count());
        Assert.All(split.Take(3 * 128), row => Assert.True(row.Row % 192 < 128));
    }
}
