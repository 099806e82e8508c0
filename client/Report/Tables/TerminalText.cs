using System.Globalization;
using System.Text;

namespace EnergyGrid.Report;

/// <summary>Text in the cells of a terminal: wide characters take two, marks that combine with the one before take none.</summary>
public static class TerminalText
{
    // Scripts and symbols that terminals draw over two cells (Unicode's East Asian Wide and Fullwidth, and pictographs), first and last of each block.
    private static readonly (int First, int Last)[] Wide =
    [
        (0x1100, 0x115F), (0x231A, 0x231B), (0x2329, 0x232A), (0x23E9, 0x23F3), (0x2E80, 0x303E), (0x3041, 0x33FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA000, 0xA4CF),
        (0xA960, 0xA97F), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFE30, 0xFE6F), (0xFF00, 0xFF60), (0xFFE0, 0xFFE6), (0x1F300, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F900, 0x1FAFF),
        (0x20000, 0x3FFFD),
    ];

    /// <summary>How many cells a text takes.</summary>
    public static int Width(string text)
    {
        var width = 0;
        foreach (var rune in text.EnumerateRunes()) width += Width(rune);
        return width;
    }

    /// <summary>The text in at most so many cells; what is cut off shows as <c>…</c>.</summary>
    public static string Cut(string text, int width)
    {
        if (Width(text) <= width) return text;
        if (width < 1) return "";
        var (cut, taken) = (new StringBuilder(), 0);
        foreach (var rune in text.EnumerateRunes())
        {
            if (taken + Width(rune) > width - 1) break;
            taken += Width(rune);
            cut.Append(rune.ToString());
        }
        return cut.Append('…').ToString();
    }

    /// <summary>The text in exactly so many cells.</summary>
    public static string Fit(string text, int width, bool right = false)
    {
        var cut = Cut(text, width);
        var blank = new string(' ', Math.Max(0, width - Width(cut)));
        return right ? blank + cut : cut + blank;
    }

    private static int Width(Rune rune) => rune.Value < 0x300 ? 1
        : Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format ? 0
        : Wide.Any(w => rune.Value >= w.First && rune.Value <= w.Last) ? 2 : 1;
}
