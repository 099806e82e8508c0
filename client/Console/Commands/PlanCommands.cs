using System.CommandLine;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary><c>plan</c>: what can be done with a plan without a grid.</summary>
internal static class PlanCommand
{
    public static Command Make()
    {
        var command = new Command("plan", "Checks and expands plans; needs no grid.");
        command.Add(Validate());
        command.Add(Expand());
        command.Add(Schema());
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
            else screen.Say($"{parsed.GetValue(file)}: valid; {PlanSummary.Of(plan).Cells} cells in {plan.Groups.Length} match groups on {plan.Hardware.Model}, plan {plan.Sha256[..12]}");
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
                ShowSummary(plan, screen);
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

    private static void ShowCells(ResolvedPlan plan, Screen screen)
    {
        foreach (var group in plan.Groups)
        {
            var table = Tables.Plain("cell", "workload", "weights", ">batch", ">context", ">d_model", ">L'", ">GFLOP/layer", ">MB/layer", "configuration");
            foreach (var cell in group.Cells)
            {
                var c = cell.Configuration;
                string[] cells =
                [
                    cell.Label, c.Workload, c.Weights, Text(c.Batch), Text(c.Context), Text(c.ModelWidth),
                    string.Join(", ", new[] { c.ShortLayers, c.MiddleLayers, c.LongLayers }.Where(l => l > 0).Distinct().Select(Text)), Say.Number(cell.Cost.Flops / 1e9), Say.Number(cell.Cost.Bytes / 1e6), cell.ConfigurationSha256[..12],
                ];
                table.AddRow(cells.Select(Spectre.Console.Markup.Escape).ToArray());
            }
            screen.Say($"{group.Name}: {(group.Baseline is { } b ? $"baseline {b}" : "no baseline, absolute values only")}");
            screen.People.Write(table);
        }
    }

    public static void ShowSummary(ResolvedPlan plan, Screen screen)
    {
        var summary = PlanSummary.Of(plan);
        if (screen.Json)
        {
            screen.Document(summary);
            return;
        }
        screen.Say($"{plan.Name}: {summary.Cells} cells in {plan.Groups.Length} match groups on {plan.Hardware.Model}{(plan.Hardware.Devices is { } n ? $", at most {n} devices" : "")}");
        screen.Say($"passes {plan.Replication.Min} to {plan.Replication.Max} for a half-width of {Say.Percent(plan.Replication.HalfWidth)}; order by seed {plan.OrderSeed}");
        screen.Say($"first stage, each device group: {summary.FirstStageTrialsPerDeviceGroup} trials, at least {Say.Seconds(summary.FirstStageSecondsPerDeviceGroup)} of device time");
        screen.Say($"plan {plan.Sha256}");
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
