namespace EnergyGrid.Report;

/// <summary>A line of an interval plot. Ends that are null are not drawn.</summary>
/// <param name="Key">Of the cell.</param>
/// <param name="Label">Its name.</param>
/// <param name="Mark">Stands after the name, however long that is.</param>
/// <param name="Detail">What it runs.</param>
/// <param name="Value">The ratio.</param>
/// <param name="Low">Pairwise.</param>
/// <param name="High">Pairwise.</param>
/// <param name="WideLow">Simultaneous.</param>
/// <param name="WideHigh">Simultaneous.</param>
/// <param name="Band">Its resolution, log ratio; null or NaN for none.</param>
/// <param name="Filled">Whether a difference is claimed.</param>
internal sealed record IntervalLine(
    string Key, string Label, string Mark, string Detail, double Value, double? Low, double? High, double? WideLow, double? WideHigh, double? Band, bool Filled)
{
    public double Reach => Band is { } b && double.IsFinite(b) && b > 0 ? b : 0;
}

/// <summary>Ratios with their intervals on a logarithmic axis (a forest plot): thick is pairwise, thin is simultaneous; the band around 1 is what cannot be resolved, line by line.</summary>
internal static class IntervalPlot
{
    private const double Width = 770;
    private const double Left = 168;
    private const double Right = 412;
    private const double RowHeight = 25;
    private const double Top = 40;

    /// <param name="label">In words.</param>
    /// <param name="lines">Top to bottom.</param>
    /// <param name="mark">See <see cref="Svg.Frame"/>.</param>
    /// <param name="headings">Over the two columns of text on the right.</param>
    public static Markup Render(string label, IReadOnlyList<IntervalLine> lines, string mark, (string Pairwise, string Simultaneous) headings)
    {
        var axis = Axis.Over(
            lines.SelectMany(l => new[] { l.Value, l.Low ?? l.Value, l.High ?? l.Value, l.WideLow ?? l.Value, l.WideHigh ?? l.Value })
                .Concat(lines.SelectMany(l => new[] { Math.Exp(l.Reach), Math.Exp(-l.Reach) })),
            Left, Right, log: true);
        var bottom = Top + (RowHeight * lines.Count);
        var parts = new List<Markup>();
        for (var i = 0; i < lines.Count; i++)
        {
            if (lines[i].Reach > 0)
            {
                var (from, to) = (axis.At(Math.Exp(-lines[i].Reach)), axis.At(Math.Exp(lines[i].Reach)));
                var width = Math.Max(to - from, 2);
                parts.Add(Markup.Of($"<rect class=\"band\" x=\"{((from + to) / 2) - (width / 2)}\" y=\"{Top + (RowHeight * i)}\" width=\"{width}\" height=\"{RowHeight}\"/>"));
            }
        }

        foreach (var tick in axis.Ticks(6))
        {
            var x = axis.At(tick);
            parts.Add(Markup.Of($"<line class=\"grid\" x1=\"{x}\" y1=\"{Top - 6}\" x2=\"{x}\" y2=\"{bottom}\"/><text class=\"tick\" x=\"{x}\" y=\"{bottom + 15}\" text-anchor=\"middle\">{Axis.Label(tick)}</text>"));
        }

        var one = axis.At(1);
        parts.Add(Markup.Of($"<line class=\"one\" x1=\"{one}\" y1=\"{Top - 6}\" x2=\"{one}\" y2=\"{bottom}\"/>"));
        parts.Add(Markup.Of($"<text class=\"head\" x=\"446\" y=\"{Top - 14}\">{headings.Pairwise}</text><text class=\"head\" x=\"624\" y=\"{Top - 14}\">{headings.Simultaneous}</text>"));
        for (var i = 0; i < lines.Count; i++)
        {
            parts.Add(Line(lines[i], Top + (RowHeight * (i + 0.5)), axis));
        }

        parts.Add(Markup.Of($"<text class=\"tick\" x=\"{(Left + Right) / 2}\" y=\"{bottom + 31}\" text-anchor=\"middle\">ratio to the baseline, logarithmic</text>"));
        return Svg.Frame(Width, bottom + 40, label, "wide", mark, Markup.Join(parts), markLeft: true);
    }

    private static Markup Line(IntervalLine line, double y, Axis axis)
    {
        var decimals = NumberText.Decimals(line.Value, line.Low, line.High);
        var drawn = new List<Markup>();
        if (line.WideLow is { } wl && line.WideHigh is { } wh && double.IsFinite(wl) && double.IsFinite(wh))
        {
            var (a, b) = (axis.At(wl), axis.At(wh));
            drawn.Add(Markup.Of($"<path class=\"adjusted\" d=\"M{a} {y - 5}v10M{a} {y}H{b}M{b} {y - 5}v10\"/>"));
        }

        if (line.Low is { } low && line.High is { } high && double.IsFinite(low) && double.IsFinite(high))
        {
            drawn.Add(Markup.Of($"<line class=\"pairwise\" x1=\"{axis.At(low)}\" y1=\"{y}\" x2=\"{axis.At(high)}\" y2=\"{y}\"/>"));
        }

        if (double.IsFinite(line.Value) && line.Value > 0)
        {
            drawn.Add(Markup.Of($"<circle class=\"{(line.Filled ? "point" : "point hollow")}\" cx=\"{axis.At(line.Value)}\" cy=\"{y}\" r=\"4.5\"/>"));
        }

        var text = line.Low is null ? $"{NumberText.Fixed(line.Value, decimals)}  no interval" : $"{NumberText.Fixed(line.Value, decimals)}  ({NumberText.Interval(line.Low, line.High, decimals)})";
        return Markup.Of($"<g class=\"row\" data-key=\"{line.Key}\"><title>{line.Label}{line.Mark}: {text}</title><rect class=\"hit\" x=\"0\" y=\"{y - (RowHeight / 2)}\" width=\"{Width}\" height=\"{RowHeight}\"/><text class=\"name\" x=\"4\" y=\"{y + 4}\">{Svg.Short(line.Label, 13)}{line.Mark}<tspan class=\"detail\" dx=\"6\">{Svg.Short(line.Detail, 17)}</tspan></text>{Markup.Join(drawn)}<text class=\"value\" x=\"446\" y=\"{y + 4}\">{text}</text><text class=\"value quiet\" x=\"624\" y=\"{y + 4}\">{NumberText.Interval(line.WideLow, line.WideHigh, decimals)}</text></g>");
    }
}
