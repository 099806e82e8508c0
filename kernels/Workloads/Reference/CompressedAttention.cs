using System.Numerics.Tensors;

namespace EnergyGrid.Workloads;

/// <summary>
/// H's two attentions over shared K = V entries of 512 with sinks and a window of 128. CSA compresses 4 tokens to an entry, overlapping with the 4 before, and reads
/// the 512 entries that its indexer ranks first; HCA compresses 128 tokens and reads every entry. The newest entry covers the new token and is compressed again in each step.
/// </summary>
/// <remarks>
/// Entries lie in <see cref="EntryPages"/>; index keys in pages of 64: 64 · 128 FP8, then 64 FP32 scales. Simplified against V4: no positional bias in compression, no Hadamard rotation of the indexer.
/// History entries are drawn from 64 exactly compressed ones and turned to their own position: compressing a million tokens' activations would take hours.
/// </remarks>
internal sealed unsafe class CompressedAttention : Attention
{
    private const int Rank = LayerShape.QueryRank, Entry = LayerShape.SharedHead, Rope = LayerShape.RopeWidth, Plain = EntryPages.Plain;
    private const int Index = LayerShape.IndexHead, IndexHeads = LayerShape.IndexHeads, TopK = LayerShape.TopK, Window = LayerShape.Window;
    private const int Tile = OnlineSoftmax.Tile, HeadsAtOnce = 16, PoolEntries = 64, KeyBlock = 2048;
    private const int KeyPageBytes = 64 * LayerShape.IndexKeyBytes;

    private readonly bool _sparse;
    private readonly int _heads, _context, _width, _entries, _ratio, _recentTokens, _compressWidth;
    private readonly long _entryBytes, _keyBytes;
    private readonly PackedMatrix _qa, _qb, _kv, _oa, _ob, _compressKv, _compressGate;
    private readonly PackedMatrix? _indexKv, _indexGate, _indexQ, _indexWeight;
    private readonly AlignedBuffer<byte> _stored, _window;
    private readonly AlignedBuffer<byte>? _keys;
    private readonly AlignedBuffer<float> _recent, _sinks;
    private readonly AlignedBuffer<float>? _indexRecent;
    private readonly int[] _selected;

    public CompressedAttention(StepContext context, int layer, bool sparse) : base(context, layer)
    {
        var c = context.Configuration;
        (_sparse, _heads, _context, _width) = (sparse, c.Heads, c.Context, c.ModelWidth);
        _ratio = sparse ? LayerShape.LightCompression : LayerShape.HeavyCompression;
        _recentTokens = sparse ? 2 * _ratio : _ratio;
        _compressWidth = sparse ? 2 * Entry : Entry;
        _entries = _context / _ratio;
        _qa = Matrix("q_a", Rank, _width);
        _qb = Matrix("q_b", _heads * Entry, Rank);
        _kv = Matrix("kv", Entry, _width);
        _oa = Matrix("o_a", LayerShape.OutputGroups * LayerShape.OutputRank, _heads * Entry / LayerShape.OutputGroups);
        _ob = Matrix("o_b", _width, LayerShape.OutputGroups * LayerShape.OutputRank);
        _compressKv = Matrix("compress_kv", _compressWidth, _width);
        _compressGate = Matrix("compress_gate", _compressWidth, _width);
        _entryBytes = EntryPages.Bytes(_entries);
        _stored = State<byte>(Batch * _entryBytes);
        _window = State<byte>(Batch * EntryPages.Bytes(Window));
        _recent = State<float>((long)Batch * _recentTokens * 2 * _compressWidth);
        _sinks = State<float>(_heads);
        _selected = sparse ? new int[Batch * TopK] : [];
        if (sparse)
        {
            _indexKv = Matrix("index_kv", 2 * Index, _width);
            _indexGate = Matrix("index_gate", 2 * Index, _width);
            _indexQ = Matrix("index_q", IndexHeads * Index, Rank);
            _indexWeight = Matrix("index_weight", IndexHeads, _width);
            _keyBytes = (_entries + 63L) / 64 * KeyPageBytes;
            _keys = State<byte>(Batch * _keyBytes);
            _indexRecent = State<float>((long)Batch * _recentTokens * 2 * 2 * Index);
        }

        if (!context.IsZero)
        {
            Fill();
        }
    }

    /// <summary>Entries that the last run selected, ascending.</summary>
    public ReadOnlySpan<int> Selected(int sequence) => _selected.AsSpan(sequence * TopK, TopK);

    public ReadOnlySpan<byte> Stored(int sequence) => _stored.Slice(sequence * _entryBytes, (int)_entryBytes);

    public ReadOnlySpan<byte> WindowOf(int sequence) => _window.Slice(sequence * EntryPages.Bytes(Window), (int)EntryPages.Bytes(Window));

    public ReadOnlySpan<byte> IndexKeys(int sequence) => _keys!.Slice(sequence * _keyBytes, (int)_keyBytes);

    /// <summary>FP32 [token][value, gate][width] of the tokens that the newest entry compresses.</summary>
    public ReadOnlySpan<float> Recent(int sequence) => Span(_recent, sequence, _compressWidth);

    public ReadOnlySpan<float> IndexRecent(int sequence) => Span(_indexRecent!, sequence, 2 * Index);

    public ReadOnlySpan<float> Sinks => _sinks.Slice(0, _heads);

    public override void Run(float* x, float* y)
    {
        var low = Context.Buffer("q_low", Rank);
        var q = Context.Buffer("q", _heads * Entry);
        var entry = Context.Buffer("entry", Entry);
        var mixed = Context.Buffer("mixed", _heads * Entry);
        var grouped = Context.Buffer("grouped", LayerShape.OutputGroups * LayerShape.OutputRank);
        Context.Multiply(_qa, x, _width, low, Rank);
        Context.Norm(low, Rank, Rank, low, Rank);
        Context.Multiply(_qb, low, Rank, q, _heads * Entry);
        Context.Multiply(_kv, x, _width, entry, Entry);
        Newest(x, _compressKv, _compressGate, _recent, _compressWidth, "compress");
        if (_sparse)
        {
            Newest(x, _indexKv!, _indexGate!, _indexRecent!, 2 * Index, "index_compress");
        }

        Context.Pool.For(Batch, (_, b) => WriteNew(b, q + (long)b * _heads * Entry, new Span<float>(entry + (long)b * Entry, Entry)));
        if (_sparse)
        {
            SelectEntries(x, low);
        }

        var shares = (_heads + HeadsAtOnce - 1) / HeadsAtOnce;
        Context.Pool.For(Batch * shares, (worker, item) => Attend(worker, item / shares, item % shares * HeadsAtOnce, q, mixed));
        Context.Round(mixed, _heads * Entry);
        var blockWidth = _heads * Entry / LayerShape.OutputGroups;
        MatrixProduct.Multiply(Context.Pool, _oa, mixed, _heads * Entry, grouped, _oa.Outputs, Batch, LayerShape.OutputGroups, blockWidth);
        Context.Round(grouped, _oa.Outputs);
        Context.Multiply(_ob, grouped, _oa.Outputs, y, _width);
    }

    private void Newest(float* x, PackedMatrix values, PackedMatrix gates, AlignedBuffer<float> recent, int width, string name)
    {
        var value = Context.Buffer(name + "_kv", width);
        var gate = Context.Buffer(name + "_gate", width);
        Context.Multiply(values, x, _width, value, width);
        Context.Multiply(gates, x, _width, gate, width);
        for (var b = 0; b < Batch; b++)
        {
            var slot = Span(recent, b, width)[((_recentTokens - 1) * 2 * width)..];
            new ReadOnlySpan<float>(value + (long)b * width, width).CopyTo(slot);
            new ReadOnlySpan<float>(gate + (long)b * width, width).CopyTo(slot[width..]);
        }
    }

    /// <summary>Normalises and turns the queries; stores the new token's window entry, compressed entry and index key.</summary>
    private void WriteNew(int b, float* queries, Span<float> entry)
    {
        Span<float> cos = stackalloc float[Rope / 2], sin = stackalloc float[Rope / 2], compressed = stackalloc float[Entry];
        Elementwise.Angles(_context - 1, Rope, cos, sin);
        for (var h = 0; h < _heads; h++)
        {
            var row = new Span<float>(queries + h * Entry, Entry);
            Elementwise.RmsNorm(row, row);
            Elementwise.Rotate(row[Plain..], cos, sin);
            if (Context.RoundActivations)
            {
                Elementwise.RoundToHalf(row);
            }
        }

        Elementwise.RmsNorm(entry, entry);
        Elementwise.Rotate(entry[Plain..], cos, sin);
        EntryPages.Write(WindowAt(b), (_context - 1) % Window, entry);
        Compress(Span(_recent, b, _compressWidth), _recentTokens, Entry, _sparse, compressed);
        Elementwise.Angles((long)(_entries - 1) * _ratio, Rope, cos, sin);
        Elementwise.Rotate(compressed[Plain..], cos, sin);
        EntryPages.Write(StoredAt(b), _entries - 1, compressed);
        if (_sparse)
        {
            var key = compressed[..Index];
            Compress(Span(_indexRecent!, b, 2 * Index), _recentTokens, Index, true, key);
            Elementwise.Rotate(key[(Index - Rope)..], cos, sin);
            WriteKey(b, _entries - 1, key);
        }
    }

    /// <summary>Σ softmax(gate)·value over the tokens, for each column apart, then RMSNorm. Overlapping: the earlier half takes the first columns, the later half the last.</summary>
    private static void Compress(ReadOnlySpan<float> recent, int tokens, int columns, bool overlap, Span<float> result)
    {
        var width = overlap ? 2 * columns : columns;
        for (var j = 0; j < columns; j++)
        {
            var largest = float.NegativeInfinity;
            for (var t = 0; t < tokens; t++)
            {
                largest = Math.Max(largest, recent[At(t, j) + width]);
            }

            float sum = 0, weights = 0;
            for (var t = 0; t < tokens; t++)
            {
                var weight = MathF.Exp(recent[At(t, j) + width] - largest);
                weights += weight;
                sum += weight * recent[At(t, j)];
            }

            result[j] = sum / weights;
        }

        Elementwise.RmsNorm(result, result);

        int At(int t, int j) => t * 2 * width + (overlap && t >= tokens / 2 ? columns + j : j);
    }

    private void SelectEntries(float* x, float* low)
    {
        var queries = Context.Buffer("index_q", IndexHeads * Index);
        var weights = Context.Buffer("index_weight", IndexHeads);
        var scores = Context.Buffer("index_scores", _entries);
        Context.Multiply(_indexQ!, low, Rank, queries, IndexHeads * Index);
        Context.Multiply(_indexWeight!, x, _width, weights, IndexHeads);
        Context.Pool.For(Batch, (_, b) =>
        {
            Span<float> cos = stackalloc float[Rope / 2], sin = stackalloc float[Rope / 2];
            Elementwise.Angles(_context - 1, Rope, cos, sin);
            for (var h = 0; h < IndexHeads; h++)
            {
                Elementwise.Rotate(new Span<float>(queries + ((long)b * IndexHeads + h) * Index + Index - Rope, Rope), cos, sin);
            }
        });
        Context.Round(queries, IndexHeads * Index);
        var blocks = (_entries + KeyBlock - 1) / KeyBlock;
        Context.Pool.For(Batch * blocks, (worker, item) =>
        {
            var b = item / blocks;
            var keys = Context.Pool.Scratch(worker, Tile * (Index + IndexHeads));
            var products = keys + Tile * Index;
            var last = Math.Min(_entries, (item % blocks + 1) * KeyBlock);
            Span<float> sum = stackalloc float[Tile], part = stackalloc float[Tile];
            for (var e = item % blocks * KeyBlock; e < last; e += Tile)
            {
                var tokens = Math.Min(Tile, last - e);
                for (var t = 0; t < tokens; t++)
                {
                    var page = _keys!.Pointer + b * _keyBytes + (e + t) / 64 * (long)KeyPageBytes;
                    var slot = (e + t) % 64;
                    EntryPages.Widen(page + slot * Index, ((float*)(page + 64 * Index))[slot], keys + t * Index, Index);
                }

                for (var t = 0; t < tokens; t += 4)
                {
                    TileProduct.Four(keys + t * Index, Index, queries + (long)b * IndexHeads * Index, Index, Index, IndexHeads, products + t, Tile, false);
                }

                sum.Clear();
                for (var h = 0; h < IndexHeads; h++)
                {
                    TensorPrimitives.Max(new ReadOnlySpan<float>(products + h * Tile, Tile), 0f, part);
                    TensorPrimitives.MultiplyAdd(part, weights[(long)b * IndexHeads + h], sum, sum);
                }

                sum[..tokens].CopyTo(new Span<float>(scores + (long)b * _entries + e, tokens));
            }
        });
        Context.Pool.For(Batch, (_, b) => Best(new ReadOnlySpan<float>(scores + (long)b * _entries, _entries), _selected.AsSpan(b * TopK, TopK)));
    }

    /// <summary>The entries with the highest scores, the earlier first among equals, ascending.</summary>
    private static void Best(ReadOnlySpan<float> scores, Span<int> selected)
    {
        // Candidates gather until there are too many; then the best are kept and the least of them is the bar.
        var candidates = new ulong[8 * TopK];
        var (count, bar) = (0, 0UL);
        for (var e = 0; e < scores.Length; e++)
        {
            var bits = BitConverter.SingleToUInt32Bits(scores[e]);
            var ordered = (bits & 0x80000000) != 0 ? ~bits : bits | 0x80000000;
            var candidate = (ulong)ordered << 32 | ~(uint)e;
            if (candidate <= bar)
            {
                continue;
            }

            candidates[count++] = candidate;
            if (count == candidates.Length)
            {
                Array.Sort(candidates);
                Array.Copy(candidates, count - TopK, candidates, 0, TopK);
                (count, bar) = (TopK, candidates[0]);
            }
        }

        Array.Sort(candidates, 0, count);
        for (var i = 0; i < TopK; i++)
        {
            selected[i] = (int)~(uint)candidates[count - TopK + i];
        }

        selected.Sort();
    }

    private void Attend(int worker, int b, int first, float* queries, float* mixed)
    {
        var rows = Math.Min(HeadsAtOnce, _heads - first);
        var memory = Context.Pool.Scratch(worker, OnlineSoftmax.Floats(rows, Entry) + Tile * Entry);
        var tile = memory + OnlineSoftmax.Floats(rows, Entry);
        var softmax = new OnlineSoftmax(memory, rows, Entry, _sinks.Pointer + first);
        var query = queries + ((long)b * _heads + first) * Entry;
        var reads = _sparse ? TopK : _entries;
        for (var i = 0; i < reads; i += Tile)
        {
            var tokens = Math.Min(Tile, reads - i);
            for (var t = 0; t < tokens; t++)
            {
                EntryPages.Read(StoredAt(b), _sparse ? _selected[b * TopK + i + t] : i + t, tile + t * Entry);
            }

            softmax.Add(query, Entry, tile, Entry, Entry, tile, Entry, tokens, 1 / MathF.Sqrt(Entry));
        }

        for (var i = 0; i < Window; i += Tile)
        {
            for (var t = 0; t < Tile; t++)
            {
                EntryPages.Read(WindowAt(b), i + t, tile + t * Entry);
            }

            softmax.Add(query, Entry, tile, Entry, Entry, tile, Entry, Tile, 1 / MathF.Sqrt(Entry));
        }

        // K = V carries its position in the RoPE part: the output is turned back by the query's.
        Span<float> cos = stackalloc float[Rope / 2], sin = stackalloc float[Rope / 2];
        Elementwise.Angles(_context - 1, Rope, cos, sin);
        var output = mixed + ((long)b * _heads + first) * Entry;
        softmax.Finish(output, Entry);
        for (var r = 0; r < rows; r++)
        {
            Elementwise.Rotate(new Span<float>(output + r * Entry + Plain, Rope), cos, sin, true);
        }
    }

    private byte* StoredAt(int b) => _stored.Pointer + b * _entryBytes;

    private byte* WindowAt(int b) => _window.Pointer + b * EntryPages.Bytes(Window);

    private Span<float> Span(AlignedBuffer<float> recent, int b, int width) => recent.Slice((long)b * _recentTokens * 2 * width, _recentTokens * 2 * width);

    private void WriteKey(int b, long e, ReadOnlySpan<float> key)
    {
        var page = _keys!.Pointer + b * _keyBytes + e / 64 * KeyPageBytes;
        var slot = (int)(e % 64);
        var scale = Math.Max(Math.Abs(TensorPrimitives.MaxMagnitude(key)), 1e-20f) / EightBitFloat.Largest;
        ((float*)(page + 64 * Index))[slot] = scale;
        for (var i = 0; i < Index; i++)
        {
            page[slot * Index + i] = EightBitFloat.Encode(key[i] / scale);
        }
    }

    private void Fill()
    {
        Noise.Normal(Context.Key(Layer, "sinks"), 1, _sinks.Pointer, _heads);
        using var values = History(_compressKv);
        using var gates = History(_compressGate);
        using var window = History(_kv);
        using var indexValues = _sparse ? History(_indexKv!) : null;
        using var indexGates = _sparse ? History(_indexGate!) : null;
        var key = Context.Key(Layer, "entries");

        // 64 entries compressed exactly, normalised, not yet turned.
        var pool = new float[PoolEntries * Entry];
        var indexPool = new float[PoolEntries * Index];
        Context.Pool.For(PoolEntries, (_, p) =>
        {
            var recent = new float[_recentTokens * 2 * _compressWidth];
            Gather(values, gates, 1 << 20 | p, 0, _compressWidth, recent);
            Compress(recent, _recentTokens, Entry, _sparse, pool.AsSpan(p * Entry, Entry));
            if (_sparse)
            {
                Gather(indexValues!, indexGates!, 1 << 20 | p, 0, 2 * Index, recent);
                Compress(recent, _recentTokens, Index, true, indexPool.AsSpan(p * Index, Index));
            }
        });

        const int block = 1024;
        Context.Pool.For((_entries + block - 1) / block, (_, item) =>
        {
            Span<float> cos = stackalloc float[Rope / 2], sin = stackalloc float[Rope / 2], entry = stackalloc float[Entry];
            for (var e = item * block; e < Math.Min(_entries, (item + 1) * block); e++)
            {
                Elementwise.Angles((long)e * _ratio, Rope, cos, sin);
                for (var b = 0; b < Batch; b++)
                {
                    var p = (int)(Noise.Bits(key, ((long)b << 40) + e) % PoolEntries);
                    pool.AsSpan(p * Entry, Entry).CopyTo(entry);
                    Elementwise.Rotate(entry[Plain..], cos, sin);
                    EntryPages.Write(StoredAt(b), e, entry);
                    if (_sparse)
                    {
                        var indexKey = entry[..Index];
                        indexPool.AsSpan(p * Index, Index).CopyTo(indexKey);
                        Elementwise.Rotate(indexKey[(Index - Rope)..], cos, sin);
                        WriteKey(b, e, indexKey);
                    }
                }
            }
        });

        Context.Pool.For(Batch, (_, b) =>
        {
            Span<float> cos = stackalloc float[Rope / 2], sin = stackalloc float[Rope / 2], entry = stackalloc float[Entry];
            for (var position = _context - Window; position < _context; position++)
            {
                window.Token(b, position, 0, entry);
                Elementwise.RmsNorm(entry, entry);
                Elementwise.Angles(position, Rope, cos, sin);
                Elementwise.Rotate(entry[Plain..], cos, sin);
                EntryPages.Write(WindowAt(b), position % Window, entry);
            }

            Gather(values, gates, b, _context - _recentTokens, _compressWidth, Span(_recent, b, _compressWidth));
            if (_sparse)
            {
                Gather(indexValues!, indexGates!, b, _context - _recentTokens, 2 * Index, Span(_indexRecent!, b, 2 * Index));
            }
        });
    }

    private void Gather(TokenPool values, TokenPool gates, int sequence, long from, int width, Span<float> recent)
    {
        for (var t = 0; t < _recentTokens; t++)
        {
            values.Token(sequence, from + t, 0, recent.Slice(t * 2 * width, width));
            gates.Token(sequence, from + t, 0, recent.Slice((t * 2 + 1) * width, width));
        }
    }
}
