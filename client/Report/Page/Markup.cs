using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace EnergyGrid.Report;

/// <summary>Text that is HTML already. It can be made only by interpolation, which escapes every hole that is not itself markup.</summary>
internal readonly struct Markup
{
    private readonly string? _html;

    private Markup(string html) => _html = html;

    public static Markup Empty { get; } = new("");

    public static Markup Of(ref MarkupHandler html) => new(html.Take());

    public static Markup Join(IEnumerable<Markup> parts, string separator = "") => new(string.Join(separator, parts));

    /// <summary>Only for the page's own resources: nothing is escaped.</summary>
    public static Markup Trusted(string html) => new(html);

    public bool IsEmpty => string.IsNullOrEmpty(_html);

    /// <summary>Characters of its text, entities counted as they are written.</summary>
    public int TextLength
    {
        get
        {
            var (length, inside) = (0, false);
            foreach (var c in _html ?? "")
            {
                inside = c == '<' || (inside && c != '>');
                if (!inside && c != '>') length++;
            }

            return length;
        }
    }

    public override string ToString() => _html ?? "";
}

/// <summary>Escapes every interpolated value for element content and for quoted attributes; numbers are written as coordinates (two decimals, invariant).</summary>
[InterpolatedStringHandler]
internal readonly ref struct MarkupHandler
{
    private readonly StringBuilder _html;

    public MarkupHandler(int literalLength, int formattedCount) => _html = new StringBuilder(literalLength + (16 * formattedCount));

    public void AppendLiteral(string html) => _html.Append(html);

    public void AppendFormatted(Markup html) => _html.Append(html.ToString());

    public void AppendFormatted(int value) => _html.Append(value.ToString(CultureInfo.InvariantCulture));

    public void AppendFormatted(double value) =>
        _html.Append((double.IsFinite(value) ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A coordinate must be finite."))
            .ToString("0.##", CultureInfo.InvariantCulture));

    public void AppendFormatted(string? text)
    {
        foreach (var c in NumberText.Clean(text))
        {
            _ = c switch
            {
                '&' => _html.Append("&amp;"),
                '<' => _html.Append("&lt;"),
                '>' => _html.Append("&gt;"),
                '"' => _html.Append("&quot;"),
                '\'' => _html.Append("&#39;"),
                _ => _html.Append(c),
            };
        }
    }

    public string Take() => _html.ToString();
}
