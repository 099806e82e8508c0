using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>The LM head alone: one weight product over a panel of activations that is filled once.</summary>
internal static class HeadChain
{
    public static StepPlan Plan(Configuration c, PlanDevice device)
    {
        var plan = new PlanBuilder(c, StepLayers.HeadAlone, device);
        var rows = StepLayers.HeadRows(c);
        var panel = new Panel(c.ModelWidth, c.Batch);
        var head = StoredMatrix.Add(plan, 0, DecodeStep.HeadName, c.ModelWidth, [new(DecodeStep.HeadName, rows)], RowOrder.Plain(0, rows));
        // No kernel writes it anew in each step, as it does other panels.
        var activations = plan.Shared("head activations", panel.Bytes, BufferUse.Table);
        var logits = plan.Shared("logits", 4L * c.Batch * rows, BufferUse.Activations);
        if (!plan.IsZero)
        {
            FillNormal.Add(plan, "head activations", plan.Keys(Enumerable.Range(0, c.Batch).Select(b => Noise.Key(c.DataSeed, -1, b))), c.Batch, c.ModelWidth, 1, panel: activations, columnTiles: panel.ColumnTiles);
        }

        Product.Add(plan, "LM head", head, panel, activations, Place.Nowhere, [new Segment(SegmentKind.Raw, 0, logits, rows)]);
        plan.Stages.Add(new StepStage(plan.Layers - 1, Product.Kernel(plan), "logits", logits, StageFormat.Single, null, rows));
        return plan.Build(logits);
    }
}
