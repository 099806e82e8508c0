using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace EnergyGrid.Workloads;

/// <summary>
/// Attention of several query rows over tiles of keys and values, with the running maximum and sum of online softmax.
/// Lives in scratch memory: scores [rows][<see cref="Tile"/>], maximum and sum [rows], output [rows][valueWidth].
/// </summary>
internal unsafe struct OnlineSoftmax
{
    /// <summary>Tokens that are taken at once; the tile of keys stays in the second cache.</summary>
    public const int Tile = 32;

    private readonly float* _scores;
    private readonly float* _maximum;
    private readonly float* _sum;
    private readonly float* _output;
    private readonly int _rows;
    private readonly int _width;

    /// <param name="memory">At least <see cref="Floats"/> floats.</param>
    /// <param name="rows">Query rows.</param>
    /// <param name="valueWidth">Multiple of 32.</param>
    /// <param name="sinks">Logits of a sink without value for each row; null for none.</param>
    public OnlineSoftmax(float* memory, int rows, int valueWidth, float* sinks = null)
    {
        (_rows, _width) = (rows, valueWidth);
        _scores = memory;
        _maximum = _scores + rows * Tile;
        _sum = _maximum + rows;
        _output = _sum + rows;
        for (var r = 0; r < rows; r++)
        {
            _maximum[r] = sinks is null ? float.NegativeInfinity : sinks[r];
            _sum[r] = sinks is null ? 0 : 1;
        }

        new Span<float>(_output, rows * valueWidth).Clear();
    }

    public static int Floats(int rows, int valueWidth) => rows * (Tile + 2 + valueWidth);

    /// <summary>Takes up to <see cref="Tile"/> tokens. Rows of keys up to the next multiple of 4 are read, their scores ignored.</summary>
    public readonly void Add(float* queries, int queryStride, float* keys, int keyWidth, int keyStride, float* values, int valueStride, int tokens, float scale)
    {
        for (var t = 0; t < tokens; t += 4)
        {
            TileProduct.Four(keys + t * keyStride, keyStride, queries, queryStride, keyWidth, _rows, _scores + t, Tile, false);
        }

        for (var r = 0; r < _rows; r++)
        {
            var scores = new Span<float>(_scores + r * Tile, tokens);
            TensorPrimitives.Multiply(scores, scale, scores);
            var maximum = Math.Max(_maximum[r], TensorPrimitives.Max((ReadOnlySpan<float>)scores));
            TensorPrimitives.Subtract(scores, maximum, scores);
            TensorPrimitives.Exp(scores, scores);
            var keep = MathF.Exp(_maximum[r] - maximum);
            _sum[r] = _sum[r] * keep + TensorPrimitives.Sum((ReadOnlySpan<float>)scores);
            _maximum[r] = maximum;
            if (keep != 1)
            {
                var output = new Span<float>(_output + r * _width, _width);
                TensorPrimitives.Multiply(output, keep, output);
            }

            Accumulate(_scores + r * Tile, values, valueStride, tokens, _output + r * _width, _width);
        }
    }

    /// <summary>(+)= weight · output / sum, row by row.</summary>
    public readonly void Finish(float* target, int stride, float weight = 1, bool add = false)
    {
        for (var r = 0; r < _rows; r++)
        {
            var output = new Span<float>(_output + r * _width, _width);
            var to = new Span<float>(target + (long)r * stride, _width);
            TensorPrimitives.Multiply(output, weight / _sum[r], output);
            if (add)
            {
                TensorPrimitives.Add(to, output, to);
            }
            else
            {
                output.CopyTo(to);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate(float* weights, float* values, int stride, int tokens, float* output, int width)
    {
        for (var d = 0; d < width; d += 32)
        {
            var a = Vector256.Load(output + d);
            var b = Vector256.Load(output + d + 8);
            var c = Vector256.Load(output + d + 16);
            var e = Vector256.Load(output + d + 24);
            var v = values + d;
            for (var t = 0; t < tokens; t++, v += stride)
            {
                var p = Vector256.Create(weights[t]);
                a = Vector256.MultiplyAddEstimate(p, Vector256.Load(v), a);
                b = Vector256.MultiplyAddEstimate(p, Vector256.Load(v + 8), b);
                c = Vector256.MultiplyAddEstimate(p, Vector256.Load(v + 16), c);
                e = Vector256.MultiplyAddEstimate(p, Vector256.Load(v + 24), e);
            }

            a.Store(output + d);
            b.Store(output + d + 8);
            c.Store(output + d + 16);
            e.Store(output + d + 24);
        }
    }
}
