using EnergyGrid.Contracts;
using EnergyGrid.Report;
using EnergyGrid.Sdk;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace EnergyGrid.Console;

/// <summary>
/// Watches sweeps to their end: bars with the time left and a table of the devices on a terminal, lines elsewhere, JSON lines with --json.
/// The streams fill the board and a clock of its own draws it, so nothing ever waits for the drawing.
/// </summary>
public sealed class SweepBoard(GridClient client, Screen screen, IReadOnlyList<string> ids)
{
    private static readonly TimeSpan Frame = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan PlainPeriod = TimeSpan.FromSeconds(5);

    private static readonly Column[] DeviceColumns =
    [
        new("device", Rank: 0), new("phase", Rank: 1), new("done", Right: true, Rank: 2), new("power", Right: true, Rank: 3), new("temp", Right: true, Rank: 5), new("cell", Rank: 4, Least: 10),
    ];

    private static readonly Text Blank = new(" ");

    private readonly Lock _gate = new();
    private readonly Dictionary<string, SweepStatus> _latest = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _said = new(StringComparer.Ordinal);
    private readonly Queue<string> _tail = new();

    /// <summary>The last statuses, once all have ended.</summary>
    public async Task<IReadOnlyDictionary<string, SweepStatus>> Run(CancellationToken stop)
    {
        using var all = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var streams = ids.Select(id => Follow(id, all.Token)).ToArray();
        var ended = Task.WhenAll(streams);
        try
        {
            if (screen.IsLive) await Draw(ended, stop);
            await ended;
        }
        finally
        {
            await all.CancelAsync();
        }
        return _latest;
    }

    private async Task Follow(string id, CancellationToken stop)
    {
        await foreach (var news in SweepFollow.ToTheEnd(client, id, line => Hear(id, line), stop))
        {
            if (screen.Json) lock (_gate) screen.Line(new { sweep = id, @event = news.Event, status = news.Status });
            else if (news.Event is { } line) Hear(id, line);
            if (news.Status is { } status) See(id, status);
        }
    }

    private void Hear(string id, SweepEvent line)
    {
        lock (_gate)
        {
            var text = $"{line.AtUtc.ToLocalTime():HH:mm:ss}  {(ids.Count > 1 ? Name(id) + "  " : "")}{(line.Text.Length > 0 ? line.Text : line.Kind)}";
            if (screen.IsLive) Keep(text);
            // A log wants the turns of the sweep, not each of some hundred trials: those are in the line of progress.
            else if (line.Kind != "trial") screen.Say(text);
        }
    }

    // Of the grid, and not of the sweep.
    private void Hear(string id, string line)
    {
        lock (_gate)
        {
            var text = $"{TimeProvider.System.GetLocalNow():HH:mm:ss}  {(ids.Count > 1 ? Name(id) + "  " : "")}{line}";
            if (screen.Json) screen.Complain($"energygrid: {line}");
            else if (screen.IsLive) Keep(text);
            else screen.Say(text);
        }
    }

    private void Keep(string text)
    {
        _tail.Enqueue(text);
        while (_tail.Count > 4) _tail.Dequeue();
    }

    private void See(string id, SweepStatus status)
    {
        lock (_gate)
        {
            _latest[id] = status;
            if (screen.IsLive || screen.Json) return;
            var now = TimeProvider.System.GetTimestamp();
            if (!status.HasEnded && _said.TryGetValue(id, out var last) && TimeProvider.System.GetElapsedTime(last, now) < PlainPeriod) return;
            _said[id] = now;
            screen.Say(Titled(id, status));
        }
    }

    private string Titled(string id, SweepStatus s) => $"{(ids.Count > 1 ? Name(id) + ": " : "")}{Progress(s)}";

    /// <summary>How a sweep stands, in a line.</summary>
    public static string Progress(SweepStatus s) =>
        $"{s.CommittedTrials}/{s.PlannedTrials} trials, {s.InvalidTrials} invalid, {SweepWords.Phase(s)}"
        + (s.HasEnded ? "" : double.IsFinite(s.SecondsLeft) ? $", about {Say.Seconds(s.SecondsLeft)} left" : "")
        + (SweepWords.Why(s) is { Length: > 0 } why ? $": {why}" : "");

    private string Name(string id)
    {
        var name = _latest.TryGetValue(id, out var status) ? status.Name : id;
        return name.Length > 24 ? name[..23] + "…" : name;
    }

    private async Task Draw(Task ended, CancellationToken stop)
    {
        await screen.People.Live(new Rows(Blank, Blank)).AutoClear(true).Overflow(VerticalOverflow.Crop).StartAsync(async live =>
        {
            while (!ended.IsCompleted)
            {
                live.UpdateTarget(Picture());
                await Task.WhenAny(ended, Task.Delay(Frame, stop));
                stop.ThrowIfCancellationRequested();
            }
        });
        lock (_gate)
            foreach (var id in ids)
                if (_latest.TryGetValue(id, out var status)) screen.Say(Titled(id, status));
    }

    private Rows Picture()
    {
        lock (_gate)
        {
            var width = screen.People.Profile.Width;
            var parts = new List<IRenderable>();
            foreach (var id in ids) parts.Add(Bar(id, width));
            var running = _latest.Values.SelectMany(s => s.Running.IsDefault ? [] : s.Running.AsEnumerable()).OrderBy(r => r.Device, StringComparer.Ordinal).ToArray();
            var room = Math.Max(3, screen.People.Profile.Height - ids.Count - _tail.Count - 7);
            if (running.Length > 0) parts.AddRange(Devices(running, room, width).Select((line, i) => new Text(line, new Style(decoration: i == 1 ? Decoration.Bold : Decoration.None))));
            foreach (var line in _tail) parts.Add(new Text(TerminalText.Cut(Clean(line), width), new Style(decoration: Decoration.Dim)));
            // To the top of a frame of one line a terminal is told to go up by nothing, which terminals take for one: the line above would be written over.
            if (parts.Count == 1) parts.Add(Blank);
            return new Rows(parts);
        }
    }

    private Markup Bar(string id, int width)
    {
        if (!_latest.TryGetValue(id, out var s)) return new Markup(Markup.Escape($"{Name(id)}: connecting"));
        var running = s.Running.IsDefaultOrEmpty ? 0 : s.Running.Sum(r => r.Phase is TrialPhase.Measuring or TrialPhase.CoolingDown ? 0.5 : 0.1);
        var share = s.PlannedTrials > 0 ? Math.Clamp((s.CommittedTrials + running) / s.PlannedTrials, 0, 1) : 0;
        if (s.HasEnded) share = 1;
        var right = s.HasEnded ? Tables.Phase(s.Phase)
            : s.Phase == SweepPhase.Paused ? $"paused: {s.Reason}"
            : SweepWords.Waiting(s) ? $"{s.CommittedTrials}/{s.PlannedTrials} trials  waiting: {SweepWords.Why(s)}"
            : $"{s.CommittedTrials}/{s.PlannedTrials} trials  stage {s.Stage}  {(double.IsFinite(s.SecondsLeft) ? Say.Seconds(s.SecondsLeft) + " left" : "…")}";
        // What it says goes before the bar, and the bar before the whole name.
        right = TerminalText.Cut(Clean(right), Math.Max(20, width / 2));
        var name = TerminalText.Fit(Clean(Name(id)), Math.Clamp(width / 5, 8, 24));
        var room = Math.Clamp(width - TerminalText.Width(name) - TerminalText.Width(right) - 8, 0, 60);
        var full = (int)Math.Round(share * room);
        var colour = s.Phase switch { SweepPhase.Paused => "yellow", SweepPhase.FinishedWithFailures => "red", _ => "green" };
        return new Markup($"[bold]{Markup.Escape(name)}[/] [{colour}]{new string('━', full)}[/][dim]{new string('─', room - full)}[/] {share * 100,3:0} % {Markup.Escape(right)}");
    }

    private static IEnumerable<string> Devices(RunningTrial[] running, int room, int width)
    {
        var names = DeviceNames.Short(running.Select(r => Uuid(r.Device)));
        string[][] rows = [.. running.Take(room).Select(r => (string[])
        [
            Clean($"{r.Device[..^Uuid(r.Device).Length]}{names[Uuid(r.Device)]}"), Tables.Phase(r.Phase), Say.Percent(r.Fraction), Say.Watts(r.Watts),
            double.IsFinite(r.Celsius) ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{r.Celsius:0} °C") : Say.Absent, Clean(SweepText.Cell(r.Trial)),
        ])];
        yield return " ";
        foreach (var line in Columns.Aligned(DeviceColumns, rows, width)) yield return line;
        if (running.Length > room) yield return $"and {running.Length - room} more";
        yield return " ";
    }

    private static string Uuid(string device) => device[(device.LastIndexOf('/') + 1)..];

    private static string Clean(string text) => Report.NumberText.Clean(text);
}
