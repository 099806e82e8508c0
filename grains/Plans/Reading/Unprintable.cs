namespace EnergyGrid.Plans;

/// <summary>Characters that no text of a plan may hold: they would end a line, steer a terminal, or make text read otherwise than it is stored.</summary>
internal static class Unprintable
{
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
}
