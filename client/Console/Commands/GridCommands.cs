using System.Collections.Immutable;
using System.CommandLine;
using System.Diagnostics;
using EnergyGrid.Contracts;
using EnergyGrid.Report;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary><c>devices</c>: what the grid has and what each device does.</summary>
internal static class DevicesCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    public static Command Make()
    {
        var one = new Argument<string?>("device") { Description = "Only this one: HOST/UUID, HOST/INDEX, or a beginning of its UUID that no other has.", HelpName = "DEVICE", Arity = ArgumentArity.ZeroOrOne };
        one.CompletionSources.Add(GridNames.Devices);
        var wait = new Option<int>("--wait") { Description = "First wait until so many devices are up, for two minutes at most; then exit 3.", HelpName = "DEVICES" };
        wait.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var wanted) && wanted < 1) result.AddError("--wait wants a number of devices, at least 1.");
        });
        var command = new Command("devices", "Lists the grid's devices: power, temperature, clock, and what each does.") { one, wait };
        command.SetAction(async (parsed, stop) =>
        {
            using var client = GridCommand.Client(parsed);
            var screen = GridCommand.Screen(parsed);
            var wanted = parsed.GetValue(wait);
            var devices = await screen.Waiting(wanted > 0 ? $"{wanted} devices at {client.Address}" : $"the grid at {client.Address}",
                wanted > 0 ? Wait(client, wanted, stop) : client.Devices(stop));
            if (parsed.GetValue(one) is { } name)
            {
                ShowOne(devices, name, screen);
                return ExitCodes.Ok;
            }
            if (!screen.Json) await StorageLine.Show(client, screen, stop);
            if (screen.Json) screen.Document(devices);
            else if (devices.IsEmpty) screen.Say("The grid has no devices. 'energygrid up' adds this machine's processor; 'energygrid up --simulate 2x4x8' a simulated site.");
            else Show(devices, screen);
            return ExitCodes.Ok;
        });
        command.Add(Forget());
        return command;
    }

    // A grid that is coming up is not there yet, or not all of it.
    private static async Task<ImmutableArray<DeviceLine>> Wait(GridClient client, int wanted, CancellationToken stop)
    {
        var began = Stopwatch.GetTimestamp();
        while (true)
        {
            var why = "";
            try
            {
                var devices = await client.Devices(stop);
                var up = devices.Count(d => d.Up);
                if (up >= wanted) return devices;
                why = $"{up} of {wanted} devices are up";
            }
            catch (GridUnreachableException e)
            {
                why = e.Message;
            }
            catch (GridProblemException e) when ((int)e.Status == 503)
            {
                why = e.Message;
            }
            if (Stopwatch.GetElapsedTime(began) > Patience) throw new CommandException(ExitCodes.Unreachable, $"after {Patience.TotalSeconds:0} s: {why}");
            await Task.Delay(250, stop);
        }
    }

    private static Command Forget()
    {
        var hosts = new Argument<string[]>("host") { Description = "Its name, as 'devices' shows it before the '/'; or several.", HelpName = "HOST", Arity = ArgumentArity.OneOrMore };
        hosts.CompletionSources.Add(GridNames.Hosts);
        var command = new Command("forget", "Takes hosts that are down, and their devices, out of the grid's inventory.") { hosts };
        command.SetAction(async (parsed, stop) =>
        {
            using var client = GridCommand.Client(parsed);
            var screen = GridCommand.Screen(parsed);
            foreach (var name in parsed.GetValue(hosts)!.Distinct())
            {
                await client.ForgetNode(name, stop);
                if (screen.Json) screen.Line(new { forgotten = name });
                else screen.Say($"{name} is forgotten; it is back as soon as it announces itself.");
            }
            return ExitCodes.Ok;
        });
        return command;
    }

    private static void ShowOne(ImmutableArray<DeviceLine> devices, string name, Screen screen)
    {
        var found = DeviceNames.Find(devices.Select(d => d.Device), name);
        if (found.Length != 1)
            throw new CommandException(ExitCodes.Usage, found.IsEmpty ? $"there is no device '{name}'; 'energygrid devices' lists them."
                : $"'{name}' may be {found.Length} devices: {string.Join(", ", found.Take(4).Select(d => d.Key))}{(found.Length > 4 ? ", …" : "")}");
        var line = devices.First(d => d.Device.Key == found[0].Key);
        if (screen.Json) screen.Document(line);
        else DeviceList.ShowOne(line, DeviceNames.Short(devices.Select(d => d.Device.Uuid))[line.Device.Uuid], screen);
    }

    private static void Show(IReadOnlyList<DeviceLine> devices, Screen screen)
    {
        DeviceList.Show(devices, screen);
        // For people: a program has the rows, and nothing else stands between them.
        if (!screen.IsTerminal) return;
        var up = devices.Where(d => d.Up).ToArray();
        screen.Say($"{up.Length} devices: {string.Join(", ", up.GroupBy(d => d.Device.Model).Select(g => $"{g.Count()} {g.Key}"))}");
        foreach (var host in devices.Where(d => !d.Up).GroupBy(d => d.Device.Host))
            screen.Say($"host {host.Key} is down with {host.Count()} {(host.Count() == 1 ? "device" : "devices")}; 'energygrid devices forget {host.Key}' takes it out of the list");
    }
}

/// <summary>One line about what keeps the grid's state, where there is something to be said.</summary>
internal static class StorageLine
{
    public static async Task Show(GridClient client, Screen screen, CancellationToken stop)
    {
        if ((await client.Version(stop)).Storage is not { Answers: false } storage) return;
        var line = $"storage   away since {storage.SinceUtc:HH:mm:ss} UTC: {storage.Says}";
        // Never among the rows that a program reads.
        if (screen.IsTerminal) screen.Say(line);
        else screen.Complain(line);
    }
}

/// <summary><c>status</c>: one sweep, or all of them.</summary>
internal static class StatusCommand
{
    /// <summary>So many of those that have ended are looked at, the newest, unless all are asked for.</summary>
    private const int EndedShown = 20;

    private const int AskedAtOnce = 8;

    public static Command Make()
    {
        var id = GridNames.AnySweep("Its id; without one sweeps are listed.");
        var watch = new Option<bool>("--watch") { Description = "Follow the sweep to its end; 'watch' prints the matrix then, too." };
        var all = new Option<bool>("--all") { Description = $"In the list, every sweep that has ended, not only the newest {EndedShown}." };
        var command = new Command("status", "Shows how a sweep stands, or lists sweeps.") { id, watch, all };
        command.SetAction(async (parsed, stop) =>
        {
            using var client = GridCommand.Client(parsed);
            var screen = GridCommand.Screen(parsed);
            if (parsed.GetValue(id) is { } one)
            {
                if (parsed.GetValue(watch)) return await WatchCommand.Follow(client, screen, one, stop);
                var status = await screen.Waiting($"the grid at {client.Address}", client.Sweep(one, stop));
                if (!screen.Json) await StorageLine.Show(client, screen, stop);
                if (screen.Json) screen.Document(status);
                else Show(status, screen);
                return ExitCodes.Ok;
            }
            if (parsed.GetValue(watch)) throw new CommandException(ExitCodes.Usage, "--watch follows one sweep: name it, or see all of them with 'energygrid top'.");
            var sweeps = await screen.Waiting($"the grid at {client.Address}", List(client, parsed.GetValue(all), stop));
            if (!screen.Json) await StorageLine.Show(client, screen, stop);
            if (screen.Json) screen.Document(sweeps.Select(s => new { s.Line.Id, s.Line.Name, s.Line.SubmittedUtc, s.Line.Ended, s.Status }));
            else if (sweeps.Length == 0) screen.Say("No sweep yet. 'energygrid submit PLAN.yaml --watch' starts one.");
            else
            {
                SweepList.Show(sweeps.Where(s => s.Asked).Select(s => (s.Line, s.Status)), TimeProvider.System.GetUtcNow(), screen);
                var hidden = sweeps.Count(s => !s.Asked);
                if (hidden > 0 && screen.IsTerminal) screen.Say($"and {hidden} older that have ended; --all lists them");
                else if (hidden > 0) screen.Complain($"energygrid: {hidden} older sweeps that have ended are left out; --all lists them");
            }
            return ExitCodes.Ok;
        });
        return command;
    }

    // Each is asked how it stands, some at a time: one that has gone meanwhile, or does not answer, keeps its line.
    private static async Task<(SweepLine Line, SweepStatus? Status, bool Asked)[]> List(GridClient client, bool all, CancellationToken stop)
    {
        var lines = await client.Sweeps(stop);
        var asked = lines.Where(l => !l.Ended).Concat(all ? lines.Where(l => l.Ended) : lines.Where(l => l.Ended).Take(EndedShown)).Select(l => l.Id).ToHashSet(StringComparer.Ordinal);
        using var turns = new SemaphoreSlim(AskedAtOnce);
        return await Task.WhenAll(lines.Select(async line =>
        {
            if (!asked.Contains(line.Id)) return (line, (SweepStatus?)null, false);
            await turns.WaitAsync(stop);
            try { return (line, (SweepStatus?)await client.Sweep(line.Id, stop), true); }
            catch (Exception e) when (e is GridProblemException or GridUnreachableException) { return (line, null, true); }
            finally { turns.Release(); }
        }));
    }

    public static void Show(SweepStatus status, Screen screen)
    {
        // One line each, whatever the grid says: nothing in it may begin another.
        void Line(string text) => screen.Say(NumberText.Clean(text));
        Line($"{status.Id}  ({status.Name})");
        Line($"  phase     {SweepWords.Phase(status)}{(status.Reason.Length > 0 ? $": {status.Reason}" : "")}");
        if (status is { Phase: SweepPhase.Running, Waiting.Length: > 0 }) Line($"  waits for {SweepWords.Why(status)}");
        if (status.SubmittedBy.Length > 0) Line($"  owner     {status.SubmittedBy}");
        if (status.Priority != 0) screen.Say($"  priority  {status.Priority}");
        screen.Say($"  trials    {status.CommittedTrials} of {status.PlannedTrials} kept, {status.ValidTrials} valid, {status.InvalidTrials} invalid, {status.VoidedPasses} passes voided");
        screen.Say($"  stage     {status.Stage} of 2{(!status.HasEnded && double.IsFinite(status.SecondsLeft) ? $", about {Say.Seconds(status.SecondsLeft)} left" : "")}");
        if (!status.Running.IsDefaultOrEmpty)
        {
            screen.Say($"  running   {status.Running.Length}");
            foreach (var r in status.Running.Take(16)) Line($"    {r.Device}  {r.Trial}  {Tables.Phase(r.Phase)} {Say.Percent(r.Fraction)}  {Say.Watts(r.Watts)}");
            if (status.Running.Length > 16) screen.Say($"    and {status.Running.Length - 16} more");
        }
    }
}

/// <summary><c>pause</c>, <c>resume</c>, <c>cancel</c>.</summary>
internal static class ActCommands
{
    public static IEnumerable<Command> Make()
    {
        yield return Act("pause", "Stops a sweep between trials.", (c, id, why, stop) => c.Pause(id, why, stop), takesReason: true);
        yield return Act("resume", "Lets a paused sweep go on.", (c, id, _, stop) => c.Resume(id, stop), takesReason: false);
        yield return Act("cancel", "Ends a sweep; what was committed stays.", (c, id, why, stop) => c.Cancel(id, why, stop), takesReason: true);
    }

    private static Command Act(string name, string what, Func<GridClient, string, string?, CancellationToken, Task<SweepStatus>> act, bool takesReason)
    {
        var id = GridNames.Sweep();
        var reason = new Option<string?>("--reason") { Description = "Kept with the sweep.", HelpName = "TEXT" };
        var command = new Command(name, what) { id };
        if (takesReason) command.Add(reason);
        command.SetAction(async (parsed, stop) =>
        {
            using var client = GridCommand.Client(parsed);
            var screen = GridCommand.Screen(parsed);
            var status = await act(client, parsed.GetValue(id)!, takesReason ? parsed.GetValue(reason) : null, stop);
            if (screen.Json) screen.Document(status);
            else StatusCommand.Show(status, screen);
            return ExitCodes.Ok;
        });
        return command;
    }
}
