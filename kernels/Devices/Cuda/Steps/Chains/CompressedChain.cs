using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>
/// H's two attentions: q_a, kv, compression and index projections in one product; the new token's entries; q_b with the index queries; for CSA index scores and the best
/// 512 entries; attention over entries and window; o_a group by group; o_b.
/// </summary>
internal sealed class CompressedChain
{
    private const int Rank = LayerShape.QueryRank, Entry = LayerShape.SharedHead, Rope = LayerShape.RopeWidth, Window = LayerShape.Window, TopK = LayerShape.TopK;
    private const int Index = LayerShape.IndexHead, IndexHeads = LayerShape.IndexHeads, PageEntries = EntryPages.PageEntries;
    private const int Threads = 256, NewEntriesShared = (3 * 256 + 8 + 4) * 4, IndexScoresShared = 8 * 8 * (4 * 512 + 64), SelectThreads = 1024, SelectShared = 86160;
    private const int SliceEntries = 16384, PoolEntries = 64;

    private readonly PlanBuilder _plan;
    private readonly int _layer, _batch, _heads, _context, _ratio, _entries, _recentTokens, _compressWidth, _stride;
    private readonly bool _sparse;
    private readonly long _storedBytes, _keyBytes;
    private readonly StoredMatrix _down, _up, _oa, _ob;
    private readonly Place _stored, _window, _recent, _sinks, _keys, _indexRecent;
    private readonly (Place Cosine, Place Sine) _angles, _entryAngles;

    private CompressedChain(PlanBuilder plan, int layer, bool sparse)
    {
        var c = plan.Configuration;
        (_plan, _layer, _sparse, _batch, _heads, _context) = (plan, layer, sparse, c.Batch, c.Heads, c.Context);
        _ratio = sparse ? LayerShape.LightCompression : LayerShape.HeavyCompression;
        _entries = _context / _ratio;
        _recentTokens = sparse ? 2 * _ratio : _ratio;
        _compressWidth = sparse ? 2 * Entry : Entry;
        var kind = sparse ? "CSA" : "HCA";

        List<SourceMatrix> down = [new("q_a", Rank), new("kv", Entry), new("compress_kv", _compressWidth), new("compress_gate", _compressWidth)];
        List<SourceMatrix> up = [new("q_b", _heads * Entry)];
        List<SourceRow> upRows = [.. RowOrder.Plain(0, _heads * Entry)];
        if (sparse)
        {
            down.AddRange([new("index_kv", 2 * Index), new("index_gate", 2 * Index), new("index_weight", IndexHeads)]);
            up.Add(new("index_q", IndexHeads * Index));
            upRows.AddRange(RowOrder.PlainThenRotary(1, IndexHeads, Index - Rope, Rope));
        }

        _stride = down.Skip(1).Sum(m => m.Rows);
        _down = StoredMatrix.Add(plan, layer, $"{kind} projections", c.ModelWidth, down, down.SelectMany((m, i) => RowOrder.Plain(i, m.Rows)));
        _up = StoredMatrix.Add(plan, layer, $"{kind} q_b", Rank, up, upRows);
        var groupRows = LayerShape.OutputGroups * LayerShape.OutputRank;
        _oa = StoredMatrix.Add(plan, layer, "o_a", _heads * Entry / LayerShape.OutputGroups, [new("o_a", groupRows)], RowOrder.Plain(0, groupRows));
        _ob = StoredMatrix.Add(plan, layer, "o_b", groupRows, [new("o_b", c.ModelWidth)], RowOrder.Plain(0, c.ModelWidth));

        _storedBytes = EntryPages.Bytes(_entries);
        _stored = plan.Own(layer, "entries", _batch * _storedBytes, BufferUse.State);
        _window = plan.Own(layer, "window", _batch * EntryPages.Bytes(Window), BufferUse.State);
        _recent = plan.Own(layer, "recent projections", 4L * _batch * _recentTokens * 2 * _compressWidth, BufferUse.State);
        _sinks = plan.Own(layer, "sinks", 4L * _heads, BufferUse.Table);
        if (sparse)
        {
            _keyBytes = (_entries + PageEntries - 1L) / PageEntries * PageEntries * LayerShape.IndexKeyBytes;
            _keys = plan.Own(layer, "index keys", _batch * _keyBytes, BufferUse.State);
            _indexRecent = plan.Own(layer, "recent index projections", 4L * _batch * _recentTokens * 4 * Index, BufferUse.State);
        }

        _angles = AngleTable.At(plan, _context - 1, Rope);
        _entryAngles = AngleTable.At(plan, (long)(_entries - 1) * _ratio, Rope);
    }

    public static void Add(PlanBuilder plan, int layer, bool sparse, HiddenStream stream, Segment output)
    {
        var chain = new CompressedChain(plan, layer, sparse);
        if (!plan.IsZero)
        {
            chain.Fill();
        }

        chain.Run(stream, output);
    }

    private void Run(HiddenStream stream, Segment output)
    {
        var lowPanel = new Panel(Rank, _batch);
        var groupPanel = new Panel(_heads * Entry / LayerShape.OutputGroups, _batch, LayerShape.OutputGroups);
        var outPanel = new Panel(LayerShape.OutputGroups * LayerShape.OutputRank, _batch);
        var low = _plan.Shared("panel before q_b", lowPanel);
        var grouped = _plan.Shared("panels before o_a", groupPanel);
        var wide = _plan.Shared("panel before o_b", outPanel);
        var lowSquares = _plan.Squares();
        var projected = _plan.Shared("entry projections", 4L * _batch * _stride, BufferUse.Activations);
        var queries = _plan.Shared("raw queries", 4L * _batch * _heads * Entry, BufferUse.Activations);
        var compressed = _plan.Shared("compressed columns", 4L * _batch * Entry, BufferUse.Workspace);
        var arrivals = _plan.Shared("new entries' arrivals", 4L * _batch, BufferUse.Counters);

        Product.Add(_plan, Name("projections"), _down, new Panel(_plan.Configuration.ModelWidth, _batch), stream.Panel, stream.Squares,
            [new Segment(SegmentKind.Panel, 0, low, HeadRows: Rank, Squares: lowSquares), new Segment(SegmentKind.Raw, Rank, projected, _stride)]);

        // Columns of the projections behind q_a.
        long values = Entry, gates = values + _compressWidth, indexValues = gates + _compressWidth, indexGates = indexValues + 2 * Index, indexWeights = indexGates + 2 * Index;
        _plan.Launch(Name("new entries"), "new_entries", _batch * (_sparse ? 10 : 9), 1, Threads, NewEntriesShared, at => new NewEntriesArguments
        {
            Entry = at[projected],
            Value = at[projected + 4 * values],
            Gate = at[projected + 4 * gates],
            IndexValue = _sparse ? at[projected + 4 * indexValues] : 0,
            IndexGate = _sparse ? at[projected + 4 * indexGates] : 0,
            Recent = at[_recent],
            IndexRecent = at[_indexRecent],
            Angles = at[_angles.Cosine],
            EntryAngles = at[_entryAngles.Cosine],
            Window = at[_window],
            Stored = at[_stored],
            IndexKeys = at[_keys],
            Compressed = at[compressed],
            Arrivals = at[arrivals],
            StoredBytes = (ulong)_storedBytes,
            IndexBytes = (ulong)_keyBytes,
            Batch = (uint)_batch,
            Entries = (uint)_entries,
            Tokens = (uint)_recentTokens,
            Overlapping = _sparse ? 1u : 0,
            WindowSlot = (uint)((_context - 1) % Window),
            EntryStride = (uint)_stride,
            CompressStride = (uint)_stride,
            IndexStride = (uint)_stride,
        });

        List<Segment> up = [new Segment(SegmentKind.Raw, 0, queries, _heads * Entry)];
        var selected = Place.Nowhere;
        if (_sparse)
        {
            var indexQueries = _plan.Shared("index queries", 2L * _batch * IndexHeads * Index, BufferUse.Activations);
            var (first, plain) = (_heads * Entry, Index - Rope);
            up.Add(new Segment(SegmentKind.Heads, first, indexQueries, IndexHeads * Index, plain, Index));
            up.Add(new Segment(SegmentKind.Rotary, first + IndexHeads * plain, indexQueries + 2L * plain, IndexHeads * Index, Rope, Index));
            Product.Add(_plan, Name("q_b and index_q"), _up, lowPanel, low, lowSquares, up, angles: _angles);
            selected = Select(indexQueries, projected + 4 * indexWeights);
        }
        else
        {
            Product.Add(_plan, Name("q_b"), _up, lowPanel, low, lowSquares, up);
        }

        var rows = LatentParts.Rows(_heads);
        const int tile = LatentParts.TileEntries;
        var (kernel, shared) = ($"attention_compressed_{rows}", 3 * tile * 2 * Entry + 3 * tile * LayerShape.EntryBytes + LatentParts.ScratchBytes(rows, Entry));
        var reads = _sparse ? TopK : _entries;
        var tiles = (reads + tile - 1) / tile + Window / tile;
        var grid = _plan.Blocks(kernel, LatentParts.Threads, shared, (long)_batch * tiles);
        var workspace = LatentParts.Workspace(_plan, grid);
        _plan.Launch(Name("attention"), kernel, grid, 1, LatentParts.Threads, shared, at => new AttentionCompressedArguments
        {
            Queries = at[queries],
            Angles = at[_angles.Cosine],
            Stored = at[_stored],
            Window = at[_window],
            Selected = at[selected],
            Parts = at[workspace.Parts],
            Statistics = at[workspace.Statistics],
            StoredBytes = (ulong)_storedBytes,
            Batch = (uint)_batch,
            Heads = (uint)_heads,
            Reads = (uint)reads,
        });
        LatentParts.Merge(_plan, Name("merge"), workspace, grid, tiles, grouped, _heads / LayerShape.OutputGroups, _sinks, _angles.Cosine);
        Product.Add(_plan, Name("o_a"), _oa, groupPanel, grouped, Place.Nowhere, [new Segment(SegmentKind.Panel, 0, wide, HeadRows: _oa.Layout.Rows)]);
        _plan.Stages.AddRange([
            new StepStage(_layer, Product.Kernel(_plan), "low-rank queries", low, StageFormat.Panel, "q_low", Rank, lowSquares),
            new StepStage(_layer, kernel, "attention", grouped, StageFormat.Panel, "mixed", _heads * Entry),
            new StepStage(_layer, Product.Kernel(_plan), "grouped outputs", wide, StageFormat.Panel, "grouped", LayerShape.OutputGroups * LayerShape.OutputRank),
        ]);
        Product.Add(_plan, Name("o_b"), _ob, outPanel, wide, Place.Nowhere, [output], stream.Residual);
    }

    /// <summary>INT32 [batch][512]: the entries that the indexer ranks first, ascending.</summary>
    private Place Select(Place queries, Place weights)
    {
        var scores = _plan.Shared("index scores", 4L * _batch * _entries, BufferUse.Activations);
        var selected = _plan.Shared("selected entries", 4L * _batch * TopK, BufferUse.Activations);
        var slices = (_entries + SliceEntries - 1) / SliceEntries;
        var candidates = slices == 1 ? Place.Nowhere : _plan.Shared("candidate scores", 4L * _batch * slices * TopK, BufferUse.Workspace);
        var candidateEntries = slices == 1 ? Place.Nowhere : _plan.Shared("candidate entries", 4L * _batch * slices * TopK, BufferUse.Workspace);
        var arrivals = _plan.Shared("selection's arrivals", 4L * _batch, BufferUse.Counters);
        var grid = _plan.Blocks("index_scores", Threads, IndexScoresShared, ((long)_batch * ((_entries + 15) / 16) + 7) / 8);
        _plan.Launch(Name("index scores"), "index_scores", grid, 1, Threads, IndexScoresShared, at => new IndexScoresArguments
        {
            Queries = at[queries],
            Weights = at[weights],
            Keys = at[_keys],
            Scores = at[scores],
            KeyBytes = (ulong)_keyBytes,
            Batch = (uint)_batch,
            Entries = (uint)_entries,
            WeightStride = (uint)_stride,
        });
        _plan.Launch(Name("best entries"), "select_top", _batch * slices, 1, SelectThreads, SelectShared, at => new SelectTopArguments
        {
            Scores = at[scores],
            Selected = at[selected],
            CandidateScores = at[candidates],
            CandidateEntries = at[candidateEntries],
            Arrivals = at[arrivals],
            Batch = (uint)_batch,
            Entries = (uint)_entries,
            Slices = (uint)slices,
        });
        _plan.Stages.Add(new StepStage(_layer, "index_scores", "index scores", scores, StageFormat.Single, "index_scores", _entries));
        return selected;
    }

    private void Fill()
    {
        FillNormal.Add(_plan, Name("sinks"), _plan.Keys(_plan.Key(_layer, "sinks")), 1, _heads, 1, numbers: _sinks);
        var history = new History(_plan, _down);
        var turns = History.Turns(_plan, Rope, _context);
        var pool = _plan.Shared("entry pool", 4L * PoolEntries * Entry, BufferUse.Scratch);
        var indexPool = _sparse ? _plan.Shared("index key pool", 4L * PoolEntries * Index, BufferUse.Scratch) : Place.Nowhere;
        Pool("entry pool", history.Of(2), history.Of(3), pool, Entry, _sparse);
        Recent("recent projections", history.Of(2), history.Of(3), _recent, _compressWidth);
        if (_sparse)
        {
            Pool("index key pool", history.Of(4), history.Of(5), indexPool, Index, true);
            Recent("recent index projections", history.Of(4), history.Of(5), _indexRecent, 2 * Index);
        }

        var key = _plan.Key(_layer, "entries");
        _plan.Fill(Name("fill entries"), "fill_entries", _plan.Blocks("fill_entries", Threads, 0, (_entries + 7) / 8), 1, Threads, 0, at => new FillEntriesArguments
        {
            Pool = at[pool],
            IndexPool = at[indexPool],
            Turns = turns(at),
            Stored = at[_stored],
            IndexKeys = at[_keys],
            Key = key,
            Batch = (uint)_batch,
            Entries = (uint)_entries,
            Ratio = (uint)_ratio,
        });
        var window = history.Of(1);
        _plan.Fill(Name("fill window"), "fill_window", _plan.Blocks("fill_window", Threads, 0, (_batch * Window + 7) / 8), 1, Threads, 0, at => new FillWindowArguments
        {
            Entries = window(at),
            Turns = turns(at),
            Window = at[_window],
            Batch = (uint)_batch,
            Context = (uint)_context,
        });
    }

    private void Pool(string name, Func<BufferAddresses, HistoryPool> values, Func<BufferAddresses, HistoryPool> gates, Place target, int columns, bool overlapping) =>
        _plan.Fill(Name($"fill {name}"), "fill_entry_pool", PoolEntries, 1, Threads, 32, at => new FillEntryPoolArguments
        {
            Values = values(at),
            Gates = gates(at),
            Entries = at[target],
            Columns = (uint)columns,
            Tokens = (uint)_recentTokens,
            Overlapping = overlapping ? 1u : 0,
        });

    private void Recent(string name, Func<BufferAddresses, HistoryPool> values, Func<BufferAddresses, HistoryPool> gates, Place target, int width)
    {
        var items = (long)_batch * _recentTokens * width;
        _plan.Fill(Name($"fill {name}"), "fill_recent", _plan.Blocks("fill_recent", Threads, 0, (items + Threads - 1) / Threads), 1, Threads, 0, at => new FillRecentArguments
        {
            Values = values(at),
            Gates = gates(at),
            Recent = at[target],
            Batch = (uint)_batch,
            Tokens = (uint)_recentTokens,
            Width = (uint)width,
            Context = (uint)_context,
        });
    }

    private string Name(string what) => $"layer {_layer}: {what}";
}
