using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

internal sealed partial class PageWriter
{
    private const int MostTraces = 24;

    private Markup Pareto()
    {
        var tiles = new List<Markup>();
        var left = new List<string>();
        var groups = Items(matrix.Groups);
        for (var i = 0; i < groups.Length; i++)
        {
            var group = groups[i];
            var index = i;
            var points = Items(group.Rows).Select((r, j) => (Row: r, Index: j, Joules: r.ProjectedJoulesPerToken.GetValueOrDefault("gpu")?.Value))
                .Where(p => p.Joules is > 0 && double.IsFinite(p.Joules.Value) && p.Row.ProjectedTokensPerSecond > 0 && double.IsFinite(p.Row.ProjectedTokensPerSecond))
                .Select(p => new ParetoPoint(Key(index, p.Index), p.Row.Label, p.Row.ProjectedTokensPerSecond, p.Joules!.Value, p.Row.MeetsService == false))
                .ToArray();
            left.AddRange(Items(group.Rows).Select(r => r.Label).Except(points.Select(p => p.Label)).Select(l => $"{l} ({group.Name})"));
            if (points.Length > 0)
            {
                var standing = Standing.Of([.. group.Rows.Select(r => r.Provenance)], null);
                tiles.Add(ParetoPlot.Render(Group(group), points, standing.Measured ? "PROJECTED" : Svg.Mark(standing)));
            }
        }

        if (tiles.Count == 0)
        {
            return Rows.Any(Verdicts.HasFigure) ? Markup.Of($"<p class=\"empty\">No cell has both a projected J/token and a projected throughput.</p>") : Markup.Empty;
        }

        var missing = left.Count == 0 ? "" : $" Not drawn, without figures: {string.Join(", ", left)}.";
        return Figure(Markup.Of($"<div class=\"tiles\">{Markup.Join(tiles)}</div>"),
            Markup.Of($"J per token against tokens per second and device, both projected to the whole model from the layers that ran; a drawing per match group, axes logarithmic and each its own. Filled points on the line are the front: no other cell of the group has more tokens per second for fewer joules. A cross marks a missed s*.{missing}"));
    }

    private Markup Power()
    {
        if (traces.Count == 0)
        {
            return Markup.Of($"<p class=\"empty\">No power trace was kept with this sweep.</p>");
        }

        // A node draws many times what one device does: on one scale with it, devices would be flat lines.
        var shown = traces.Take(MostTraces).Select(t => (Devices: Only(t, device: true, ""), Others: Only(t, device: false, ": meters and others"))).ToArray();
        var devices = Highest(shown.Select(t => t.Devices));
        var others = Highest(shown.Select(t => t.Others));
        var tiles = shown.SelectMany(t => new[] { (Trace: t.Devices, Highest: devices), (Trace: t.Others, Highest: others) }).Where(t => t.Trace.Points.Length > 0)
            .Select(t => TracePlot.Render(t.Trace, t.Highest, Svg.Mark(TraceStanding(t.Trace))));
        var more = traces.Count > MostTraces ? $" {traces.Count - MostTraces} more are in traces/." : "";
        var apart = shown.Any(t => t.Others.Points.Length > 0) ? " Node meters, and whatever else is no device of this sweep, have drawings and a scale of their own." : "";
        return Figure(Markup.Of($"<div class=\"tiles small\">{Markup.Join(tiles)}</div>"),
            Markup.Of($"Power per device over a trial, in watts against seconds, all on one power scale; the windows that count are shaded, and more lightly the idle stretch that net energy rests on.{apart} Thinned for drawing to the extremes of each column, so peaks stay.{more}"));
    }

    private static double Highest(IEnumerable<PowerTrace> all) => all.SelectMany(TracePlot.Watts).Select(p => p.Watts).Where(double.IsFinite).DefaultIfEmpty(0).Max();

    private PowerTrace Only(PowerTrace trace, bool device, string suffix) =>
        new(trace.Name + suffix, [.. trace.Points.Where(p => _devices.Contains(p.Source) == device)]);

    private readonly HashSet<string> _devices = [.. Items(manifest.Devices).SelectMany(d => new[] { d.Uuid, d.Key })];

    /// <summary>A device is as measured as the manifest says its energy source is; what the manifest does not know (a meter) is as the worst of all that it knows and of the matrix.</summary>
    private Standing TraceStanding(PowerTrace trace)
    {
        var others = Items(manifest.Devices).Select(d => d.EnergyProvenance).Append(matrix.Provenance ?? Provenance.Modelled).Aggregate(Provenances.Worst);
        var worst = trace.Points.Select(p => p.Source).Distinct().Select(s => Items(manifest.Devices).FirstOrDefault(d => d.Uuid == s || d.Key == s)?.EnergyProvenance ?? others)
            .DefaultIfEmpty(others).Aggregate(Provenances.Worst);
        return Standing.Of([worst], worst);
    }

    private Markup Repeatability()
    {
        var tests = Items(matrix.Groups).Where(g => g.Repeatability is not null).ToArray();
        if (tests.Length == 0)
        {
            return Markup.Of($"<p class=\"empty\">No match group holds an A/A pair: repeatability was not tested, and no resolution is known.</p>");
        }

        DataColumn[] columns = [new("ratio"), new("90 % interval"), new("limit ±δ"), new("result", "", false), new("half-width", "95 %"), new("scope", "", false)];
        var table = Table("t-aa", Markup.Of($"The same configuration under two labels, by two one-sided tests: repeatable if the 90 % interval lies within ±δ. {Chip(Standing)}"), "pair", columns,
        [
            new DataGroup(null, [.. tests.Select((g, i) =>
            {
                var t = g.Repeatability!;
                var decimals = NumberText.Decimals(t.Ratio.Value, t.Ratio.Low, t.Ratio.High);
                return new DataRow(Markup.Of($"<span class=\"cell\">{t.Twin} / {t.Label}</span><span class=\"detail\">{Group(g)}</span>"), $"aa{i}",
                [
                    DataCell.Number(NumberText.Fixed(t.Ratio.Value, decimals), t.Ratio.Value),
                    DataCell.Number(NumberText.Interval(t.Ratio.Low, t.Ratio.High, decimals), t.Ratio.High - t.Ratio.Low),
                    DataCell.Number(NumberText.Percent(t.Delta), t.Delta),
                    new DataCell(t.Passed switch
                    {
                        true => Markup.Of($"<span class=\"good\">✓ repeatable</span>"),
                        false => Markup.Of($"<span class=\"bad\">✗ not shown to be repeatable</span>"),
                        null => Markup.Of($"{NumberText.Absent} no interval"),
                    }),
                    DataCell.Number(NumberText.PlusMinus(t.HalfWidth95), t.HalfWidth95),
                    DataCell.Text($"{t.Ratio.Scope} ({t.Ratio.Units})"),
                ]);
            })]),
        ]);
        return Markup.Of($"{table}<p class=\"aside\">An A/A test sees the noise of the whole chain. It is blind to an offset of the sensor, which is why every ratio also carries a type B part; a ratio’s resolution is the larger of the A/A half-width and twice its own u_B. A match group without a pair of its own borrows that of the first group that has one, and each ratio says so.</p>");
    }

    private Markup Replication()
    {
        DataColumn[] columns = [new("outcome", "", false), new("unit", "", false), new("first stage"), new("required"), new("reached"), new("voided passes")];
        var outcome = Table("t-replication", Markup.Of($"Two-stage replication (Stein): the number of units was fixed once, from the first stage."), "match group", columns,
        [
            new DataGroup(null, [.. Items(matrix.Groups).Select((g, i) => new DataRow(Markup.Of($"<span class=\"cell\">{g.Name}</span><span class=\"detail\">{g.Hardware}</span>"), $"r{i}",
            [
                DataCell.Text(g.Replication.Verdict), DataCell.Text(g.Replication.Units),
                Count(g.Replication.FirstStage), Count(g.Replication.Required), Count(g.Replication.Reached), Count(g.VoidedPasses),
            ]))]),
        ]);
        var pooled = Rows.Any(r => r.Spread.DeviceAndNode is not null);
        DataColumn[] spread =
        [
            new("passes"), new("devices"), new("nodes"), new("pass"), .. pooled ? [new DataColumn("device and node", "pooled")] : Array.Empty<DataColumn>(), new("device"), new("node"), new("coverage", "least"),
        ];
        var perCell = Table("t-spread", Markup.Of($"Valid passes and variance components of each cell: pass, device and node are standard deviations of log J/token{(pooled ? "; where each node has one device group, those of device and node cannot be told apart and stand together" : "")}."), "cell", spread, PerCell((_, r) =>
        [
            Count(r.Passes), Count(r.Devices), Count(r.Nodes),
            DataCell.Number(NumberText.Percent(r.Spread.Pass), r.Spread.Pass),
            .. pooled ? [DataCell.Number(NumberText.Percent(r.Spread.DeviceAndNode), r.Spread.DeviceAndNode)] : Array.Empty<DataCell>(),
            DataCell.Number(NumberText.Percent(r.Spread.Device), r.Spread.Device),
            DataCell.Number(NumberText.Percent(r.Spread.Node), r.Spread.Node),
            DataCell.Number(NumberText.Percent(r.Coverage, 3), r.Coverage),
        ]));
        return Markup.Of($"{outcome}{perCell}");
    }

    private static DataCell Count(int n) => DataCell.Number(NumberText.Whole(n), n);

    private Markup Invalidations()
    {
        var reasons = Rows.SelectMany(r => r.Invalidations.Keys).Distinct().Order(StringComparer.Ordinal).ToArray();
        var flagged = Rows.Any(r => !Items(r.Flags).IsEmpty);
        var invalid = reasons.Length == 0
            ? Markup.Of($"<p>No trial was left out.</p>")
            : Table("t-invalid", Markup.Of($"Trials that no estimate uses, by cell and reason: invalidated by a guard, failed, of a voided pass, or without a figure. They are kept and counted. Cells without any are not listed."), "cell", [.. reasons.Select(r => new DataColumn(r)), new DataColumn("valid passes")],
                PerCell((_, r) => [.. reasons.Select(k => r.Invalidations.TryGetValue(k, out var n) && n > 0 ? Count(n) : DataCell.Text("·")), Count(r.Passes)], (_, r) => r.Invalidations.Values.Sum() > 0));
        var flags = flagged
            ? Table("t-flags", Markup.Of($"What must be known of single cells."), "cell", [new DataColumn("flags", "", false)], PerCell((_, r) => [DataCell.Text(string.Join("; ", RowFlags.Said(Items(r.Flags))))], (_, r) => !Items(r.Flags).IsEmpty))
            : Markup.Of($"<p>No cell carries a flag.</p>");
        var course = events.Where(e => e.Kind is "void" or "paused" or "resumed" or "cancelled" or "stage").ToArray();
        var happened = course.Length == 0
            ? Markup.Empty
            : Markup.Of($"<h3>What interrupted the sweep</h3><ul class=\"plain\">{Markup.Join(course.Take(200).Select(e => Markup.Of($"<li><time datetime=\"{e.AtUtc.UtcDateTime.ToString("O")}\">{NumberText.Time(e.AtUtc)}</time> <b>{e.Kind}</b> {e.Text}</li>")))}</ul>");
        return Markup.Of($"{invalid}{flags}{happened}");
    }

    private Markup Closure()
    {
        var closure = Items(matrix.Closure);
        if (closure.IsEmpty)
        {
            return Markup.Of($"<p class=\"empty\">No meter stands above another in this sweep: closure could not be checked.</p>");
        }

        var scale = SiScale.Of(closure.Select(c => c.UpperJoules));
        return Table("t-closure", Markup.Of($"Each meter against the sum of what lies below it, over the site’s last windows."), "level",
            [new("upper meter", scale.Prefix + "J"), new("sum below", scale.Prefix + "J"), new("residual", scale.Prefix + "J"), new("residual", "of the upper")],
            [new DataGroup(null, [.. closure.Select((c, i) => new DataRow(Markup.Of($"{c.Level}"), $"k{i}",
            [
                DataCell.Number(scale.Significant(c.UpperJoules, 4), c.UpperJoules),
                DataCell.Number(scale.Significant(c.LowerJoules, 4), c.LowerJoules),
                DataCell.Number(scale.Significant(c.UpperJoules - c.LowerJoules), c.UpperJoules - c.LowerJoules),
                DataCell.Number(NumberText.Percent(c.Fraction), c.Fraction),
            ]))])]);
    }

    private Markup Facility()
    {
        if (matrix.Facility is not { } f)
        {
            return Markup.Of($"<p class=\"empty\">No facility ratio: the plan asks for none, or the site has no facility meters. Nothing here is PUE-adjusted by a measured ratio.</p>");
        }

        var from = DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(f.FromWindow, 0, 253402300799));
        var to = DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(f.ToWindow, 0, 253402300799));
        var what = f.Name switch
        {
            "pue" => "power usage effectiveness over a year or more",
            "ipue" => "interim: shorter than a year, not a PUE",
            "ppue" => "partial: of a sub-boundary, not a PUE",
            _ => "as named by its source",
        };
        var category = f.Category switch
        {
            1 => "1 (IT energy at the UPS output; PDU and UPS losses must be added before it multiplies node input)",
            2 => "2 (IT energy at the PDU output; PDU losses must be added before it multiplies node input)",
            3 => "3 (IT energy at the IT equipment’s input)",
            var other => $"{other}",
        };
        var bounds = f.Low is not null || f.High is not null ? $"{NumberText.Significant(f.Low, 4)} to {NumberText.Significant(f.High, 4)}" : "none needed: coverage is full";
        (string Name, Markup Value)[] lines =
        [
            ("Ratio", Markup.Of($"<b class=\"big\">{(double.IsNaN(f.Value) ? "bounds only" : NumberText.Significant(f.Value, 4))}</b> {f.Name} — {what}")),
            ("Bounds", Markup.Of($"{bounds}")),
            ("How it came about", Chip(f.Provenance)),
            ("Category", Markup.Of($"{category}")),
            ("Period", Markup.Of($"{NumberText.Time(from)} to {NumberText.Time(to)} ({Verdicts.Count((int)Math.Clamp(f.ToWindow - f.FromWindow, 0, int.MaxValue), "window")} of 1 s)")),
            ("E_facility", Markup.Of($"{NumberText.Significant(f.FacilityKilowattHours, 4)} kWh")),
            ("E_IT", Markup.Of($"{NumberText.Significant(f.ItKilowattHours, 4)} kWh")),
            ("Time coverage", Markup.Of($"{NumberText.Percent(f.TimeCoverage, 3)}")),
            ("IT coverage", Markup.Of($"{NumberText.Percent(f.ItCoverage, 3)} of the inventory, weighted by energy; the rest is estimated")),
            ("Missing meters", Markup.Of($"{(Items(f.MissingMeters).IsEmpty ? "none" : string.Join(", ", f.MissingMeters))}")),
            ("Flags", Markup.Of($"{(Items(f.Flags).IsEmpty ? "none" : string.Join("; ", f.Flags))}")),
            ("Edition", Markup.Of($"{f.Edition}")),
        ];
        return Markup.Of($"<dl class=\"sheet\">{Markup.Join(lines.Select(l => Markup.Of($"<div><dt>{l.Name}</dt><dd>{l.Value}</dd></div>")))}</dl><p class=\"aside\">A facility ratio multiplies node-input energy once, and never energy at the facility boundary.</p>");
    }
}
