using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace EnergyGrid.Report;

/// <summary>A column of a table of text.</summary>
/// <param name="Header">Its title.</param>
/// <param name="Unit">Its unit, under the title; empty if it has none.</param>
/// <param name="RightAligned">Numbers are.</param>
/// <param name="Priority">0 is never dropped; where room is short the highest number goes first.</param>
public sealed record TextColumn(string Header, string Unit, bool RightAligned, int Priority);

/// <summary>Columns laid out for a width: which of them fit, how wide each is, and a line for each row. No colour, no frame, nothing that a pipe or a log could not take.</summary>
public sealed class TextColumns
{
    private const int LeastLabel = 6;

    /// <summary>Columns up to this priority are worth standing one blank apart, and a label cut, before one of them goes.</summary>
    private const int Essential = 2;

    private readonly ImmutableArray<TextColumn> _columns;
    private readonly ImmutableArray<int> _kept;
    private readonly int[] _widths;
    private readonly int _gap;

    private TextColumns(ImmutableArray<TextColumn> columns, ImmutableArray<int> kept, int[] widths, int gap) => (_columns, _kept, _widths, _gap) = (columns, kept, widths, gap);

    /// <summary>The columns that found no room.</summary>
    public ImmutableArray<TextColumn> Dropped => [.. Enumerable.Range(0, _columns.Length).Except(_kept).Select(i => _columns[i])];

    /// <summary>The lines above the rows: titles and units, broken at blanks where that keeps a column narrow, then a rule.</summary>
    public ImmutableArray<string> Head
    {
        get
        {
            var texts = _kept.ToDictionary(i => i, i => Heading(_columns[i], _widths[i]));
            var height = texts.Values.Max(t => t.Length);
            return
            [
                .. Enumerable.Range(0, height).Select(line => Line(i => line - (height - texts[i].Length) is >= 0 and var at ? texts[i][at] : "")),
                string.Join(new string(' ', _gap), _kept.Select(i => new string('─', _widths[i]))),
            ];
        }
    }

    /// <summary>Lays columns out, dropping the least useful first.</summary>
    /// <param name="columns">Left to right; the first is the label.</param>
    /// <param name="rows">All rows that shall stand below one another: a text for each column.</param>
    /// <param name="marks">What stands behind a row's label however little room there is; empty texts where there is nothing.</param>
    /// <param name="width">Columns of the terminal.</param>
    public static TextColumns Of(ImmutableArray<TextColumn> columns, IReadOnlyList<ImmutableArray<string>> rows, IReadOnlyList<string> marks, int width)
    {
        var widths = columns.Select((c, i) => rows.Select(r => TerminalText.Width(r[i])).Append(Words(c).Max(TerminalText.Width)).Max()).ToArray();
        widths[0] = Math.Min(rows.Select((r, i) => TerminalText.Width(r[0] + marks[i])).Append(widths[0]).Max(), Math.Max(12, width / 4));
        var essential = Enumerable.Range(0, columns.Length).Where(i => columns[i].Priority <= Essential).ToArray();
        var loose = Fitting(columns, Enumerable.Range(0, columns.Length), widths, 2, width);
        if (essential.All(loose.Contains)) return new TextColumns(columns, [.. loose], widths, 2);
        var label = widths[0];
        widths[0] = Math.Min(LeastLabel, label);
        var tight = Fitting(columns, essential, widths, 1, width);
        widths[0] = Math.Clamp(width - tight.Skip(1).Sum(i => widths[i] + 1), widths[0], label);
        return new TextColumns(columns, [.. tight], widths, 1);
    }

    private static List<int> Fitting(ImmutableArray<TextColumn> columns, IEnumerable<int> candidates, int[] widths, int gap, int width)
    {
        var kept = candidates.ToList();
        while (kept.Sum(i => widths[i] + gap) - gap > width)
        {
            var least = kept.Where(i => columns[i].Priority > 0).OrderByDescending(i => columns[i].Priority).ThenByDescending(i => i).Cast<int?>().FirstOrDefault();
            if (least is null) break;
            kept.Remove(least.Value);
        }

        return kept;
    }

    /// <summary>A row; a label that is too long is cut, its mark is not.</summary>
    public string Row(ImmutableArray<string> cells, string mark = "") => Line(i => i == 0 ? TerminalText.Cut(cells[0], _widths[0] - TerminalText.Width(mark)) + mark : TerminalText.Cut(cells[i], _widths[i]));

    /// <summary>Titles for a pipe, TAB between them; the unit stands behind its title.</summary>
    public static string Piped(IEnumerable<TextColumn> columns) => string.Join('\t', columns.Select(c => c.Unit.Length == 0 ? c.Header : $"{c.Header} ({c.Unit})"));

    private string Line(Func<int, string> text) => string.Join(new string(' ', _gap), _kept.Select(i => TerminalText.Fit(text(i), _widths[i], _columns[i].RightAligned))).TrimEnd();

    private static ImmutableArray<string> Heading(TextColumn column, int width) => [.. Lines(column.Header, width), .. column.Unit.Length == 0 ? [] : Lines(column.Unit, width)];

    private static IEnumerable<string> Words(TextColumn column) => Breakable(column.Header).Concat(Breakable(column.Unit)).DefaultIfEmpty("");

    // A unit may also be broken before its dot.
    private static string[] Breakable(string text) => text.Replace("·", " ·", StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static IEnumerable<string> Lines(string text, int width) => TerminalText.Width(text) <= width ? [text] : Wrap(string.Join(' ', Breakable(text)), width);

    /// <summary>A text in lines of at most so many columns, broken at blanks; a longer word is cut.</summary>
    public static IEnumerable<string> Wrap(string text, int width)
    {
        var line = new StringBuilder();
        foreach (var word in text.Split(' '))
        {
            if (line.Length > 0 && TerminalText.Width(line.ToString()) + 1 + TerminalText.Width(word) > width)
            {
                yield return line.ToString();
                line.Clear();
            }

            line.Append(line.Length > 0 ? " " : "").Append(TerminalText.Cut(word, width));
        }

        if (line.Length > 0)
        {
            yield return line.ToString();
        }
    }
}
