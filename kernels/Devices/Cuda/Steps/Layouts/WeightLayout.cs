using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>
/// Where the weights of one stored matrix lie: kernels/cuda/README.md, "Weight units". Slabs of 256 rows, chunks of 64 (FP16) or 128 inputs; a unit is what one
/// pipeline stage moves, its scales and zeros behind its weights.
/// </summary>
/// <param name="Format">FP16, INT8 or INT4: see <see cref="WeightFormat"/>.</param>
/// <param name="Rows">Outputs, a multiple of 16.</param>
/// <param name="Inputs">Inputs, before padding.</param>
internal readonly record struct WeightLayout(string Format, int Rows, int Inputs)
{
    /// <summary>Rows of a tile, and of a slab.</summary>
    public const int TileRows = 16, SlabRows = 256;

    /// <summary>Inputs with zero weights up to a multiple of 128.</summary>
    public int PaddedInputs => Pad(Inputs);

    /// <summary>Inputs of one unit.</summary>
    public int ChunkInputs => Format == WeightFormat.Fp16 ? 64 : 128;

    /// <summary>Units of one slab.</summary>
    public int Chunks => PaddedInputs / ChunkInputs;

    /// <summary>Slabs, the last of which may have fewer than 16 tiles.</summary>
    public int Slabs => (Rows + SlabRows - 1) / SlabRows;

    /// <summary>All units, B.</summary>
    public long Bytes => UnitAt(Slabs - 1, 0) + (long)Chunks * UnitBytes(Tiles(Slabs - 1));

    /// <summary>Inputs up to a multiple of 128.</summary>
    public static int Pad(int inputs) => (inputs + 127) / 128 * 128;

    /// <summary>Tiles of a slab.</summary>
    public int Tiles(int slab) => Math.Min(SlabRows, Rows - slab * SlabRows) / TileRows;

    /// <summary>Bytes of a unit of <paramref name="tiles"/> tiles.</summary>
    public int UnitBytes(int tiles) => ((Format switch
    {
        WeightFormat.Fp16 => 2048,
        WeightFormat.Int8 => 2048 + 32,
        WeightFormat.Int4 => 1024 + 32 + 8,
        _ => throw new InvalidOperationException($"'{Format}' is not FP16, INT8 or INT4"),
    } * tiles) + 15) / 16 * 16;

    /// <summary>First byte of a unit.</summary>
    public long UnitAt(int slab, int chunk) => (long)slab * Chunks * UnitBytes(SlabRows / TileRows) + (long)chunk * UnitBytes(Tiles(slab));

    /// <summary>Where within its 16 × 16 tile element (row, input) stands: the lane, the register a0 … a3 of mma's A fragment, and its half (0 low).</summary>
    public static (int Lane, int Register, int Half) Fragment(int row, int input) =>
        (row % 8 * 4 + input % 8 / 2, row / 8 + input / 8 * 2, input % 2);

    /// <summary>Bit of the matrix's first byte at which the weight (row, input) begins.</summary>
    public long WeightBit(int row, int input)
    {
        var (slab, tile) = (row / SlabRows, row % SlabRows / TileRows);
        var unit = UnitAt(slab, input / ChunkInputs);
        var inner = input % ChunkInputs;
        var (lane, register, half) = Fragment(row % TileRows, inner % 16);
        return Format switch
        {
            WeightFormat.Fp16 => 8 * (unit + ((tile * 4 + inner / 16) * 32 + lane) * 16L + register * 4 + half * 2),
            WeightFormat.Int8 => 8 * (unit + ((tile * 4 + inner / 32) * 32 + lane) * 16L + inner % 32 / 16 * 8 + register * 2 + half),
            _ => 8 * (unit + ((tile * 2 + inner / 64) * 32 + lane) * 16L + inner % 64 / 16 * 4) + half * 16 + register * 4,
        };
    }

    /// <summary>First byte of the FP16 scale of the row's group that <paramref name="input"/> belongs to; INT8 and INT4.</summary>
    public long ScaleAt(int row, int input)
    {
        var slab = row / SlabRows;
        return UnitAt(slab, input / ChunkInputs) + Tiles(slab) * (Format == WeightFormat.Int8 ? 2048 : 1024) + row % SlabRows * 2;
    }

    /// <summary>Bit at which the zero of the row's group begins; INT4.</summary>
    public long ZeroBit(int row, int input)
    {
        var slab = row / SlabRows;
        return 8 * (UnitAt(slab, input / ChunkInputs) + Tiles(slab) * (1024 + 32)) + row % SlabRows * 4;
    }
}
