namespace EnergyGrid.Report;

/// <summary>A cell as a point: throughput and energy per token.</summary>
internal sealed record ParetoPoint(string Key, string Label, double TokensPerSecond, double JoulesPerToken, bool MissesService);

/// <summary>J/token against tokens/s. A point is on the front if no other has both more tokens/s and fewer J/token.</summary>
internal static class ParetoPlot
{
    private const double Width = 440;
    private const double Height = 300;
    private const double Left = 56;
    private const double Right = 424;
    private const double Top = 30;
    private const double Bottom = 248;

    /// <summary>Points that no other dominates, by rising throughput.</summary>
    public static IReadOnlyList<ParetoPoint> Front(IReadOnlyList<ParetoPoint> points) =>
        [.. points.Where(p => !points.Any(q => q.TokensPerSecond >= p.TokensPerSecond && q.JoulesPerToken <= p.JoulesPerToken
                && (q.TokensPerSecond > p.TokensPerSecond || q.JoulesPerToken < p.JoulesPerToken)))
            .OrderBy(p => p.TokensPerSecond)];

    public static Markup Render(string title, IReadOnlyList<ParetoPoint> points, string mark)
    {
        var front = Front(points);
        var x = Axis.Over(points.Select(p => p.TokensPerSecond), Left, Right, log: true, room: 0.12);
        var y = Axis.Over(points.Select(p => p.JoulesPerToken), Bottom, Top, log: true, room: 0.12);
        var parts = new List<Markup> { Markup.Of($"<text class=\"head\" x=\"4\" y=\"13\">{Svg.Short(title, 44)}</text>") };
        foreach (var tick in x.Ticks(6))
        {
            parts.Add(Markup.Of($"<line class=\"grid\" x1=\"{x.At(tick)}\" y1=\"{Top}\" x2=\"{x.At(tick)}\" y2=\"{Bottom}\"/><text class=\"tick\" x=\"{x.At(tick)}\" y=\"{Bottom + 15}\" text-anchor=\"middle\">{Axis.Label(tick)}</text>"));
        }

        foreach (var tick in y.Ticks(6))
        {
            parts.Add(Markup.Of($"<line class=\"grid\" x1=\"{Left}\" y1=\"{y.At(tick)}\" x2=\"{Right}\" y2=\"{y.At(tick)}\"/><text class=\"tick\" x=\"{Left - 6}\" y=\"{y.At(tick) + 4}\" text-anchor=\"end\">{Axis.Label(tick)}</text>"));
        }

        if (front.Count > 1)
        {
            // A staircase: between two points of the front nothing has been shown to be attainable.
            var path = Markup.Join(front.Select((p, i) => i == 0
                ? Markup.Of($"M{x.At(p.TokensPerSecond)} {y.At(p.JoulesPerToken)}")
                : Markup.Of($"V{y.At(p.JoulesPerToken)}H{x.At(p.TokensPerSecond)}")));
            parts.Add(Markup.Of($"<path class=\"front\" d=\"{path}\"/>"));
        }

        var taken = new List<(double X0, double Y0, double X1, double Y1)>();
        taken.AddRange(points.Select(p => (x.At(p.TokensPerSecond) - 5, y.At(p.JoulesPerToken) - 5, x.At(p.TokensPerSecond) + 5, y.At(p.JoulesPerToken) + 5)));
        foreach (var p in points)
        {
            var (px, py) = (x.At(p.TokensPerSecond), y.At(p.JoulesPerToken));
            var name = Svg.Short(p.Label, 12);
            var best = front.Contains(p);
            var cross = p.MissesService ? Markup.Of($"<path class=\"miss\" d=\"M{px - 4} {py - 4}l8 8m0 -8l-8 8\"/>") : Markup.Empty;
            var (lx, ly) = Place(taken, px, py, (name.Length * 7.2) + 2);
            parts.Add(Markup.Of($"<g class=\"row\" data-key=\"{p.Key}\"><title>{p.Label}: {NumberText.Significant(p.TokensPerSecond)} token/s, {NumberText.Significant(p.JoulesPerToken)} J/token{(p.MissesService ? ", misses s*" : "")}</title><circle class=\"{(best ? "point" : "point hollow")}\" cx=\"{px}\" cy=\"{py}\" r=\"4.5\"/>{cross}<text class=\"name\" x=\"{lx}\" y=\"{ly}\">{name}</text></g>"));
        }

        parts.Add(Markup.Of($"<text class=\"tick\" x=\"{(Left + Right) / 2}\" y=\"{Bottom + 34}\" text-anchor=\"middle\">token/s per device, projected</text><text class=\"tick\" transform=\"translate(13 {(Top + Bottom) / 2}) rotate(-90)\" text-anchor=\"middle\">J/token, gpu, projected</text>"));
        return Svg.Frame(Width, Height, $"{title}: energy per token against throughput. On the front: {string.Join(", ", front.Select(p => p.Label))}.", "tile", mark, Markup.Join(parts));
    }

    /// <summary>The first place around a point where a label covers neither another label nor a point nor the frame.</summary>
    private static (double X, double Y) Place(List<(double X0, double Y0, double X1, double Y1)> taken, double x, double y, double width)
    {
        (double X, double Y)[] tries =
        [
            (x + 8, y + 4), (x - 8 - width, y + 4), (x - (width / 2), y - 9), (x - (width / 2), y + 18),
            (x + 7, y - 7), (x + 7, y + 15), (x - 7 - width, y - 7), (x - 7 - width, y + 15), (x + 9, y - 17), (x + 9, y + 26),
        ];
        foreach (var (lx, ly) in tries)
        {
            var box = (X0: lx, Y0: ly - 10, X1: lx + width, Y1: ly + 2);
            if (box.X0 >= Left && box.X1 <= Width && box.Y0 >= Top - 12 && box.Y1 <= Bottom
                && !taken.Any(t => t.X0 < box.X1 && box.X0 < t.X1 && t.Y0 < box.Y1 && box.Y0 < t.Y1))
            {
                taken.Add(box);
                return (lx, ly);
            }
        }

        return tries[0];
    }
}
