using System.Globalization;
using System.Text;

namespace EnergyGrid.Report;

/// <summary>
/// The colours of the heat map: blue for less energy than the baseline, orange for more (safe for the common colour deficiencies),
/// on a logarithmic scale centred at 1. Interpolated in OKLab; the ink of each step is black or white, whichever contrasts more,
/// which is at least 4.5:1 on any background.
/// </summary>
public sealed class HeatScale
{
    /// <summary>Steps on each side of 1.</summary>
    public const int Half = 10;

    private static readonly double[] Limits = [1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100, 1000];

    private HeatScale(double limit) => Limit = limit;

    /// <summary>The ratio, and its inverse, at which the colours end.</summary>
    public double Limit { get; }

    /// <summary>The scale that holds all ratios; those beyond 1000 are drawn with the last colour.</summary>
    public static HeatScale For(IEnumerable<double> ratios)
    {
        var reach = ratios.Where(r => double.IsFinite(r) && r > 0).Select(r => Math.Abs(Math.Log(r))).DefaultIfEmpty(0).Max();
        return new HeatScale(Limits.FirstOrDefault(l => Math.Log(l) >= reach - 1e-12, Limits[^1]));
    }

    /// <summary>0 for <c>1/Limit</c> or less, <see cref="Half"/> for 1, twice that for <see cref="Limit"/> or more; null if the ratio is not positive and finite.</summary>
    public int? Step(double ratio) => double.IsFinite(ratio) && ratio > 0
        ? Half + (int)Math.Round(Half * Math.Clamp(Math.Log(ratio) / Math.Log(Limit), -1, 1))
        : null;

    /// <summary>Background and ink of every step, as <c>#rrggbb</c>.</summary>
    /// <param name="dark">For a dark page: the middle is dark.</param>
    public static IReadOnlyList<(string Background, string Ink)> Colours(bool dark)
    {
        var (low, middle, high) = dark ? (0x6fb6f5, 0x2b2f35, 0xf59f54) : (0x2a6fb0, 0xf3f2ef, 0xc4641a);
        return [.. Enumerable.Range(-Half, (2 * Half) + 1).Select(i =>
        {
            var rgb = Mix(middle, i < 0 ? low : high, Math.Abs(i) / (double)Half);
            var black = Contrast(rgb, 0x000000) >= Contrast(rgb, 0xffffff);
            return (Hex(rgb), black ? "#000000" : "#ffffff");
        })];
    }

    /// <summary>Contrast ratio of two colours (WCAG 2.1), 1 to 21.</summary>
    public static double Contrast(int a, int b)
    {
        var (x, y) = (Luminance(a), Luminance(b));
        return (Math.Max(x, y) + 0.05) / (Math.Min(x, y) + 0.05);
    }

    /// <summary>Rules <c>.h0</c> to <c>.h20</c>.</summary>
    internal static string Css(bool dark)
    {
        var css = new StringBuilder();
        var colours = Colours(dark);
        for (var i = 0; i < colours.Count; i++)
        {
            css.Append(CultureInfo.InvariantCulture, $".h{i}{{background:{colours[i].Background};color:{colours[i].Ink}}}\n");
        }

        return css.ToString();
    }

    private static string Hex(int rgb) => "#" + rgb.ToString("x6", CultureInfo.InvariantCulture);

    private static double Linear(int channel)
    {
        var c = channel / 255.0;
        return c <= 0.04045 ? c / 12.92 : Math.Pow((c + 0.055) / 1.055, 2.4);
    }

    private static int Channel(double linear)
    {
        var c = Math.Clamp(linear, 0, 1);
        return (int)Math.Round(255 * (c <= 0.0031308 ? 12.92 * c : (1.055 * Math.Pow(c, 1 / 2.4)) - 0.055));
    }

    private static double Luminance(int rgb) =>
        (0.2126 * Linear((rgb >> 16) & 255)) + (0.7152 * Linear((rgb >> 8) & 255)) + (0.0722 * Linear(rgb & 255));

    private static int Mix(int from, int to, double t)
    {
        var (a, b) = (Lab(from), Lab(to));
        return FromLab(a.L + (t * (b.L - a.L)), a.A + (t * (b.A - a.A)), a.B + (t * (b.B - a.B)));
    }

    // OKLab (B. Ottosson, 2020).
    private static (double L, double A, double B) Lab(int rgb)
    {
        var (r, g, b) = (Linear((rgb >> 16) & 255), Linear((rgb >> 8) & 255), Linear(rgb & 255));
        var l = Math.Cbrt((0.4122214708 * r) + (0.5363325363 * g) + (0.0514459929 * b));
        var m = Math.Cbrt((0.2119034982 * r) + (0.6806995451 * g) + (0.1073969566 * b));
        var s = Math.Cbrt((0.0883024619 * r) + (0.2817188376 * g) + (0.6299787005 * b));
        return ((0.2104542553 * l) + (0.7936177850 * m) - (0.0040720468 * s),
            (1.9779984951 * l) - (2.4285922050 * m) + (0.4505937099 * s),
            (0.0259040371 * l) + (0.7827717662 * m) - (0.8086757660 * s));
    }

    private static int FromLab(double lightness, double a, double b)
    {
        var l = Math.Pow(lightness + (0.3963377774 * a) + (0.2158037573 * b), 3);
        var m = Math.Pow(lightness - (0.1055613458 * a) - (0.0638541728 * b), 3);
        var s = Math.Pow(lightness - (0.0894841775 * a) - (1.2914855480 * b), 3);
        return (Channel((4.0767416621 * l) - (3.3077115913 * m) + (0.2309699292 * s)) << 16)
            | (Channel((-1.2684380046 * l) + (2.6097574011 * m) - (0.3413193965 * s)) << 8)
            | Channel((-0.0041960863 * l) - (0.7034186147 * m) + (1.7076147010 * s));
    }
}
