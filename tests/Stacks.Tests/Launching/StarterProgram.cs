using System.Diagnostics;

namespace EnergyGrid.Stacks.Tests;

/// <summary>A process of ours that starts an engine, says so, and waits to be killed: <c>dotnet exec</c> of this assembly with the file of stacks and the log as arguments.</summary>
internal static class StarterProgram
{
    public static async Task<int> Main(string[] args)
    {
        if (args is not [var stacks, var log]) return 0;
        var stack = StackFile.ReadFile(stacks).File!.Stacks[0];
        await using var engine = await EngineProcess.Start(stack, stack.Models[0].Name, new Dictionary<string, string>(), new EnginePlace([], log), TimeProvider.System, CancellationToken.None);
        Console.WriteLine($"{engine.ProcessId} {engine.Address.Port}");
        await Task.Delay(-1);
        return 0;
    }

    /// <summary>Starts it.</summary>
    public static Process Start(string stacks, string log) =>
        Process.Start(new ProcessStartInfo("dotnet", ["exec", typeof(StarterProgram).Assembly.Location, stacks, log]) { RedirectStandardOutput = true })!;
}
