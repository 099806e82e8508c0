using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

internal sealed partial class PageWriter
{
    private static readonly string[] MethodNotes =
    [
        "The unit is a device group. In a pass every configuration of a match group runs once on the same devices, in random order balanced for carry-over. Ratios use only passes in which both cell and baseline are valid.",
        "A ratio is the exponential of the mean log ratio: averaged within a device, then over the devices of a node, then over nodes. Its 95 % Student-t interval rests on independent nodes; with one node on devices (“this node”), with one device on passes (“this device”), with one pass there is none.",
        "Intervals are pairwise; Holm-adjusted intervals hold for all ratios of the matrix together.",
        "J per token and layer is the slope of step energy over two numbers of layers, divided by the batch. Whole-model figures are projected: layers only, without embedding, LM head and interconnect.",
        "A window’s energy is the difference of an energy counter where there is one, else the trapezoid of power. Gaps are never interpolated: coverage is carried with every energy.",
        "Gross energy is the headline. Net energy subtracts the idle power with context resident; it never enters the production function.",
        "A kernel workload’s token is a token-equivalent: the decode arithmetic of a model of that shape with synthetic weights, not a serving stack’s token. It claims no quality.",
        "Invalidated trials are kept and counted. Power capping is an operating point and only flagged; thermal slowdown, power brake, low coverage, a foreign process or a clock error invalidate.",
    ];

    private Markup Panels()
    {
        var panels = Items(matrix.Panels);
        if (panels.IsEmpty)
        {
            return Markup.Empty;
        }

        var tables = panels.Select((panel, i) => Table($"t-panel{i}", Markup.Of($"{panel.Title}. Unmatched: no intervals, no claim."), "cell",
            [new("ratio, unmatched"), new("J/token", "projected"), new("published", "J/token"), new("energy is", "", false)],
            [new DataGroup(null, [.. Items(panel.Rows).Select((r, j) =>
            {
                var row = Items(matrix.Groups).Where(g => g.Name == r.Group).SelectMany(g => Items(g.Rows)).FirstOrDefault(x => x.Label == r.Label);
                return new DataRow(Markup.Of($"<span class=\"cell\">{r.Label}</span><span class=\"detail\">{r.Group}</span>"), $"p{i}-{j}",
                [
                    DataCell.Number(NumberText.Significant(r.UnmatchedRatio), r.UnmatchedRatio),
                    DataCell.Number(NumberText.Significant(r.JoulesPerToken), r.JoulesPerToken),
                    DataCell.Number(NumberText.Significant(r.PublishedJoulesPerToken), r.PublishedJoulesPerToken),
                    new DataCell(row is null ? Markup.Of($"{NumberText.Absent}") : Chip(row.Provenance)),
                ]);
            })])]));
        return Markup.Of($"""
            <p class="warning" role="note"><strong>Unmatched, the paper’s layout — not a controlled comparison.</strong> Rows differ in batch, context or model, so a ratio mixes effects.
            Published values are other people’s figures from other hardware and serving stacks: only their shape may be compared.</p>
            {Markup.Join(tables)}
            """);
    }

    private Markup Checklist()
    {
        var d = matrix.Disclosure;
        (string Item, string Value)[] six =
        [
            ("q*: quality target", d.Quality),
            ("q*: how it was checked", d.QualityCheck),
            ("s*: service target", double.IsFinite(d.ServiceMilliseconds) ? $"{NumberText.Significant(d.ServiceMilliseconds)} ms per token, {d.ServiceStatistic}" : ""),
            ("workload mix", d.WorkloadMix),
            ("batching protocol", d.Batching),
            ("hardware setup", d.Hardware),
            ("energy-accounting boundary", d.Boundary.ToString().ToLowerInvariant()),
        ];
        var dimensions = six.Select(s => Item(s.Item, s.Value, !string.IsNullOrWhiteSpace(s.Value)));
        var agenda = Items(matrix.Checklist).Select(c => Item(c.Item, c.Value, c.Present));
        var missing = six.Count(s => string.IsNullOrWhiteSpace(s.Value)) + Items(matrix.Checklist).Count(c => !c.Present);
        return Markup.Of($"""
            <p>{(missing == 0 ? "Every item is disclosed." : $"{Verdicts.Count(missing, "item")} not disclosed: a reviewable gap.")}</p>
            <h3>The six dimensions</h3><ul class="checklist">{Markup.Join(dimensions)}</ul>
            <h3>The reporting agenda</h3>{(Items(matrix.Checklist).IsEmpty ? Markup.Of($"<p class=\"empty\">The matrix carries no agenda.</p>") : Markup.Of($"<ul class=\"checklist\">{Markup.Join(agenda)}</ul>"))}
            """);

        static Markup Item(string item, string value, bool present) => Markup.Of(
            $"<li class=\"{(present ? "present" : "missing")}\"><span class=\"tick\" aria-hidden=\"true\">{(present ? "✓" : "✗")}</span><span class=\"item\">{item}<span class=\"sr\">: {(present ? "disclosed" : "not disclosed")}</span></span><span class=\"said\">{(string.IsNullOrWhiteSpace(value) ? NumberText.Absent : value)}</span></li>");
    }

    private Markup Method()
    {
        var notes = Items(matrix.Notes);
        var own = notes.IsEmpty ? Markup.Empty : Markup.Of($"<h3>Of this matrix</h3><ul class=\"plain\">{Markup.Join(notes.Select(n => Markup.Of($"<li>{n}</li>")))}</ul>");
        return Markup.Of($"<ul class=\"plain\">{Markup.Join(MethodNotes.Select(n => Markup.Of($"<li>{n}</li>")))}</ul>{own}");
    }

    private Markup ManifestTables()
    {
        (string Name, Markup Value)[] lines =
        [
            ("Sweep", Markup.Of($"{manifest.Sweep}")),
            ("Plan", Markup.Of($"{manifest.Plan}, SHA-256 <code>{manifest.PlanSha256}</code>")),
            ("EnergyGrid", Markup.Of($"{manifest.Version}, {manifest.Runtime}")),
            ("Ended as", Markup.Of($"{manifest.Phase.ToString()}")),
            ("Submitted", Markup.Of($"{NumberText.Time(manifest.SubmittedUtc)} by {manifest.SubmittedBy}")),
            ("Ended", Markup.Of($"{(manifest.EndedUtc is { } ended ? NumberText.Time(ended) : "not ended")}")),
        ];
        var kinds = Items(manifest.Devices).GroupBy(d => (d.Model, d.Kind, d.Site, d.Driver, d.PowerLimitWatts, d.RatedWatts, d.EnergySource, d.EnergyProvenance, d.BandwidthBytesPerSecond, d.BandwidthProvenance, d.PeakFlopsPerSecond, d.MemoryBytes)).ToArray();
        var devices = kinds.Length == 0
            ? Markup.Of($"<p class=\"empty\">The manifest names no device.</p>")
            : Table("t-devices", Markup.Of($"Devices, those that are alike together."), "model",
                [new("count"), new("kind", "", false), new("site", "", false), new("driver", "", false), new("power limit", "W"), new("rated", "W"), new("memory", "GB"), new("bandwidth", "TB/s"), new("bandwidth is", "", false), new("peak", "TFLOP/s"), new("energy source", "", false), new("energy is", "", false)],
                [new DataGroup(null, [.. kinds.Select((k, i) => new DataRow(Markup.Of($"{k.Key.Model}"), $"d{i}",
                [
                    Count(k.Count()), DataCell.Text(k.Key.Kind.ToString().ToLowerInvariant()), DataCell.Text(k.Key.Site), DataCell.Text(k.Key.Driver),
                    DataCell.Number(NumberText.Significant(k.Key.PowerLimitWatts), k.Key.PowerLimitWatts), DataCell.Number(NumberText.Significant(k.Key.RatedWatts), k.Key.RatedWatts),
                    DataCell.Number(NumberText.Significant(k.Key.MemoryBytes / 1e9), k.Key.MemoryBytes), DataCell.Number(NumberText.Significant(k.Key.BandwidthBytesPerSecond / 1e12), k.Key.BandwidthBytesPerSecond),
                    new DataCell(Chip(k.Key.BandwidthProvenance)), DataCell.Number(NumberText.Significant(k.Key.PeakFlopsPerSecond / 1e12), k.Key.PeakFlopsPerSecond),
                    DataCell.Text(k.Key.EnergySource), new DataCell(Chip(k.Key.EnergyProvenance)),
                ]))])]);
        var identities = kinds.Length == 0 ? Markup.Empty : Markup.Of($"<h3>Device identities</h3><p class=\"identities\">{Markup.Join(Items(manifest.Devices).Select(d => Markup.Of($"<code>{d.Key}</code>")), " ")}</p>");
        var files = Items(manifest.Files).IsEmpty
            ? Markup.Of($"<p class=\"empty\">The manifest names no file.</p>")
            : Table("t-files", Markup.Of($"Files of this sweep and their checksums; <code>energygrid verify</code> checks them again."), "file", [new("size", "B"), new("SHA-256", "", false)],
                [new DataGroup(null, [.. manifest.Files.Select((f, i) => new DataRow(Markup.Of($"<code>{f.Name}</code>"), $"f{i}", [DataCell.Number(NumberText.Whole(f.Bytes), f.Bytes), new DataCell(Markup.Of($"<code>{f.Sha256}</code>"))]))])]);
        return Markup.Of($"<dl class=\"sheet\">{Markup.Join(lines.Select(l => Markup.Of($"<div><dt>{l.Name}</dt><dd>{l.Value}</dd></div>")))}</dl>{devices}{identities}{files}");
    }
}
