namespace EnergyGrid.Metrology;

/// <summary>How precisely a value deserves to be written (GUM 7.2.6).</summary>
public static class Digits
{
    private const int MostDecimals = 15;

    /// <summary>
    /// Decimals that show two significant digits of the half-width as it will be rounded (0.0996 is written 0.10), from 0, since digits before the point are always
    /// written, to 15. Without a positive, finite half-width: two significant digits of the value itself.
    /// </summary>
    public static int Of(double value, double halfWidth)
    {
        var unit = halfWidth > 0 && double.IsFinite(halfWidth) ? halfWidth : Math.Abs(value);
        if (!(unit > 0 && double.IsFinite(unit)))
        {
            return 0;
        }
        var exponent = (int)Math.Floor(Math.Log10(unit));
        // 9.95 and above round up to the next power of ten; a logarithm may also be off by one ulp at a power itself.
        if (unit / Math.Pow(10, exponent) >= 9.95)
        {
            exponent++;
        }
        return Math.Clamp(1 - exponent, 0, MostDecimals);
    }
}
