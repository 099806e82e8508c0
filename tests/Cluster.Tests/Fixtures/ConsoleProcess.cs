using System.Diagnostics;

namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>The console as a process.</summary>
internal static class ConsoleProcess
{
    /// <summary>How it is started; its arguments follow.</summary>
    public static readonly string[] Command = ["dotnet", "exec", Find()];

    /// <summary>Runs a command to its end.</summary>
    /// <param name="before">A command that runs another one, for example in a network namespace; empty for none.</param>
    /// <param name="arguments">Of the console.</param>
    public static async Task<(int Code, string Out, string Error)> Run(IReadOnlyList<string> before, params string[] arguments)
    {
        string[] all = [.. before, .. Command, .. arguments];
        using var process = Process.Start(new ProcessStartInfo(all[0], all[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true })!;
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }

    // artifacts/bin/PROJECT/CONFIGURATION/FRAMEWORK: the console of the same build lies beside whoever asks.
    private static string Find()
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        return Path.Combine(own.Parent!.Parent!.Parent!.FullName, "Console", own.Parent.Name, own.Name, "EnergyGrid.Console.dll");
    }
}
