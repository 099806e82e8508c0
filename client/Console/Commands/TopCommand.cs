using System.CommandLine;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary><c>top</c>: the grid as it lives, in a terminal that is left open.</summary>
internal static class TopCommand
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    /// <summary>A grid that is silent for longer is said to be so.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>How soon a key is obeyed.</summary>
    private static readonly TimeSpan KeyPeriod = TimeSpan.FromMilliseconds(40);

    private static readonly string[] SortNames = [.. Enum.GetNames<TopSort>().Select(n => n.ToLowerInvariant())];

    public static Command Make()
    {
        var once = new Option<bool>("--once") { Description = "Print it once and end, as piped output does." };
        var sort = new Option<string>("--sort") { Description = "host, power, temperature or name.", HelpName = "BY", DefaultValueFactory = _ => SortNames[0] };
        sort.AcceptOnlyFromAmong(SortNames);
        var filter = new Option<string?>("--filter") { Description = "Only devices with this text in their name, model, sweep or cell.", HelpName = "TEXT" };
        var node = new Option<string?>("--node") { Description = "Only this host's devices.", HelpName = "HOST" };
        node.CompletionSources.Add(GridNames.Hosts);
        var sweep = new Option<string?>("--sweep") { Description = "Only devices that run this sweep.", HelpName = "SWEEP" };
        sweep.CompletionSources.Add(GridNames.Sweeps);
        var command = new Command("top", "Shows the grid live: power, sweeps, and what every device does. Keys: q quit, s sort, / filter, n node, w sweep, arrows scroll, ? all keys.") { once, sort, filter, node, sweep };
        command.SetAction(async (parsed, stop) =>
        {
            using var client = GridCommand.Client(parsed);
            var screen = GridCommand.Screen(parsed);
            var view = new TopView(Enum.Parse<TopSort>(parsed.GetValue(sort)!, ignoreCase: true), parsed.GetValue(filter) ?? "", parsed.GetValue(node) ?? "", parsed.GetValue(sweep) ?? "");
            if (!screen.IsLive || parsed.GetValue(once)) return await Once(client, screen, view, stop);
            return await Live(client, screen, view, stop);
        });
        return command;
    }

    private static async Task<int> Once(GridClient client, Screen screen, TopView view, CancellationToken stop)
    {
        var picture = await screen.Waiting($"the grid at {client.Address}", GridPicture.Take(client, TimeProvider.System, stop));
        picture = picture with { Sweeps = [.. TopPage.Chosen(picture, view)] };
        if (!screen.IsTerminal && !screen.Json && picture.Storage.Length > 0) screen.Complain($"energygrid: storage is away: {picture.Storage}");
        if (screen.Json) screen.Document(picture with { Devices = [.. TopPage.Devices(picture, view)] });
        else if (!screen.IsTerminal) TopLists.Show(picture, view, screen);
        else foreach (var line in TopPage.Draw(new(picture, TimeProvider.System.GetUtcNow()), view, screen.Width, TopPage.Endless).Lines) screen.Draw(line);
        return ExitCodes.Ok;
    }

    private static async Task<int> Live(GridClient client, Screen screen, TopView view, CancellationToken stop)
    {
        // What was typed wrong ends the command before the terminal is taken; a grid that is only away is waited for.
        using var all = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var looks = new Looking(client);
        var looking = looks.Run(all.Token);
        try
        {
            using var terminal = new LiveTerminal(screen.HasColours);
            (int Width, int Height) size = default;
            TopState? drawn = null;
            var frame = new TopFrame([], 0, 0);
            while (true)
            {
                stop.ThrowIfCancellationRequested();
                if (looking.IsFaulted) await looking;
                var turned = false;
                while (LiveTerminal.TryKey(out var key))
                {
                    if (view.After(key, frame.Room) is not { } next) return ExitCodes.Ok;
                    (view, turned) = (next, true);
                }
                var (now, there) = (looks.State, LiveTerminal.Size);
                if (turned || terminal.IsStale || !ReferenceEquals(now, drawn) || there != size)
                {
                    frame = TopPage.Draw(now, view, there.Width, there.Height);
                    // A list that became shorter is not scrolled beyond its end.
                    view = view with { Offset = Math.Clamp(view.Offset, 0, Math.Max(0, frame.Rows - frame.Room)) };
                    terminal.Show(frame.Lines);
                    (drawn, size) = (now, there);
                }
                await Task.Delay(KeyPeriod, stop);
            }
        }
        finally
        {
            await all.CancelAsync();
        }
    }

    /// <summary>Looks at the grid once a second, and knows how it stands.</summary>
    private sealed class Looking(GridClient client)
    {
        private volatile TopState _state = new(null, TimeProvider.System.GetUtcNow());

        public TopState State => _state;

        public async Task Run(CancellationToken stop)
        {
            while (!stop.IsCancellationRequested)
            {
                var began = TimeProvider.System.GetTimestamp();
                using var patience = CancellationTokenSource.CreateLinkedTokenSource(stop);
                patience.CancelAfter(Patience);
                try
                {
                    var picture = await GridPicture.Take(client, TimeProvider.System, patience.Token);
                    _state = new(picture, picture.AtUtc);
                }
                catch (Exception e) when (!stop.IsCancellationRequested && SweepFollow.IsAway(e))
                {
                    _state = _state with { NowUtc = TimeProvider.System.GetUtcNow(), Silent = e is OperationCanceledException ? $"the grid at {client.Address} did not answer within {Patience.TotalSeconds:0} s" : e.Message.TrimEnd('.') };
                }
                var left = Period - TimeProvider.System.GetElapsedTime(began);
                if (left > TimeSpan.Zero) await Task.Delay(left, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
