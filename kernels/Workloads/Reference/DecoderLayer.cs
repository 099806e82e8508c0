using System.Numerics.Tensors;

namespace EnergyGrid.Workloads;

/// <summary>x ← x + attention(norm(x)); x ← x + mlp(norm(x)).</summary>
internal sealed unsafe class DecoderLayer : IDisposable
{
    private readonly StepContext _context;
    private readonly AlignedBuffer<float> _gains;

    public DecoderLayer(StepContext context, int layer, LayerKind kind)
    {
        (_context, Kind) = (context, kind);
        var width = context.Configuration.ModelWidth;
        _gains = new AlignedBuffer<float>(2 * width);
        Noise.Normal(context.Key(layer, "norms"), 0.1f, _gains.Pointer, 2 * width);
        TensorPrimitives.Add(Gains(0), 1, Gains(0));
        TensorPrimitives.Add(Gains(1), 1, Gains(1));
        Attention = kind switch
        {
            LayerKind.MultiHead or LayerKind.Grouped => new GroupedAttention(context, layer, false),
            LayerKind.NativeSparse => new GroupedAttention(context, layer, true),
            LayerKind.Latent => new LatentAttention(context, layer),
            LayerKind.Lightning => new LightningAttention(context, layer),
            LayerKind.CompressedSparse => new CompressedAttention(context, layer, true),
            LayerKind.HeavilyCompressed => new CompressedAttention(context, layer, false),
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };
        FeedForward = new FeedForward(context, layer);
    }

    public LayerKind Kind { get; }

    public Attention Attention { get; }

    public FeedForward FeedForward { get; }

    public IEnumerable<PackedMatrix> Matrices => Attention.Matrices.Concat([FeedForward.Gate, FeedForward.Up, FeedForward.Down]);

    public long Bytes => Matrices.Sum(m => m.Bytes) + Attention.StateBytes;

    /// <summary>Gains of the norm before attention (0) and before the MLP (1).</summary>
    public Span<float> Gains(int norm) => _gains.Slice((long)norm * _context.Configuration.ModelWidth, _context.Configuration.ModelWidth);

    public void Run(float* x, CancellationToken cancellation)
    {
        var width = _context.Configuration.ModelWidth;
        var normed = _context.Buffer("normed", width);
        var added = _context.Buffer("added", width);
        cancellation.ThrowIfCancellationRequested();
        _context.Norm(x, width, width, normed, width, _gains.Pointer);
        Attention.Run(normed, added);
        Add(x, added, width);
        cancellation.ThrowIfCancellationRequested();
        _context.Norm(x, width, width, normed, width, _gains.Pointer + width);
        FeedForward.Run(normed, added);
        Add(x, added, width);
    }

    public void Dispose()
    {
        Attention.Dispose();
        FeedForward.Dispose();
        _gains.Dispose();
    }

    private void Add(float* x, float* added, int width)
    {
        for (var b = 0; b < _context.Batch; b++)
        {
            var row = new Span<float>(x + (long)b * width, width);
            TensorPrimitives.Add(row, new ReadOnlySpan<float>(added + (long)b * width, width), row);
        }
    }
}
