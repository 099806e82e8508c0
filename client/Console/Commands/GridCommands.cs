using System.Collections.Immutable;
using System.CommandLine;
using System.Diagnostics;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;
using Spectre.Console;

namespace EnergyGrid.Console;

/// <summary><c>devices</c>: what the grid has and what each device does.</summary>
internal static class DevicesCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    public static Command Make()
    {
        var wait = new Option<int>("--wait") { Description = "First wait until so many devices are up, for two minutes at most; then exit 3.", HelpName = "DEVICES" };
        var command = new Command("devices", "Lists the grid's devices and the trial that runs on each.") { wait };
        command.SetAction(async (parsed, stop) =>
        {
            using var client = GridCommand.Client(parsed);
            var screen = GridCommand.Screen(parsed);
            var devices = parsed.GetValue(wait) is > 0 and var wanted ? await Wait(client, wanted, stop) : await client.Devices(stop);
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
        var host = new Argument<string>("host") { Description = "Its name, as 'devices' shows it before the '/'." };
        var command = new Command("forget", "Takes a host that is down, and its devices, out of the grid's inventory.") { host };
        command.SetAction(async (parsed, stop) =>
        {
            using var client = GridCommand.Client(parsed);
            var screen = GridCommand.Screen(parsed);
            var name = parsed.GetValue(host)!;
            await client.ForgetNode(name, stop);
            if (screen.Json) screen.Document(new { forgotten = name });
            else screen.Say($"{name} is forgotten; it is back as soon as it announces itself.");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static void Show(IReadOnlyList<DeviceLine> devices, Screen screen)
    {
        var wide = screen.People.Profile.Width >= 110;
        var table = Tables.Plain("device", "model", "rack", ">power", ">limit", "energy is", "doing");
        if (wide) table.AddColumn(new TableColumn("energy source"));
        foreach (var line in devices)
        {
            var d = line.Device;
            string[] cells =
            [
                d.Key, d.Model, d.Rack, Say.Watts(line.Watts), Say.Watts(d.PowerLimitWatts), d.EnergyProvenance.ToString().ToLowerInvariant(),
                // A sweep names the leading device of a group alone: of the others it is not known here whether they rest.
                !line.Up ? $"DOWN since {line.DownSinceUtc:yyyy-MM-dd HH:mm:ss} UTC" : line.Trial is null ? "leads no trial" : $"{Tables.Phase(line.Phase)} {line.Trial}", .. wide ? new[] { d.EnergySource } : [],
            ];
            table.AddRow(cells.Select(Markup.Escape).ToArray());
        }
        screen.People.Write(table);
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
        if ((await client.Version(stop)).Storage is { Answers: false } storage) screen.Say($"storage   away since {storage.SinceUtc:HH:mm:ss} UTC: {storage.Says}");
    }
}

/// <summary><c>status</c>: one sweep, or all of them.</summary>
internal static class StatusCommand
{
    public static Command Make()
    {
        var id = new Argument<string?>("sweep") { Description = "Its id; without one all sweeps are listed.", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("status", "Shows how a sweep stands, or lists all sweeps.") { id };
        command.SetAction(async (parsed, stop) =>
        {
            using var client = GridCommand.Client(parsed);
            var screen = GridCommand.Screen(parsed);
            if (parsed.GetValue(id) is { } one)
            {
                var status = await client.Sweep(one, stop);
                if (!screen.Json) await StorageLine.Show(client, screen, stop);
                if (screen.Json) screen.Document(status);
                else Show(status, screen);
                return ExitCodes.Ok;
            }
            var sweeps = await client.Sweeps(stop);
            if (!screen.Json) await StorageLine.Show(client, screen, stop);
            if (screen.Json) screen.Document(sweeps);
            else if (sweeps.IsEmpty) screen.Say("No sweep yet. 'energygrid submit PLAN.yaml --watch' starts one.");
            else
            {
                var table = Tables.Plain("sweep", "plan", "submitted (UTC)", "state");
                foreach (var s in sweeps) table.AddRow(Markup.Escape(s.Id), Markup.Escape(s.Name), $"{s.SubmittedUtc.UtcDateTime:yyyy-MM-dd HH:mm:ss}", s.Ended ? "ended" : "live");
                screen.People.Write(table);
            }
            return ExitCodes.Ok;
        });
        return command;
    }

    public static void Show(SweepStatus status, Screen screen)
    {
        screen.Say($"{status.Id}  ({status.Name})");
        screen.Say($"  phase     {Tables.Phase(status.Phase)}{(status.Reason.Length > 0 ? $": {status.Reason}" : "")}");
        if (status.Waiting.Length > 0) screen.Say($"  waiting   {status.Waiting}");
        if (status.Priority != 0) screen.Say($"  priority  {status.Priority}");
        screen.Say($"  trials    {status.CommittedTrials} of {status.PlannedTrials} kept, {status.ValidTrials} valid, {status.InvalidTrials} invalid, {status.VoidedPasses} passes voided");
        screen.Say($"  stage     {status.Stage} of 2{(status.HasEnded ? "" : $", about {Say.Seconds(status.SecondsLeft)} left")}");
        if (!status.Running.IsDefaultOrEmpty)
        {
            screen.Say($"  running   {status.Running.Length}");
            foreach (var r in status.Running.Take(16)) screen.Say($"    {r.Device}  {r.Trial}  {Tables.Phase(r.Phase)} {Say.Percent(r.Fraction)}  {Say.Watts(r.Watts)}");
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
        var id = new Argument<string>("sweep") { Description = "Its id." };
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
