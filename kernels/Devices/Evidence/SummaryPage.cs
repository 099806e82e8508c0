using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Devices.Evidence;

/// <summary><c>summary.md</c> and <c>summary.json</c>: what ran, on what, what was found, and the command that prints it.</summary>
public static class SummaryPage
{
    /// <summary>Said of everything that comes from an emulated device.</summary>
    public const string EmulatedBanner = "emulated: timings and energies mean nothing";

    /// <summary>Said of everything that comes from a simulated device.</summary>
    public const string SimulatedBanner = "simulated: every figure is modelled, nothing ran on a GPU";

    /// <summary>What stands above all figures; null for a GPU.</summary>
    public static string? Banner(BenchKind kind) => kind switch { BenchKind.Emulated => EmulatedBanner, BenchKind.Simulated => SimulatedBanner, _ => null };

    public static string Of(IReadOnlyList<IEvidenceSection> sections, EvidenceOutcome outcome)
    {
        var (state, d) = (outcome.State, outcome.State.Device);
        var page = new StringBuilder();
        void Line(string line = "") => page.Append(line).Append('\n');
        Line($"# Evidence from {d.Name}");
        Line();
        if (Banner(d.Kind) is { } banner)
        {
            Line($"**{banner}.** No bar is judged.");
            Line();
        }
        Line("| | |");
        Line("|---|---|");
        Line($"| device | {d.Name} (`{d.Uuid}`, index {Int(d.Index)}), {d.Model} |");
        Line($"| host | {state.Host} |");
        Line($"| driver | {d.Driver}{(d.CudaVersion.Length > 0 ? $", CUDA {d.CudaVersion}" : "")}{(d.ComputeCapability.Length > 0 ? $", compute capability {d.ComputeCapability}" : "")} |");
        Line($"| memory, cache, multiprocessors | {Text.Number(d.MemoryBytes / 1e9)} GB, {Text.Number(d.CacheBytes / 1e6)} MB, {Int(d.Multiprocessors)} |");
        Line($"| power limit | {Text.Number(d.PowerLimitWatts)} W |");
        Line($"| energy | {d.EnergySource} |");
        Line($"| software | {state.Software} |");
        if (d.KernelsSha256.Length > 0) Line($"| kernels | SHA-256 `{d.KernelsSha256}` |");
        Line($"| begun, last call ended | {Utc(state.StartedUtc)}, {Utc(state.Calls[^1].EndedUtc)}, {Int(state.Calls.Length)} calls |");
        Line($"| seed of all data | {state.Seed.ToString(CultureInfo.InvariantCulture)} |");
        Line();
        foreach (var hindrance in state.Calls.Select(c => c.Hindrance).OfType<string>().Distinct())
        {
            Line($"**In the way:** {hindrance}.");
            Line();
        }
        Line("| section | verdict | finding | printed by |");
        Line("|---|---|---|---|");
        foreach (var section in sections)
        {
            var found = outcome.Reports.FirstOrDefault(r => r.Section == section);
            var command = $"`{CommandFor(section.Name, state.Brief)}`";
            if (found.Report is { } report) Line($"| {section.Name} | {Word(report.Verdict)} | {Cell(report.Headline)} | {command} |");
            else if (outcome.Unfinished.FirstOrDefault(u => u.Section == section) is { Report: not null } begun) Line($"| {section.Name} | unfinished | {Cell(begun.Needs)} | {command} |");
            else Line($"| {section.Name} | has not run | — | {command} |");
        }
        Line();
        foreach (var (section, report) in outcome.Reports) page.Append(OfSection(section.Title, report, d.Kind, finished: true, "##")).Append('\n');
        foreach (var begun in outcome.Unfinished.Where(u => u.Report is not null)) page.Append(OfSection(begun.Section.Title, begun.Report!, d.Kind, finished: false, "##")).Append('\n');
        return page.ToString().TrimEnd('\n') + "\n";
    }

    /// <summary>The page of one section.</summary>
    public static string OfSection(string title, SectionReport report, BenchKind kind, bool finished, string heading = "#")
    {
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $"{heading} {title}\n\n**{(finished ? Word(report.Verdict) : report.Verdict == SectionVerdict.Wrong ? "unfinished, and WRONG so far" : "unfinished")}.** {report.Headline}\n");
        if (Banner(kind) is { } banner && !report.Tables.IsEmpty) page.Append(CultureInfo.InvariantCulture, $"\n*{banner}*\n");
        foreach (var table in report.Tables)
        {
            page.Append(CultureInfo.InvariantCulture, $"\n{table.Title}\n\n| {string.Join(" | ", table.Columns.Select(Cell))} |\n|{string.Concat(table.Columns.Select(_ => "---|"))}\n");
            foreach (var row in table.Rows) page.Append(CultureInfo.InvariantCulture, $"| {string.Join(" | ", row.Select(Cell))} |\n");
        }
        if (!report.Notes.IsEmpty) page.Append('\n');
        foreach (var note in report.Notes) page.Append(CultureInfo.InvariantCulture, $"- {note}\n");
        return page.ToString();
    }

    /// <summary>The same for programs.</summary>
    public static object Document(IReadOnlyList<IEvidenceSection> sections, EvidenceOutcome outcome) => new
    {
        format = EvidenceState.CurrentFormat,
        banner = Banner(outcome.State.Device.Kind),
        finished = sections.All(s => outcome.Reports.Any(r => r.Section == s)),
        left = outcome.Left,
        unfinished = outcome.Unfinished.Select(u => new { u.Section.Name, done = u.Done, missing = u.Missing, seconds = Math.Ceiling(u.Seconds) }),
        device = outcome.State.Device,
        host = outcome.State.Host,
        software = outcome.State.Software,
        startedUtc = outcome.State.StartedUtc,
        sections = outcome.Reports.Select(r => new { r.Section.Name, r.Section.Title, r.Report.Verdict, r.Report.Headline, r.Report.Figures, r.Report.Tables, r.Report.Notes }),
    };

    /// <summary>A verdict in words.</summary>
    public static string Word(SectionVerdict verdict) => verdict switch
    {
        SectionVerdict.Shown => "shown",
        SectionVerdict.NotRun => "not run",
        SectionVerdict.BarMissed => "a bar was not reached",
        _ => "WRONG",
    };

    private static string CommandFor(string section, bool brief) => EvidenceParts.Of(section) is { } part && brief
        ? string.Create(CultureInfo.InvariantCulture, $"energygrid gpu-evidence --out DIR --part {part}")
        : $"energygrid gpu-evidence --out DIR --only {section}";

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal).Replace('\n', ' ');

    private static string Int(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Utc(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
