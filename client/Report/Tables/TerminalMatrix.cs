using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

/// <summary>The matrix as plain lines: laid out for a terminal, or a row a line for a pipe.</summary>
public static class TerminalMatrix
{
    /// <summary>Lines of at most <paramref name="width"/> columns, as long as the columns that are never dropped fit.</summary>
    /// <param name="matrix">What to draw.</param>
    /// <param name="width">Columns of the terminal, at least 20.</param>
    /// <param name="othersShare">Share of this machine's processors that other processes took during its trials, 0 to 1; null where nobody looked.</param>
    /// <exception cref="ArgumentOutOfRangeException">The width is below 20.</exception>
    public static ImmutableArray<string> Lines(Matrix matrix, int width, double? othersShare = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 20);
        var table = MatrixTable.Of(matrix, othersShare);
        var lines = ImmutableArray.CreateBuilder<string>();
        foreach (var line in Head(matrix, table)) Say(line);
        var rows = table.Groups.SelectMany(g => g.Rows).ToArray();
        var columns = TextColumns.Of(table.Columns, [.. rows.Select(r => r.Cells)], [.. rows.Select(r => r.Mark)], width);
        // Letters that stand in no row explain nothing.
        if (columns.Dropped.Any(c => c.Header == MatrixTable.FlagsHeader)) table = MatrixTable.Of(matrix, othersShare, letters: false);
        var provenanceDropped = columns.Dropped.Any(c => c.Header == MatrixTable.ProvenanceHeader);
        foreach (var group in table.Groups)
        {
            lines.Add("");
            Say(group.Title);
            lines.AddRange(columns.Head);
            lines.AddRange(group.Rows.Select(r => columns.Row(r.Cells, r.Mark)));
            // The banner promises that each cell says which it is.
            if (provenanceDropped && table.Banner.Mixed) Say(Provenances(group));
            foreach (var line in group.Footer) Say(line);
        }

        foreach (var panel in matrix.Panels)
        {
            lines.Add("");
            foreach (var line in Panel(matrix, panel)) Say(line);
        }

        if (table.Notes.Length > 0)
        {
            lines.Add("");
            foreach (var note in table.Notes) Say(note);
        }

        if (columns.Dropped is { Length: > 0 } dropped)
        {
            Say($"{Verdicts.Count(dropped.Length, "column")} {(dropped.Length == 1 ? "does" : "do")} not fit in {width} ({string.Join(", ", dropped.Select(d => Named(d, table.Columns)).Distinct())}): see the report, cells.csv or a wider terminal");
        }

        return lines.ToImmutable();

        void Say(string text) => lines.AddRange(TextColumns.Wrap(text, width));
    }

    /// <summary>For a pipe: every column, a row a line, TAB between its cells, the match group first; what is said in sentences stands on lines that begin with <c>#</c>.</summary>
    public static ImmutableArray<string> Piped(Matrix matrix, double? othersShare = null)
    {
        var table = MatrixTable.Of(matrix, othersShare);
        string[] said =
        [
            .. table.Groups.SelectMany(g => g.Footer.Prepend(g.Title).Select(l => $"{g.Name}: {l}")),
            .. matrix.Panels.SelectMany(p => Panel(matrix, p)),
            .. table.Notes,
        ];
        return
        [
            .. Head(matrix, table).Select(l => "# " + l),
            "group\t" + TextColumns.Piped(table.Columns),
            .. table.Groups.SelectMany(g => g.Rows.Select(r => string.Join('\t', [g.Name, r.Cells[0] + r.Mark, .. r.Cells.Skip(1)]))),
            .. said.Where(l => l.Length > 0).Select(l => "# " + l),
        ];
    }

    private static IEnumerable<string> Head(Matrix matrix, MatrixTable table)
    {
        yield return $"{table.Banner.Word}: {table.Banner.Sentence}";
        if (table.Difference.Length > 0) yield return table.Difference;
        yield return Verdicts.Overview(matrix) + (matrix.Complete ? "" : " The sweep had not ended.");
    }

    // By its unit too, where another column has the same title.
    private static string Named(TextColumn column, ImmutableArray<TextColumn> all) =>
        column.Unit.Length > 0 && all.Count(c => c.Header == column.Header) > 1 ? $"{column.Unit} {column.Header}" : column.Header;

    private static string Provenances(MatrixTableGroup group) => "energy is "
        + string.Join("; ", group.Rows.GroupBy(r => Standing.OfEnergy(r.Row.Provenance)).Select(g => $"{g.Key}: {string.Join(", ", g.Select(r => r.Cells[0]))}"));

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

        if (Verdicts.PublishedNote(matrix, panel) is { Length: > 0 } note) yield return note;
    }
}
