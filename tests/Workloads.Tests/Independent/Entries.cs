namespace EnergyGrid.Workloads.Tests.Independent;

/// <summary>H's FP8 formats from their definitions: values by formula, encoding by search for the nearest.</summary>
internal static class Entries
{
    private static readonly double[] Positive = [.. Enumerable.Range(0, 127).Select(b => b < 8 ? b * Math.Pow(2, -9) : (1 + b % 8 / 8.0) * Math.Pow(2, b / 8 - 7))];

    public static double Decode(byte b) => (b >= 128 ? -1 : 1) * Positive[b & 127];

    public static double RoundToFp8(double x)
    {
        var magnitude = Math.Abs(x);
        var best = Enumerable.Range(0, 127).OrderBy(i => Math.Abs(Positive[i] - magnitude)).ThenBy(i => i % 2).First();
        return Math.Sign(x) * Positive[best];
    }

    /// <summary>Entry e of pages of 64: data parts of 576 B first, then 8 B of scales each.</summary>
    public static double[] Read(ReadOnlySpan<byte> pages, int e)
    {
        var page = pages.Slice(e / 64 * 64 * 584, 64 * 584);
        var data = page.Slice(e % 64 * 576, 576);
        var scales = page.Slice(64 * 576 + e % 64 * 8, 8);
        var x = new double[512];
        for (var i = 0; i < 448; i++)
        {
            x[i] = Decode(data[i]) * Math.Pow(2, scales[i / 64] - 127);
        }

        for (var i = 0; i < 64; i++)
        {
            x[448 + i] = BitConverter.UInt32BitsToSingle((uint)(data[448 + 2 * i] | data[449 + 2 * i] << 8) << 16);
        }

        return x;
    }

    /// <summary>What storing does to an entry.</summary>
    public static double[] Round(double[] x)
    {
        var y = new double[512];
        for (var g = 0; g < 7; g++)
        {
            var largest = x.Skip(g * 64).Take(64).Max(Math.Abs);
            var scale = 1.0;
            while (largest / scale > 448)
            {
                scale *= 2;
            }

            while (largest / (scale / 2) <= 448)
            {
                scale /= 2;
            }

            for (var i = g * 64; i < (g + 1) * 64; i++)
            {
                y[i] = RoundToFp8(x[i] / scale) * scale;
            }
        }

        for (var i = 448; i < 512; i++)
        {
            // BF16: 8 significant bits.
            var step = x[i] == 0 ? 1 : Math.Pow(2, Math.ILogB(x[i]) - 7);
            y[i] = Math.Round(x[i] / step, MidpointRounding.ToEven) * step;
        }

        return y;
    }

    public static double[] ReadKey(ReadOnlySpan<byte> pages, int e)
    {
        var page = pages.Slice(e / 64 * 64 * 132, 64 * 132);
        var scale = BitConverter.ToSingle(page.Slice(64 * 128 + e % 64 * 4, 4));
        var x = new double[128];
        for (var i = 0; i < 128; i++)
        {
            x[i] = Decode(page[e % 64 * 128 + i]) * scale;
        }

        return x;
    }

    public static double[] RoundKey(double[] x)
    {
        var scale = x.Max(Math.Abs) / 448;
        return [.. x.Select(v => RoundToFp8(v / scale) * scale)];
    }

    /// <summary>Σ softmax(gate)·value for each column over [token][value, gate][width], normalised.</summary>
    public static double[] Compress(List<(double[] Value, double[] Gate)> tokens, int columns, bool overlap)
    {
        var y = new double[columns];
        for (var j = 0; j < columns; j++)
        {
            var picked = tokens.Select((t, i) => (t, column: overlap && i >= tokens.Count / 2 ? columns + j : j)).ToArray();
            var weights = picked.Select(p => Math.Exp(p.t.Gate[p.column])).ToArray();
            y[j] = picked.Zip(weights, (p, w) => p.t.Value[p.column] * w).Sum() / weights.Sum();
        }

        return Dense.Norm(y);
    }
}
