namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>
/// Activations that a weight product reads, FP16 in the order of mma's B fragments: kernels/cuda/README.md, "Panel". Blocks of a block-diagonal product follow one another.
/// </summary>
/// <param name="Inputs">k of one block, before padding to a multiple of 128.</param>
/// <param name="Batch">Columns, before padding to 8·<see cref="ColumnTiles"/>.</param>
/// <param name="Blocks">Panels one behind the other.</param>
internal readonly record struct Panel(int Inputs, int Batch, int Blocks = 1)
{
    /// <summary>The widest panel there is.</summary>
    public const int MostColumns = 64;

    /// <summary>NT: tiles of 8 columns, one of 1, 2, 3, 4 and 8.</summary>
    public int ColumnTiles => TilesFor(Batch);

    /// <summary>k with its padding.</summary>
    public int PaddedInputs => WeightLayout.Pad(Inputs);

    /// <summary>FP16 elements of one block.</summary>
    public int BlockElements => PaddedInputs * 8 * ColumnTiles;

    /// <summary>All blocks, B.</summary>
    public long Bytes => 2L * Blocks * BlockElements;

    /// <exception cref="ArgumentOutOfRangeException">More than 64 columns, or none.</exception>
    public static int TilesFor(int batch) => ((batch + 7) / 8) switch
    {
        _ when batch is < 1 or > MostColumns => throw new ArgumentOutOfRangeException(nameof(batch), batch, "1 to 64 columns"),
        <= 4 and var tiles => tiles,
        _ => 8,
    };

    /// <summary>Which FP16 element of the block holds (k, b).</summary>
    public int At(int k, int b) => 2 * ((((k / 16 * ColumnTiles + b / 8) * 32 + b % 8 * 4 + k % 8 / 2) * 2) + k % 16 / 8) + k % 2;

    /// <summary>FP16 elements of all blocks from [batch][blocks · inputs]; the padding is zero.</summary>
    public Half[] Pack(ReadOnlySpan<float> rows)
    {
        var halves = new Half[Blocks * BlockElements];
        for (var b = 0; b < Batch; b++)
        {
            for (var i = 0; i < Blocks * Inputs; i++)
            {
                halves[i / Inputs * BlockElements + At(i % Inputs, b)] = (Half)rows[b * Blocks * Inputs + i];
            }
        }

        return halves;
    }

    /// <summary>[batch][blocks · inputs] from the elements of all blocks.</summary>
    public float[] Unpack(ReadOnlySpan<Half> halves)
    {
        var rows = new float[Batch * Blocks * Inputs];
        for (var b = 0; b < Batch; b++)
        {
            for (var i = 0; i < Blocks * Inputs; i++)
            {
                rows[b * Blocks * Inputs + i] = (float)halves[i / Inputs * BlockElements + At(i % Inputs, b)];
            }
        }

        return rows;
    }
}
