using System.Numerics.Tensors;

namespace EnergyGrid.Workloads;

/// <summary>
/// MHA, GQA and NSA: q, k, v and o projections, RoPE on whole heads, FP16 caches [batch][kv head][context][128].
/// NSA reads three branches of the same cache with equal gates: means of 32 tokens every 16, 16 selected blocks of 64, the last 512 tokens.
/// </summary>
/// <remarks>NSA's simplifications: one K/V pair for the branches, means in place of the compression MLP, gates of 1/3, selections drawn with the data.</remarks>
internal sealed unsafe class GroupedAttention : Attention
{
    private const int Head = LayerShape.Head, Tile = OnlineSoftmax.Tile;

    private readonly int _heads, _kvHeads, _context, _width;
    private readonly PackedMatrix _q, _k, _v, _o;
    private readonly AlignedBuffer<Half> _keys, _values;
    private readonly AlignedBuffer<Half>? _compressedKeys, _compressedValues;
    private readonly int _compressed;
    private readonly int[] _selected;

    public GroupedAttention(StepContext context, int layer, bool sparse) : base(context, layer)
    {
        var c = context.Configuration;
        (_heads, _kvHeads, _context, _width) = (c.Heads, c.KeyValueHeads, c.Context, c.ModelWidth);
        _q = Matrix("q", _heads * Head, _width);
        _k = Matrix("k", _kvHeads * Head, _width);
        _v = Matrix("v", _kvHeads * Head, _width);
        _o = Matrix("o", _width, _heads * Head);
        var rows = (long)Batch * _kvHeads * _context;
        _keys = State<Half>(rows * Head);
        _values = State<Half>(rows * Head);
        _selected = sparse ? Select(context.Key(layer, "selection"), Batch * _kvHeads, _context) : [];
        if (sparse)
        {
            _compressed = (int)LayerShape.CompressedEntries(_context);
            _compressedKeys = State<Half>((long)Batch * _kvHeads * _compressed * Head);
            _compressedValues = State<Half>((long)Batch * _kvHeads * _compressed * Head);
        }

        if (!context.IsZero)
        {
            Fill();
        }
    }

    public ReadOnlySpan<Half> Keys(int sequence, int head) => _keys.Slice(((long)sequence * _kvHeads + head) * _context * Head, _context * Head);

    public ReadOnlySpan<Half> Values(int sequence, int head) => _values.Slice(((long)sequence * _kvHeads + head) * _context * Head, _context * Head);

    /// <summary>Blocks that a KV head of a sequence reads, ascending.</summary>
    public ReadOnlySpan<int> Selected(int sequence, int head) => _selected.AsSpan((sequence * _kvHeads + head) * LayerShape.SelectedBlocks, LayerShape.SelectedBlocks);

    public override void Run(float* x, float* y)
    {
        int qWidth = _heads * Head, kvWidth = _kvHeads * Head;
        var q = Context.Buffer("q", qWidth);
        var k = Context.Buffer("k", kvWidth);
        var v = Context.Buffer("v", kvWidth);
        var mixed = Context.Buffer("mixed", qWidth);
        Context.Multiply(_q, x, _width, q, qWidth);
        Context.Multiply(_k, x, _width, k, kvWidth);
        Context.Multiply(_v, x, _width, v, kvWidth);
        var group = _heads / _kvHeads;
        Context.Pool.For(Batch * _kvHeads, (worker, item) =>
        {
            var (b, h) = (item / _kvHeads, item % _kvHeads);
            Span<float> cos = stackalloc float[Head / 2], sin = stackalloc float[Head / 2];
            Elementwise.Angles(_context - 1, Head, cos, sin);
            var queries = q + (long)b * qWidth + h * group * Head;
            for (var r = 0; r < group; r++)
            {
                var row = new Span<float>(queries + r * Head, Head);
                Elementwise.Rotate(row, cos, sin);
                Round(row);
            }

            var key = new Span<float>(k + (long)b * kvWidth + h * Head, Head);
            Elementwise.Rotate(key, cos, sin);
            Store(b, h, _context - 1, key, new ReadOnlySpan<float>(v + (long)b * kvWidth + h * Head, Head));
            Attend(worker, b, h, queries, group, mixed + (long)b * qWidth + h * group * Head);
        });
        Context.Round(mixed, qWidth);
        Context.Multiply(_o, mixed, qWidth, y, _width);
    }

    private void Attend(int worker, int b, int h, float* queries, int group, float* output)
    {
        var softmax = OnlineSoftmax.Floats(group, Head);
        var memory = Context.Pool.Scratch(worker, softmax + 2 * Tile * Head);
        var keys = memory + softmax;
        var values = keys + Tile * Head;
        var first = ((long)b * _kvHeads + h) * _context;
        var scale = 1 / MathF.Sqrt(Head);
        if (_compressedKeys is null)
        {
            var all = new OnlineSoftmax(memory, group, Head);
            Range(all, _keys, _values, first, 0, _context);
            all.Finish(output, Head);
            return;
        }

        // The newest compressed entry covers the new token: its mean is taken again.
        Compress(b, h, _compressed - 1, new Span<float>(keys, Head));
        var branch = new OnlineSoftmax(memory, group, Head);
        Range(branch, _compressedKeys, _compressedValues!, ((long)b * _kvHeads + h) * _compressed, 0, _compressed);
        branch.Finish(output, Head, 1f / 3);
        branch = new OnlineSoftmax(memory, group, Head);
        foreach (var block in Selected(b, h))
        {
            Range(branch, _keys, _values, first, block * LayerShape.SelectedBlock, (block + 1) * LayerShape.SelectedBlock);
        }

        branch.Finish(output, Head, 1f / 3, true);
        branch = new OnlineSoftmax(memory, group, Head);
        Range(branch, _keys, _values, first, _context - LayerShape.SparseWindow, _context);
        branch.Finish(output, Head, 1f / 3, true);

        void Range(OnlineSoftmax attention, AlignedBuffer<Half> cachedKeys, AlignedBuffer<Half> cachedValues, long origin, int from, int to)
        {
            for (var t = from; t < to; t += Tile)
            {
                var tokens = Math.Min(Tile, to - t);
                Halves.Widen((ushort*)cachedKeys.Pointer + (origin + t) * Head, keys, tokens * Head);
                Halves.Widen((ushort*)cachedValues.Pointer + (origin + t) * Head, values, tokens * Head);
                attention.Add(queries, Head, keys, Head, Head, values, Head, tokens, scale);
            }
        }
    }

    private void Round(Span<float> x)
    {
        if (Context.RoundActivations)
        {
            Elementwise.RoundToHalf(x);
        }
    }

    private void Store(int b, int h, long position, ReadOnlySpan<float> key, ReadOnlySpan<float> value)
    {
        var row = (((long)b * _kvHeads + h) * _context + position) * Head;
        TensorPrimitives.ConvertToHalf(key, _keys.Slice(row, Head));
        TensorPrimitives.ConvertToHalf(value, _values.Slice(row, Head));
    }

    private void Fill()
    {
        using var keys = History(_k);
        using var values = History(_v);
        const int block = 64;
        Context.Pool.For((_context + block - 1) / block, (_, item) =>
        {
            Span<float> key = stackalloc float[Head], value = stackalloc float[Head], cos = stackalloc float[Head / 2], sin = stackalloc float[Head / 2];
            for (var position = item * block; position < Math.Min(_context, (item + 1) * block); position++)
            {
                Elementwise.Angles(position, Head, cos, sin);
                for (var b = 0; b < Batch; b++)
                {
                    for (var h = 0; h < _kvHeads; h++)
                    {
                        keys.Token(b, position, h * Head, key);
                        values.Token(b, position, h * Head, value);
                        Elementwise.Rotate(key, cos, sin);
                        Store(b, h, position, key, value);
                    }
                }
            }
        });
        if (_compressedKeys is not null)
        {
            Context.Pool.For(Batch * _kvHeads, (_, item) =>
            {
                Span<float> mean = stackalloc float[Head];
                for (var e = 0; e < _compressed; e++)
                {
                    Compress(item / _kvHeads, item % _kvHeads, e, mean);
                }
            });
        }
    }

    /// <summary>Entry e ← mean of the cached tokens 16·e … 16·e + 31.</summary>
    private void Compress(int b, int h, int e, Span<float> mean)
    {
        Span<float> row = stackalloc float[Head];
        var target = (((long)b * _kvHeads + h) * _compressed + e) * Head;
        foreach (var (cache, compressed) in new[] { (_keys, _compressedKeys!), (_values, _compressedValues!) })
        {
            mean.Clear();
            for (var t = 0; t < LayerShape.CompressLength; t++)
            {
                var source = (((long)b * _kvHeads + h) * _context + e * LayerShape.CompressStride + t) * Head;
                TensorPrimitives.ConvertToSingle(cache.Slice(source, Head), row);
                TensorPrimitives.Add(mean, row, mean);
            }

            TensorPrimitives.Multiply(mean, 1f / LayerShape.CompressLength, mean);
            TensorPrimitives.ConvertToHalf(mean, compressed.Slice(target, Head));
        }
    }

    /// <summary>16 distinct blocks for each sequence and KV head: the first, the last two, and 13 drawn from the rest.</summary>
    public static int[] Select(ulong key, int rows, int context)
    {
        var blocks = context / LayerShape.SelectedBlock;
        var chosen = new int[rows * LayerShape.SelectedBlocks];
        for (var i = 0; i < rows; i++)
        {
            var distinct = new SortedSet<int> { 0, blocks - 2, blocks - 1 };
            for (var draw = 0L; distinct.Count < LayerShape.SelectedBlocks; draw++)
            {
                distinct.Add((int)(Noise.Bits(key, ((long)i << 32) + draw) % (ulong)blocks));
            }

            distinct.CopyTo(chosen, i * LayerShape.SelectedBlocks);
        }

        return chosen;
    }
}
