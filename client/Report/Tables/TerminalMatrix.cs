using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

/// <summary>The matrix as plain lines: no colour, no cursor, nothing that a pipe or a log could not take.</summary>
public static class TerminalMatrix
{
    private const int Gap = 2;
    private const int LeastLabel = 6;

    /// <summary>Lines of at most <paramref name="width"/> columns, as long as the columns that are never dropped fit.</summary>
    /// <param name="matrix">What to draw.</param>
    /// <param name="width">Columns of the terminal, at least 20.</param>
    /// <exception cref="ArgumentOutOfRangeException">The width is below 20.</exception>
    public static ImmutableArray<string> Lines(Matrix matrix, int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 20);
        var table = MatrixTable.Of(matrix);
        var lines = ImmutableArray.CreateBuilder<string>();
        lines.AddRange(Wrap($"{table.Banner.Word}: {table.Banner.Sentence}", width));
        lines.AddRange(Wrap(table.Difference, width));
        lines.AddRange(Wrap(Verdicts.Overview(matrix) + (matrix.Complete ? "" : " The sweep had not ended."), width));
        var all = table.Groups.SelectMany(g => g.Rows).ToArray();
        var widths = table.Columns.Select((c, i) => all.Select(r => Width(r.Cells[i])).Append(Width(c.Header)).Append(Width(c.Unit)).Max()).ToArray();
        widths[0] = Math.Min(all.Select(r => Width(r.Cells[0] + r.Mark)).Append(widths[0]).Max(), Math.Max(12, width / 4));
        var kept = table.Fitting([.. widths.Select(w => w + Gap)], width + Gap);
        // The label gives way before a figure does; its mark never does.
        widths[0] = Math.Max(LeastLabel, Math.Min(widths[0], width - kept.Skip(1).Sum(i => widths[i] + Gap)));
        foreach (var group in table.Groups)
        {
            lines.Add("");
            lines.AddRange(Wrap(group.Title, width));
            lines.Add(Draw(i => table.Columns[i].Header));
            lines.Add(Draw(i => table.Columns[i].Unit));
            lines.Add(string.Join(new string(' ', Gap), kept.Select(i => new string('─', widths[i]))));
            lines.AddRange(group.Rows.Select(r => Draw(i => r.Cells[i], r.Mark)));
            lines.AddRange(group.Footer.SelectMany(f => Wrap(f, width)));
        }

        foreach (var panel in matrix.Panels)
        {
            lines.Add("");
            lines.AddRange(Panel(matrix, panel).SelectMany(l => Wrap(l, width)));
        }

        if (table.Notes.Length > 0)
        {
            lines.Add("");
            lines.AddRange(table.Notes.SelectMany(l => Wrap(l, width)));
        }

        var dropped = table.Columns.Length - kept.Length;
        if (dropped > 0)
        {
            lines.AddRange(Wrap($"{Verdicts.Count(dropped, "column")} {(dropped == 1 ? "does" : "do")} not fit in {width}: see the report, cells.csv or a wider terminal", width));
        }

        return lines.ToImmutable();

        string Draw(Func<int, string> text, string mark = "") => string.Join(new string(' ', Gap),
            kept.Select(i => Pad(i == 0 ? Cut(text(i), widths[i] - Width(mark)) + mark : Cut(text(i), widths[i]), widths[i], table.Columns[i].RightAligned))).TrimEnd();
    }

    private static IEnumerable<string> Panel(Matrix matrix, MatrixPanel panel)
    {
        yield return $"UNMATCHED, not a controlled comparison: {NumberText.Clean(panel.Title)}";
        (bool Projected, bool Ratio, bool Published) has =
            (panel.Rows.Any(r => double.IsFinite(r.ProjectedJoulesPerToken)), panel.Rows.Any(r => double.IsFinite(r.UnmatchedRatio)), panel.Rows.Any(r => r.PublishedJoulesPerToken is not null));
        foreach (var row in panel.Rows)
        {
            string[] parts =
            [
                has.Projected ? $"{NumberText.Significant(row.ProjectedJoulesPerToken)} J/token projected" : "no figure",
                .. has.Ratio ? [$"ratio {NumberText.Significant(row.UnmatchedRatio)}"] : Array.Empty<string>(),
                .. has.Published ? [$"published {NumberText.Significant(row.PublishedJoulesPerToken)}"] : Array.Empty<string>(),
            ];
            var notes = row.Notes.IsDefaultOrEmpty ? "" : $" ({NumberText.Clean(string.Join("; ", row.Notes))})";
            yield return $"{NumberText.Clean(row.Group)} / {NumberText.Clean(row.Label)}: {string.Join(", ", parts)}{notes}";
        }

        yield return Verdicts.PublishedNote(matrix, panel);
    }

    /// <summary>Columns that a text takes in a terminal: marks take none, East Asian wide characters and emoji two.</summary>
    public static int Width(string text) => text.EnumerateRunes().Sum(Width);

    private static int Width(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format => 0,
        _ => rune.Value is (>= 0x1100 and <= 0x115F) or (>= 0x2E80 and <= 0xA4CF) or (>= 0xAC00 and <= 0xD7A3) or (>= 0xF900 and <= 0xFAFF)
            or (>= 0xFE30 and <= 0xFE6F) or (>= 0xFF00 and <= 0xFF60) or (>= 0xFFE0 and <= 0xFFE6) or (>= 0x1F300 and <= 0x1FAFF) or (>= 0x20000 and <= 0x3FFFD)
            ? 2
            : 1,
    };

    private static string Pad(string text, int width, bool right)
    {
        var blank = new string(' ', Math.Max(0, width - Width(text)));
        return right ? blank + text : text + blank;
    }

    private static string Cut(string text, int width)
    {
        if (Width(text) <= width)
        {
            return text;
        }

        var cut = new StringBuilder();
        var used = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            used += Width(rune);
            if (used > width - 1)
            {
                break;
            }

            cut.Append(rune.ToString());
        }

        return cut.Append('…').ToString();
    }

    private static IEnumerable<string> Wrap(string text, int width)
    {
        var line = new StringBuilder();
        foreach (var word in text.Split(' '))
        {
            if (line.Length > 0 && Width(line.ToString()) + 1 + Width(word) > width)
            {
                yield return line.ToString();
                line.Clear();
            }

            line.Append(line.Length > 0 ? " " : "").Append(Cut(word, width));
        }

        if (line.Length > 0)
        {
            yield return line.ToString();
        }
    }
}
