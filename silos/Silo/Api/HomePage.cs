using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Report;
using EnergyGrid.Sdk;
using Microsoft.AspNetCore.Http;

namespace EnergyGrid.Silo;

/// <summary>The page at <c>/</c>: what runs, on what, and where the results are. Made from the snapshots that the API has; whoever looks costs the grid no more than a reader of <c>/v1</c>.</summary>
internal sealed class HomePage(SiteSnapshots sites, DeviceSnapshots devices, SweepSnapshots sweeps, IStorageHealth storage, SiloOptions options, TimeProvider time)
{
    /// <summary>After how long a browser asks again, s.</summary>
    public const int RefreshSeconds = 10;

    /// <summary>A page is for a look: the rest is in <c>/v1</c>.</summary>
    public const int MostSweeps = 25, MostDevices = 256;

    /// <summary>A sweep that does not say how it stands within this is listed without it.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public async Task Show(HttpContext context)
    {
        var stop = context.RequestAborted;
        Markup body;
        var status = StatusCodes.Status200OK;
        try
        {
            var views = sites.Fresh().Sites.Values.ToImmutableArray();
            // What still runs is not hidden behind what has ended since.
            ImmutableArray<SweepLine> lines = [.. (await sweeps.List(stop)).OrderBy(l => l.Ended)];
            var standing = await Task.WhenAll(lines.Take(MostSweeps).Select(line => Standing(line, stop)));
            var (all, told) = await All(stop);
            body = Markup.Of($"""
                {Head(Lede(lines, standing, all))}
                <main>
                {Sweeps(lines, standing)}
                {Sites(views)}
                {Devices(all, told)}
                </main>
                """);
        }
        catch (UnreachableException e)
        {
            status = StatusCodes.Status503ServiceUnavailable;
            context.Response.Headers.RetryAfter = "1";
            body = Head(Markup.Of($"<p class=\"banner\">{e.Message}</p>"));
        }
        await PageFrame.Write(context, status, $"EnergyGrid · {options.Name}", Markup.Of($"""
            {body}
            <footer>
            <p><a href="openapi/v1.json">OpenAPI</a> <a href="v1/plans/schema">Schema of plans</a> <a href="metrics">Metrics</a> <a href="v1/version">Version</a></p>
            <p>The README and <code>docs/</code> that come with the program say what the figures mean; <code>docs/results.md</code> has every file, field and formula.
            This page shows itself anew every {RefreshSeconds} s; it was made {NumberText.Time(time.GetUtcNow())}.</p>
            </footer>
            """), RefreshSeconds);
    }

    private async Task<SweepStatus?> Standing(SweepLine line, CancellationToken stop)
    {
        try
        {
            return await sweeps.Status(line.Id, stop).WaitAsync(Patience, time, stop);
        }
        catch (Exception) when (!stop.IsCancellationRequested)
        {
            // One sweep that does not answer hides no other; whoever opens it is told why.
            return null;
        }
    }

    // What they do is asked of the sweeps, and one that does not answer takes no device off the page; then nothing is told of what runs.
    private async Task<(ImmutableArray<DeviceLine> Lines, bool Told)> All(CancellationToken stop)
    {
        try
        {
            return (await devices.All(stop).WaitAsync(Patience, time, stop), true);
        }
        catch (Exception e) when (e is not UnreachableException && !stop.IsCancellationRequested)
        {
            return ([.. sites.Fresh().Nodes.SelectMany(n => n.Inventory.Devices.Select(d => new DeviceLine(d, null, null, TrialPhase.Idle, null, null, n.Up, n.Up ? null : n.SinceUtc)))], false);
        }
    }

    private Markup Head(Markup lede)
    {
        var away = storage.Now is { Answers: false } trouble ? Markup.Of($"<p class=\"banner\">{trouble.Says}.</p>\n") : Markup.Empty;
        return Markup.Of($"""
            <header>
            <p class="kicker">EnergyGrid {GridApi.ProductVersion} · silo {options.Name}</p>
            <h1>The grid as it stands</h1>
            {away}{lede}
            </header>
            """);
    }

    private static Markup Lede(ImmutableArray<SweepLine> lines, SweepStatus?[] standing, ImmutableArray<DeviceLine> all)
    {
        var hosts = all.GroupBy(d => d.Device.Host).ToArray();
        var down = hosts.Count(h => h.Any(d => !d.Up));
        var missing = down > 0 ? $", {Count(down, "host")} down" : "";
        return Markup.Of($"<p class=\"lede\">{Count(lines.Length, "sweep")}{Live(lines, standing)} · {Count(all.Length, "device")} on {Count(hosts.Length, "host")}{missing}</p>");
    }

    // By what they do, of those that say it.
    private static string Live(ImmutableArray<SweepLine> lines, SweepStatus?[] standing)
    {
        var words = standing.OfType<SweepStatus>().Where(s => !s.HasEnded).CountBy(SweepWords.Phase).ToDictionary();
        var mute = lines.Where((l, i) => !l.Ended && standing.ElementAtOrDefault(i) is null).Count();
        return string.Concat(((string[])["running", "waiting", "paused", "queued"]).Where(words.ContainsKey).Select(w => $", {words[w]} {w}")) + (mute > 0 ? $", {mute} more live" : "");
    }

    private static Markup Sweeps(ImmutableArray<SweepLine> lines, SweepStatus?[] standing)
    {
        if (lines.IsEmpty) return Section("Sweeps", Markup.Of($"<p class=\"quiet\">None yet: <code>energygrid submit PLAN.yaml</code> begins one.</p>"));
        var rows = lines.Zip(standing, Sweep);
        var more = lines.Length > standing.Length ? Markup.Of($"<p class=\"quiet\">The newest {standing.Length} of {lines.Length}; <a href=\"v1/sweeps\">v1/sweeps</a> lists all.</p>") : Markup.Empty;
        return Section("Sweeps", Markup.Of($"{Table("sweeps", ["sweep", "state", "progress", "submitted", "results"], rows)}\n{more}"));
    }

    private static Markup Sweep(SweepLine line, SweepStatus? status) => Row(
        Markup.Of($"{line.Name}<span class=\"small\">{line.Id}</span>"),
        Cell("state", Phase(line, status)),
        Cell("progress", Progress(status)),
        Cell("submitted", Markup.Of($"{Minute(line.SubmittedUtc)}{Ended(status)}")),
        Cell("results", Markup.Of($"<span class=\"links\">{Results(line, status)}</span>")));

    private static Markup Phase(SweepLine line, SweepStatus? status)
    {
        if (status is null) return Markup.Of($"{(line.Ended ? "ended" : "live")}<span class=\"small\">it does not say how it stands just now</span>");
        var (name, why) = (SweepWords.Phase(status), SweepWords.Why(status));
        var word = status.Phase is SweepPhase.Paused or SweepPhase.FinishedWithFailures ? Markup.Of($"<span class=\"chip bad\">{name}</span>") : Markup.Of($"{name}");
        return why.Length > 0 ? Markup.Of($"{word}<span class=\"small\">{why}</span>") : word;
    }

    private static Markup Progress(SweepStatus? status)
    {
        if (status is null) return Markup.Of($"{NumberText.Absent}");
        var left = !status.HasEnded && double.IsFinite(status.SecondsLeft) ? $", about {Duration(status.SecondsLeft)} left" : "";
        var invalid = status.InvalidTrials > 0 ? $", {status.InvalidTrials.ToString(CultureInfo.InvariantCulture)} invalid" : "";
        var bar = status.HasEnded ? Markup.Empty : Markup.Of($"<progress max=\"{Math.Max(1, status.PlannedTrials)}\" value=\"{status.CommittedTrials}\" aria-label=\"trials kept\"></progress>");
        return Markup.Of($"{bar}{status.CommittedTrials} of {Count(status.PlannedTrials, "trial")}{invalid}{left}");
    }

    private static Markup Ended(SweepStatus? status) => status?.EndedUtc is { } ended ? Markup.Of($"<span class=\"small\">ended {Minute(ended)}</span>") : Markup.Empty;

    // Documents are written with the first complete pass: before the first trial there are none for certain.
    private static Markup Results(SweepLine line, SweepStatus? status)
    {
        if (status is { CommittedTrials: 0 }) return Markup.Of($"<span class=\"quiet\">none yet</span>");
        var place = $"v1/sweeps/{Uri.EscapeDataString(line.Id)}/files";
        return Markup.Join(((string[])["report.html", "matrix.json", "cells.csv"]).Select(f => Markup.Of($"<a href=\"{place}/{f}\">{f}</a>")), " ");
    }

    private static Markup Sites(ImmutableArray<SiteView> views)
    {
        if (views.IsEmpty) return Section("Sites", Markup.Of($"<p class=\"quiet\">None yet.</p>"));
        return Section("Sites", Table("sites", ["site", ">P_IT", ">P_facility", "facility over IT", "coverage", "energy is"], views.Select(Site)));
    }

    private static Markup Site(SiteView view)
    {
        if (view.Window == 0) return Markup.Of($"<tr><th scope=\"row\">{view.Site}</th><td colspan=\"5\" class=\"quiet\">no window has closed yet</td></tr>");
        return Row(
            Markup.Of($"{view.Site}"),
            Number("P_IT", $"{(double.IsFinite(view.ItWatts) && view.Coverage < SiteView.WholeCoverage ? "≥ " : "")}{Watts(view.ItWatts)}"),
            Number("P_facility", Watts(view.FacilityWatts)),
            Cell("facility over IT", Ratio(view)),
            Cell("coverage", Markup.Of($"{NumberText.Percent(view.Coverage, 3)}")),
            Cell("energy is", Chip(view.Provenance, "nothing read")));
    }

    // The ratio of energies under its standard's name where there is one; that of one window's powers is neither.
    private static Markup Ratio(SiteView view)
    {
        if (view.Ipue is { } energies)
        {
            var value = double.IsFinite(energies.Value) ? NumberText.WithInterval(energies.Value, energies.Low, energies.High) : NumberText.Interval(energies.Low, energies.High, 3);
            var over = Duration(energies.ToWindow - energies.FromWindow);
            return Markup.Of($"{energies.Name} {value} {Chip(energies.Provenance, "")}<span class=\"small\">category {energies.Category}, of energies over {over}; {energies.Edition}</span>");
        }
        return view.PowerRatio is { } powers
            ? Markup.Of($"{NumberText.Significant(powers, 4)}<span class=\"small\">of powers in one window: neither PUE nor iPUE</span>")
            : Markup.Of($"<span class=\"quiet\">no facility meter</span>");
    }

    private static Markup Devices(ImmutableArray<DeviceLine> all, bool told)
    {
        if (all.IsEmpty) return Section("Devices", Markup.Of($"<p class=\"quiet\">None: a silo started with --simulate 1x1x2 adds two simulated GPUs.</p>"));
        // Hosts at work first: of a big grid not all is shown.
        var hosts = all.GroupBy(d => d.Device.Host).OrderByDescending(h => h.Any(d => d.Trial is not null)).ThenBy(h => h.Key, StringComparer.Ordinal);
        var shown = new List<Markup>();
        var left = MostDevices;
        foreach (var host in hosts)
        {
            if (left <= 0) break;
            shown.Add(Host(host.Key, [.. host.OrderBy(d => d.Device.Index).Take(left)], told));
            left -= host.Count();
        }
        var more = all.Length > MostDevices ? Markup.Of($"<p class=\"quiet\">{MostDevices} of {all.Length}; <a href=\"v1/devices\">v1/devices</a> lists all.</p>") : Markup.Empty;
        return Section("Devices by host", Markup.Of($"{Markup.Join(shown, "\n")}\n{more}"));
    }

    private static Markup Host(string host, ImmutableArray<DeviceLine> lines, bool told)
    {
        var first = lines[0];
        var down = first.Up ? Markup.Empty : Markup.Of($" <em class=\"chip bad\">down since {Minute(first.DownSinceUtc ?? default)}</em>");
        return Markup.Of($"""
            <h3>{host} <span>rack {first.Device.Rack} at {first.Device.Site}</span>{down}</h3>
            {Table("devices", ["device", "model", ">power", ">limit", "energy is", "runs"], lines.Select(l => Device(l, told)))}
            """);
    }

    private static Markup Device(DeviceLine line, bool told)
    {
        var device = line.Device;
        var runs = !line.Up || !told ? Markup.Of($"<span class=\"quiet\">unknown</span>")
            : line.Trial is null ? Markup.Of($"<span class=\"quiet\">{NumberText.Absent}</span>")
            : Markup.Of($"{line.Trial}<span class=\"small\">{PhaseName(line.Phase)}, {line.Sweep}</span>");
        return Row(
            Markup.Of($"{device.Uuid}"),
            Cell("model", Markup.Of($"{device.Model}")),
            Number("power", Watts(line.Watts)),
            Number("limit", Watts(device.PowerLimitWatts)),
            Cell("energy is", Chip(device.EnergyProvenance, "")),
            Cell("runs", runs));
    }

    private static Markup Table(string kind, string[] columns, IEnumerable<Markup> rows) => Markup.Of($"""
        <table class="{kind}">
        <thead><tr>{Markup.Join(columns.Select(c => c.StartsWith('>') ? Markup.Of($"<th scope=\"col\" class=\"n\">{c[1..]}</th>") : Markup.Of($"<th scope=\"col\">{c}</th>")))}</tr></thead>
        <tbody>
        {Markup.Join(rows, "\n")}
        </tbody>
        </table>
        """);

    private static Markup Row(Markup name, params ReadOnlySpan<Markup> cells) => Markup.Of($"<tr><th scope=\"row\">{name}</th>{Markup.Join(cells.ToArray())}</tr>");

    // Where the page is narrow a row is a card, and the label stands beside the value.
    private static Markup Cell(string label, Markup content) => Markup.Of($"<td data-label=\"{label}\"><div>{content}</div></td>");

    private static Markup Number(string label, string value) => Markup.Of($"<td class=\"n\" data-label=\"{label}\">{value}</td>");

    private static Markup Section(string title, Markup content) => Markup.Of($"<section><h2>{title}</h2>\n{content}\n</section>");

    private static Markup Chip(Provenance? provenance, string none) =>
        provenance is { } known ? Markup.Of($"<span class=\"chip {Name(known)}\">{Name(known)}</span>") : Markup.Of($"<span class=\"chip nothing\">{none}</span>");

    private static string Name(Provenance provenance) => provenance.ToString().ToLowerInvariant();

    private static string PhaseName(TrialPhase phase) => phase switch
    {
        TrialPhase.WarmingUp => "warming up",
        TrialPhase.CoolingDown => "cooling down",
        _ => phase.ToString().ToLowerInvariant(),
    };

    private static string Count(int count, string what) => $"{count.ToString(CultureInfo.InvariantCulture)} {what}{(count == 1 ? "" : "s")}";

    private static string Watts(double? watts) => watts is not { } w || !double.IsFinite(w) ? NumberText.Absent
        : Math.Abs(w) >= 1e6 ? NumberText.Fixed(w / 1e6, 3) + " MW" : Math.Abs(w) >= 1e4 ? NumberText.Fixed(w / 1e3, 1) + " kW" : NumberText.Fixed(w, 0) + " W";

    private static string Duration(double seconds) => seconds < 90 ? NumberText.Fixed(Math.Max(0, seconds), 0) + " s" : seconds < 5400 ? NumberText.Fixed(seconds / 60, 0) + " min" : NumberText.Fixed(seconds / 3600, 1) + " h";

    private static string Minute(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
}
