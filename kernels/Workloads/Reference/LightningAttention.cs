using System.Numerics.Tensors;

namespace EnergyGrid.Workloads;

/// <summary>
/// Lightning attention: SiLU on q, k, v; S ← r·S + kᵀv; o = q·S; RMSNorm over all heads, sigmoid gate, output projection.
/// The state is FP32 [batch][head][128][128]. It moves on with every run: the step is not idempotent, as the model's is not.
/// </summary>
internal sealed unsafe class LightningAttention : Attention
{
    private const int Head = LayerShape.Head;

    /// <summary>Tokens of history that the initial state sums; older ones would add little but time.</summary>
    public const int HistoryTokens = 256;

    private readonly int _heads, _width;
    private readonly PackedMatrix _q, _k, _v, _gate, _o;
    private readonly AlignedBuffer<float> _state;

    public LightningAttention(StepContext context, int layer) : base(context, layer)
    {
        var c = context.Configuration;
        (_heads, _width) = (c.Heads, c.ModelWidth);
        _q = Matrix("q", _heads * Head, _width);
        _k = Matrix("k", _heads * Head, _width);
        _v = Matrix("v", _heads * Head, _width);
        _gate = Matrix("output_gate", _heads * Head, _width);
        _o = Matrix("o", _width, _heads * Head);
        _state = State<float>((long)Batch * _heads * Head * Head);
        if (!context.IsZero)
        {
            Fill(Math.Min(c.Context - 1, HistoryTokens));
        }
    }

    /// <summary>S[128 keys][128 values] of that head.</summary>
    public ReadOnlySpan<float> StateOf(int sequence, int head) => _state.Slice(((long)sequence * _heads + head) * Head * Head, Head * Head);

    /// <summary>r = exp(−2^(−8(h+1)/H)): slopes as in ALiBi.</summary>
    public static float Decay(int head, int heads) => (float)Math.Exp(-Math.Pow(2, -8.0 * (head + 1) / heads));

    public override void Run(float* x, float* y)
    {
        var width = _heads * Head;
        var q = Context.Buffer("q", width);
        var k = Context.Buffer("k", width);
        var v = Context.Buffer("v", width);
        var gate = Context.Buffer("output_gate", width);
        var mixed = Context.Buffer("mixed", width);
        Context.Multiply(_q, x, _width, q, width);
        Context.Multiply(_k, x, _width, k, width);
        Context.Multiply(_v, x, _width, v, width);
        Context.Multiply(_gate, x, _width, gate, width);
        Context.Pool.For(Batch * _heads, (worker, item) =>
        {
            var at = (long)item / _heads * width + item % _heads * Head;
            Span<float> scratch = stackalloc float[Head];
            foreach (var p in (ReadOnlySpan<nint>)[(nint)(q + at), (nint)(k + at), (nint)(v + at)])
            {
                var row = new Span<float>((float*)p, Head);
                Elementwise.Silu(row, scratch);
                if (Context.RoundActivations)
                {
                    Elementwise.RoundToHalf(row);
                }
            }

            var state = _state.Pointer + (long)item * Head * Head;
            var output = new Span<float>(mixed + at, Head);
            var value = new ReadOnlySpan<float>(v + at, Head);
            var decay = Decay(item % _heads, _heads);
            output.Clear();
            for (var i = 0; i < Head; i++)
            {
                var row = new Span<float>(state + i * Head, Head);
                Update(row, decay, (k + at)[i], value);
                TensorPrimitives.MultiplyAdd(row, (q + at)[i], output, output);
            }
        });
        Context.Norm(mixed, width, width, mixed, width);
        Context.Pool.For(Batch, (worker, b) =>
        {
            var scratch = new Span<float>(Context.Pool.Scratch(worker, width), width);
            var row = new Span<float>(mixed + (long)b * width, width);
            TensorPrimitives.Sigmoid(new ReadOnlySpan<float>(gate + (long)b * width, width), scratch);
            TensorPrimitives.Multiply(row, scratch, row);
        });
        Context.Round(mixed, width);
        Context.Multiply(_o, mixed, width, y, _width);
    }

    private static void Update(Span<float> row, float decay, float key, ReadOnlySpan<float> value)
    {
        TensorPrimitives.Multiply(row, decay, row);
        TensorPrimitives.MultiplyAdd(value, key, row, row);
    }

    private void Fill(int tokens)
    {
        using var keys = History(_k);
        using var values = History(_v);
        Context.Pool.For(Batch * _heads, (_, item) =>
        {
            var (b, h) = (item / _heads, item % _heads);
            Span<float> key = stackalloc float[Head], value = stackalloc float[Head], scratch = stackalloc float[Head];
            var state = _state.Pointer + (long)item * Head * Head;
            var decay = Decay(h, _heads);
            for (var t = 0; t < tokens; t++)
            {
                keys.Token(b, t, h * Head, key);
                values.Token(b, t, h * Head, value);
                Elementwise.Silu(key, scratch);
                Elementwise.Silu(value, scratch);
                for (var i = 0; i < Head; i++)
                {
                    Update(new Span<float>(state + i * Head, Head), decay, key[i], value);
                }
            }
        });
    }
}
