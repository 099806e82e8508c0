using System.Collections.Immutable;
using EnergyGrid.Report;

namespace EnergyGrid.Console;

/// <summary>A column of a list.</summary>
/// <param name="Header">Its name.</param>
/// <param name="Right">Whether it is right-aligned.</param>
/// <param name="Rank">Of columns that do not fit beside each other, the one with the higher rank is left out.</param>
/// <param name="Least">So many cells are of use; null if it is of use whole only, as an id is.</param>
/// <param name="Comfort">So many cells it has before a late column gets any; as many as <paramref name="Least"/> if null.</param>
/// <param name="Late">Whether those before it in rank come to their comfort first.</param>
internal sealed record Column(string Header, bool Right = false, int Rank = 0, int? Least = null, int? Comfort = null, bool Late = false);

/// <summary>
/// Lists as lines. On a terminal: aligned, two blanks between columns, as many columns as its width takes, and no id cut or wrapped. Elsewhere: all columns, one row a line,
/// separated by a tab, as they are.
/// </summary>
internal static class Columns
{
    /// <summary>Between two columns on a terminal.</summary>
    public const string Gap = "  ";

    /// <summary>The header and a line for each row, for a program.</summary>
    public static IEnumerable<string> Piped(IReadOnlyList<Column> columns, IReadOnlyList<IReadOnlyList<string>> rows) =>
        rows.Prepend([.. columns.Select(c => c.Header)]).Select(row => string.Join('\t', row));

    /// <summary>The header and a line for each row, for a terminal.</summary>
    /// <param name="columns">Of the list.</param>
    /// <param name="rows">A text for each column.</param>
    /// <param name="width">Of the terminal, cells.</param>
    public static IEnumerable<string> Aligned(IReadOnlyList<Column> columns, IReadOnlyList<IReadOnlyList<string>> rows, int width)
    {
        var needs = columns.Select((c, i) => rows.Select(r => TerminalText.Width(r[i])).Append(TerminalText.Width(c.Header)).Max()).ToArray();
        var widths = Widths(columns, needs, width);
        return rows.Prepend([.. columns.Select(c => c.Header)])
            .Select(row => string.Join(Gap, Enumerable.Range(0, columns.Count).Where(i => widths[i] > 0).Select(i => TerminalText.Fit(row[i], widths[i], columns[i].Right))).TrimEnd());
    }

    /// <summary>How wide each column is; 0 for one that is left out. The first in rank is always there, whole.</summary>
    /// <param name="columns">Of the list.</param>
    /// <param name="needs">How wide each wants to be, cells.</param>
    /// <param name="width">What there is, cells.</param>
    public static ImmutableArray<int> Widths(IReadOnlyList<Column> columns, IReadOnlyList<int> needs, int width)
    {
        var widths = new int[columns.Count];
        var left = width + Gap.Length;
        var ranked = Enumerable.Range(0, columns.Count).OrderBy(i => columns[i].Rank).ToArray();
        foreach (var i in ranked)
        {
            var least = Math.Min(needs[i], columns[i].Least ?? needs[i]);
            var reserved = columns[i].Late ? ranked.Where(k => widths[k] > 0).Sum(k => Math.Max(0, Math.Min(needs[k], columns[k].Comfort ?? 0) - widths[k])) : 0;
            if (left - reserved < least + Gap.Length && i != ranked[0]) continue;
            widths[i] = least;
            left -= least + Gap.Length;
        }
        // What is left goes to those that could say more, in their order: first to their comfort, then as far as it goes.
        foreach (var most in (Func<int, int>[])[i => Math.Min(needs[i], columns[i].Comfort ?? 0), i => needs[i]])
        {
            foreach (var i in ranked.Where(i => widths[i] > 0))
            {
                var more = Math.Clamp(most(i) - widths[i], 0, Math.Max(0, left));
                widths[i] += more;
                left -= more;
            }
        }
        return [.. widths];
    }
}
