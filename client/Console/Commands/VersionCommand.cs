using System.CommandLine;
using System.CommandLine.Invocation;
using System.Reflection;
using System.Runtime.InteropServices;

namespace EnergyGrid.Console;

/// <summary><c>version</c>, and <c>--version</c>: this command's version.</summary>
internal static class VersionCommand
{
    public static string Number { get; } =
        typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    public static Command Make()
    {
        var command = new Command("version", "Prints version and runtime; needs no grid.");
        command.SetAction((parsed, _) => Task.FromResult(Show(parsed)));
        return command;
    }

    /// <summary>The same as an option of the root: what people try first.</summary>
    public static Option<bool> AsOption() => new("--version") { Description = "Prints version and runtime, as 'version' does.", Action = new ShowAction() };

    private static int Show(ParseResult parsed)
    {
        var screen = GridCommand.Screen(parsed);
        var runtime = $".NET {Environment.Version} on {RuntimeInformation.OSDescription} {RuntimeInformation.OSArchitecture}";
        if (screen.Json) screen.Document(new { product = "EnergyGrid", version = Number, runtime });
        else
        {
            screen.Say($"EnergyGrid {Number}");
            screen.Say($"runtime  {runtime}");
        }
        return ExitCodes.Ok;
    }

    private sealed class ShowAction : SynchronousCommandLineAction
    {
        // No command is wanted beside it.
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult) => Show(parseResult);
    }
}
