using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using System.Text;
using EnergyGrid.Contracts;
using EnergyGrid.Report;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary><c>plan</c>: what can be done with a plan without a grid.</summary>
internal static class PlanCommand
{
    public static Command Make()
    {
        var command = new Command("plan", "Makes, checks and expands plans; needs no grid.");
        command.Add(Validate());
        command.Add(Expand());
        command.Add(Schema());
        command.Add(Workloads());
        command.Add(Templates());
        command.Add(New());
        return command;
    }

    private static Argument<string> File() => new("plan") { Description = "Plan file, YAML or JSON." };

    private static Command Validate()
    {
        var file = File();
        var command = new Command("validate", "Says whether a plan is right, or what is wrong and where.") { file };
        command.SetAction((parsed, _) =>
        {
            var screen = GridCommand.Screen(parsed);
            var plan = LocalPlan.Read(parsed.GetValue(file)!, screen).Plan;
            if (screen.Json) screen.Document(new { valid = true, problems = Array.Empty<PlanFault>(), plan = PlanSummary.Of(plan) });
            else screen.Say($"{parsed.GetValue(file)}: valid; {Verdicts.Count(PlanSummary.Of(plan).Cells, "cell")} in {Verdicts.Count(plan.Groups.Length, "match group")} on {plan.Hardware.Model}, plan {plan.Sha256[..12]}");
            return Task.FromResult(ExitCodes.Ok);
        });
        return command;
    }

    private static Command Expand()
    {
        var file = File();
        var command = new Command("expand", "Lists every cell of a plan with nothing left open.") { file };
        command.SetAction((parsed, _) =>
        {
            var screen = GridCommand.Screen(parsed);
            var plan = LocalPlan.Read(parsed.GetValue(file)!, screen).Plan;
            if (screen.Json) screen.Document(plan);
            else
            {
                ShowCells(plan, screen);
                ShowSummary(plan, screen, PlanForecast.Of(plan, $"'energygrid submit {parsed.GetValue(file)} --dry-run' asks the grid"));
            }
            return Task.FromResult(ExitCodes.Ok);
        });
        return command;
    }

    private static Command Schema()
    {
        var command = new Command("schema", "Prints the JSON schema of plans.");
        command.SetAction((_, _) =>
        {
            System.Console.Out.WriteLine(new Silo.PlanDesk().Schema);
            return Task.FromResult(ExitCodes.Ok);
        });
        return command;
    }

    private static Command Workloads()
    {
        var command = new Command("workloads", "Lists the catalogue of workloads that plans name: shapes, formats, the models they stand for, the stacks that run them.");
        command.SetAction((parsed, _) =>
        {
            var screen = GridCommand.Screen(parsed);
            if (screen.Json) screen.Document(WorkloadTable.Lines);
            else Table(screen, WorkloadTable.Columns, [.. WorkloadTable.Lines.Select(WorkloadTable.Cells)], WorkloadTable.Notes);
            return Task.FromResult(ExitCodes.Ok);
        });
        return command;
    }

    private static Command Templates()
    {
        var command = new Command("templates", "Lists the plans to begin with, and what each asks.");
        command.SetAction((parsed, _) =>
        {
            var screen = GridCommand.Screen(parsed);
            if (screen.Json) screen.Document(PlanTemplates.Names.Select(n => new { name = n, question = PlanTemplates.Question(n) }));
            else if (screen.IsPiped) foreach (var name in PlanTemplates.Names) screen.Say($"{name}\t{PlanTemplates.Question(name)}");
            else
            {
                foreach (var name in PlanTemplates.Names)
                {
                    screen.Say(name);
                    foreach (var line in TextColumns.Wrap(PlanTemplates.Question(name), Math.Max(40, screen.People.Profile.Width) - 2)) screen.Say("  " + line);
                }
                screen.Say("'energygrid plan new --template NAME --out my.yaml' writes one.");
            }
            return Task.FromResult(ExitCodes.Ok);
        });
        return command;
    }

    private static Command New()
    {
        var template = new Option<string>("--template") { Description = "Which one; 'plan templates' lists them.", HelpName = "NAME", Required = true };
        template.CompletionSources.Add([.. PlanTemplates.Names]);
        var into = new Option<string>("--out") { Description = "File to write, which must not be there yet; - is standard output.", HelpName = "FILE", DefaultValueFactory = _ => "-" };
        var command = new Command("new", "Writes a commented plan to begin with.") { template, into };
        command.SetAction(async (parsed, stop) =>
        {
            var screen = GridCommand.Screen(parsed);
            var (name, path) = (parsed.GetValue(template)!, parsed.GetValue(into)!);
            var text = PlanTemplates.Text(name);
            if (path == "-")
            {
                if (screen.Json) screen.Document(new { template = name, plan = text });
                else System.Console.Out.Write(text);
                return ExitCodes.Ok;
            }
            await Write(path, text, stop);
            if (screen.Json) screen.Document(new { template = name, file = Path.GetFullPath(path) });
            else screen.Say($"{path} is written; change it, then 'energygrid plan validate {path}' checks it and 'energygrid submit {path} --watch' runs it.");
            return ExitCodes.Ok;
        });
        return command;
    }

    // What somebody has begun to change is never written over.
    private static async Task Write(string path, string text, CancellationToken stop)
    {
        if (Path.Exists(path)) throw new CommandException(ExitCodes.Usage, $"{path} is there already; name another file with --out.");
        try
        {
            await using var file = new FileStream(path, FileMode.CreateNew);
            await file.WriteAsync(new UTF8Encoding(false).GetBytes(text), stop);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Usage, $"{path} cannot be written: {FileFault.Words(e)}");
        }
    }

    private static void Table(Screen screen, ImmutableArray<TextColumn> columns, ImmutableArray<ImmutableArray<string>> rows, ImmutableArray<string> notes)
    {
        if (screen.IsPiped)
        {
            screen.Say(TextColumns.Piped(columns));
            foreach (var row in rows) screen.Say(string.Join('\t', row));
            return;
        }
        var width = Math.Max(40, screen.People.Profile.Width);
        var table = TextColumns.Of(columns, rows, [.. rows.Select(_ => "")], width);
        foreach (var line in table.Head) screen.Say(line);
        foreach (var row in rows) screen.Say(table.Row(row));
        foreach (var line in notes.SelectMany(n => TextColumns.Wrap(n, width))) screen.Say(line);
        if (table.Dropped is { Length: > 0 } dropped)
            foreach (var line in TextColumns.Wrap($"not shown for want of room: {string.Join(", ", dropped.Select(d => d.Header))}", width)) screen.Say(line);
    }

    private static void ShowCells(ResolvedPlan plan, Screen screen)
    {
        ImmutableArray<TextColumn> columns =
        [
            new("cell", "", false, 0), new("workload", "", false, 3), new("weights", "", false, 2), new("batch", "", true, 1), new("context", "", true, 1), new("d_model", "", true, 4), new("L'", "", true, 1),
            new("GFLOP/layer", "", true, 5), new("MB/layer", "", true, 5), new("configuration", "", false, 6),
        ];
        foreach (var group in plan.Groups)
        {
            screen.Say($"{group.Name}: {(group.Baseline is { } b ? $"baseline {b}" : "no baseline, absolute values only")}");
            if (group.Cells[0].Configuration.Serve is null) Table(screen, columns, [.. group.Cells.Select(Cells)], []);
            else Table(screen, Served, [.. group.Cells.Select(c => ServedCells(c, plan.Timing.WindowSeconds))], [Asked(group, plan.Timing.WindowSeconds)]);
        }
    }

    private static readonly ImmutableArray<TextColumn> Served =
    [
        new("cell", "", false, 0), new("stack", "", false, 1), new("model", "", false, 1), new("engine", "", false, 4), new("load", "", false, 2), new("in", "token", true, 2), new("out", "token", true, 2),
        new("requests", "in a window", true, 3), new("tokens", "in a window", true, 3), new("configuration", "", false, 6),
    ];

    // How many a closed loop brings is the engine's to say.
    private static ImmutableArray<string> ServedCells(PlannedCell cell, double windowSeconds)
    {
        var (c, serve) = (cell.Configuration, cell.Configuration.Serve!);
        var load = serve.Load;
        double? requests = load.RequestsPerSecond > 0 ? load.RequestsPerSecond * windowSeconds : null;
        return
        [
            NumberText.Clean(cell.Label), NumberText.Clean(c.Stack), NumberText.Clean(serve.Model), NumberText.Clean(string.Join(' ', serve.Parameters.Select(p => $"{p.Key}={p.Value}"))),
            load.Arrivals switch { ArrivalProcess.Closed => $"{Text(load.Concurrency)} at once", ArrivalProcess.Trace => "trace", _ => $"{NumberText.Significant(load.RequestsPerSecond)}/s {load.Arrivals.ToString().ToLowerInvariant()}" },
            serve.Prompts.FileSha256.Length > 0 || load.Arrivals == ArrivalProcess.Trace ? "file" : NumberText.Significant(serve.Prompts.Input.Mean), NumberText.Significant(serve.Prompts.Output.Mean),
            requests is { } r ? Say.Number(r) : "as it can", requests is { } n ? Say.Number(n * serve.Prompts.Output.Mean) : "as it can", cell.ConfigurationSha256[..12],
        ];
    }

    private static string Asked(MatchGroup group, double windowSeconds) => windowSeconds < LeastServedWindowSeconds && group.Cells.Any(c => c.Configuration.Serve is not null)
        ? string.Create(CultureInfo.InvariantCulture, $"a window of {windowSeconds} s is no claim for a serving engine: trial.window_s of {LeastServedWindowSeconds} at least, and 20 median requests")
        : "";

    private const double LeastServedWindowSeconds = 60;

    private static ImmutableArray<string> Cells(PlannedCell cell)
    {
        var c = cell.Configuration;
        return
        [
            NumberText.Clean(cell.Label), c.Workload, c.Weights, Text(c.Batch), Text(c.Context), Text(c.ModelWidth),
            string.Join(", ", new[] { c.ShortLayers, c.MiddleLayers, c.LongLayers }.Where(l => l > 0).Distinct().Select(Text)), Say.Number(cell.Cost.Flops / 1e9), Say.Number(cell.Cost.Bytes / 1e6), cell.ConfigurationSha256[..12],
        ];
    }

    /// <summary>What a plan comes to, and what it takes as far as <paramref name="forecast"/> can say.</summary>
    public static void ShowSummary(ResolvedPlan plan, Screen screen, PlanForecast forecast)
    {
        var summary = PlanSummary.Of(plan);
        if (screen.Json)
        {
            screen.Document(summary);
            return;
        }
        screen.Say($"{plan.Name}: {Verdicts.Count(summary.Cells, "cell")} in {Verdicts.Count(plan.Groups.Length, "match group")} on {plan.Hardware.Model}{(plan.Hardware.Devices is { } n ? $", at most {n} devices" : "")}");
        screen.Say($"passes {plan.Replication.Min} to {plan.Replication.Max} for a half-width of {Say.Percent(plan.Replication.HalfWidth)}; order by seed {plan.OrderSeed}");
        ShowForecast(forecast, screen);
        screen.Say($"plan {plan.Sha256}");
    }

    /// <summary>What a plan takes, before it is sent.</summary>
    public static void ShowForecast(PlanForecast forecast, Screen screen)
    {
        foreach (var line in forecast.Lines().SelectMany(l => TextColumns.Wrap(l, Math.Max(40, screen.People.Profile.Width)))) screen.Say(line);
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
