namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>SwiGLU: gate and up in one product whose epilogue multiplies them, then down onto the residual stream.</summary>
internal static class FeedForwardChain
{
    public static void Add(PlanBuilder plan, int layer, HiddenStream stream, Segment output)
    {
        var (width, hidden) = (plan.Configuration.ModelWidth, plan.Configuration.FeedForwardWidth);
        var gates = StoredMatrix.Add(plan, layer, "gate and up", width, [new("gate", hidden), new("up", hidden)], RowOrder.Interleaved(0, 1, hidden));
        var down = StoredMatrix.Add(plan, layer, "down", hidden, [new("down", width)], RowOrder.Plain(0, width));
        var panel = new Panel(hidden, plan.Batch);
        var hiddenPanel = plan.Shared("panel before down", panel);
        plan.Stages.Add(new StepStage(layer, Product.Kernel(plan), "residual stream before the MLP", stream.Panel, StageFormat.Panel, "normed", width, stream.Squares));
        Product.Add(plan, $"layer {layer}: gate and up", gates, new Panel(width, plan.Batch), stream.Panel, stream.Squares, [new Segment(SegmentKind.SwiGlu, 0, hiddenPanel)]);
        plan.Stages.Add(new StepStage(layer, Product.Kernel(plan), "hidden activations", hiddenPanel, StageFormat.Panel, "gate", hidden));
        Product.Add(plan, $"layer {layer}: down", down, panel, hiddenPanel, Place.Nowhere, [output], stream.Residual);
        plan.Stages.Add(new StepStage(layer, Product.Kernel(plan), "residual stream", stream.Residual, StageFormat.Single, null, width));
    }
}
