namespace EnergyGrid.Report;

/// <summary>One SI prefix for a whole column, so that its numbers can be compared by eye.</summary>
/// <param name="Exponent">Power of ten, a multiple of three from −12 to 18.</param>
public readonly record struct SiScale(int Exponent)
{
    private static readonly string[] Prefixes = ["p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E"];

    /// <summary>The prefix that puts the median of the finite, non-zero magnitudes between 1 and 1000.</summary>
    public static SiScale Of(IEnumerable<double> values)
    {
        var sizes = values.Where(v => double.IsFinite(v) && v != 0).Select(Math.Abs).Order().ToArray();
        if (sizes.Length == 0)
        {
            return new SiScale(0);
        }

        var exponent = 3 * (int)Math.Floor(Math.Log10(sizes[sizes.Length / 2]) / 3);
        return new SiScale(Math.Clamp(exponent, -12, 18));
    }

    /// <summary>The prefix itself; empty for one.</summary>
    public string Prefix => Prefixes[(Exponent / 3) + 4];

    /// <summary>The value in the scaled unit.</summary>
    public double Scale(double value) => value * Math.Pow(10, -Exponent);

    /// <summary>Null stays null.</summary>
    public double? Scale(double? value) => value is { } v ? Scale(v) : null;

    /// <summary>In the scaled unit, with as many digits as the interval supports.</summary>
    public string Text(double value, double? low = null, double? high = null) =>
        NumberText.Fixed(Scale(value), NumberText.Decimals(Scale(value), Scale(low), Scale(high)));

    /// <summary>In the scaled unit, with so many significant digits.</summary>
    public string Significant(double? value, int digits = 3) => NumberText.Significant(Scale(value), digits);

    /// <summary>The interval of an estimate in the scaled unit.</summary>
    public string Interval(double value, double? low, double? high) =>
        NumberText.Interval(Scale(low), Scale(high), NumberText.Decimals(Scale(value), Scale(low), Scale(high)));
}
