using System.Globalization;

namespace EnergyGrid.Console;

/// <summary>Numbers as people read them.</summary>
public static class Say
{
    /// <summary>Stands where there is no value.</summary>
    public const string Absent = "—";

    /// <summary>Four significant digits, no exponent between 0.001 and a million.</summary>
    public static string Number(double value) => !double.IsFinite(value) ? Absent
        : value == 0 ? "0"
        : Math.Abs(value) is >= 1e6 or < 1e-3 ? value.ToString("0.###e+0", CultureInfo.InvariantCulture)
        : Digits(value, 4);

    public static string Number(double? value) => value is { } known ? Number(known) : Absent;

    public static string Watts(double? watts) => watts is not { } w || !double.IsFinite(w) ? Absent
        : Math.Abs(w) >= 1e6 ? Text($"{w / 1e6:0.000} MW") : Math.Abs(w) >= 1e4 ? Text($"{w / 1e3:0.0} kW") : Text($"{w:0} W");

    public static string Joules(double joules) => !double.IsFinite(joules) ? Absent
        : Math.Abs(joules) >= 3.6e6 ? Text($"{joules / 3.6e6:0.000} kWh") : Math.Abs(joules) >= 1e4 ? Text($"{joules / 1e3:0.0} kJ") : Text($"{joules:0} J");

    public static string Percent(double share) => double.IsFinite(share) ? Text($"{share * 100:0.0} %") : Absent;

    public static string Seconds(double seconds) => !double.IsFinite(seconds) ? Absent
        : seconds < 90 ? Text($"{Math.Max(0, seconds):0} s") : seconds < 5400 ? Text($"{seconds / 60:0} min") : Text($"{seconds / 3600:0.0} h");

    /// <summary>How long something has been so: as seconds are said, and in days from two on.</summary>
    public static string Age(TimeSpan since) => since.TotalDays >= 2 ? Text($"{since.TotalDays:0} d") : Seconds(since.TotalSeconds);

    /// <summary>Of a device's memory.</summary>
    public static string Bytes(double bytes) => !(double.IsFinite(bytes) && bytes > 0) ? Absent : bytes >= 1e8 ? Text($"{bytes / 1e9:0.#} GB") : Text($"{bytes / 1e6:0.#} MB");

    private static string Digits(double value, int significant)
    {
        var decimals = Math.Max(0, significant - 1 - (int)Math.Floor(Math.Log10(Math.Abs(value))));
        return value.ToString("F" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
