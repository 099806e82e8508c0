using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>What becomes of the rows of a product from <paramref name="FirstRow"/> on: ProductSegment of parts/epilogue.cuh, strides in its units.</summary>
internal sealed record Segment(SegmentKind Kind, int FirstRow, Place Target, long BatchStride = 0, int HeadRows = 0, long HeadStride = 0, Place Gain = default, Place Squares = default);

/// <summary>One weight product: kernels/product_*.cu. Grid, shared memory and workspace follow parts/product.cuh.</summary>
internal static class Product
{
    public const int Threads = 256;

    private const int Reserved = 16, MostStages = 6;

    /// <summary>The variant for a weight format and NT.</summary>
    public static string Kernel(string format, int batchTiles) => $"product_{(format == WeightFormat.Fp16 ? "f16" : format.ToLowerInvariant())}_b{8 * batchTiles}";

    /// <summary>The variant of a step's own products.</summary>
    public static string Kernel(PlanBuilder plan) => Kernel(plan.Configuration.Weights, plan.BatchTiles);

    /// <summary>Dynamic shared memory of a block, B.</summary>
    /// <param name="architecture">Its PTX was built for that much: 227 KiB from sm_90 on, 163 KiB on sm_80.</param>
    /// <param name="format">Of the weights.</param>
    /// <param name="batchTiles">NT.</param>
    /// <param name="rows">Of the stored matrix.</param>
    /// <param name="blockRows">Rows that share a panel; 0: all.</param>
    public static int SharedBytes(string architecture, string format, int batchTiles, int rows, int blockRows)
    {
        var chunks = StageChunks(format, batchTiles);
        var panels = blockRows == 0 || blockRows >= rows || blockRows % WeightLayout.SlabRows == 0 ? 1 : 2;
        var layout = new WeightLayout(format, WeightLayout.SlabRows, 128);
        var stage = chunks * (layout.UnitBytes(16) + panels * layout.ChunkInputs / 16 * batchTiles * 256);
        return Reserved + Math.Min(MostStages, ((architecture == "sm_80" ? 166912 : 232448) - Reserved) / stage) * stage;
    }

    /// <summary>Adds a product to the step, or to what fills it.</summary>
    /// <param name="plan">Takes the launch, workspace and counters.</param>
    /// <param name="name">For people.</param>
    /// <param name="matrix">The weights.</param>
    /// <param name="panel">Shape of the activations; its blocks each feed as many rows.</param>
    /// <param name="activations">The panel.</param>
    /// <param name="norm">The vectors' sums of squares, of the deferred norm; nowhere for none.</param>
    /// <param name="segments">Up to four, by first row.</param>
    /// <param name="residual">FP32 [batch][batch stride] of a residual segment.</param>
    /// <param name="angles">Cosines and sines of rotary segments.</param>
    /// <param name="isFill">Whether it runs once, before the step.</param>
    public static void Add(
        PlanBuilder plan, string name, StoredMatrix matrix, Panel panel, Place activations, Place norm, IReadOnlyList<Segment> segments,
        Place residual = default, (Place Cosine, Place Sine) angles = default, bool isFill = false)
    {
        var layout = matrix.Layout;
        var kernel = Kernel(layout.Format, panel.ColumnTiles);
        var blockRows = panel.Blocks == 1 ? 0 : layout.Rows / panel.Blocks;
        var shared = SharedBytes(plan.Device.Architecture, layout.Format, panel.ColumnTiles, layout.Rows, blockRows);
        var stages = (long)layout.Slabs * ((layout.Chunks + StageChunks(layout.Format, panel.ColumnTiles) - 1) / StageChunks(layout.Format, panel.ColumnTiles));
        var grid = plan.Blocks(kernel, Threads, shared, Math.Min(stages, (long)layout.Slabs * BlocksPerSlab(panel.ColumnTiles)));
        var workspace = plan.Shared("product workspace", 2L * grid * 16 * panel.ColumnTiles * 32 * 4 * 4, BufferUse.Workspace);
        var arrivals = plan.Shared("product arrivals", 4L * layout.Slabs, BufferUse.Counters);
        ProductArguments Arguments(BufferAddresses at) => new()
        {
            Weights = at[matrix.Units],
            Panel = at[activations],
            Squares = at[norm],
            Workspace = at[workspace],
            Arrivals = at[arrivals],
            Cosine = at[angles.Cosine],
            Sine = at[angles.Sine],
            Residual = at[residual],
            Segment0 = Stored(segments, 0, at),
            Segment1 = Stored(segments, 1, at),
            Segment2 = Stored(segments, 2, at),
            Segment3 = Stored(segments, 3, at),
            Rows = (uint)layout.Rows,
            Inputs = (uint)layout.PaddedInputs,
            Batch = (uint)panel.Batch,
            BlockRows = (uint)blockRows,
            PanelStride = (uint)(panel.BlockElements / 2),
            InverseWidth = 1f / panel.Inputs,
        };
        if (isFill)
        {
            plan.Fill(name, kernel, grid, 1, Threads, shared, Arguments);
        }
        else
        {
            plan.Launch(name, kernel, grid, 1, Threads, shared, Arguments);
        }
    }

    // The last block of a slab reads what all the others have of it, 8 KB a block and NT. Where a matrix has few slabs, more blocks than these shorten the stream of weights by
    // less than they lengthen that sum: MLA's q_a and kv_a, 9 slabs, would have 15 blocks each.
    private static int BlocksPerSlab(int batchTiles) => Math.Max(8, 32 / batchTiles);

    private static int StageChunks(string format, int batchTiles) => format == WeightFormat.Int4 && batchTiles != 8 ? 2 : 1;

    private static ProductSegment Stored(IReadOnlyList<Segment> segments, int i, BufferAddresses at) => i >= segments.Count
        ? new ProductSegment { FirstRow = ProductSegment.None }
        : new ProductSegment
        {
            Target = at[segments[i].Target],
            Gain = at[segments[i].Gain],
            Squares = at[segments[i].Squares],
            FirstRow = (uint)segments[i].FirstRow,
            Kind = (uint)segments[i].Kind,
            BatchStride = checked((uint)segments[i].BatchStride),
            HeadRows = (uint)segments[i].HeadRows,
            HeadStride = checked((uint)segments[i].HeadStride),
        };
}
