using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Report;

/// <summary>How numbers are written for people, the same in the report and in the terminal, whatever the machine's language.</summary>
public static class NumberText
{
    /// <summary>Stands where there is no value.</summary>
    public const string Absent = "—";

    private const char Minus = '−';

    /// <summary>
    /// Decimal places with which the half-width of the interval has two significant digits (see <see cref="Digits"/>). Without an interval, three digits of the value.
    /// </summary>
    /// <param name="value">The estimate, in the unit it is printed in.</param>
    /// <param name="low">Lower end in the same unit; null or not finite if there is none.</param>
    /// <param name="high">Upper end.</param>
    /// <returns>0 to 8.</returns>
    public static int Decimals(double value, double? low, double? high)
    {
        if (low is { } l && high is { } h && double.IsFinite(h - l) && h > l)
        {
            return Math.Min(Digits.Of(value, (h - l) / 2), 8);
        }

        return double.IsFinite(value) && value != 0 ? Math.Clamp(2 - Magnitude(value), 0, 8) : 2;
    }

    /// <summary>With so many decimal places; <see cref="Absent"/> if it is no number.</summary>
    public static string Fixed(double value, int decimals)
    {
        if (double.IsNaN(value))
        {
            return Absent;
        }

        if (double.IsInfinity(value))
        {
            return value > 0 ? "∞" : Minus + "∞";
        }

        if (Math.Abs(value) >= 1e9)
        {
            return Exponential(value, 3);
        }

        var text = value.ToString("F" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        return text.StartsWith('-') ? (IsZero(text) ? text[1..] : Minus + text[1..]) : text;
    }

    /// <summary>With so many significant digits, without an exponent where that is readable.</summary>
    public static string Significant(double? value, int digits = 3)
    {
        if (value is not { } v || !double.IsFinite(v))
        {
            return value is { } special ? Fixed(special, 0) : Absent;
        }

        if (v == 0)
        {
            return "0";
        }

        var magnitude = Magnitude(v);
        return magnitude is < -4 or > 8 ? Exponential(v, digits) : Fixed(v, Math.Max(0, digits - 1 - magnitude));
    }

    /// <summary>What somebody stated, with no digit that they did not state: at most three significant ones.</summary>
    public static string Stated(double value) => double.IsFinite(value) && Math.Abs(value) is 0 or (>= 1e-4 and < 1000) ? value.ToString("G3", CultureInfo.InvariantCulture).Replace('-', Minus) : Significant(value);

    /// <summary>A fraction as per cent, unit included.</summary>
    public static string Percent(double? fraction, int digits = 2) =>
        fraction is { } f && double.IsFinite(f) ? (Math.Abs(f) is > 0 and < 0.0001 ? "<0.01 %" : Significant(f * 100, Math.Abs(f) >= 0.995 ? 3 : digits) + " %") : Absent;

    /// <summary>A half-width as per cent with two digits, <c>±0.46 %</c>.</summary>
    public static string PlusMinus(double? fraction) => fraction is { } f && double.IsFinite(f) ? "±" + Percent(f) : Absent;

    /// <summary>A p-value with two digits, <c>&lt;0.0001</c> below that.</summary>
    public static string Probability(double? p) => p is { } v && double.IsFinite(v) ? v is >= 0 and < 0.0001 ? "<0.0001" : Significant(v, 2) : Absent;

    /// <summary>A value with as many digits as its interval supports.</summary>
    public static string Ratio(double value, double? low, double? high) => Fixed(value, Decimals(value, low, high));

    /// <summary><c>1.97 (1.88–2.06)</c>, or the value alone where there is no interval.</summary>
    public static string WithInterval(double value, double? low, double? high)
    {
        var decimals = Decimals(value, low, high);
        return low is { } l && high is { } h && double.IsFinite(l) && double.IsFinite(h) ? $"{Fixed(value, decimals)} ({Fixed(l, decimals)}–{Fixed(h, decimals)})" : Fixed(value, decimals);
    }

    /// <summary><c>0.497 – 0.501</c>, or <see cref="Absent"/> if either end is missing.</summary>
    public static string Interval(double? low, double? high, int decimals) =>
        low is { } l && high is { } h && !double.IsNaN(l) && !double.IsNaN(h) ? $"{Fixed(l, decimals)} – {Fixed(h, decimals)}" : Absent;

    /// <summary>A whole number with thin spaces between thousands.</summary>
    public static string Whole(double value) =>
        double.IsFinite(value) ? value.ToString("#,0", CultureInfo.InvariantCulture).Replace(',', '\u202f').Replace('-', Minus) : Fixed(value, 0);

    /// <summary>For machines: shortest text that reads back as the same number; empty for null and NaN.</summary>
    public static string Exact(double? value) =>
        value is { } v && !double.IsNaN(v) ? v.ToString("R", CultureInfo.InvariantCulture) : "";

    /// <summary>Whole seconds, in UTC.</summary>
    public static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);

    /// <summary>Text from a plan or a device as it may be shown on one line: a name can neither command a terminal nor disguise itself (see <see cref="Unprintable"/>).</summary>
    public static string Clean(string? text) => Unprintable.Clean(text);

    private static bool IsZero(string text) => text.All(c => c is '-' or '0' or '.');

    private static int Magnitude(double value) => (int)Math.Floor(Math.Log10(Math.Abs(value)));

    private static string Exponential(double value, int digits) =>
        value.ToString("0." + new string('0', digits - 1) + "e+0", CultureInfo.InvariantCulture).Replace("e+", "e").Replace('-', Minus);
}
