using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Report;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary>A drawn screen.</summary>
/// <param name="Lines">From the top.</param>
/// <param name="Rows">Lines that the list of devices has.</param>
/// <param name="Room">How many of them are seen at once.</param>
internal sealed record TopFrame(ImmutableArray<InkLine> Lines, int Rows, int Room);

/// <summary>
/// The live grid as lines, from what is known of it and the size of the terminal alone: sites, sweeps, devices. Nothing here asks anybody or draws anything.
/// </summary>
internal static class TopPage
{
    /// <summary>A terminal of no height, for one whole page.</summary>
    public const int Endless = int.MaxValue;

    private const int MostSites = 3;
    private const int BarCells = 20;

    /// <summary>Below this width phases are said by their first letters.</summary>
    private const int Narrow = 60;

    // In the order in which they stand; the rank says which goes first where there is no room.
    private static readonly Column[] DeviceColumns =
    [
        new("DEVICE", Rank: 0, Least: 8, Comfort: 32), new("OF LIMIT", Rank: 2, Least: 4, Comfort: 8), new("POWER", Right: true, Rank: 1), new("LIMIT", Right: true, Rank: 9, Late: true),
        new("TEMP", Right: true, Rank: 3), new("CLOCK", Right: true, Rank: 6, Late: true), new("DOING", Rank: 4, Least: 8, Comfort: 17), new("CELL", Rank: 5, Least: 8, Comfort: 28, Late: true),
        new("SWEEP", Rank: 7, Least: 12, Comfort: 32, Late: true), new("ENERGY IS", Rank: 8, Late: true), new("UTIL", Right: true, Rank: 6, Late: true), new("USED", Right: true, Rank: 10, Late: true), new("MEMORY", Right: true, Rank: 10, Late: true), new("MODEL", Rank: 11, Late: true),
    ];

    private static readonly Column[] SweepColumns =
    [
        new("SWEEP", Rank: 0, Least: 12, Comfort: 32), new("PHASE", Rank: 4, Late: true), new("DONE", Rank: 3, Least: 6), new("TRIALS", Right: true, Rank: 1), new("LEFT", Right: true, Rank: 2),
        new("RUNS ON", Right: true, Rank: 6, Late: true), new("WAITS FOR", Rank: 5, Least: 12, Comfort: 40, Late: true),
    ];

    /// <param name="state">What is known.</param>
    /// <param name="view">What of it is wanted.</param>
    /// <param name="width">Of the terminal, cells.</param>
    /// <param name="height">Of the terminal, lines; <see cref="Endless"/> for all of it and no line about keys.</param>
    public static TopFrame Draw(TopState state, TopView view, int width, int height)
    {
        var shown = view.Effective;
        List<InkLine> head = [Title(state, width)];
        if (state.Silent.Length > 0) head.Add(Line(width, $"{Silence(state)}; it is asked again every second", Tone.Bad));
        if (state.Last is not { } last)
        {
            if (state.Silent.Length == 0) head.Add(Line(width, "the grid is being asked", Tone.Dim));
            return new(Filled(head, view, width, height, ""), 0, 0);
        }
        if (last.Storage.Length > 0) head.Add(Line(width, $"storage is away: {last.Storage}", Tone.Bad));
        head.Add(Counts(last, width));
        head.AddRange(Sites(last, width));
        head.AddRange(Sweeps(last, shown, width, height));
        var (header, rows) = shown.Keys ? Keys(width) : List(last, shown, width);
        head.Add(InkLine.Of("", Tone.Plain));
        head.Add(header);
        var room = height == Endless ? rows.Length : Math.Max(0, height - head.Count - 1);
        var from = Math.Clamp(shown.Offset, 0, Math.Max(0, rows.Length - room));
        head.AddRange(rows.Skip(from).Take(room));
        var place = room > 0 && rows.Length > room ? string.Create(CultureInfo.InvariantCulture, $"{from + 1}–{from + room} of {rows.Length}") : "";
        return new(Filled(head, view, width, height, place), rows.Length, room);
    }

    private static ImmutableArray<InkLine> Filled(List<InkLine> lines, TopView view, int width, int height, string place)
    {
        if (height == Endless) return [.. lines];
        var body = lines.Take(Math.Max(0, height - 1)).ToList();
        while (body.Count < height - 1) body.Add(InkLine.Of(""));
        if (height > 0) body.Add(Foot(view, width, place));
        return [.. body];
    }

    private static InkLine Title(TopState state, int width)
    {
        var at = (state.Last?.AtUtc ?? state.NowUtc).UtcDateTime.ToString("HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);
        var left = TerminalText.Cut(state.Last is { } last ? $"EnergyGrid  {Clean(last.Address.GetLeftPart(UriPartial.Authority))}" : "EnergyGrid", Math.Clamp(width - at.Length - 2, 0, width));
        return new([new(left, Tone.Strong), new(TerminalText.Fit(at, Math.Max(0, width - TerminalText.Width(left)), right: true), Tone.Dim)]);
    }

    private static string Silence(TopState state) => state.Last is { } last
        ? $"no answer for {Say.Seconds((state.NowUtc - last.AtUtc).TotalSeconds)}, this is what was seen before: {Clean(state.Silent)}"
        : Clean(state.Silent);

    private static InkLine Counts(GridPicture grid, int width)
    {
        var (nodesUp, devicesUp) = (grid.Nodes.Count(n => n.Up), grid.Devices.Count(d => d.Up));
        var (paused, waiting) = (grid.Sweeps.Count(s => s.Phase == SweepPhase.Paused), grid.Sweeps.Count(SweepWords.Waiting));
        return Parts(width,
        [
            new($"devices {Standing(devicesUp, grid.Devices.Length)}", devicesUp < grid.Devices.Length ? Tone.Warning : Tone.Plain),
            new($"sweeps {grid.Sweeps.Length - paused - waiting} running{(waiting > 0 ? $", {waiting} waiting" : "")}{(paused > 0 ? $", {paused} paused" : "")}"),
            new($"nodes {Standing(nodesUp, grid.Nodes.Length)}", nodesUp < grid.Nodes.Length ? Tone.Warning : Tone.Plain),
            new($"busy {grid.Devices.Count(d => d.Trial is not null)}"),
        ]);
    }

    private static string Standing(int up, int all) => up == all ? $"{up} up" : $"{up} up, {all - up} down";

    private static IEnumerable<InkLine> Sites(GridPicture grid, int width)
    {
        foreach (var site in grid.Sites.Take(MostSites))
            yield return Parts(width,
            [
                new(Clean(site.Site), Tone.Strong),
                // Before the first window, and where no sensor speaks, there is no figure to be shown.
                new(site.Provenance is not { } provenance ? "P_IT not read yet" : !double.IsFinite(site.ItWatts) ? "P_IT unknown"
                    : $"P_IT {(site.Coverage < SiteView.WholeCoverage ? "≥ " : "")}{Power(site.ItWatts)} {provenance.ToString().ToLowerInvariant()}"),
                .. site.Ipue is { } ratio && double.IsFinite(ratio.Value) ? new Ink[] { new($"{Clean(ratio.Name)} {ratio.Value.ToString("0.00", CultureInfo.InvariantCulture)}") } : [],
                .. site.FacilityWatts is { } facility && double.IsFinite(facility) ? new Ink[] { new($"P_facility {Power(facility)}") } : [],
                .. site.Provenance is not null && site.Coverage < SiteView.WholeCoverage ? new Ink[] { new($"coverage {Say.Percent(site.Coverage)}", Tone.Warning) } : [],
                .. site.MissingMeters.Length > 0 ? new Ink[] { new($"{site.MissingMeters.Length} meters silent", Tone.Warning) } : [],
            ]);
        if (grid.Sites.Length > MostSites) yield return Line(width, $"and {grid.Sites.Length - MostSites} more sites", Tone.Dim);
    }

    private static IEnumerable<InkLine> Sweeps(GridPicture grid, TopView view, int width, int height)
    {
        var chosen = Chosen(grid, view).ToArray();
        if (chosen.Length == 0) yield break;
        // The devices are what the screen is for.
        var most = height == Endless ? chosen.Length : Math.Max(1, Math.Min(chosen.Length, height / 5));
        var rows = chosen.Take(most).Select(s => (Sweep: s, Texts: (string[])
        [
            Clean(s.Id), SweepWords.Phase(s), "", SweepText.Progress(s), Say.Seconds(s.SecondsLeft),
            string.Create(CultureInfo.InvariantCulture, $"{(s.Running.IsDefault ? 0 : s.Running.Length)}"), Clean(SweepText.Waits(s)),
        ])).ToArray();
        var widths = Fit(SweepColumns, [.. rows.Select(r => r.Texts)], width, 2);
        yield return InkLine.Of("");
        yield return Header(SweepColumns, widths, width);
        foreach (var (sweep, texts) in rows)
        {
            var share = sweep.PlannedTrials > 0 ? (double)sweep.CommittedTrials / sweep.PlannedTrials : 0;
            yield return Row(SweepColumns, widths, texts, 2, Bar(share, widths[2], sweep.Phase == SweepPhase.Paused ? Tone.Warning : Tone.Good), sweep.Phase == SweepPhase.Paused ? Tone.Warning : Tone.Plain);
        }
        if (chosen.Length > most) yield return Line(width, $"and {chosen.Length - most} more sweeps", Tone.Dim);
    }

    /// <summary>The sweeps that a view shows.</summary>
    public static IEnumerable<SweepStatus> Chosen(GridPicture grid, TopView view)
    {
        var ids = grid.Sweeps.Select(s => s.Id).ToHashSet(StringComparer.Ordinal);
        return grid.Sweeps.Where(s => Matches(s.Id, view.Sweep, ids));
    }

    /// <summary>The devices that a view shows, in its order.</summary>
    public static IEnumerable<DeviceLine> Devices(GridPicture grid, TopView view)
    {
        var (hosts, ids) = (grid.Nodes.Select(n => n.Host).ToHashSet(StringComparer.Ordinal), grid.Sweeps.Select(s => s.Id).ToHashSet(StringComparer.Ordinal));
        return Sorted(grid.Devices.Where(d => Matches(d.Device.Host, view.Node, hosts)
            && (view.Sweep.Length == 0 || (d.Sweep is { } sweep && Matches(sweep, view.Sweep, ids)))
            && (view.Filter.Length == 0 || new[] { d.Device.Key, d.Device.Model, d.Device.Rack, d.Sweep, d.Trial, DeviceList.Doing(d) }.Any(t => t?.Contains(view.Filter, StringComparison.OrdinalIgnoreCase) == true))), view.Sort);
    }

    private static readonly (string Key, string Does)[] AllKeys =
    [
        ("q, Ctrl-C", "end"), ("s", "order by host, power, temperature, name"), ("/", "only devices with a text in their name, model, sweep or cell"), ("n", "only a node"), ("w", "only a sweep"),
        ("Esc", "everything again"), ("↑ ↓, j k", "a line up or down"), ("PgUp PgDn, Space", "a page"), ("Home End", "the first, the last"), ("Ctrl-Z", "stop; 'fg' goes on"), ("?, h", "this, and back"),
    ];

    private static (InkLine Header, InkLine[] Rows) Keys(int width) =>
        (InkLine.Of(TerminalText.Fit("KEYS", width), Tone.Bar), [.. AllKeys.Select(k => Line(width, $"{k.Key,-18}{k.Does}", Tone.Plain))]);

    private static (InkLine Header, InkLine[] Rows) List(GridPicture grid, TopView view, int width)
    {
        var names = DeviceNames.Short(grid.Devices.Select(d => d.Device.Uuid));
        var byHost = view.Sort == TopSort.Host;
        var devices = Devices(grid, view).Select(d => (Line: d, Texts: Texts(d, names[d.Device.Uuid], byHost, narrow: width < Narrow))).ToArray();
        var widths = Fit(DeviceColumns, [.. devices.Select(d => d.Texts)], width, 1);
        var header = Header(DeviceColumns, widths, width);
        if (devices.Length == 0 && grid.Devices.Length > 0) return (header, [Line(width, "no device matches; Esc shows all", Tone.Dim)]);
        if (!byHost) return (header, [.. devices.Select(d => DeviceRow(d.Line, d.Texts, widths))]);
        var rows = new List<InkLine>();
        foreach (var host in devices.GroupBy(d => d.Line.Device.Host))
        {
            rows.Add(NodeRow(host.Key, [.. host.Select(h => h.Line)], grid.Nodes.FirstOrDefault(n => n.Host == host.Key), grid.AtUtc, width));
            rows.AddRange(host.Select(d => DeviceRow(d.Line, d.Texts, widths)));
        }
        return (header, [.. rows]);
    }

    private static IEnumerable<DeviceLine> Sorted(IEnumerable<DeviceLine> devices, TopSort sort) => sort switch
    {
        TopSort.Power => devices.OrderByDescending(d => d.Watts ?? -1).ThenBy(d => d.Device.Key, StringComparer.Ordinal),
        TopSort.Temperature => devices.OrderByDescending(d => d.Celsius ?? -300).ThenBy(d => d.Device.Key, StringComparer.Ordinal),
        TopSort.Name => devices.OrderBy(d => d.Device.Key, StringComparer.Ordinal),
        _ => devices.OrderBy(d => d.Device.Host, StringComparer.Ordinal).ThenBy(d => d.Device.Kind == DeviceKind.Cpu).ThenBy(d => d.Device.Index),
    };

    private static string[] Texts(DeviceLine line, string name, bool underItsHost, bool narrow)
    {
        var d = line.Device;
        return
        [
            Clean(underItsHost ? string.Create(CultureInfo.InvariantCulture, $"{d.Index,3} {name}") : $"{d.Host}/{name}"), "", Say.Watts(line.Watts), Say.Watts(d.PowerLimitWatts),
            line.Celsius is { } celsius ? string.Create(CultureInfo.InvariantCulture, $"{celsius:0} °C") : Say.Absent,
            line.Megahertz is { } megahertz ? string.Create(CultureInfo.InvariantCulture, $"{megahertz:0} MHz") : Say.Absent,
            narrow ? InShort(line) : DeviceList.Doing(line), Clean(line.Trial is { } trial ? SweepText.Cell(trial) : ""), Clean(line.Sweep ?? ""), d.EnergyProvenance.ToString().ToLowerInvariant(), DeviceList.Share(line), DeviceList.Used(line), Say.Bytes(d.MemoryBytes), Clean(d.Model),
        ];
    }

    private static string InShort(DeviceLine line) => !line.Up || line.Trial is null ? DeviceList.Doing(line)
        : Tables.Phase(line.Phase)[..4] + (line.Fraction is { } share ? string.Create(CultureInfo.InvariantCulture, $" {share * 100:0}%") : "");

    private static InkLine DeviceRow(DeviceLine line, string[] texts, ImmutableArray<int> widths)
    {
        var share = line.Watts is { } watts && line.Device.PowerLimitWatts > 0 ? watts / line.Device.PowerLimitWatts : double.NaN;
        var tone = share >= 0.97 ? Tone.Bad : share >= 0.8 ? Tone.Warning : Tone.Good;
        return Row(DeviceColumns, widths, texts, 1, Bar(share, widths[1], tone), !line.Up ? Tone.Bad : line.Trial is null ? Tone.Dim : Tone.Plain);
    }

    private static InkLine NodeRow(string host, DeviceLine[] devices, NodeLine? node, DateTimeOffset now, int width)
    {
        var place = $"{devices[0].Device.Site}/{devices[0].Device.Rack}";
        if (node is { Up: false }) return Parts(width, [new(Clean(host), Tone.Bad), new($"DOWN for {Say.Age(now - node.SinceUtc)}", Tone.Bad), new(Clean(place), Tone.Dim)]);
        var known = devices.Where(d => d.Watts is not null).ToArray();
        var many = $"{devices.Length} {(devices.Length == 1 ? "device" : "devices")}";
        var sum = known.Length > 0 ? $"{(known.Length < devices.Length ? $"{known.Length} of " : "")}{many} {Power(known.Sum(d => d.Watts!.Value))} {known.Max(d => d.Device.EnergyProvenance).ToString().ToLowerInvariant()}"
            : $"{many}, no reading";
        return Parts(width, [new(Clean(host), Tone.Strong), new(sum), new(Clean(place), Tone.Dim)]);
    }

    private static InkLine Foot(TopView view, int width, string place)
    {
        if (view.Prompt != TopPrompt.None) return Line(width, $"{view.Prompt.ToString().ToLowerInvariant()}: {Clean(view.Typed)}▏  (Enter keeps it, Esc shows all)", Tone.Strong);
        List<Ink> parts = [];
        if (place.Length > 0) parts.Add(new(place));
        if (view.Node.Length > 0) parts.Add(new($"node {Clean(view.Node)}", Tone.Strong));
        if (view.Sweep.Length > 0) parts.Add(new($"sweep {Clean(view.Sweep)}", Tone.Strong));
        if (view.Filter.Length > 0) parts.Add(new($"filter {Clean(view.Filter)}", Tone.Strong));
        foreach (var key in new[] { "q quit", "? keys", $"s by {view.Sort.ToString().ToLowerInvariant()}", "/ filter", "n node", "w sweep", "↑↓ scroll", "Esc all" }) parts.Add(new(key, Tone.Dim));
        return Parts(width, [.. parts]);
    }

    // How wide the columns are; the bar has no text of its own.
    private static ImmutableArray<int> Fit(Column[] columns, IReadOnlyList<string[]> rows, int width, int bar) =>
        Columns.Widths(columns, [.. columns.Select((c, i) => i == bar ? BarCells : rows.Select(r => TerminalText.Width(r[i])).Append(TerminalText.Width(c.Header)).Max())], width);

    private static InkLine Header(Column[] columns, ImmutableArray<int> widths, int width) =>
        InkLine.Of(TerminalText.Fit(string.Join(Columns.Gap, Seen(widths).Select(i => TerminalText.Fit(TerminalText.Width(columns[i].Header) <= widths[i] ? columns[i].Header : "", widths[i], columns[i].Right))), width), Tone.Bar);

    private static InkLine Row(Column[] columns, ImmutableArray<int> widths, string[] texts, int bar, ImmutableArray<Ink> drawn, Tone tone)
    {
        var pieces = ImmutableArray.CreateBuilder<Ink>();
        foreach (var i in Seen(widths))
        {
            if (pieces.Count > 0) pieces.Add(new(Columns.Gap));
            if (i == bar) pieces.AddRange(drawn);
            else pieces.Add(new(TerminalText.Fit(texts[i], widths[i], columns[i].Right), tone));
        }
        return new(pieces.ToImmutable());
    }

    private static IEnumerable<int> Seen(ImmutableArray<int> widths) => Enumerable.Range(0, widths.Length).Where(i => widths[i] > 0);

    private static ImmutableArray<Ink> Bar(double share, int cells, Tone tone)
    {
        if (!double.IsFinite(share)) return [new(TerminalText.Fit(Say.Absent, cells))];
        var full = (int)Math.Round(Math.Clamp(share, 0, 1) * cells);
        return [new(new string('━', full), tone), new(new string('─', cells - full), Tone.Dim)];
    }

    // As many as fit, in their order.
    private static InkLine Parts(int width, IReadOnlyList<Ink> parts)
    {
        var pieces = ImmutableArray.CreateBuilder<Ink>();
        var taken = 0;
        foreach (var part in parts)
        {
            var gap = taken == 0 ? 0 : Columns.Gap.Length;
            if (taken > 0 && taken + gap + TerminalText.Width(part.Text) > width) break;
            if (gap > 0) pieces.Add(new(Columns.Gap));
            var text = TerminalText.Cut(part.Text, width);
            pieces.Add(part with { Text = text });
            taken += gap + TerminalText.Width(text);
        }
        return new(pieces.ToImmutable());
    }

    private static InkLine Line(int width, string text, Tone tone) => InkLine.Of(TerminalText.Cut(Clean(text), width), tone);

    // The one that bears the name; if there is none, all that have it in theirs.
    private static bool Matches(string name, string wanted, HashSet<string> all) =>
        wanted.Length == 0 || (all.Contains(wanted) ? name == wanted : name.Contains(wanted, StringComparison.OrdinalIgnoreCase));

    private static string Power(double watts) => double.IsFinite(watts) && Math.Abs(watts) is >= 1e3 and < 1e4 ? string.Create(CultureInfo.InvariantCulture, $"{watts / 1e3:0.00} kW") : Say.Watts(watts);

    private static string Clean(string text) => NumberText.Clean(text);
}
