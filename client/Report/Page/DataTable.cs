namespace EnergyGrid.Report;

/// <summary>A column of a table: numbers are aligned right and carry their unit in the header.</summary>
internal sealed record DataColumn(string Header, string Unit = "", bool Numeric = true);

/// <summary>A cell of a table; the sort value is what the reader's sorting compares, in one unit for the column.</summary>
internal sealed record DataCell(Markup Content, double? Sort = null)
{
    public static DataCell Text(string? text) => new(Markup.Of($"{text}"));

    public static DataCell Number(string text, double? sort) => new(Markup.Of($"{text}"), sort is { } s && double.IsFinite(s) ? s : null);
}

/// <summary>A line: what it is about, the key by which the same cell is marked everywhere on the page, and its cells.</summary>
internal sealed record DataRow(Markup Header, string Key, IReadOnlyList<DataCell> Cells);

/// <summary>Lines under a common heading.</summary>
internal sealed record DataGroup(string? Title, IReadOnlyList<DataRow> Rows);

/// <summary>Reasons that stand under a table, once each, with the mark that a cell carries.</summary>
internal sealed class Footnotes
{
    private readonly List<string> _texts = [];

    /// <summary>The mark for a text; nothing for no text.</summary>
    public Markup Mark(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
        {
            return Markup.Empty;
        }

        var index = _texts.IndexOf(text);
        if (index < 0)
        {
            index = _texts.Count;
            _texts.Add(text);
        }

        return Markup.Of($"<sup>{Letter(index)}</sup>");
    }

    public Markup List() => _texts.Count == 0
        ? Markup.Empty
        : Markup.Of($"<ul class=\"notes\">{Markup.Join(_texts.Select((t, i) => Markup.Of($"<li><sup>{Letter(i)}</sup> {t}</li>")))}</ul>");

    private static string Letter(int index) => index < 26 ? ((char)('a' + index)).ToString() : Letter((index / 26) - 1) + (char)('a' + (index % 26));
}

/// <summary>A table as the page draws it: caption, headers with units, row headers, groups, scrolling inside its own container.</summary>
internal sealed record DataTable(string Id, Markup Caption, string RowHeader, IReadOnlyList<DataColumn> Columns, IReadOnlyList<DataGroup> Groups, Footnotes? Notes = null)
{
    private readonly string[] _kinds = [.. Columns.Select((c, i) => c.Numeric ? "n" : Kind(Groups.SelectMany(g => g.Rows).Select(r => r.Cells[i].Content.TextLength).DefaultIfEmpty(0).Max()))];

    public Markup Render() => Markup.Of($"""
        <div class="scroll" role="region" aria-labelledby="{Id}-caption" tabindex="0"><table id="{Id}" class="data">
        <caption><span id="{Id}-caption">{Caption}</span></caption>
        <thead><tr><th scope="col">{RowHeader}</th>{Markup.Join(Columns.Select(Header))}</tr></thead>
        {Markup.Join(Groups.Where(g => g.Rows.Count > 0).Select(Body))}
        </table></div>{Notes?.List() ?? Markup.Empty}
        """);

    private static Markup Header(DataColumn column) =>
        Markup.Of($"<th scope=\"col\" class=\"{(column.Numeric ? "n" : "")}\">{column.Header}{(column.Unit.Length > 0 ? Markup.Of($" <span class=\"unit\">{column.Unit}</span>") : Markup.Empty)}</th>");

    private Markup Body(DataGroup group) => Markup.Of($"<tbody>{(group.Title is null ? Markup.Empty : Markup.Of($"<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"{Columns.Count + 1}\"><span>{group.Title}</span></th></tr>"))}{Markup.Join(group.Rows.Select(Line), "\n")}</tbody>");

    private Markup Line(DataRow row) =>
        Markup.Of($"<tr data-key=\"{row.Key}\"><th scope=\"row\">{row.Header}</th>{Markup.Join(row.Cells.Select((c, i) => Cell(c, _kinds[i])))}</tr>");

    private static Markup Cell(DataCell cell, string kind)
    {
        var sort = cell.Sort is { } s ? Markup.Of($" data-v=\"{NumberText.Exact(s)}\"") : Markup.Empty;
        return Markup.Of($"<td class=\"{kind}\"{sort}>{cell.Content}</td>");
    }

    // Short texts on one line, long ones in few: a column that is squeezed to a word a line makes its table endless.
    private static string Kind(int longest) => longest <= 24 ? "t0" : longest <= 48 ? "t1" : "t2";
}
