using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

/// <summary>Writes the page in reading order: what it is, the matrix, intervals, absolute values, causes, evidence, disclosure, method, provenance of the files.</summary>
internal sealed partial class PageWriter(Matrix matrix, Manifest manifest, IReadOnlyList<PowerTrace> traces, IReadOnlyList<SweepEvent> events)
{
    private readonly List<(string Id, string Title)> _contents = [];
    private int _figures;
    private int _tables;

    public Standing Standing { get; } = Standing.Of(matrix);

    public Markup Body()
    {
        // Sections first: the table of contents needs their titles.
        Markup[] sections =
        [
            Section("matrix", "The matrix", HeatMap()),
            Section("ratios", "Ratios and their intervals", Ratios()),
            Section("energy", HasServing ? "Energy per token" : "Energy per token and layer", Energy()),
            Section("serving", "Serving engines", ServingSection()),
            Section("uncertainty", "Uncertainty budget", Budget()),
            Section("constraint", "Binding constraint and ceilings", Constraint()),
            Section("throughput", "Throughput, service and quality", Throughput()),
            Section("pareto", "Energy against throughput", Pareto()),
            Section("phi", "System efficiencies Φ", Phi()),
            Section("power", "Power traces", Power()),
            Section("repeatability", "Repeatability (A/A)", Repeatability()),
            Section("replication", "Replication", Replication()),
            Section("invalidations", "Invalidations and flags", Invalidations()),
            Section("closure", "Energy closure", Closure()),
            Section("facility", "Facility ratio", Facility()),
            Section("unmatched", "Unmatched layouts", Panels(), "apart"),
            Section("disclosure", "Disclosure checklist", Checklist()),
            Section("method", "Method", Method()),
            Section("manifest", "Manifest", ManifestTables()),
        ];
        return Markup.Of($"""
            <a class="skip" href="#matrix">Skip to the matrix</a>
            <header>
            <p class="kicker">EnergyGrid · controlled energy-per-token matrix</p>
            <h1>{matrix.Plan}</h1>
            {Banner()}
            <p class="lede">{Verdicts.Overview(matrix)}</p>
            {Facts()}
            </header>
            <nav aria-label="Contents"><ol>{Markup.Join(_contents.Select(c => Markup.Of($"<li><a href=\"#{c.Id}\">{c.Title}</a></li>")))}</ol></nav>
            <main>
            {Markup.Join(sections, "\n")}
            </main>
            <footer><p>{Standing.Word}. Sweep {matrix.Sweep}, written {NumberText.Time(matrix.GeneratedUtc)} by EnergyGrid {manifest.Version}. Plan {Hash(matrix.PlanSha256)}.</p></footer>
            """);
    }

    private static string Key(int group, int row) => $"c{group}-{row}";

    private static ImmutableArray<T> Items<T>(ImmutableArray<T> items) => items.IsDefault ? [] : items;

    private static string Group(MatrixGroup group) => $"{group.Name} · {group.Hardware}";

    private static Markup Hash(string sha256) => Markup.Of($"<code>{Svg.Short(sha256, 13)}</code>");

    private static Markup Chip(Provenance? provenance) =>
        Markup.Of($"<span class=\"chip {provenance?.ToString().ToLowerInvariant() ?? "nothing"}\">{Standing.OfEnergy(provenance)}</span>");

    private static Markup Chip(Standing standing) => Markup.Of($"<span class=\"chip {Kind(standing)}\">{standing.Word.ToLowerInvariant()}</span>");

    private static string Kind(Standing standing) => standing.Measured ? "measured" : standing.None ? "nothing" : "modelled";

    private Markup Section(string id, string title, Markup content, string kind = "")
    {
        if (content.IsEmpty)
        {
            return Markup.Empty;
        }

        _contents.Add((id, title));
        return Markup.Of($"<section id=\"{id}\" class=\"{kind}\" aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">{title}</h2>\n{content}\n</section>");
    }

    private Markup Table(string id, Markup caption, string rowHeader, IReadOnlyList<DataColumn> columns, IReadOnlyList<DataGroup> groups, Footnotes? notes = null) =>
        new DataTable(id, Markup.Of($"<b>Table {++_tables}.</b> {caption}"), rowHeader, columns, groups, notes).Render();

    private Markup Figure(Markup drawings, Markup caption) =>
        Markup.Of($"<figure><div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Figure {++_figures}\">{drawings}</div><figcaption><b>Figure {_figures}.</b> {caption}</figcaption></figure>");

    /// <summary>A line per cell of every match group, with its name, what it runs and how its energy came about.</summary>
    /// <param name="cells">The cells of a line.</param>
    /// <param name="which">Which rows; all if null. A group without any is left out.</param>
    /// <param name="own">Whether the line itself says how its numbers came about, so that the name does not.</param>
    /// <param name="beside">What else stands below the name, where it is seen however far the line is scrolled.</param>
    private IReadOnlyList<DataGroup> PerCell(
        Func<MatrixGroup, MatrixRow, IReadOnlyList<DataCell>> cells, Func<MatrixGroup, MatrixRow, bool>? which = null, bool own = false, Func<MatrixRow, Markup>? beside = null) =>
        [.. Items(matrix.Groups).Select((g, i) => new DataGroup(Group(g), [.. Items(g.Rows).Select((r, j) => (Row: r, Index: j))
            .Where(r => which?.Invoke(g, r.Row) ?? true)
            .Select(r => new DataRow(Markup.Of($"{CellName(r.Row, own)}{beside?.Invoke(r.Row) ?? Markup.Empty}"), Key(i, r.Index), cells(g, r.Row)))]))];

    private Markup CellName(MatrixRow row, bool own)
    {
        var twin = row.TwinOf is null ? Markup.Empty : Markup.Of($" <span class=\"twin\">A/A twin of {row.TwinOf}</span>");
        var late = Verdicts.Misses(row) ? Markup.Of($"<span class=\"late\" title=\"misses its s*\"> {Verdicts.MissesService}</span>") : Markup.Empty;
        var chip = Standing.Mixed && !own ? Markup.Of($" {Chip(row.Provenance)}") : Markup.Empty;
        return Markup.Of($"<span class=\"cell\">{row.Label}</span>{late}{twin}{chip} <span class=\"detail\">{Verdicts.Configuration(row)}</span>");
    }

    private Markup Banner()
    {
        var difference = Verdicts.Difference(matrix);
        var apart = difference.Length == 0 ? Markup.Empty : Markup.Of($"<p class=\"difference\" role=\"note\"><strong>Not as disclosed:</strong> {difference}</p>");
        var state = manifest.Phase == SweepPhase.Cancelled ? ("CANCELLED", "The sweep was cancelled: cells may lack passes that the plan asks for.")
            : matrix.Complete ? ("", "") : ("INCOMPLETE", "The sweep had not ended when this page was written. Cells may still gain passes.");
        var incomplete = state.Item1.Length == 0 ? Markup.Empty : Markup.Of($"<div class=\"banner incomplete\" role=\"note\"><strong>{state.Item1}</strong><p>{state.Item2}</p></div>");
        return Markup.Of($"<div class=\"banner {Kind(Standing)}\" role=\"note\" id=\"provenance\"><strong>{Standing.Word}</strong><p>{Standing.Sentence}</p></div>{apart}{incomplete}");
    }

    private Markup Facts()
    {
        var d = matrix.Disclosure;
        (string Name, Markup Value)[] facts =
        [
            ("Sweep", Markup.Of($"{matrix.Sweep}")),
            ("Submitted", Markup.Of($"{NumberText.Time(manifest.SubmittedUtc)} by {manifest.SubmittedBy}")),
            ("Boundary", Markup.Of($"{d.Boundary.ToString().ToLowerInvariant()}")),
            ("Service target s*", Markup.Of($"{Services()}")),
            ("Quality target q*", Markup.Of($"{d.Quality}")),
            ("Ran on", Markup.Of($"{RanOn()}")),
            ("Plan", Hash(matrix.PlanSha256)),
        ];
        return Markup.Of($"<dl class=\"facts\">{Markup.Join(facts.Select(f => Markup.Of($"<div><dt>{f.Name}</dt><dd>{f.Value}</dd></div>")))}</dl>");
    }

    // Match groups may have their own.
    private string Services()
    {
        var d = matrix.Disclosure;
        var all = Items(matrix.Groups).SelectMany(g => Items(g.Rows)).Select(r => (Milliseconds: r.ServiceMilliseconds, Statistic: r.ServiceStatistic)).ToArray();
        return string.Join("; ", (all.Length > 0 ? all : [(d.ServiceMilliseconds, d.ServiceStatistic)]).Where(s => double.IsFinite(s.Milliseconds)).Distinct().GroupBy(s => s.Statistic, StringComparer.Ordinal)
            .Select(s => $"{string.Join(", ", s.Select(x => NumberText.Significant(x.Milliseconds)))} ms per token ({s.Key})"));
    }

    private string RanOn()
    {
        var r = matrix.RanOn;
        if (r.Devices == 0)
        {
            return "nothing: no trial is valid";
        }

        var limits = Items(r.PowerLimitsWatts).Where(double.IsFinite).Select(w => $"{NumberText.Significant(w)} W").ToArray();
        string[] parts =
        [
            $"{Verdicts.Count(r.Devices, "device")} of {Verdicts.Count(r.Nodes, "node")} in {Verdicts.Count(r.Racks, "rack")}: {string.Join(", ", Items(r.Models))}",
            string.Join(", ", Items(r.Drivers)), limits.Length == 0 ? "" : $"limit {string.Join(", ", limits)}",
        ];
        return string.Join("; ", parts.Where(p => p.Length > 0));
    }
}
