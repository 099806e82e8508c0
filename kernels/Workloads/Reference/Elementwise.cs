using System.Numerics.Tensors;

namespace EnergyGrid.Workloads;

/// <summary>The small steps between matrices, on one vector each.</summary>
internal static unsafe class Elementwise
{
    public const float Epsilon = 1e-6f;

    public const double RopeBase = 10000;

    /// <summary>target = x / sqrt(mean(x²) + 1e-6), times <paramref name="gains"/> where there are any.</summary>
    public static void RmsNorm(ReadOnlySpan<float> x, Span<float> target, ReadOnlySpan<float> gains = default)
    {
        TensorPrimitives.Multiply(x, 1 / MathF.Sqrt(TensorPrimitives.SumOfSquares(x) / x.Length + Epsilon), target);
        if (!gains.IsEmpty)
        {
            TensorPrimitives.Multiply(target, gains, target);
        }
    }

    /// <summary>Sine and cosine of position · 10000^(−2i/width) for i below width / 2, doubles throughout: positions reach a million.</summary>
    public static void Angles(long position, int width, Span<float> cos, Span<float> sin)
    {
        for (var i = 0; i < width / 2; i++)
        {
            var (s, c) = Math.SinCos(position * Math.Pow(RopeBase, -2.0 * i / width));
            (cos[i], sin[i]) = ((float)c, (float)s);
        }
    }

    /// <summary>Turns the pairs (i, i + width/2); the inverse with <paramref name="back"/>.</summary>
    public static void Rotate(Span<float> x, ReadOnlySpan<float> cos, ReadOnlySpan<float> sin, bool back = false)
    {
        var half = x.Length / 2;
        for (var i = 0; i < half; i++)
        {
            var (a, b, s) = (x[i], x[i + half], back ? -sin[i] : sin[i]);
            x[i] = a * cos[i] - b * s;
            x[i + half] = a * s + b * cos[i];
        }
    }

    /// <summary>gate ← silu(gate) · up.</summary>
    public static void SwiGlu(Span<float> gate, ReadOnlySpan<float> up, Span<float> scratch)
    {
        TensorPrimitives.Sigmoid(gate, scratch);
        TensorPrimitives.Multiply(gate, scratch, gate);
        TensorPrimitives.Multiply(gate, up, gate);
    }

    /// <summary>x ← silu(x).</summary>
    public static void Silu(Span<float> x, Span<float> scratch)
    {
        TensorPrimitives.Sigmoid(x, scratch);
        TensorPrimitives.Multiply(x, scratch, x);
    }

    /// <summary>Rounds to FP16 and back, to nearest even.</summary>
    public static void RoundToHalf(Span<float> x)
    {
        Span<Half> halves = stackalloc Half[256];
        for (var i = 0; i < x.Length; i += halves.Length)
        {
            var part = x.Slice(i, Math.Min(halves.Length, x.Length - i));
            TensorPrimitives.ConvertToHalf(part, halves);
            TensorPrimitives.ConvertToSingle(halves[..part.Length], part);
        }
    }
}
