using System.CommandLine;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary><c>submit</c>: sends a plan; with --watch stays to its end and prints the matrix.</summary>
internal static class SubmitCommand
{
    public static Command Make()
    {
        var file = new Argument<string>("plan") { Description = "Plan file, YAML or JSON." };
        var id = new Option<string?>("--id") { Description = "The sweep's id: the same plan again under it changes nothing.", HelpName = "ID" };
        var priority = new Option<int>("--priority") { Description = "Of sweeps that want the same devices the higher one has them first; of equals, the older. -100 to 100.", HelpName = "N" };
        var watch = new Option<bool>("--watch") { Description = "Stay to the end and print the matrix." };
        var dry = new Option<bool>("--dry-run") { Description = "Check and expand the plan here; send nothing." };
        var command = new Command("submit", "Submits a plan to the grid.") { file, id, priority, watch, dry };
        command.SetAction(async (parsed, stop) =>
        {
            var screen = GridCommand.Screen(parsed);
            var plan = LocalPlan.Read(parsed.GetValue(file)!, screen);
            using var client = GridCommand.Client(parsed);
            if (parsed.GetValue(dry))
            {
                PlanCommand.ShowSummary(plan.Plan, screen, screen.Json ? PlanForecast.Of(plan.Plan, "") : await PlanForecast.Ask(plan.Plan, client, stop));
                return ExitCodes.Ok;
            }
            if (screen.IsLive) PlanCommand.ShowForecast(await PlanForecast.Ask(plan.Plan, client, stop), screen);
            var status = await Send(client, plan, parsed.GetValue(id), parsed.GetValue(priority), stop);
            if (!parsed.GetValue(watch))
            {
                if (screen.Json) screen.Document(status);
                else
                {
                    screen.Say($"submitted {status.Id}");
                    screen.Say($"'energygrid watch {status.Id}' shows how it goes.");
                }
                return ExitCodes.Ok;
            }
            if (!screen.Json) screen.Say($"submitted {status.Id}; Ctrl-C leaves it running.");
            return await WatchCommand.ToTheEnd(client, screen, status.Id, stop);
        });
        return command;
    }

    /// <summary>Sends it; the grid's faults then bear the file's name.</summary>
    public static async Task<SweepStatus> Send(GridClient client, LocalPlan plan, string? id, int priority, CancellationToken stop)
    {
        try
        {
            return await client.Submit(plan.Text, id, stop, priority);
        }
        catch (GridProblemException e) when (!e.Faults.IsEmpty)
        {
            throw new CommandException(ExitCodes.Usage, "\0" + string.Join('\n', e.Faults.Select(f => f with { File = plan.Path })));
        }
    }
}

/// <summary><c>watch</c>: follows a sweep to its end and prints the matrix.</summary>
internal static class WatchCommand
{
    public static Command Make()
    {
        var id = new Argument<string>("sweep") { Description = "Its id." };
        var command = new Command("watch", "Follows a sweep to its end and prints its matrix.") { id };
        command.SetAction(async (parsed, stop) =>
        {
            using var client = GridCommand.Client(parsed);
            return await ToTheEnd(client, GridCommand.Screen(parsed), parsed.GetValue(id)!, stop);
        });
        return command;
    }

    public static async Task<int> ToTheEnd(GridClient client, Screen screen, string id, CancellationToken stop)
    {
        var ended = await new SweepBoard(client, screen, [id]).Run(stop);
        var matrix = await MatrixOf(client, id, stop);
        if (screen.Json) screen.Line(new { sweep = id, matrix });
        else if (matrix is not null) MatrixCommand.Show(matrix, screen);
        return Code(ended[id], matrix);
    }

    public static async Task<Matrix?> MatrixOf(GridClient client, string id, CancellationToken stop)
    {
        try
        {
            return await client.Matrix(id, stop);
        }
        catch (GridProblemException e) when ((int)e.Status == 404)
        {
            return null;
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
