using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>MLA, absorbed: q_a and kv_a; q_b, whose rotary rows go straight beside the absorbed query; W_UK head by head; attention over the latent cache; W_UV head by head; o.</summary>
internal static class LatentChain
{
    private const int Rank = LayerShape.QueryRank, Latent = LayerShape.LatentWidth, Rope = LayerShape.RopeWidth, Entry = Latent + Rope, Nope = LayerShape.Head;

    public static void Add(PlanBuilder plan, int layer, HiddenStream stream, Segment output)
    {
        var c = plan.Configuration;
        var (batch, heads, context) = (c.Batch, c.Heads, c.Context);
        var down = StoredMatrix.Add(plan, layer, "q_a and kv_a", c.ModelWidth, [new("q_a", Rank), new("kv_a", Entry)],
            [.. RowOrder.Plain(0, Rank), .. RowOrder.Plain(1, Latent), .. RowOrder.Rotary(1, Rope, Rope, Latent)]);
        var queryUp = StoredMatrix.Add(plan, layer, "q_b", Rank, [new("q_b", heads * (Nope + Rope))], RowOrder.PlainThenRotary(0, heads, Nope, Rope));
        var absorb = StoredMatrix.Add(plan, layer, "uk", Nope, [new("uk", heads * Latent)], RowOrder.Plain(0, heads * Latent));
        var valueUp = StoredMatrix.Add(plan, layer, "uv", Latent, [new("uv", heads * Nope)], RowOrder.Plain(0, heads * Nope));
        var o = StoredMatrix.Add(plan, layer, "o", heads * Nope, [new("o", c.ModelWidth)], RowOrder.Plain(0, c.ModelWidth));
        var cache = plan.Own(layer, "latent cache", 2L * batch * context * Entry, BufferUse.State);
        Fill(plan, layer, down, cache);

        var (lowPanel, nopePanel, mixedPanel, valuePanel) = (new Panel(Rank, batch), new Panel(Nope, batch, heads), new Panel(Latent, batch, heads), new Panel(heads * Nope, batch));
        var low = plan.Shared("panel before q_b", lowPanel);
        var nope = plan.Shared("panels before uk", nopePanel);
        var mixed = plan.Shared("panels before uv", mixedPanel);
        var values = plan.Shared("panel before o", valuePanel);
        var queries = plan.Shared("queries", 2L * batch * heads * Entry, BufferUse.Activations);
        var entry = plan.Shared("newest entry", 4L * batch * Entry, BufferUse.Activations);
        var lowSquares = plan.Squares();
        var angles = AngleTable.At(plan, context - 1, Rope);

        Product.Add(plan, $"layer {layer}: q_a and kv_a", down, new Panel(c.ModelWidth, batch), stream.Panel, stream.Squares,
            [
                new Segment(SegmentKind.Panel, 0, low, HeadRows: Rank, Squares: lowSquares),
                new Segment(SegmentKind.Raw, Rank, entry, Entry),
                new Segment(SegmentKind.RotaryRaw, Rank + Latent, entry + 4L * Latent, Entry, Rope, Rope),
            ], angles: angles);
        Product.Add(plan, $"layer {layer}: q_b", queryUp, lowPanel, low, lowSquares,
            [
                new Segment(SegmentKind.Panel, 0, nope, HeadRows: Nope, HeadStride: nopePanel.BlockElements / 2),
                new Segment(SegmentKind.Rotary, heads * Nope, queries + 2L * Latent, heads * Entry, Rope, Entry),
            ], angles: angles);
        Product.Add(plan, $"layer {layer}: uk", absorb, nopePanel, nope, Place.Nowhere, [new Segment(SegmentKind.Heads, 0, queries, heads * Entry, Latent, Entry)]);

        var rows = LatentParts.Rows(heads);
        var (kernel, shared) = ($"attention_latent_{rows}", (rows == 64 ? 4 : 5) * LatentParts.TileEntries * 2 * Entry + LatentParts.ScratchBytes(rows, Entry) + 4 * Entry);
        var tiles = (context + LatentParts.TileEntries - 1) / LatentParts.TileEntries;
        var grid = plan.Blocks(kernel, LatentParts.Threads, shared, (long)batch * tiles);
        var workspace = LatentParts.Workspace(plan, grid);
        plan.Launch($"layer {layer}: attention", kernel, grid, 1, LatentParts.Threads, shared, at => new AttentionLatentArguments
        {
            Queries = at[queries],
            Entry = at[entry],
            Cache = at[cache],
            Parts = at[workspace.Parts],
            Statistics = at[workspace.Statistics],
            Batch = (uint)batch,
            Heads = (uint)heads,
            Context = (uint)context,
        });
        LatentParts.Merge(plan, $"layer {layer}: merge", workspace, grid, tiles, mixed, 1);
        Product.Add(plan, $"layer {layer}: uv", valueUp, mixedPanel, mixed, Place.Nowhere, [new Segment(SegmentKind.Panel, 0, values, HeadRows: heads * Nope)]);
        plan.Stages.AddRange([
            new StepStage(layer, Product.Kernel(plan), "low-rank queries", low, StageFormat.Panel, "q_low", Rank, lowSquares),
            new StepStage(layer, Product.Kernel(plan), "absorbed queries", queries, StageFormat.Half, "q_latent", heads * Entry),
            new StepStage(layer, kernel, "attention", mixed, StageFormat.Panel, "mixed_latent", heads * Latent),
            new StepStage(layer, Product.Kernel(plan), "values", values, StageFormat.Panel, "mixed", heads * Nope),
        ]);
        Product.Add(plan, $"layer {layer}: o", o, valuePanel, values, Place.Nowhere, [output], stream.Residual);
    }

    private static void Fill(PlanBuilder plan, int layer, StoredMatrix matrix, Place cache)
    {
        if (plan.IsZero)
        {
            return;
        }

        const int threads = 256;
        var c = plan.Configuration;
        var entries = new History(plan, matrix).Of(1);
        var turns = History.Turns(plan, Rope, c.Context);
        plan.Fill($"layer {layer}: fill latent cache", "fill_latent", plan.Blocks("fill_latent", threads, 0, (c.Context + 7) / 8), 1, threads, 0, at => new FillLatentArguments
        {
            Entries = entries(at),
            Turns = turns(at),
            Cache = at[cache],
            Batch = (uint)c.Batch,
            Context = (uint)c.Context,
        });
    }
}
