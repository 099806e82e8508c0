namespace EnergyGrid.Report;

/// <summary>Power over the time of one trial, several sources, its phases shaded. Thinned to the extremes of each pixel column, so that no peak is lost.</summary>
internal static class TracePlot
{
    private const double Width = 340;
    private const double Height = 168;
    private const double Left = 40;
    private const double Right = 332;
    private const double Top = 38;
    private const double Bottom = 134;
    private const int Columns = 146;

    public static Markup Render(PowerTrace trace, double highestWatts, string mark)
    {
        var points = Watts(trace);
        var last = points.Count == 0 ? 1 : Math.Max(points.Max(p => p.Seconds), 1e-3);
        var first = points.Count == 0 ? 0 : Math.Min(points.Min(p => p.Seconds), last - 1e-3);
        var x = new Axis(first, last, Left, Right, false);
        var y = new Axis(0, double.IsFinite(highestWatts) && highestWatts > 0 ? highestWatts * 1.05 : 1, Bottom, Top, false);
        var parts = new List<Markup> { Markup.Of($"<text class=\"head\" x=\"4\" y=\"13\"><title>{trace.Name}</title>{Svg.Short(trace.Name, 34)}</text>") };
        foreach (var (phase, from, to) in Phases(trace))
        {
            var (a, b) = (x.At(from), x.At(to));
            var kind = phase.StartsWith("window", StringComparison.Ordinal) ? "phase measured" : phase == "idle" ? "phase rest" : "phase";
            parts.Add(Markup.Of($"<rect class=\"{kind}\" x=\"{a}\" y=\"{Top}\" width=\"{Math.Max(b - a, 0.5)}\" height=\"{Bottom - Top}\"><title>{phase}</title></rect>"));
            if (b - a > (Svg.Short(phase, 12).Length * 5.2) + 4)
            {
                parts.Add(Markup.Of($"<text class=\"phasename\" x=\"{(a + b) / 2}\" y=\"{Top - 4}\" text-anchor=\"middle\">{Svg.Short(phase, 12)}</text>"));
            }
        }

        foreach (var tick in y.Ticks(4))
        {
            parts.Add(Markup.Of($"<line class=\"grid\" x1=\"{Left}\" y1=\"{y.At(tick)}\" x2=\"{Right}\" y2=\"{y.At(tick)}\"/><text class=\"tick\" x=\"{Left - 5}\" y=\"{y.At(tick) + 4}\" text-anchor=\"end\">{Axis.Label(tick)}</text>"));
        }

        foreach (var tick in x.Ticks(5))
        {
            parts.Add(Markup.Of($"<text class=\"tick\" x=\"{x.At(tick)}\" y=\"{Bottom + 14}\" text-anchor=\"middle\">{Axis.Label(tick)}</text>"));
        }

        var series = 0;
        foreach (var source in points.GroupBy(p => p.Source).Take(8))
        {
            var path = Markup.Join(Thin([.. source], x).Select((p, i) => Markup.Of($"{(i == 0 ? "M" : "L")}{x.At(p.Seconds)} {y.At(p.Watts)}")));
            parts.Add(Markup.Of($"<path class=\"trace s{series++ % 4}\" d=\"{path}\"><title>{source.Key}</title></path>"));
        }

        parts.Add(Markup.Of($"<text class=\"tick\" x=\"{Right}\" y=\"{Bottom + 28}\" text-anchor=\"end\">time in the trial, s</text><text class=\"tick\" x=\"4\" y=\"{Top - 8}\">W</text>"));
        var sources = points.Select(p => p.Source).Distinct().Count();
        return Svg.Frame(Width, Height, $"{trace.Name}: power of {Verdicts.Count(sources, "source")} over {NumberText.Significant(last - first)} s, at most {NumberText.Significant(points.Count == 0 ? double.NaN : points.Max(p => p.Watts))} W.", "tile", mark, Markup.Join(parts));
    }

    /// <summary>Points with power: as read, or from the energy counter where a source's power was not read.</summary>
    public static IReadOnlyList<TracePoint> Watts(PowerTrace trace)
    {
        var points = new List<TracePoint>();
        foreach (var source in trace.Points.GroupBy(p => p.Source))
        {
            var read = source.Where(p => double.IsFinite(p.Watts)).ToArray();
            if (read.Length > 0)
            {
                points.AddRange(read);
                continue;
            }

            var counted = source.Where(p => double.IsFinite(p.Joules)).OrderBy(p => p.Seconds).ToArray();
            points.AddRange(counted.Zip(counted.Skip(1))
                .Where(p => p.Second.Seconds > p.First.Seconds && p.Second.Joules >= p.First.Joules)
                .Select(p => p.Second with { Watts = (p.Second.Joules - p.First.Joules) / (p.Second.Seconds - p.First.Seconds) }));
        }

        return points;
    }

    private static IEnumerable<TracePoint> Thin(IReadOnlyList<TracePoint> points, Axis x)
    {
        foreach (var column in points.OrderBy(p => p.Seconds).GroupBy(p => (int)((x.At(p.Seconds) - Left) / (Right - Left) * Columns)))
        {
            var low = column.MinBy(p => p.Watts)!;
            var high = column.MaxBy(p => p.Watts)!;
            var (first, second) = low.Seconds <= high.Seconds ? (low, high) : (high, low);
            yield return first;
            if (!ReferenceEquals(first, second))
            {
                yield return second;
            }
        }
    }

    // Of one source: near an edge the readings of two would alternate between both phases.
    private static IEnumerable<(string Phase, double From, double To)> Phases(PowerTrace trace)
    {
        var ordered = trace.Points.Where(p => p.Source == trace.Points[0].Source).OrderBy(p => p.Seconds).ToArray();
        for (var i = 0; i < ordered.Length;)
        {
            var end = i;
            while (end < ordered.Length && ordered[end].Phase == ordered[i].Phase)
            {
                end++;
            }

            yield return (ordered[i].Phase, ordered[i].Seconds, ordered[Math.Min(end, ordered.Length - 1)].Seconds);
            i = end;
        }
    }
}
