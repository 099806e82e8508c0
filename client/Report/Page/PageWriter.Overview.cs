using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

internal sealed partial class PageWriter
{
    private SiScale EnergyScale { get; } = SiScale.Of(matrix.Groups.SelectMany(g => g.Rows).Select(r => r.JoulesPerTokenLayer.Value));

    private Markup HeatMap()
    {
        var groups = Items(matrix.Groups);
        if (groups.Sum(g => Items(g.Rows).Length) == 0)
        {
            return Markup.Of($"<p class=\"empty\">The matrix has no cell.</p>");
        }

        var scale = HeatScale.For(groups.SelectMany(g => g.Rows).Where(r => r.Ratio is not null).Select(r => r.Ratio!.Ratio.Value));
        var blocks = Blocks().Select(block => HeatBlock(block, scale)).ToArray();
        return Markup.Of($"""
            <p><b>Table {++_tables}.</b> J per token and layer, as ratio to the match group’s own baseline. {Chip(Standing)}</p>
            {Legend(scale)}
            <div id="heat">{blocks[0]}<div class="others">{Markup.Join(blocks.Skip(1), "\n")}</div></div>
            <p class="aside">In each cell: the ratio, and below it its pairwise 95 % interval. <b>~</b> marks a ratio within the resolution or with an adjusted interval that includes 1: no difference is claimed.
            Cells without a baseline show {EnergyScale.Prefix}J per token and layer and no colour. Compare within a column only: columns differ in what they hold fixed.</p>
            """);
    }

    /// <summary>Match groups that share rows stand side by side in one block; a group that shares none is a block of its own.</summary>
    private IReadOnlyList<IReadOnlyList<int>> Blocks()
    {
        var blocks = new List<(HashSet<string> Names, List<int> Groups)>();
        for (var i = 0; i < matrix.Groups.Length; i++)
        {
            var names = Items(matrix.Groups[i].Rows).Select(RowName).ToHashSet();
            var joined = blocks.Where(b => b.Names.Overlaps(names)).ToArray();
            blocks.RemoveAll(joined.Contains);
            blocks.Add(([.. joined.SelectMany(b => b.Names), .. names], [.. joined.SelectMany(b => b.Groups), i]));
        }

        return [.. blocks.Select(b => b.Groups.Order().ToArray()).OrderBy(b => b[0])];
    }

    private Markup HeatBlock(IReadOnlyList<int> block, HeatScale scale)
    {
        var names = block.SelectMany(i => Items(matrix.Groups[i].Rows)).Select(RowName).Distinct();
        var heads = block.Select(i => matrix.Groups[i]).Select(g => Markup.Of(
            $"<th scope=\"col\">{g.Name}<span class=\"detail\">{g.Hardware}</span><span class=\"detail\">{(g.Baseline is null ? "no baseline" : "÷ " + g.Baseline)}</span></th>"));
        var lines = names.Select(name => Markup.Of(
            $"<tr><th scope=\"row\">{name}</th>{Markup.Join(block.Select(i => HeatCell(matrix.Groups[i], i, matrix.Groups[i].Rows.ToList().FindIndex(r => RowName(r) == name), scale)))}</tr>"));
        var label = string.Join(", ", block.Select(i => matrix.Groups[i].Name));
        return Markup.Of($"""
            <div class="scroll" role="region" aria-label="Heat map of {label}" tabindex="0"><table class="heat">
            <caption class="sr">Ratio to the baseline: {label}</caption>
            <thead><tr><th scope="col"><span class="sr">cell</span></th>{Markup.Join(heads)}</tr></thead>
            <tbody>{Markup.Join(lines, "\n")}</tbody></table></div>
            """);
    }

    private Markup HeatCell(MatrixGroup group, int groupIndex, int rowIndex, HeatScale scale)
    {
        if (rowIndex < 0)
        {
            return Markup.Of($"<td class=\"none\"><span class=\"sr\">not in this group</span></td>");
        }

        var row = group.Rows[rowIndex];
        var key = Key(groupIndex, rowIndex);
        var tag = Standing.Mixed ? Markup.Of($"<span class=\"tag\">{row.Provenance.ToString().ToLowerInvariant()}</span>") : Markup.Empty;
        var own = RowName(row) == NumberText.Clean(row.Label) ? Markup.Empty : Markup.Of($"<span class=\"tag\">{row.Label}</span>");
        if (row.Label == group.Baseline)
        {
            return Markup.Of($"<td class=\"h{HeatScale.Half} base\" data-key=\"{key}\"><span class=\"v\">1</span><span class=\"i\">baseline</span>{own}{tag}</td>");
        }

        if (row.Ratio is not { } ratio || scale.Step(ratio.Ratio.Value) is not { } step)
        {
            var e = row.JoulesPerTokenLayer;
            var value = double.IsFinite(e.Value)
                ? Markup.Of($"<span class=\"v\">{EnergyScale.Text(e.Value, e.Low, e.High)}</span><span class=\"i\">{EnergyScale.Prefix}J/token·layer</span>")
                : Markup.Of($"<span class=\"v\">{NumberText.Absent}</span><span class=\"i\">no valid trial</span>");
            return Markup.Of($"<td class=\"absolute\" data-key=\"{key}\">{value}{own}{tag}</td>");
        }

        var decimals = NumberText.Decimals(ratio.Ratio.Value, ratio.Ratio.Low, ratio.Ratio.High);
        var interval = ratio.Ratio.Low is null ? "no interval" : NumberText.Interval(ratio.Ratio.Low, ratio.Ratio.High, decimals);
        var unresolved = ratio.Resolved ? Markup.Empty : Markup.Of($"<span class=\"sr\"> not resolved</span><span aria-hidden=\"true\"> ~</span>");
        return Markup.Of($"<td class=\"h{step}\" data-key=\"{key}\"><span class=\"v\">{NumberText.Fixed(ratio.Ratio.Value, decimals)}{unresolved}</span><span class=\"i\">{interval}</span>{own}{tag}</td>");
    }

    private static Markup Legend(HeatScale scale)
    {
        var swatches = Enumerable.Range(0, (2 * HeatScale.Half) + 1).Select(i => Markup.Of($"<span class=\"h{i}\"></span>"));
        var limit = Axis.Label(scale.Limit);
        var middle = NumberText.Significant(Math.Sqrt(scale.Limit), 2);
        return Markup.Of($"""
            <div class="legend" role="img" aria-label="Colour scale, logarithmic: blue at {limit} times less energy than the baseline, neutral at 1, orange at {limit} times more.">
            <div class="swatches">{Markup.Join(swatches)}</div>
            <div class="labels"><span>÷{limit}</span><span>÷{middle}</span><span>1</span><span>×{middle}</span><span>×{limit}</span></div>
            <div class="ends"><span>less energy</span><span>more energy</span></div>
            </div>
            """);
    }

    /// <summary>Rows of the heat map: cells by label where groups share labels, by workload where they only share workloads.</summary>
    private string RowName(MatrixRow row) => _byWorkload ? ByWorkload(row) : NumberText.Clean(row.Label);

    private readonly bool _byWorkload = PreferWorkloads(matrix);

    private static string ByWorkload(MatrixRow row) =>
        $"{NumberText.Clean(row.Configuration.Workload)} {NumberText.Clean(row.Configuration.Weights)}{(row.TwinOf is null ? "" : " (A/A)")}";

    private static bool PreferWorkloads(Matrix matrix)
    {
        var groups = Items(matrix.Groups).Select(g => Items(g.Rows)).ToArray();
        var unique = groups.All(g => g.Select(ByWorkload).Distinct().Count() == g.Length);
        return unique && groups.SelectMany(g => g).Select(ByWorkload).Distinct().Count() < groups.SelectMany(g => g).Select(r => r.Label).Distinct().Count();
    }

    private Markup Intervals()
    {
        var figures = new List<Markup>();
        var without = new List<string>();
        var groups = Items(matrix.Groups);
        for (var i = 0; i < groups.Length; i++)
        {
            var group = groups[i];
            var index = i;
            var lines = Items(group.Rows).Select((r, j) => (Row: r, Index: j))
                .Where(r => r.Row.Ratio is not null && r.Row.Label != group.Baseline && double.IsFinite(r.Row.Ratio.Ratio.Value) && r.Row.Ratio.Ratio.Value > 0)
                .Select(r => new IntervalLine(Key(index, r.Index), r.Row.Label, r.Row.TwinOf is null ? Verdicts.Configuration(r.Row) : $"A/A of {NumberText.Clean(r.Row.TwinOf)}",
                    r.Row.Ratio!.Ratio.Value, r.Row.Ratio.Ratio.Low, r.Row.Ratio.Ratio.High, r.Row.Ratio.HolmLow, r.Row.Ratio.HolmHigh, r.Row.Ratio.Resolved))
                .ToArray();
            if (lines.Length == 0)
            {
                without.Add(group.Name);
                continue;
            }

            var standing = Standing.Of([.. group.Rows.Select(r => r.Provenance)], group.Rows.Select(r => r.Provenance).Aggregate(Provenances.Worst));
            var resolution = group.Repeatability?.Resolution;
            var band = resolution is { } r0 && double.IsFinite(r0) ? $"Resolution ±{NumberText.Percent(r0)}." : "No resolution is known for this group.";
            var scopes = string.Join(", ", group.Rows.Where(r => r.Ratio is not null && r.Label != group.Baseline).Select(r => r.Ratio!.Ratio.Scope).Distinct());
            var drawing = IntervalPlot.Render(
                $"Interval plot of {group.Name}: " + string.Join("; ", lines.Select(l => $"{l.Label} {NumberText.Ratio(l.Value, l.Low, l.High)}")) + ".",
                lines, resolution, Svg.Mark(standing), ("ratio (pairwise 95 %)", "Holm-adjusted"));
            figures.Add(Figure(drawing, Markup.Of($"{Group(group)}: J per token and layer over that of {group.Baseline}. The intervals speak of: {scopes}. {band}")));
        }

        if (without.Count > 0 && figures.Count > 0)
        {
            figures.Add(Markup.Of($"<p class=\"aside\">Without a baseline, and so without ratios: {string.Join(", ", without)}.</p>"));
        }

        if (figures.Count > 0)
        {
            figures.Insert(0, Markup.Of($"<p>Each ratio with its pairwise 95 % interval (thick) and the interval adjusted for all ratios of the matrix (Holm, thin with end marks); where a line is shorter than its point, the numbers beside it say how wide it is. The shaded band around 1 is the resolution of the group: within it no difference is claimed, and the point is hollow.</p>"));
        }

        return figures.Count == 0 ? Markup.Of($"<p class=\"empty\">No match group has a ratio to a baseline.</p>") : Markup.Join(figures, "\n");
    }
}
