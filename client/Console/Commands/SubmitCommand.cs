using System.CommandLine;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary><c>submit</c>: sends a plan; with --watch or --wait stays to its end.</summary>
internal static class SubmitCommand
{
    public static Command Make()
    {
        var file = new Argument<string>("plan") { Description = "Plan file, YAML or JSON; - is standard input." };
        var id = new Option<string?>("--id") { Description = "The sweep's id: the same plan again under it changes nothing.", HelpName = "ID" };
        var priority = new Option<int>("--priority") { Description = "Of sweeps that want the same devices the higher one has them first; of equals, the older. -100 to 100.", HelpName = "N" };
        var watch = new Option<bool>("--watch") { Description = "Stay to the end and print the matrix." };
        var wait = new Option<bool>("--wait") { Description = "Stay to the end without a display; the exit code says how it ended." };
        var quiet = new Option<bool>("--quiet") { Description = "Print the sweep's id and nothing else." };
        var dry = new Option<bool>("--dry-run") { Description = "Check and expand the plan; a grid that answers is asked what it would use, and keeps nothing." };
        var command = new Command("submit", "Submits a plan to the grid.") { file, id, priority, watch, wait, quiet, dry };
        command.Validators.Add(result =>
        {
            if (result.GetValue(watch) && (result.GetValue(wait) || result.GetValue(quiet))) result.AddError("--watch shows how it goes: --wait and --quiet are for those who do not look.");
        });
        command.SetAction(async (parsed, stop) =>
        {
            var screen = GridCommand.Screen(parsed);
            var plan = LocalPlan.Read(parsed.GetValue(file)!, screen);
            using var client = GridCommand.Client(parsed);
            if (parsed.GetValue(dry))
            {
                await Check(client, plan, stop);
                PlanCommand.ShowSummary(plan.Plan, screen, screen.Json ? PlanForecast.Of(plan.Plan, "") : await PlanForecast.Ask(plan.Plan, client, stop));
                return ExitCodes.Ok;
            }
            var (silent, stays) = (parsed.GetValue(quiet), parsed.GetValue(wait));
            if (screen.IsLive && !silent) PlanCommand.ShowForecast(await PlanForecast.Ask(plan.Plan, client, stop), screen);
            var status = await screen.Waiting($"the grid at {client.Address}", Send(client, plan, parsed.GetValue(id), parsed.GetValue(priority), stop));
            if (!parsed.GetValue(watch))
            {
                if (screen.Json && !stays) screen.Document(status);
                else if (silent) screen.Say(status.Id);
                else if (!screen.Json)
                {
                    screen.Say($"submitted {status.Id}");
                    screen.Say($"'energygrid watch {status.Id}' shows how it goes.");
                }
                return stays ? await WatchCommand.Wait(client, screen, status.Id, silent, stop) : ExitCodes.Ok;
            }
            if (!screen.Json) screen.Say($"submitted {status.Id}; Ctrl-C leaves it running.");
            return await WatchCommand.ToTheEnd(client, screen, status.Id, stop);
        });
        return command;
    }

    // What the grid would refuse is refused here. Without one the plan is checked as far as it goes.
    private static async Task Check(GridClient client, LocalPlan plan, CancellationToken stop)
    {
        using var soon = CancellationTokenSource.CreateLinkedTokenSource(stop);
        soon.CancelAfter(PlanForecast.Patience);
        try
        {
            _ = await client.Validate(plan.Text, soon.Token);
        }
        catch (GridProblemException e) when (!e.Faults.IsEmpty)
        {
            throw Refused(e, plan);
        }
        catch (Exception e) when (!stop.IsCancellationRequested && e is GridProblemException or GridUnreachableException or OperationCanceledException)
        {
            // The forecast says that nobody answered.
        }
    }

    private static CommandException Refused(GridProblemException e, LocalPlan plan) => new(ExitCodes.Usage, "\0" + string.Join('\n', e.Faults.Select(f => f with { File = plan.Path })));

    /// <summary>Sends it; the grid's faults then bear the file's name.</summary>
    public static async Task<SweepStatus> Send(GridClient client, LocalPlan plan, string? id, int priority, CancellationToken stop)
    {
        try
        {
            return await client.Submit(plan.Text, id, stop, priority);
        }
        catch (GridProblemException e) when (!e.Faults.IsEmpty)
        {
            throw Refused(e, plan);
        }
    }
}

/// <summary><c>watch</c>: follows a sweep to its end and prints the matrix.</summary>
internal static class WatchCommand
{
    public static Command Make()
    {
        var id = GridNames.Sweep();
        var command = new Command("watch", "Follows a sweep to its end, through silos that end and come back, and prints its matrix.") { id };
        command.SetAction(async (parsed, stop) =>
        {
            using var client = GridCommand.Client(parsed);
            return await ToTheEnd(client, GridCommand.Screen(parsed), parsed.GetValue(id)!, stop);
        });
        return command;
    }

    /// <summary>The same without the matrix.</summary>
    public static async Task<int> Follow(GridClient client, Screen screen, string id, CancellationToken stop)
    {
        var ended = await Board(client, screen, id, stop);
        return Code(ended[id], await MatrixOf(client, id, stop));
    }

    /// <summary>Waits for the end and shows nothing before it; with <paramref name="silent"/> nothing then either.</summary>
    public static async Task<int> Wait(GridClient client, Screen screen, string id, bool silent, CancellationToken stop)
    {
        SweepStatus? last = null;
        try
        {
            await foreach (var news in SweepFollow.ToTheEnd(client, id, line => screen.Complain($"energygrid: {line}"), stop)) last = news.Status ?? last;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            GoesOn(screen, id);
            throw;
        }
        if (screen.Json) screen.Document(last);
        else if (!silent) screen.Say(SweepBoard.Progress(last!));
        return Code(last!, await MatrixOf(client, id, stop));
    }

    public static async Task<int> ToTheEnd(GridClient client, Screen screen, string id, CancellationToken stop)
    {
        var ended = await Board(client, screen, id, stop);
        var matrix = await MatrixOf(client, id, stop);
        if (screen.Json) screen.Line(new { sweep = id, matrix });
        else if (matrix is not null)
        {
            MatrixCommand.Show(matrix, screen);
            screen.Say($"report   'energygrid report {id}' writes it as one HTML file; 'energygrid export {id}' copies all result files");
        }
        return Code(ended[id], matrix);
    }

    private static async Task<IReadOnlyDictionary<string, SweepStatus>> Board(GridClient client, Screen screen, string id, CancellationToken stop)
    {
        try
        {
            return await new SweepBoard(client, screen, [id]).Run(stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            GoesOn(screen, id);
            throw;
        }
    }

    // Ctrl-C ends the looking and not the sweep.
    private static void GoesOn(Screen screen, string id) => screen.Complain($"energygrid: the sweep goes on; 'energygrid watch {id}' shows how, 'energygrid cancel {id}' ends it.");

    /// <summary>The matrix of a sweep that has ended, or null; a grid that goes away just now is waited for.</summary>
    public static async Task<Matrix?> MatrixOf(GridClient client, string id, CancellationToken stop)
    {
        for (var tries = 60; ; tries--)
        {
            try
            {
                return await client.Matrix(id, stop);
            }
            catch (GridProblemException e) when ((int)e.Status == 404)
            {
                return null;
            }
            catch (Exception e) when (tries > 1 && !stop.IsCancellationRequested && SweepFollow.IsAway(e))
            {
                await Task.Delay(TimeSpan.FromSeconds(1), stop);
            }
        }
    }

    /// <summary>What an ended sweep says to the shell.</summary>
    public static int Code(SweepStatus status, Matrix? matrix) => status.Phase switch
    {
        SweepPhase.Cancelled => ExitCodes.Cancelled,
        SweepPhase.FinishedWithFailures => ExitCodes.Failed,
        _ when matrix?.Groups.Any(g => g.Rows.Any(r => r.Quality.StartsWith("failed", StringComparison.OrdinalIgnoreCase))) == true => ExitCodes.QualityGate,
        _ => ExitCodes.Ok,
    };
}
