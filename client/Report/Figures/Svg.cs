namespace EnergyGrid.Report;

/// <summary>What all drawings share: the frame that says what is drawn and how it came about, and text that does not run over.</summary>
internal static class Svg
{
    /// <param name="width">Of the view box, in CSS pixels at natural size.</param>
    /// <param name="height">Of the view box.</param>
    /// <param name="label">The drawing in words.</param>
    /// <param name="kind">Class of the drawing.</param>
    /// <param name="mark">MODELLED and the like, written into the drawing itself; empty if measured.</param>
    /// <param name="body">Its elements.</param>
    /// <param name="markLeft">Where the drawing may scroll, the mark stands on the side that is seen first.</param>
    public static Markup Frame(double width, double height, string label, string kind, string mark, Markup body, bool markLeft = false)
    {
        var word = mark.Length == 0 ? Markup.Empty : Markup.Of($"<text class=\"mark\" x=\"{(markLeft ? 4 : width - 4)}\" y=\"12\" text-anchor=\"{(markLeft ? "start" : "end")}\">{mark}</text>");
        return Markup.Of($"<svg class=\"{kind}\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{label}\">{body}{word}</svg>");
    }

    /// <summary>The word that a drawing of measured things does not need.</summary>
    public static string Mark(Standing standing) => standing.Measured ? "" : standing.Word;

    public static string Short(string text, int length)
    {
        var clean = NumberText.Clean(text);
        var runes = clean.EnumerateRunes().ToArray();
        return runes.Length <= length ? clean : string.Concat(runes.Take(length - 1)) + "…";
    }
}
