using System.CommandLine;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.LlamaCpp.Gguf;
using EnergyGrid.Sdk;
using EnergyGrid.Stacks;

namespace EnergyGrid.Console;

/// <summary><c>stacks</c>: which serving engines nodes may run, and whether those of this machine start.</summary>
internal static class StackCommands
{
    private static readonly Column[] Offered =
    [
        new("stack", Rank: 0), new("engine", Rank: 2), new("models", Rank: 1, Least: 12), new("host", Rank: 3), new("parameters", Rank: 4, Least: 16),
    ];

    private static readonly Column[] Checked =
    [
        new("stack", Rank: 0), new("model", Rank: 1), new("starts", Rank: 2), new("after", Right: true, Rank: 4), new("version, or why not", Rank: 3, Least: 20),
    ];

    public static Command Make()
    {
        var command = new Command("stacks", "Lists the serving engines that nodes of the grid may run.");
        command.SetAction(async (parsed, stop) =>
        {
            using var client = GridCommand.Client(parsed);
            var screen = GridCommand.Screen(parsed);
            var stacks = await screen.Waiting($"the grid at {client.Address}", client.Stacks(stop));
            if (screen.Json) screen.Document(stacks);
            else if (stacks.IsEmpty) screen.Say("No node may run a serving engine: 'energygrid up --stacks FILE' names those of a machine ('energygrid stacks schema' is the file's form).");
            else screen.List(Offered, [.. stacks.OrderBy(s => s.Stack.Name, StringComparer.Ordinal).ThenBy(s => s.Host, StringComparer.Ordinal)
                .Select(s => (string[])[s.Stack.Name, s.Stack.Engine, string.Join(", ", s.Stack.Models), s.Up ? s.Host : $"{s.Host} (down)", string.Join(", ", s.Stack.Parameters)])]);
            return ExitCodes.Ok;
        });
        command.Add(Check());
        command.Add(Schema());
        command.Add(Model());
        return command;
    }

    private static Command Model()
    {
        var file = new Argument<string>("file") { Description = "Where it is written.", HelpName = "FILE.gguf" };
        var weights = new Option<string>("--weights") { Description = "FP16, Q8_0 or Q4_0.", HelpName = "FORMAT", DefaultValueFactory = _ => "Q8_0" };
        weights.AcceptOnlyFromAmong("FP16", "Q8_0", "Q4_0");
        var width = new Option<int>("--width") { Description = "Model width, a multiple of 128.", HelpName = "N", DefaultValueFactory = _ => 512 };
        var layers = new Option<int>("--layers") { Description = "Layers.", HelpName = "N", DefaultValueFactory = _ => 6 };
        var seed = new Option<long>("--seed") { Description = "Of the weights.", HelpName = "N", DefaultValueFactory = _ => 1 };
        var command = new Command("model", "Writes a model of random weights for llama-server: a serving engine can be measured on a laptop without a download. Its text means nothing, and it claims no quality.") { file, weights, width, layers, seed };
        command.SetAction(parsed =>
        {
            var (d, l, path) = (parsed.GetValue(width), parsed.GetValue(layers), parsed.GetValue(file)!);
            if (d is < 128 or > 16384 || d % 128 != 0) throw new CommandException(ExitCodes.Usage, $"--width {d}: a multiple of 128 from 128 to 16384.");
            if (l is < 1 or > 200) throw new CommandException(ExitCodes.Usage, $"--layers {l}: from 1 to 200.");
            try
            {
                new ServedModel(l, d, d / 64, d / 64, 128 * (d * 11 / 4 / 128), 4096, 8192, parsed.GetValue(weights)!, parsed.GetValue(seed)).Write(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CommandException(ExitCodes.Usage, $"{path} cannot be written: {FileFault.Words(e)}");
            }

            GridCommand.Screen(parsed).Say(string.Create(CultureInfo.InvariantCulture, $"{path}: {new FileInfo(path).Length / 1e6:F0} MB; in stacks.yaml its bytes_per_token is 1"));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Schema()
    {
        var command = new Command("schema", "Prints the JSON Schema of stacks.yaml.");
        command.SetAction(parsed =>
        {
            System.Console.Out.Write(StackFile.Schema());
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Check()
    {
        var file = new Argument<string>("file") { Description = "A stacks.yaml of this machine.", HelpName = "FILE" };
        var only = new Option<string?>("--stack") { Description = "Only this one.", HelpName = "NAME" };
        var command = new Command("check", "Starts every engine of a stacks.yaml with each of its models on this machine, asks it who it is, and stops it again.") { file, only };
        command.SetAction(async (parsed, stop) =>
        {
            var screen = GridCommand.Screen(parsed);
            var read = StackFile.ReadFile(parsed.GetValue(file)!);
            if (read.File is not { } stacks) throw new CommandException(ExitCodes.Usage, string.Join('\n', read.Problems));
            var chosen = stacks.Stacks.Where(s => parsed.GetValue(only) is not { } name || s.Name == name).ToArray();
            if (chosen.Length == 0) throw new CommandException(ExitCodes.Usage, $"{parsed.GetValue(file)} has no stack '{parsed.GetValue(only)}'; it has {string.Join(", ", stacks.Stacks.Select(s => s.Name))}.");
            var found = new List<StackCheck>();
            foreach (var stack in chosen)
                foreach (var model in stack.Models)
                    found.Add(await screen.Waiting($"{stack.Name} with {model.Name}", StackCheck.Of(stack, model.Name, stop)));
            if (screen.Json) screen.Document(found);
            else screen.List(Checked, [.. found.Select(c => (string[])[c.Stack, c.Model, c.Starts ? "yes" : "no", c.Starts ? Say.Seconds(c.Seconds) : Say.Absent, c.Words])]);
            return found.All(c => c.Starts) ? ExitCodes.Ok : ExitCodes.Unreachable;
        });
        return command;
    }
}

/// <summary>Whether an engine starts.</summary>
/// <param name="Stack">As <c>stacks.yaml</c> names it.</param>
/// <param name="Model">As <c>stacks.yaml</c> names it.</param>
/// <param name="Starts">Whether it was healthy, and serves that model.</param>
/// <param name="Seconds">How long that took, s.</param>
/// <param name="Words">Its version, or why it does not start.</param>
internal sealed record StackCheck(string Stack, string Model, bool Starts, double Seconds, string Words)
{
    public static async Task<StackCheck> Of(StackEntry stack, string model, CancellationToken stop)
    {
        var log = Path.Combine(Path.GetTempPath(), $"energygrid-stack-{Guid.NewGuid():N}.log");
        var (time, began) = (TimeProvider.System, TimeProvider.System.GetTimestamp());
        try
        {
            await using var engine = await EngineProcess.Start(stack, model, new Dictionary<string, string>(), new EnginePlace([], log), time, stop);
            return new(stack.Name, model, true, time.GetElapsedTime(began).TotalSeconds, Unprintable.Clean(engine.Version));
        }
        catch (EngineStartException e)
        {
            return new(stack.Name, model, false, time.GetElapsedTime(began).TotalSeconds, e.Message);
        }
        finally
        {
            if (File.Exists(log)) File.Delete(log);
        }
    }
}
