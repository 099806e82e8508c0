using System.CommandLine;
using System.Reflection;
using System.Runtime.InteropServices;

namespace EnergyGrid.Console;

/// <summary><c>version</c>: this command's version.</summary>
internal static class VersionCommand
{
    public static string Number { get; } =
        typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    public static Command Make()
    {
        var command = new Command("version", "Prints version and runtime; needs no grid.");
        command.SetAction((parsed, _) =>
        {
            var screen = GridCommand.Screen(parsed);
            var runtime = $".NET {Environment.Version} on {RuntimeInformation.OSDescription} {RuntimeInformation.OSArchitecture}";
            if (screen.Json) screen.Document(new { product = "EnergyGrid", version = Number, runtime });
            else
            {
                screen.Say($"EnergyGrid {Number}");
                screen.Say($"runtime  {runtime}");
            }
            return Task.FromResult(ExitCodes.Ok);
        });
        return command;
    }
}
