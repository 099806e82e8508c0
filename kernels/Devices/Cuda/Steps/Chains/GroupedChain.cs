using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>MHA, GQA and NSA: one product for q, k and v, whose epilogue turns q and k and writes k and v into the cache; attention; o onto the residual stream.</summary>
internal static class GroupedChain
{
    private const int Head = LayerShape.Head, AttentionThreads = 128, AttentionShared = 98848, TileTokens = 16;

    public static void Add(PlanBuilder plan, int layer, bool isSparse, HiddenStream stream, Segment output)
    {
        var c = plan.Configuration;
        var (batch, heads, kvHeads, context) = (c.Batch, c.Heads, c.KeyValueHeads, c.Context);
        var (qRows, kvRows, group) = (heads * Head, kvHeads * Head, heads / kvHeads);
        var qkv = StoredMatrix.Add(plan, layer, "q, k and v", c.ModelWidth, [new("q", qRows), new("k", kvRows), new("v", kvRows)],
            [.. RowOrder.Rotary(0, qRows, Head), .. RowOrder.Rotary(1, kvRows, Head), .. RowOrder.Plain(2, kvRows)]);
        var o = StoredMatrix.Add(plan, layer, "o", qRows, [new("o", c.ModelWidth)], RowOrder.Plain(0, c.ModelWidth));
        var cacheBytes = 2L * batch * kvHeads * context * Head;
        var keys = plan.Own(layer, "keys", cacheBytes, BufferUse.State);
        var values = plan.Own(layer, "values", cacheBytes, BufferUse.State);
        var queries = plan.Shared("queries", 2L * batch * qRows, BufferUse.Activations);
        var mixedPanel = new Panel(qRows, batch);
        var mixed = plan.Shared("panel before o", mixedPanel);
        Fill(plan, layer, qkv, keys, values);

        var newest = 2L * (context - 1) * Head;
        var (cacheStride, headStride) = ((long)kvHeads * context * Head, (long)context * Head);
        Product.Add(plan, $"layer {layer}: q, k and v", qkv, new Panel(c.ModelWidth, batch), stream.Panel, stream.Squares,
            [
                new Segment(SegmentKind.Rotary, 0, queries, qRows, Head, Head),
                new Segment(SegmentKind.Rotary, qRows, keys + newest, cacheStride, Head, headStride),
                new Segment(SegmentKind.Heads, qRows + kvRows, values + newest, cacheStride, Head, headStride),
            ], angles: AngleTable.At(plan, context - 1, Head));

        var units = batch * kvHeads;
        if (isSparse)
        {
            var entries = (int)LayerShape.CompressedEntries(context);
            var compressedBytes = 2L * units * entries * Head;
            var compressedKeys = plan.Own(layer, "compressed keys", compressedBytes, BufferUse.State);
            var compressedValues = plan.Own(layer, "compressed values", compressedBytes, BufferUse.State);
            var selected = plan.Table($"selected blocks of layer {layer}", () => GroupedAttention.Select(plan.Key(layer, "selection"), units, context));
            FillCompressed(plan, layer, "compressed keys", keys, compressedKeys, units, context, entries);
            FillCompressed(plan, layer, "compressed values", values, compressedValues, units, context, entries);
            var tiles = (entries + TileTokens - 1) / TileTokens + LayerShape.SelectedBlocks * LayerShape.SelectedBlock / TileTokens + LayerShape.SparseWindow / TileTokens;
            var grid = plan.Blocks("attention_native_sparse", AttentionThreads, AttentionShared, (long)units * tiles);
            var parts = Parts(plan, grid + 3 * units, units, group);
            plan.Launch($"layer {layer}: attention", "attention_native_sparse", grid, 1, AttentionThreads, AttentionShared, at => new AttentionNativeSparseArguments
            {
                Queries = at[queries],
                Keys = at[keys],
                Values = at[values],
                CompressedKeys = at[compressedKeys],
                CompressedValues = at[compressedValues],
                Selected = at[selected],
                Output = at[mixed],
                Parts = parts(at),
                Batch = (uint)batch,
                Heads = (uint)heads,
                KvHeads = (uint)kvHeads,
                Context = (uint)context,
                BatchTiles = (uint)plan.BatchTiles,
                Scale = 1 / MathF.Sqrt(Head),
            });
        }
        else
        {
            var grid = plan.Blocks("attention_grouped", AttentionThreads, AttentionShared, (long)units * ((context + TileTokens - 1) / TileTokens));
            var parts = Parts(plan, grid + units, units, group);
            plan.Launch($"layer {layer}: attention", "attention_grouped", grid, 1, AttentionThreads, AttentionShared, at => new AttentionGroupedArguments
            {
                Queries = at[queries],
                Keys = at[keys],
                Values = at[values],
                Output = at[mixed],
                Parts = parts(at),
                Batch = (uint)batch,
                Heads = (uint)heads,
                KvHeads = (uint)kvHeads,
                Context = (uint)context,
                BatchTiles = (uint)plan.BatchTiles,
                Scale = 1 / MathF.Sqrt(Head),
            });
        }

        plan.Stages.Add(new StepStage(layer, Product.Kernel(plan), "queries", queries, StageFormat.Half, "q", qRows));
        plan.Stages.Add(new StepStage(layer, isSparse ? "attention_native_sparse" : "attention_grouped", "attention", mixed, StageFormat.Panel, "mixed", qRows));
        Product.Add(plan, $"layer {layer}: o", o, mixedPanel, mixed, Place.Nowhere, [output], stream.Residual);
    }

    private static Func<BufferAddresses, AttentionParts> Parts(PlanBuilder plan, int slots, int units, int group)
    {
        var results = plan.Shared("attention results", 4L * slots * group * Head, BufferUse.Workspace);
        var states = plan.Shared("attention states", 8L * slots * group, BufferUse.Workspace);
        var arrivals = plan.Shared("attention arrivals", 4L * units, BufferUse.Counters);
        return at => new AttentionParts { Results = at[results], States = at[states], Arrivals = at[arrivals] };
    }

    private static void Fill(PlanBuilder plan, int layer, StoredMatrix qkv, Place keys, Place values)
    {
        if (plan.IsZero)
        {
            return;
        }

        const int threads = 256;
        var c = plan.Configuration;
        var history = new History(plan, qkv);
        var (keyPool, valuePool, turns) = (history.Of(1), history.Of(2), History.Turns(plan, Head, c.Context));
        plan.Fill($"layer {layer}: fill keys and values", "fill_grouped", plan.Blocks("fill_grouped", threads, 0, (c.Context + 7) / 8), 1, threads, 0, at => new FillGroupedArguments
        {
            Keys = keyPool(at),
            Values = valuePool(at),
            Turns = turns(at),
            KeyCache = at[keys],
            ValueCache = at[values],
            Batch = (uint)c.Batch,
            KeyValueHeads = (uint)c.KeyValueHeads,
            Context = (uint)c.Context,
        });
    }

    private static void FillCompressed(PlanBuilder plan, int layer, string name, Place cache, Place compressed, int rows, int context, int entries)
    {
        if (plan.IsZero)
        {
            return;
        }

        const int threads = 256;
        plan.Fill($"layer {layer}: fill {name}", "fill_compressed", plan.Blocks("fill_compressed", threads, 0, ((long)rows * entries + 7) / 8), 1, threads, 0, at => new FillCompressedArguments
        {
            Cache = at[cache],
            Compressed = at[compressed],
            Rows = (uint)rows,
            Context = (uint)context,
            Entries = (uint)entries,
        });
    }
}
