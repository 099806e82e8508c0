using System.Numerics.Tensors;

namespace EnergyGrid.Workloads;

/// <summary>
/// Projections of random activations for every token of the history, cheap enough to fill gigabytes: 64 independent activations of unit variance go through the
/// layer's own matrix; a token's activation is half the signed sum of four of them, which has unit variance again, and so, the projection being linear,
/// is the token's projection. Each (sequence, position) draws its four and their signs by its own key.
/// </summary>
internal sealed unsafe class TokenPool : IDisposable
{
    public const int Tokens = 64;

    private readonly AlignedBuffer<float> _projected;
    private readonly ulong _key;
    private readonly int _width;

    public TokenPool(StepContext context, PackedMatrix matrix, ulong activationKey)
    {
        (_width, _key) = (matrix.Outputs, activationKey);
        using var activations = new AlignedBuffer<float>((long)Tokens * matrix.Inputs);
        for (var t = 0; t < Tokens; t++)
        {
            Noise.Normal(Noise.Key((long)activationKey, t), 1, activations.Pointer + (long)t * matrix.Inputs, matrix.Inputs);
        }

        _projected = new AlignedBuffer<float>((long)Tokens * _width);
        MatrixProduct.Multiply(context.Pool, matrix, activations.Pointer, matrix.Inputs, _projected.Pointer, _width, Tokens);
    }

    /// <summary>Columns [from, from + target.Length) of that token's projection. Pools with the same activation key agree on the token.</summary>
    public void Token(int sequence, long position, int from, Span<float> target)
    {
        var bits = Noise.Bits(_key, ((long)sequence << 40) + position);
        target.Clear();
        for (var i = 0; i < 4; i++, bits >>= 16)
        {
            var row = new ReadOnlySpan<float>(_projected.Pointer + (long)(bits & (Tokens - 1)) * _width + from, target.Length);
            TensorPrimitives.MultiplyAdd(row, (bits & 64) == 0 ? 0.5f : -0.5f, target, target);
        }
    }

    public void Dispose() => _projected.Dispose();
}
