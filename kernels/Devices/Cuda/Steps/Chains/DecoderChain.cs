using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>The residual stream and the panel that the next product reads: what one half of a layer hands to the next.</summary>
/// <param name="Residual">FP32 [batch][d_model].</param>
/// <param name="Panel">gain·residual, one panel of d_model inputs.</param>
/// <param name="Squares">Σ residual² of each sequence, for the deferred norm.</param>
internal sealed record HiddenStream(Place Residual, Place Panel, Place Squares);

/// <summary>A step: begin_step, then for each layer attention and MLP, each ending in a product that adds to the residual stream and writes the next panel.</summary>
internal static class DecoderChain
{
    private const int BeginThreads = 256, BeginShared = 32;

    public static StepPlan Plan(Configuration c, int layers, PlanDevice device)
    {
        var plan = new PlanBuilder(c, layers, device);
        var width = c.ModelWidth;
        var residual = plan.Shared("residual", 4L * c.Batch * width, BufferUse.Activations);
        var panel = new Panel(width, c.Batch);
        var input = plan.Shared("input", 4L * c.Batch * width, BufferUse.Table);
        var stream = new HiddenStream(residual, plan.Shared("panel before attention", panel), plan.Squares());
        var gains = Enumerable.Range(0, layers).Select(layer => Gains(plan, layer)).ToArray();
        if (!plan.IsZero)
        {
            FillNormal.Add(plan, "input", plan.Keys(Enumerable.Range(0, c.Batch).Select(b => Noise.Key(c.DataSeed, -1, b))), c.Batch, width, 1, numbers: input, roundToHalf: true);
        }

        var begin = stream;
        plan.Launch("begin", "begin_step", c.Batch, 1, BeginThreads, BeginShared, at => new BeginStepArguments
        {
            Input = at[input],
            Gain = at[gains[0]],
            Residual = at[residual],
            Panel = at[begin.Panel],
            Squares = at[plan.AllSquares],
            Width = (uint)width,
            BatchTiles = (uint)plan.BatchTiles,
            FirstZeroed = PlanBuilder.SquaresStride,
            SquaresCount = (uint)(plan.SquaresBytes / sizeof(float)),
        });
        for (var layer = 0; layer < layers; layer++)
        {
            var middle = new HiddenStream(residual, plan.Shared("panel before MLP", panel), plan.Squares());
            var kind = Catalogue.KindOf(c, layer);
            var output = new Segment(SegmentKind.Residual, 0, middle.Panel, width, width, 0, gains[layer] + 4L * width, middle.Squares);
            switch (kind)
            {
                case LayerKind.MultiHead or LayerKind.Grouped or LayerKind.NativeSparse:
                    GroupedChain.Add(plan, layer, kind == LayerKind.NativeSparse, stream, output);
                    break;
                case LayerKind.Lightning:
                    LightningChain.Add(plan, layer, stream, output);
                    break;
                case LayerKind.Latent:
                    LatentChain.Add(plan, layer, stream, output);
                    break;
                case LayerKind.CompressedSparse or LayerKind.HeavilyCompressed:
                    CompressedChain.Add(plan, layer, kind == LayerKind.CompressedSparse, stream, output);
                    break;
                default:
                    throw new InvalidOperationException($"no chain for {kind}");
            }

            // Behind the last layer nobody reads a panel.
            stream = layer + 1 < layers ? new HiddenStream(residual, plan.Shared("panel before attention", panel), plan.Squares()) : new HiddenStream(residual, Place.Nowhere, Place.Nowhere);
            FeedForwardChain.Add(plan, layer, middle, new Segment(SegmentKind.Residual, 0, stream.Panel, width, width, 0, layer + 1 < layers ? gains[layer + 1] : Place.Nowhere, stream.Squares));
        }

        return plan.Build(residual);
    }

    /// <summary>FP32 [2][d_model]: gains of the norm before attention and before the MLP.</summary>
    private static Place Gains(PlanBuilder plan, int layer)
    {
        var width = 2 * plan.Configuration.ModelWidth;
        var gains = plan.Own(layer, "norm gains", 4L * width, BufferUse.Table);
        FillNormal.Add(plan, $"layer {layer}: norm gains", plan.Keys(plan.Key(layer, "norms")), 1, width, 0.1f, 1, gains);
        return gains;
    }
}
