namespace EnergyGrid.Report;

/// <summary>A straight axis, linear or logarithmic, from data to pixels.</summary>
internal sealed record Axis(double Low, double High, double From, double To, bool Log)
{
    /// <summary>An axis over all finite values (positive ones if logarithmic), with room at both ends.</summary>
    public static Axis Over(IEnumerable<double> values, double from, double to, bool log, double room = 0.06)
    {
        var kept = values.Where(v => double.IsFinite(v) && (!log || v > 0)).Select(v => log ? Math.Log(v) : v).ToArray();
        var (low, high) = kept.Length == 0 ? (0.0, 1.0) : (kept.Min(), kept.Max());
        var span = Math.Max(high - low, log ? 0.02 : Math.Max(1e-9, Math.Abs(high) * 0.02));
        (low, high) = (low - (span * room), high + (span * room));
        return log ? new Axis(Math.Exp(low), Math.Exp(high), from, to, true) : new Axis(low, high, from, to, false);
    }

    public double At(double value)
    {
        var t = Log ? Math.Log(Math.Max(value, double.Epsilon) / Low) / Math.Log(High / Low) : (value - Low) / (High - Low);
        return From + (Math.Clamp(t, -0.02, 1.02) * (To - From));
    }

    /// <summary>Round values within the axis, about <paramref name="count"/> of them.</summary>
    public IReadOnlyList<double> Ticks(int count)
    {
        if (Log && High / Low > 3)
        {
            double[][] choices = [[1, 1.5, 2, 3, 4, 5, 6, 8], [1, 2, 3, 5], [1, 2, 5], [1, 3], [1]];
            var first = (int)Math.Floor(Math.Log10(Low));
            var last = (int)Math.Ceiling(Math.Log10(High));
            IReadOnlyList<double> ticks = [];
            foreach (var choice in choices)
            {
                ticks = [.. Enumerable.Range(first, last - first + 1).SelectMany(e => choice.Select(c => c * Math.Pow(10, e))).Where(v => v >= Low && v <= High)];
                if (ticks.Count <= count)
                {
                    break;
                }
            }

            return ticks;
        }

        var raw = (High - Low) / count;
        var power = Math.Pow(10, Math.Floor(Math.Log10(raw)));
        var step = new[] { 1, 2, 5, 10 }.Select(m => m * power).First(s => s >= raw * 0.999);
        var start = Math.Ceiling(Low / step);
        return [.. Enumerable.Range(0, (int)Math.Floor((High / step) - start + 1e-9) + 1).Select(i => (start + i) * step)];
    }

    /// <summary>A tick as text: as many decimals as the step needs.</summary>
    public static string Label(double value) => NumberText.Significant(Math.Round(value, 12), value == 0 ? 1 : Digits(value));

    private static int Digits(double value)
    {
        for (var digits = 1; digits < 6; digits++)
        {
            var magnitude = Math.Pow(10, Math.Floor(Math.Log10(Math.Abs(value))) - digits + 1);
            if (Math.Abs(value - (Math.Round(value / magnitude) * magnitude)) < Math.Abs(value) * 1e-9)
            {
                return digits;
            }
        }

        return 6;
    }
}
