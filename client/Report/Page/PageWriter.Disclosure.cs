using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

internal sealed partial class PageWriter
{
    private static readonly string[] MethodNotes =
    [
        "The unit is a device group. In a pass every configuration of a match group runs once on the same devices, in random order balanced for carry-over. Ratios use only passes in which both cell and baseline are valid.",
        "A ratio is the exponential of the mean log ratio: averaged within a device group, then over the device groups of a node, then over nodes. The independent units are nodes where there are two or more; with one node device groups (“this node”), with one device group passes (“this device”), with one pass there is no interval.",
        "An interval holds the scatter of the units (type A) and a bound of what the sensors may hide (type B), combined so that it covers whatever the bias within its bound. The pairwise interval answers for one ratio, the simultaneous one (Bonferroni) for all ratios of the matrix together. Holm’s adjusted p-value decides whether a ratio is resolved, and makes no interval.",
        "A ratio is called resolved only if its energies are measured, both cells meet their s*, it exceeds the resolution and Holm’s adjusted p-value is at most 5 %. Whatever misses its s* is shown, marked, and counted in no headline.",
        "J per token and layer is the slope of step energy over numbers of layers L', divided by the batch; where only one L' fits, the intercept is in it, and the cell says so. Whole-model figures are projected, without embedding and interconnect.",
        "A window’s energy is the difference of an energy counter where there is one, else the trapezoid of power. A gap of power is never interpolated, and coverage is carried with every energy; a counter bridges a gap, and a trial in which nothing was read for a second is not valid.",
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

        return Markup.Of($"""
            <p class="warning" role="note"><strong>Unmatched, the paper’s layout — not a controlled comparison.</strong> Rows differ in batch, context or model, so a ratio mixes effects.
            Where published values stand, they are other people’s figures from other hardware and serving stacks: only their shape may be compared.</p>
            {Markup.Join(panels.Select(Panel))}
            """);
    }

    private Markup Panel(MatrixPanel panel, int index)
    {
        var rows = Items(panel.Rows);
        var columns = new (DataColumn Column, Func<PanelRow, double?> Value)[]
        {
            (new("ratio, unmatched"), r => r.UnmatchedRatio), (new("J/token", "projected"), r => r.ProjectedJoulesPerToken), (new("published", "J/token"), r => r.PublishedJoulesPerToken),
        }.Where(c => rows.Any(r => c.Value(r) is { } v && double.IsFinite(v))).ToArray();
        var table = Table($"t-panel{index}", Markup.Of($"{panel.Title}. Unmatched: no intervals, no claim."), "cell", [.. columns.Select(c => c.Column), new DataColumn("estimator", "", false), new DataColumn("energy is", "", false)],
            [new DataGroup(null, [.. rows.Select((r, j) =>
            {
                var row = Items(matrix.Groups).Where(g => g.Name == r.Group).SelectMany(g => Items(g.Rows)).FirstOrDefault(x => x.Label == r.Label);
                return new DataRow(Markup.Of($"<span class=\"cell\">{r.Label}</span><span class=\"detail\">{r.Group}{(r.Notes.IsDefaultOrEmpty ? "" : $" · {string.Join("; ", r.Notes)}")}</span>"), $"p{index}-{j}",
                [
                    .. columns.Select(c => DataCell.Number(NumberText.Significant(c.Value(r)), c.Value(r))),
                    DataCell.Text(row is not null && Verdicts.HasFigure(row) ? Verdicts.Estimator(row) : NumberText.Absent),
                    new DataCell(row is null ? Markup.Of($"{NumberText.Absent}") : Chip(row.Provenance)),
                ]);
            })])]);
        var note = Verdicts.PublishedNote(matrix, panel);
        return Markup.Of($"{table}{(note.Length == 0 ? Markup.Empty : Markup.Of($"<p class=\"aside\">{note}</p>"))}");
    }

    private Markup Checklist()
    {
        var d = matrix.Disclosure;
        (string Item, string Value)[] stated =
        [
            ("q*: quality target", d.Quality),
            ("q*: how it was checked", d.QualityCheck),
            ("s*: service target", Services()),
            ("workload mix", d.WorkloadMix),
            ("batching protocol", d.Batching),
            ("hardware setup", d.Hardware),
            ("energy-accounting boundary", Word(d.Boundary)),
        ];
        var items = Items(matrix.Checklist);
        var missing = items.Count(c => c.State == DisclosureState.Missing);
        var idle = items.Count(c => c.State == DisclosureState.NotApplicable);
        var summary = items.IsEmpty ? "The matrix carries no checklist."
            : $"{items.Count(c => c.State == DisclosureState.Disclosed)} of {Verdicts.Count(items.Length, "item")} disclosed, {missing} missing, {idle} not applicable{(missing > 0 ? ": what is missing is a reviewable gap" : "")}.";
        return Markup.Of($"""
            <h3>What the plan states</h3>
            <dl class="sheet">{Markup.Join(stated.Select(s => Markup.Of($"<div><dt>{s.Item}</dt><dd>{(string.IsNullOrWhiteSpace(s.Value) ? NumberText.Absent : s.Value)}</dd></div>")))}</dl>
            <h3>The reporting agenda</h3>
            <p>{summary}</p>
            {(items.IsEmpty ? Markup.Empty : Markup.Of($"<ul class=\"checklist\">{Markup.Join(items.Select(Item))}</ul>"))}
            """);
    }

    private static Markup Item(ChecklistItem item)
    {
        var (kind, tick, word) = item.State switch
        {
            DisclosureState.Disclosed => ("present", "✓", "disclosed"),
            DisclosureState.Missing => ("missing", "✗", "missing"),
            _ => ("moot", "–", "not applicable"),
        };
        return Markup.Of($"<li class=\"{kind}\"><span class=\"tick\" aria-hidden=\"true\">{tick}</span><span class=\"item\">{item.Item}</span><span class=\"state\">{word}</span><span class=\"said\">{(string.IsNullOrWhiteSpace(item.Value) ? NumberText.Absent : item.Value)}</span></li>");
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
        var qualified = Items(manifest.Devices).Where(d => d.Qualification is not null).GroupBy(d => (d.Model, d.Qualification!.OffsetSource, d.Qualification.Method)).ToArray();
        var qualification = qualified.Length == 0 ? Markup.Empty : Table("t-qualification", Markup.Of($"What is known of the devices’ sensors, those of one kind together: the least and the largest."), "model",
            [new("count"), new("update period", "s"), new("alias", "u"), new("counter against power"), new("offset", "±W"), new("non-linearity", "±W"), new("offset rests on", "", false), new("method", "", false)],
            [new DataGroup(null, [.. qualified.Select((k, i) => new DataRow(Markup.Of($"{k.Key.Model}"), $"q{i}",
            [
                Count(k.Count()), Range(k, q => q.UpdatePeriodSeconds, NumberText.Stated), Range(k, q => q.Alias, v => NumberText.Percent(v)), Range(k, q => q.CounterResidual, v => NumberText.Percent(v)),
                Range(k, q => q.OffsetWatts, NumberText.Stated), Range(k, q => q.NonLinearityWatts, NumberText.Stated), DataCell.Text(k.Key.OffsetSource), DataCell.Text(k.Key.Method),
            ]))])]);
        var identities = kinds.Length == 0 ? Markup.Empty : Markup.Of($"<h3>Device identities</h3><p class=\"identities\">{Markup.Join(Items(manifest.Devices).Select(d => Markup.Of($"<code>{d.Key}</code>")), " ")}</p>");
        var files = Items(manifest.Files).IsEmpty
            ? Markup.Of($"<p class=\"empty\">The manifest names no file.</p>")
            : Table("t-files", Markup.Of($"Files of this sweep and their checksums; <code>energygrid verify</code> checks them again."), "file", [new("size", "B"), new("SHA-256", "", false)],
                [new DataGroup(null, [.. manifest.Files.Select((f, i) => new DataRow(Markup.Of($"<code>{f.Name}</code>"), $"f{i}", [DataCell.Number(NumberText.Whole(f.Bytes), f.Bytes), new DataCell(Markup.Of($"<code>{f.Sha256}</code>"))]))])]);
        return Markup.Of($"<dl class=\"sheet\">{Markup.Join(lines.Select(l => Markup.Of($"<div><dt>{l.Name}</dt><dd>{l.Value}</dd></div>")))}</dl>{devices}{qualification}{identities}{files}");
    }

    private static DataCell Range(IEnumerable<DeviceInfo> devices, Func<SensorQualification, double> value, Func<double, string> text)
    {
        var known = devices.Select(d => value(d.Qualification!)).Where(double.IsFinite).ToArray();
        if (known.Length == 0)
        {
            return DataCell.Text(NumberText.Absent);
        }

        var (low, high) = (text(known.Min()), text(known.Max()));
        return DataCell.Number(low == high ? low : $"{low} to {high}", known.Max());
    }
}
