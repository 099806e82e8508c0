using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>
/// What L' layers of a configuration, or its LM head alone, are on a device: buffers, what fills them, and the chain of kernels of one step. Pure data: nothing is allocated or
/// launched by it.
/// </summary>
public sealed class StepPlan
{
    internal StepPlan(
        Configuration configuration, int layers, PlanDevice device, IReadOnlyList<StepBuffer> buffers, IReadOnlyList<StepUpload> uploads, IReadOnlyList<StepLaunch> fills,
        IReadOnlyList<StepLaunch> launches, Place output, IReadOnlyDictionary<int, Panel> panels, IReadOnlyList<StoredMatrix> matrices, IReadOnlyList<StepStage> stages)
    {
        (Configuration, Layers, Device, Buffers, Uploads, Fills, Launches, Output, PanelShapes, Matrices, Stages) = (configuration, layers, device, buffers, uploads, fills, launches, output, panels, matrices, stages);
    }

    /// <summary>What it executes.</summary>
    public Configuration Configuration { get; }

    /// <summary>L'; 0 is the LM head alone.</summary>
    public int Layers { get; }

    /// <summary>For which splits and grids were chosen.</summary>
    public PlanDevice Device { get; }

    /// <summary>By <see cref="StepBuffer.Index"/>. All begin as zeros.</summary>
    public IReadOnlyList<StepBuffer> Buffers { get; }

    /// <summary>Kernels that fill the data, in order, once.</summary>
    public IReadOnlyList<StepLaunch> Fills { get; }

    /// <summary>Kernels of one step, in order.</summary>
    public IReadOnlyList<StepLaunch> Launches { get; }

    /// <summary>FP32 [batch][d_model]: the residual stream, behind the last layer when a step has ended; of the head, its logits [batch][rows].</summary>
    public Place Output { get; }

    /// <summary>Bytes of <see cref="Output"/>.</summary>
    public long OutputBytes => 4L * Configuration.Batch * StepLayers.OutputWidth(Configuration, Layers);

    /// <summary>All that it allocates, as allocations are rounded up, B.</summary>
    public long ResidentBytes => Buffers.Sum(b => Allocated(b.Bytes));

    /// <summary>Made by the host before <see cref="Fills"/> run.</summary>
    internal IReadOnlyList<StepUpload> Uploads { get; }

    /// <summary>All stored weight matrices, layer by layer.</summary>
    internal IReadOnlyList<StoredMatrix> Matrices { get; }

    /// <summary>What the reference implementation has too, layer by layer.</summary>
    internal IReadOnlyList<StepStage> Stages { get; }

    /// <summary>Shapes of the panels by buffer index.</summary>
    internal IReadOnlyDictionary<int, Panel> PanelShapes { get; }

    /// <summary>What an allocation takes: the driver gives small ones from pages of 512 B, large ones in pages of 2 MiB.</summary>
    internal static long Allocated(long bytes)
    {
        var page = bytes < 1 << 20 ? 512L : 2L << 20;
        return (Math.Max(1, bytes) + page - 1) / page * page;
    }
}
