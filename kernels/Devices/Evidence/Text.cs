using System.Globalization;

namespace EnergyGrid.Devices.Evidence;

/// <summary>Numbers of the evidence as people read them.</summary>
internal static class Text
{
    /// <summary>Four significant digits; a dash where there is no value.</summary>
    public static string Number(double value)
    {
        if (!double.IsFinite(value)) return "—";
        if (value == 0) return "0";
        var exponent = (int)Math.Floor(Math.Log10(Math.Abs(value)));
        if (exponent is < -3 or > 6) return value.ToString("0.###e+0", CultureInfo.InvariantCulture);
        return value.ToString("F" + Math.Max(0, 3 - exponent).ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }

    public static string Percent(double share, string format = "0.0") => double.IsFinite(share) ? (100 * share).ToString(format, CultureInfo.InvariantCulture) + " %" : "—";

    public static string Count(long value) => value.ToString(CultureInfo.InvariantCulture);

    public static string Duty(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
}
