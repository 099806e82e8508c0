using System.Text;

namespace EnergyGrid.Contracts;

/// <summary>
/// Characters that no text which people are shown may hold: they would end a line, steer a terminal, or make text read otherwise than it is stored. What is written for this grid is refused with
/// them (<see cref="In"/>); what is shown and may come from elsewhere is shown without them (<see cref="Clean"/>).
/// </summary>
public static class Unprintable
{
    private const char Replacement = '\uFFFD';

    /// <summary>Controls (Cc), the separators of lines and paragraphs, and whatever changes the direction of text (Unicode's property Bidi_Control).</summary>
    public static bool Is(char c) => char.IsControl(c) || c is '\u2028' or '\u2029' || IsDirectional(c);

    /// <summary>Marks, embeddings, overrides and isolates of direction.</summary>
    public static bool IsDirectional(char c) => c is '\u061C' or '\u200E' or '\u200F' or (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069');

    /// <summary>Kind and code point, for example <c>the control character U+001B</c>.</summary>
    public static string Named(char c) => $"the {(IsDirectional(c) ? "bidirectional control" : c is '\u2028' or '\u2029' ? "separator" : "control character")} U+{(int)c:X4}";

    /// <summary>What is wrong with text; null if nothing is. Names the first four different ones.</summary>
    /// <param name="text">As the reader understands it, escapes resolved.</param>
    /// <param name="lines">Whether tabs and line feeds may stand in it.</param>
    public static string? In(string text, bool lines)
    {
        var found = text.Where(c => Is(c) && !(lines && c is '\n' or '\t')).Distinct().Take(4).Select(Named).ToArray();
        return found.Length == 0 ? null : $"holds {string.Join(", ", found)}";
    }

    /// <summary>Text from anywhere as it may be shown: each such character, and each half of a surrogate pair, is replaced by U+FFFD. Sound text is given back as it is.</summary>
    /// <param name="text">May be null, which is shown as nothing.</param>
    /// <param name="lines">Whether tabs and line feeds may stand in it.</param>
    public static string Clean(string? text, bool lines = false)
    {
        if (string.IsNullOrEmpty(text)) return "";
        StringBuilder? clean = null;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
                continue;
            }
            if (!(Is(c) || char.IsSurrogate(c)) || (lines && c is '\n' or '\t')) continue;
            clean ??= new StringBuilder(text);
            clean[i] = Replacement;
        }
        return clean?.ToString() ?? text;
    }
}
