using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>Attention over entries that all heads share (parts/latent.cuh), and the kernel that sums its blocks' partial results into the next product's panels.</summary>
internal static class LatentParts
{
    /// <summary>Threads of the attention, and tokens or entries of its tiles.</summary>
    public const int Threads = 256, TileEntries = 32;

    private const int MergeThreads = 128;

    /// <summary>Heads of a block with padding, which name the variant.</summary>
    public static int Rows(int heads) => heads <= 32 ? 32 : 64;

    /// <summary>Shared memory beside the tiles, B.</summary>
    /// <param name="rows">32 or 64.</param>
    /// <param name="width">Channels of a key.</param>
    public static int ScratchBytes(int rows, int width) => rows * Math.Max(2 * width, 4 * 160 + 2 * 80) + rows / 32 * 2048 + 2 * (rows + 8) * 4;

    /// <summary>FP32 [blocks + batch][heads][512] and [blocks + batch][heads][2].</summary>
    public static (Place Parts, Place Statistics) Workspace(PlanBuilder plan, int blocks)
    {
        var slots = (long)(blocks + plan.Batch) * plan.Configuration.Heads;
        return (plan.Shared("latent parts", slots * 4 * LayerShape.LatentWidth, BufferUse.Workspace), plan.Shared("latent statistics", slots * 8, BufferUse.Workspace));
    }

    /// <summary>Adds the sum of the parts.</summary>
    public static void Merge(PlanBuilder plan, string name, (Place Parts, Place Statistics) workspace, int blocks, int tiles, Place panels, int headsTogether, Place sinks = default, Place angles = default)
    {
        var heads = plan.Configuration.Heads;
        plan.Launch(name, "merge_latent", plan.Batch * heads, 1, MergeThreads, 0, at => new MergeLatentArguments
        {
            Parts = at[workspace.Parts],
            Statistics = at[workspace.Statistics],
            Sinks = at[sinks],
            Angles = at[angles],
            Panels = at[panels],
            Batch = (uint)plan.Batch,
            Heads = (uint)heads,
            Tiles = (uint)tiles,
            Blocks = (uint)blocks,
            ColumnTiles = (uint)plan.BatchTiles,
            HeadsTogether = (uint)headsTogether,
        });
    }
}
