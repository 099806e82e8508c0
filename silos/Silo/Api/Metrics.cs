using System.Globalization;
using System.Text;
using EnergyGrid.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace EnergyGrid.Silo;

/// <summary>
/// The page that Prometheus scrapes, made from snapshots alone. Labels are sites and racks; single devices appear only while they run a trial
/// and only up to <see cref="MaxDevices"/>, so that a big grid is no bigger page.
/// </summary>
internal sealed class Metrics(SiteSnapshots sites, SweepSnapshots sweeps, IStorageHealth storage, TimeProvider time)
{
    public const int MaxDevices = 64;

    public async Task<ContentHttpResult> Page(CancellationToken stop)
    {
        var snapshot = sites.Current.Value;
        var page = new StringBuilder();
        Family(page, "energygrid_build_info", "gauge", "Version of this silo.", [(Labels("version", GridApi.ProductVersion), 1)]);
        var views = snapshot.Sites.Values;
        // Beside the figures and not in their labels: a counter whose provenance changes stays the same counter. Nothing is claimed before something was read.
        Family(page, "energygrid_site_provenance_info", "gauge", "How the energies of the latest closed window came about, the worst of any part; absent while nothing was read.",
            views.Where(v => v.Provenance is not null).Select(v => (Labels("site", v.Site, "provenance", Name(v.Provenance!.Value)), 1.0)));
        Family(page, "energygrid_site_it_watts", "gauge", "P_IT of what was read over the latest closed window, W: a lower bound where energygrid_site_coverage_ratio is below 1; absent where nothing was read.",
            views.Where(v => double.IsFinite(v.ItWatts)).Select(v => (Labels("site", v.Site), v.ItWatts)));
        Family(page, "energygrid_site_facility_watts", "gauge", "P_facility over the latest closed window, W.",
            views.Where(v => v.FacilityWatts is not null).Select(v => (Labels("site", v.Site), v.FacilityWatts!.Value)));
        Family(page, "energygrid_site_power_ratio", "gauge", "P_facility over P_IT in one window: a ratio of powers, neither PUE nor ipue.",
            views.Where(v => v.PowerRatio is not null).Select(v => (Labels("site", v.Site), v.PowerRatio!.Value)));
        Family(page, "energygrid_site_ipue", "gauge", "E_facility over E_IT of all closed windows of the period.",
            views.Where(v => v.Ipue is not null).Select(v => (Labels("site", v.Site, "category", v.Ipue!.Category.ToString(CultureInfo.InvariantCulture)), v.Ipue!.Value)));
        Family(page, "energygrid_site_coverage_ratio", "gauge", "Energy-weighted IT coverage of the latest window, 0 to 1.", views.Select(v => (Labels("site", v.Site), v.Coverage)));
        Family(page, "energygrid_site_it_joules_total", "counter", "IT energy since the period began, J.", views.Select(v => (Labels("site", v.Site), v.TotalItJoules)));
        Family(page, "energygrid_site_windows_total", "counter", "Closed windows.", views.Select(v => (Labels("site", v.Site), (double)v.Windows)));
        Family(page, "energygrid_site_revisions_total", "counter", "Closed windows that late data revised.", views.Select(v => (Labels("site", v.Site), (double)v.Revisions)));
        Family(page, "energygrid_site_window_age_seconds", "gauge", "Age of the end of the latest closed window, s.",
            views.Where(v => v.Window > 0).Select(v => (Labels("site", v.Site), (time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds - v.Window - 1)));
        Family(page, "energygrid_site_closure_residual_ratio", "gauge", "(upper - lower) / upper at each level of the meter tree.",
            views.SelectMany(v => v.Closure.Select(c => (Labels("site", v.Site, "level", c.Level), c.Fraction))));
        var racks = views.SelectMany(v => v.Racks.Select(r => (Site: v.Site, Rack: r))).ToArray();
        Family(page, "energygrid_rack_it_watts", "gauge", "P_IT of a rack, of what was read over the latest closed window, W: a lower bound where its coverage is below 1; absent where nothing was read.",
            racks.Where(r => double.IsFinite(r.Rack.ItWatts)).Select(r => (Labels("site", r.Site, "rack", r.Rack.Rack), r.Rack.ItWatts)));
        Family(page, "energygrid_rack_coverage_ratio", "gauge", "Energy-weighted coverage of a rack, 0 to 1.", racks.Select(r => (Labels("site", r.Site, "rack", r.Rack.Rack), r.Rack.Coverage)));
        Family(page, "energygrid_rack_missing_sources", "gauge", "Sources of a rack that were silent.", racks.Select(r => (Labels("site", r.Site, "rack", r.Rack.Rack), (double)r.Rack.Missing)));
        Family(page, "energygrid_devices", "gauge", "Devices of nodes that are up, by site and hardware class.",
            snapshot.DevicesUp.GroupBy(d => (d.Site, d.Model)).Select(g => (Labels("site", g.Key.Site, "model", g.Key.Model), (double)g.Count())));
        Family(page, "energygrid_nodes", "gauge", "Nodes by site and whether they are up.",
            snapshot.Nodes.GroupBy(n => (n.Inventory.Site, n.Up)).Select(g => (Labels("site", g.Key.Site, "state", g.Key.Up ? "up" : "down"), (double)g.Count())));
        Family(page, "energygrid_site_gap_seconds", "gauge", "How much of the period nobody drove the site, s.", views.Select(v => (Labels("site", v.Site), (double)v.GapSeconds)));
        Family(page, "energygrid_storage_answers", "gauge", "Whether what keeps the grid's state answers this silo.", [(Labels("kind", storage.Now.Kind), storage.Now.Answers ? 1 : 0)]);
        await Sweeps(page, stop);
        return TypedResults.Text(page.ToString(), "text/plain; version=0.0.4; charset=utf-8");
    }

    private async Task Sweeps(StringBuilder page, CancellationToken stop)
    {
        var all = await sweeps.List(stop);
        var live = await sweeps.Live(stop);
        Family(page, "energygrid_sweeps", "gauge", "Sweeps by whether they have ended.",
            [(Labels("state", "live"), all.Count(l => !l.Ended)), (Labels("state", "ended"), all.Count(l => l.Ended))]);
        Family(page, "energygrid_sweep_trials", "gauge", "Trials of the sweeps that have not ended.", live.Take(MaxDevices).SelectMany(s => new[]
        {
            (Labels("sweep", s.Id, "state", "planned"), (double)s.PlannedTrials),
            (Labels("sweep", s.Id, "state", "valid"), s.ValidTrials),
            (Labels("sweep", s.Id, "state", "invalid"), s.InvalidTrials),
        }));
        var running = live.SelectMany(s => s.Running).OrderBy(r => r.Device, StringComparer.Ordinal).DistinctBy(r => r.Device).ToArray();
        Family(page, "energygrid_devices_running", "gauge", "Device groups that run a trial now.", [("", running.Length)]);
        Family(page, "energygrid_device_watts", "gauge", $"Power of devices that run a trial, W; at most {MaxDevices} of them.",
            running.Where(r => double.IsFinite(r.Watts)).Take(MaxDevices).Select(r => (Labels("device", r.Device), r.Watts)));
    }

    private static void Family(StringBuilder page, string name, string kind, string help, IEnumerable<(string Labels, double Value)> series)
    {
        page.Append("# HELP ").Append(name).Append(' ').Append(help).Append("\n# TYPE ").Append(name).Append(' ').Append(kind).Append('\n');
        foreach (var (labels, value) in series)
            page.Append(name).Append(labels).Append(' ').Append(double.IsNaN(value) ? "NaN" : value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
    }

    private static string Labels(params ReadOnlySpan<string> pairs)
    {
        var text = new StringBuilder("{");
        for (var i = 0; i < pairs.Length; i += 2)
            text.Append(i > 0 ? "," : "").Append(pairs[i]).Append("=\"").Append(pairs[i + 1].Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n")).Append('"');
        return text.Append('}').ToString();
    }

    private static string Name(Provenance provenance) => provenance.ToString().ToLowerInvariant();
}
