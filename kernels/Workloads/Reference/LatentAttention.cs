using System.Numerics.Tensors;

namespace EnergyGrid.Workloads;

/// <summary>
/// MLA, decoded absorbed: q_nope·W_UK → 512, scores over the cached 576 (512 normalised latent, 64 RoPE), values over the 512, then W_UV. K and V are never expanded.
/// The cache is FP16 [batch][context][576].
/// </summary>
internal sealed unsafe class LatentAttention : Attention
{
    private const int Rank = LayerShape.QueryRank, Latent = LayerShape.LatentWidth, Rope = LayerShape.RopeWidth, Entry = Latent + Rope;
    private const int Nope = LayerShape.Head, Query = Nope + Rope, Tile = OnlineSoftmax.Tile, HeadsAtOnce = 16;

    private readonly int _heads, _context, _width;
    private readonly PackedMatrix _qa, _qb, _kva, _uk, _uv, _o;
    private readonly AlignedBuffer<Half> _cache;

    public LatentAttention(StepContext context, int layer) : base(context, layer)
    {
        var c = context.Configuration;
        (_heads, _context, _width) = (c.Heads, c.Context, c.ModelWidth);
        _qa = Matrix("q_a", Rank, _width);
        _qb = Matrix("q_b", _heads * Query, Rank);
        _kva = Matrix("kv_a", Entry, _width);
        _uk = Matrix("uk", _heads * Latent, Nope);
        _uv = Matrix("uv", _heads * Nope, Latent);
        _o = Matrix("o", _width, _heads * Nope);
        _cache = State<Half>((long)Batch * _context * Entry);
        if (!context.IsZero)
        {
            Fill();
        }
    }

    public ReadOnlySpan<Half> Cache(int sequence) => _cache.Slice((long)sequence * _context * Entry, _context * Entry);

    public override void Run(float* x, float* y)
    {
        var low = Context.Buffer("q_low", Rank);
        var q = Context.Buffer("q", _heads * Query);
        var absorbed = Context.Buffer("q_latent", _heads * Entry);
        var latent = Context.Buffer("latent", Entry);
        var mixed = Context.Buffer("mixed_latent", _heads * Latent);
        var values = Context.Buffer("mixed", _heads * Nope);
        Context.Multiply(_qa, x, _width, low, Rank);
        Context.Norm(low, Rank, Rank, low, Rank);
        Context.Multiply(_qb, low, Rank, q, _heads * Query);
        Context.Round(q, _heads * Query);
        Context.Multiply(_kva, x, _width, latent, Entry);
        Context.Pool.For(Batch, (_, b) => Write(b, _context - 1, new Span<float>(latent + (long)b * Entry, Entry)));

        // [batch][head][512], then moved beside the rotated 64: the absorbed query is one row of 576.
        MatrixProduct.Multiply(Context.Pool, _uk, q, _heads * Query, mixed, _heads * Latent, Batch, _heads, Query);
        Context.Pool.For(Batch, (_, b) =>
        {
            Span<float> cos = stackalloc float[Rope / 2], sin = stackalloc float[Rope / 2];
            Elementwise.Angles(_context - 1, Rope, cos, sin);
            for (var h = 0; h < _heads; h++)
            {
                var row = new Span<float>(absorbed + ((long)b * _heads + h) * Entry, Entry);
                new ReadOnlySpan<float>(mixed + ((long)b * _heads + h) * Latent, Latent).CopyTo(row);
                new ReadOnlySpan<float>(q + ((long)b * _heads + h) * Query + Nope, Rope).CopyTo(row[Latent..]);
                Elementwise.Rotate(row[Latent..], cos, sin);
            }
        });
        Context.Round(absorbed, _heads * Entry);

        var shares = (_heads + HeadsAtOnce - 1) / HeadsAtOnce;
        Context.Pool.For(Batch * shares, (worker, item) =>
        {
            var (b, first) = (item / shares, item % shares * HeadsAtOnce);
            var rows = Math.Min(HeadsAtOnce, _heads - first);
            var memory = Context.Pool.Scratch(worker, OnlineSoftmax.Floats(rows, Latent) + Tile * Entry);
            var tile = memory + OnlineSoftmax.Floats(rows, Latent);
            var attention = new OnlineSoftmax(memory, rows, Latent);
            for (var t = 0; t < _context; t += Tile)
            {
                var tokens = Math.Min(Tile, _context - t);
                Halves.Widen((ushort*)_cache.Pointer + ((long)b * _context + t) * Entry, tile, tokens * Entry);
                attention.Add(absorbed + ((long)b * _heads + first) * Entry, Entry, tile, Entry, Entry, tile, Entry, tokens, 1 / MathF.Sqrt(Query));
            }

            attention.Finish(mixed + ((long)b * _heads + first) * Latent, Latent);
        });
        Context.Round(mixed, _heads * Latent);
        MatrixProduct.Multiply(Context.Pool, _uv, mixed, _heads * Latent, values, _heads * Nope, Batch, _heads, Latent);
        Context.Round(values, _heads * Nope);
        Context.Multiply(_o, values, _heads * Nope, y, _width);
    }

    /// <summary>Normalises the latent, turns the RoPE part, stores FP16.</summary>
    private void Write(int b, long position, Span<float> entry)
    {
        Span<float> cos = stackalloc float[Rope / 2], sin = stackalloc float[Rope / 2];
        Elementwise.Angles(position, Rope, cos, sin);
        Elementwise.RmsNorm(entry[..Latent], entry[..Latent]);
        Elementwise.Rotate(entry[Latent..], cos, sin);
        TensorPrimitives.ConvertToHalf(entry, _cache.Slice(((long)b * _context + position) * Entry, Entry));
    }

    private void Fill()
    {
        using var history = History(_kva);
        const int block = 64;
        Context.Pool.For((_context + block - 1) / block, (_, item) =>
        {
            Span<float> entry = stackalloc float[Entry];
            for (var position = item * block; position < Math.Min(_context, (item + 1) * block); position++)
            {
                for (var b = 0; b < Batch; b++)
                {
                    history.Token(b, position, 0, entry);
                    Write(b, position, entry);
                }
            }
        });
    }
}
