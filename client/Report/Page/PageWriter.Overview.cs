using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

internal sealed partial class PageWriter
{
    private string TokenUnit { get; } = Verdicts.TokenUnit(matrix);

    private string TokenWords => TokenUnit == "token" ? "output token" : TokenUnit == "token·layer" ? "token and layer" : "token, or token and layer";

    private SiScale EnergyScale { get; } = SiScale.Of(matrix.Groups.SelectMany(g => g.Rows).Select(r => r.Headline.Value));

    private Markup HeatMap()
    {
        var groups = Items(matrix.Groups);
        if (groups.Sum(g => Items(g.Rows).Length) == 0)
        {
            return Markup.Of($"<p class=\"empty\">The matrix has no cell.</p>");
        }

        var scale = HeatScale.For(groups.SelectMany(g => g.Rows).Where(r => r.Ratio is not null).Select(r => r.Ratio!.Ratio.Value));
        var blocks = Blocks().Select(block => HeatBlock(block, scale)).ToArray();
        var legend = groups.SelectMany(g => g.Rows).Any(r => r.Ratio is { } ratio && double.IsFinite(ratio.Ratio.Value)) ? Legend(scale) : Markup.Empty;
        var marks = Verdicts.Legend(matrix);
        var how = Markup.Of($"""
            <p class="aside">In each cell: the ratio, and below it its pairwise 95 % interval, the sensor’s bounds included; simultaneous intervals are in the next section.
            Cells without a ratio show {EnergyScale.Prefix}J per {TokenWords} and no colour. Compare within a column only: columns differ in what they hold fixed.</p>
            """);
        return Markup.Of($"""
            <p><b>Table {++_tables}.</b> J per {TokenWords}, as ratio to the match group’s own baseline. {Chip(Standing)}</p>
            {legend}
            <div id="heat">{blocks[0]}<div class="others">{Markup.Join(blocks.Skip(1), "\n")}</div></div>
            {(marks.Length == 0 ? Markup.Empty : Markup.Of($"<ul class=\"marks\">{Markup.Join(marks.Select(m => Markup.Of($"<li>{m}.</li>")))}</ul>"))}
            {(Standing.None ? Markup.Empty : how)}
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
            $"<th scope=\"col\">{g.Name}<span class=\"detail\">{g.Hardware}</span><span class=\"detail\">{(g.Baseline is null ? "no baseline" : "÷ " + g.Baseline)}</span><span class=\"detail\">{Verdicts.Estimator(g)}</span></th>"));
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
        var tag = Standing.Mixed && Verdicts.HasFigure(row) ? Markup.Of($"<span class=\"tag\">{Standing.OfEnergy(row.Provenance)}</span>") : Markup.Empty;
        var own = RowName(row) == NumberText.Clean(row.Label) ? Markup.Empty : Markup.Of($"<span class=\"tag\">{row.Label}</span>");
        var estimator = !Verdicts.HasFigure(row) || Verdicts.Estimator(row) == Verdicts.Estimator(group) ? Markup.Empty : Markup.Of($"<span class=\"tag\">{Verdicts.Estimator(row)}</span>");
        var late = Verdicts.Misses(row) ? Markup.Of($"<span class=\"tag late\">{Verdicts.MissesService} misses s*</span>") : Markup.Empty;
        var tags = Markup.Of($"{own}{estimator}{late}{tag}");
        if (row.Label == group.Baseline && Verdicts.HasFigure(row))
        {
            return Markup.Of($"<td class=\"h{HeatScale.Half} base\" data-key=\"{key}\"><span class=\"v\">1</span><span class=\"i\">baseline</span>{tags}</td>");
        }

        if (row.Ratio is not { } ratio || scale.Step(ratio.Ratio.Value) is not { } step)
        {
            var e = row.Headline;
            var value = double.IsFinite(e.Value)
                ? Markup.Of($"<span class=\"v\">{EnergyScale.Text(e.Value, e.Low, e.High)}</span><span class=\"i\">{EnergyScale.Prefix}J/{TokenUnit}</span>")
                : Markup.Of($"<span class=\"v\">{NumberText.Absent}</span><span class=\"i\">no valid trial</span>");
            return Markup.Of($"<td class=\"absolute\" data-key=\"{key}\">{value}{tags}</td>");
        }

        var decimals = NumberText.Decimals(ratio.Ratio.Value, ratio.Ratio.Low, ratio.Ratio.High);
        var interval = ratio.Ratio.Low is null ? "no interval" : NumberText.Interval(ratio.Ratio.Low, ratio.Ratio.High, decimals);
        var outside = Verdicts.IsOutside(group, row) ? " outside" : "";
        return Markup.Of($"<td class=\"h{step}{outside}\" data-key=\"{key}\"><span class=\"v\">{NumberText.Fixed(ratio.Ratio.Value, decimals)}{MarksOf(group, row)}</span><span class=\"i\">{interval}</span>{tags}</td>");
    }

    // The marks for the eye, their meaning for who listens.
    private static Markup MarksOf(MatrixGroup group, MatrixRow row)
    {
        var marks = Verdicts.Marks(group, row);
        if (marks.Length == 0)
        {
            return Markup.Empty;
        }

        string[] said = [Verdicts.Standing(row.Ratio!.Standing), .. Verdicts.IsOutside(group, row) && row.Ratio.Standing != RatioStanding.OutsideOperatingPoint ? [Verdicts.Standing(RatioStanding.OutsideOperatingPoint)] : Array.Empty<string>()];
        return Markup.Of($"<span class=\"sr\">, {string.Join(", ", said)}</span><span class=\"m\" aria-hidden=\"true\"> {marks}</span>");
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

    private Markup Ratios()
    {
        var figures = new List<Markup>();
        var without = new List<string>();
        var groups = Items(matrix.Groups);
        for (var i = 0; i < groups.Length; i++)
        {
            var group = groups[i];
            var index = i;
            var lines = Items(group.Rows).Select((r, j) => (Row: r, Index: j)).Where(r => HasRatio(group, r.Row))
                .Select(r => (r.Row, r.Index, Ratio: r.Row.Ratio!))
                .Select(r => new IntervalLine(Key(index, r.Index), r.Row.Label, Verdicts.IsOutside(group, r.Row) ? " " + Verdicts.MissesService : "",
                    r.Row.TwinOf is null ? Verdicts.Configuration(r.Row) : $"A/A of {NumberText.Clean(r.Row.TwinOf)}",
                    r.Ratio.Ratio.Value, r.Ratio.Ratio.Low, r.Ratio.Ratio.High, r.Ratio.SimultaneousLow, r.Ratio.SimultaneousHigh, r.Ratio.Resolution, r.Ratio.Resolved && !Verdicts.IsOutside(group, r.Row)))
                .ToArray();
            if (lines.Length == 0)
            {
                without.Add(group.Name);
                continue;
            }

            var standing = Standing.Of([.. group.Rows.Select(r => r.Provenance)], null);
            var scopes = string.Join(", ", group.Rows.Where(r => HasRatio(group, r)).Select(r => r.Ratio!.Ratio.Scope).Distinct());
            var resolution = Verdicts.Resolution(group);
            var apart = string.Concat(Verdicts.BesideEnergies(group, EnergyScale).Select(l => $" {char.ToUpperInvariant(l[0])}{l[1..]}."));
            var drawing = IntervalPlot.Render(
                $"Interval plot of {group.Name}: " + string.Join("; ", lines.Select(l => $"{l.Label}{l.Mark} {NumberText.Ratio(l.Value, l.Low, l.High)}")) + ".",
                lines, Svg.Mark(standing), ("ratio (pairwise 95 %)", "simultaneous 95 %"));
            figures.Add(Figure(drawing, Markup.Of($"{Group(group)}: J per {TokenWords} over that of {group.Baseline}, {Verdicts.Estimator(group)}. The intervals speak of: {scopes}; {resolution}.{apart}")));
        }

        if (figures.Count == 0)
        {
            return Rows.Any(Verdicts.HasFigure) ? Markup.Of($"<p class=\"empty\">No match group has a ratio to a baseline.</p>") : Markup.Empty;
        }

        var bare = without.Count == 0 ? Markup.Empty : Markup.Of($"<p class=\"aside\">Without ratios: {string.Join(", ", without)}.</p>");
        return Markup.Of($"""
            <p>Each ratio with its pairwise 95 % interval (thick) and the interval that holds for all {Verdicts.Count(matrix.Family, "ratio")} of the matrix together with 95 % (thin, with end marks); both contain what the sensors may hide.
            The shaded band around 1 is the ratio’s resolution: within it no difference is claimed. A point is filled only where a difference is claimed.</p>
            {RatioTable()}
            {Markup.Join(figures, "\n")}{bare}
            """);
    }

    private static bool HasRatio(MatrixGroup group, MatrixRow row) => row.Ratio is { Ratio.Value: > 0 and < double.PositiveInfinity } && row.Label != group.Baseline;

    private Markup RatioTable()
    {
        DataColumn[] columns =
        [
            new("ratio"), new("95 % interval", "pairwise"), new("95 % interval", "simultaneous"), new("type A", "±, of ratio"), new("type B", "±, of ratio"), new("p", "Holm"),
            new("resolution", "", false), new("called", "", false), new("time over floor", "÷ baseline’s"),
        ];
        var notes = new Footnotes();
        return Table("t-ratios", Markup.Of($"Every ratio with both intervals and what they are made of: type A is the 95 % half-width of the scatter alone, type B the bound of what the sensors may hide; the interval combines them and is narrower than their sum. Step time over the floor of its shape says how much of a ratio may be the quality of the kernels. {Chip(Standing)}"), "cell", columns,
            PerCell((group, r) =>
            {
                var ratio = r.Ratio!;
                var decimals = NumberText.Decimals(ratio.Ratio.Value, ratio.Ratio.Low, ratio.Ratio.High);
                var typeA = Verdicts.TypeA(ratio.Uncertainty);
                return
                [
                    new DataCell(Markup.Of($"{NumberText.Fixed(ratio.Ratio.Value, decimals)}{MarksOf(group, r)}"), ratio.Ratio.Value),
                    DataCell.Number(NumberText.Interval(ratio.Ratio.Low, ratio.Ratio.High, decimals), ratio.Ratio.High - ratio.Ratio.Low),
                    DataCell.Number(NumberText.Interval(ratio.SimultaneousLow, ratio.SimultaneousHigh, decimals), ratio.SimultaneousHigh - ratio.SimultaneousLow),
                    DataCell.Number(NumberText.PlusMinus(typeA), typeA),
                    DataCell.Number(Verdicts.TypeB(group, ratio.Uncertainty), ratio.Uncertainty.Bound),
                    DataCell.Number(NumberText.Probability(ratio.HolmPValue), ratio.HolmPValue),
                    DataCell.Text(Verdicts.Resolution(group, ratio)),
                    new DataCell(Markup.Of($"{Verdicts.Standing(ratio.Standing)}{notes.Mark(Verdicts.StandingReason(group, r))}")),
                    DataCell.Number(Verdicts.OverFloor(ratio.AchievedOverFloor), ratio.AchievedOverFloor),
                ];
            }, HasRatio, beside: Confounds), notes);
    }

    private static Markup Confounds(MatrixRow row) => Verdicts.Confounds(row).IsEmpty
        ? Markup.Empty
        : Markup.Of($"<span class=\"also\">also differs in {Markup.Join(Verdicts.Confounds(row).Select(c => Markup.Of($"<em>{c}</em>")), "; ")}</span>");
}
