using System.Runtime.CompilerServices;

namespace EnergyGrid.Workloads.Tests.Independent;

/// <summary>Weights read element by element from the documented layout, and plain double-precision algebra. Shares no code with the reference.</summary>
internal static class Dense
{
    private static readonly int[] Nibbles = [0, 4, 1, 5, 2, 6, 3, 7];
    private static readonly ConditionalWeakTable<PackedMatrix, double[]> Read = [];

    public static double Weight(PackedMatrix m, int n, int k)
    {
        if (m.Format is "Q8_0" or "Q4_0")
        {
            return InBlocks(m, n, k);
        }

        var padded = (m.Inputs + 15) / 16 * 16;
        var chunk = k / 512;
        var width = Math.Min(512, padded - chunk * 512);
        var element = (long)chunk * 512 * m.Outputs + (long)n * width + k % 512;
        if (m.Format == "FP16")
        {
            return (double)BitConverter.ToHalf(m.Data.Slice((int)(2 * element), 2)) * m.DataScale;
        }

        var groups = (width + 127) / 128;
        var group = chunk * 4 * m.Outputs + n * groups + k % 512 / 128;
        var scale = (double)m.Scales[group];
        if (m.Format == "INT8")
        {
            return (sbyte)m.Data[(int)element] * scale;
        }

        // Inputs 0..7 of a word lie in nibbles 0,4,1,5,2,6,3,7.
        var nibble = Nibbles[(int)(element % 8)];
        var word = BitConverter.ToUInt32(m.Data.Slice((int)(element / 8 * 4), 4));
        var zero = (m.Zeros[group / 2] >> (group % 2 * 4)) & 15;
        return ((int)((word >> (4 * nibble)) & 15) - zero) * scale;
    }

    // Eight rows a band, 32 inputs a block: 16 bytes of scales, then [8 or 4 steps][8 rows][4 inputs].
    private static double InBlocks(PackedMatrix m, int n, int k)
    {
        var isEight = m.Format == "Q8_0";
        var bytes = 16 + (isEight ? 256 : 128);
        var block = m.Data.Slice((n / 8 * (m.Inputs / 32) + k / 32) * bytes, bytes);
        var scale = (double)BitConverter.ToHalf(block.Slice(n % 8 * 2, 2));
        var (step, place) = (k % 32 / 4, n % 8 * 4 + k % 4);
        return scale * (isEight ? block[16 + step * 32 + place] - 128 : ((block[16 + step % 4 * 32 + place] >> (step / 4 * 4)) & 15) - 8);
    }

    /// <summary>What 8 bits in blocks of 32 leave of activations.</summary>
    public static double[] EightBits(double[] x) => [.. x.Chunk(32).SelectMany(block =>
    {
        var most = block.Max(Math.Abs);
        var scale = (double)(Half)(most / 127);
        return block.Select(v => most == 0 ? 0 : scale * Math.Round(v * 127 / most));
    })];

    public static double[] Multiply(PackedMatrix m, double[] x, int firstRow = 0, int rows = -1)
    {
        if (m.Format is "Q8_0" or "Q4_0")
        {
            x = EightBits(x);
        }

        var weights = Read.GetValue(m, All);
        var y = new double[rows < 0 ? m.Outputs : rows];
        for (var n = 0; n < y.Length; n++)
        {
            var row = (firstRow + n) * m.Inputs;
            var sum = 0.0;
            for (var k = 0; k < m.Inputs; k++)
            {
                sum += weights[row + k] * x[k];
            }

            y[n] = sum;
        }

        return y;
    }

    public static double[] Rows(PackedMatrix m, int first, int rows) => Read.GetValue(m, All)[(first * m.Inputs)..((first + rows) * m.Inputs)];

    private static double[] All(PackedMatrix m)
    {
        var weights = new double[m.Outputs * m.Inputs];
        Parallel.For(0, m.Outputs, n =>
        {
            for (var k = 0; k < m.Inputs; k++)
            {
                weights[n * m.Inputs + k] = Weight(m, n, k);
            }
        });
        return weights;
    }

    public static double[] Norm(double[] x)
    {
        var scale = 1 / Math.Sqrt(x.Select(v => v * v).Average() + 1e-6);
        return [.. x.Select(v => v * scale)];
    }

    public static double[] Rope(double[] x, double position)
    {
        var half = x.Length / 2;
        var y = new double[x.Length];
        for (var i = 0; i < half; i++)
        {
            var turn = System.Numerics.Complex.FromPolarCoordinates(1, position * Math.Pow(10000, -(double)i / half));
            var z = new System.Numerics.Complex(x[i], x[i + half]) * turn;
            (y[i], y[i + half]) = (z.Real, z.Imaginary);
        }

        return y;
    }

    /// <summary>Σ softmax(logits)·values, with an optional sink that has weight but no value.</summary>
    public static double[] Attend(double[] query, IReadOnlyList<double[]> keys, IReadOnlyList<double[]> values, double scale, Func<int, bool>? mask = null, double? sink = null)
    {
        var logits = keys.Select((k, t) => mask is null || mask(t) ? scale * Dot(query, k) : double.NegativeInfinity).ToArray();
        var largest = Math.Max(logits.Max(), sink ?? double.NegativeInfinity);
        var weights = logits.Select(l => Math.Exp(l - largest)).ToArray();
        var total = weights.Sum() + (sink is double s ? Math.Exp(s - largest) : 0);
        var y = new double[values[0].Length];
        for (var t = 0; t < weights.Length; t++)
        {
            for (var d = 0; d < y.Length; d++)
            {
                y[d] += weights[t] / total * values[t][d];
            }
        }

        return y;
    }

    public static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();

    public static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    public static double[] Half(double[] x) => [.. x.Select(v => (double)(Half)(float)v)];

    public static double[] ToDouble(ReadOnlySpan<Half> x)
    {
        var y = new double[x.Length];
        for (var i = 0; i < y.Length; i++)
        {
            y[i] = (double)x[i];
        }

        return y;
    }

    public static double[] ToDouble(ReadOnlySpan<float> x)
    {
        var y = new double[x.Length];
        for (var i = 0; i < y.Length; i++)
        {
            y[i] = x[i];
        }

        return y;
    }
}
