using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>Lightning attention: one product for q, k, v and the gate; the state's update, which leaves gated outputs and their squares; o, with the deferred norm, onto the residual stream.</summary>
internal static class LightningChain
{
    private const int Head = LayerShape.Head, StateThreads = 256, StateShared = 108544;

    public static void Add(PlanBuilder plan, int layer, HiddenStream stream, Segment output)
    {
        var c = plan.Configuration;
        var (batch, heads) = (c.Batch, c.Heads);
        var rows = heads * Head;
        var projections = StoredMatrix.Add(plan, layer, "q, k, v and output gate", c.ModelWidth,
            [new("q", rows), new("k", rows), new("v", rows), new("output_gate", rows)], Enumerable.Range(0, 4).SelectMany(m => RowOrder.Plain(m, rows)));
        var o = StoredMatrix.Add(plan, layer, "o", rows, [new("o", c.ModelWidth)], RowOrder.Plain(0, c.ModelWidth));
        var state = plan.Own(layer, "state", 4L * batch * heads * Head * Head, BufferUse.State);
        var decays = plan.Table($"decays of {heads} heads", () => Enumerable.Range(0, heads).Select(h => LightningAttention.Decay(h, heads)).ToArray());
        var projected = plan.Shared("lightning projections", 16L * batch * rows, BufferUse.Activations);
        var mixedPanel = new Panel(rows, batch);
        var mixed = plan.Shared("panel before o", mixedPanel);
        var squares = plan.Squares();
        if (!plan.IsZero)
        {
            const int shared = 16384;
            var history = new History(plan, projections);
            var (keys, values) = (history.Of(1), history.Of(2));
            plan.Fill($"layer {layer}: fill state", "fill_state", heads, batch, 256, shared, at => new FillStateArguments
            {
                Keys = keys(at),
                Values = values(at),
                Decays = at[decays],
                State = at[state],
                Heads = (uint)heads,
                Tokens = (uint)Math.Min(c.Context - 1, LightningAttention.HistoryTokens),
            });
        }

        Product.Add(plan, $"layer {layer}: q, k, v and gate", projections, new Panel(c.ModelWidth, batch), stream.Panel, stream.Squares, [new Segment(SegmentKind.Raw, 0, projected, 4L * rows)]);
        var grid = plan.Blocks("lightning_state", StateThreads, StateShared, 2L * batch * heads);
        plan.Launch($"layer {layer}: state", "lightning_state", grid, 1, StateThreads, StateShared, at => new LightningStateArguments
        {
            Projections = at[projected],
            State = at[state],
            Decay = at[decays],
            Output = at[mixed],
            Squares = at[squares],
            Batch = (uint)batch,
            Heads = (uint)heads,
            BatchTiles = (uint)plan.BatchTiles,
        });
        plan.Stages.Add(new StepStage(layer, "lightning_state", "attention", mixed, StageFormat.Panel, "mixed", rows, squares));
        Product.Add(plan, $"layer {layer}: o", o, mixedPanel, mixed, squares, [output], stream.Residual);
    }
}
