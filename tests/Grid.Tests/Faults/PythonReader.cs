using System.Diagnostics;

namespace EnergyGrid.Grid.Tests.Faults;

/// <summary><c>client/python</c> as a user runs it: a second program, which shares no code with ours.</summary>
internal static class PythonReader
{
    /// <summary>The repository's folder.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>What it says of a directory of results. 0: it holds; 1: something is wrong; 2: it cannot be read at all.</summary>
    public static Task<(int Code, string Said)> Verify(string directory) => Run("-m", "energygrid_results", "verify", directory);

    public static async Task<(int Code, string Said)> Run(params string[] arguments)
    {
        var start = new ProcessStartInfo("python3", ["-B", .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Path.Combine(Root, "client", "python") };
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + await error);
    }

    private static string FindRoot()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, "EnergyGrid.sln"))) return at.FullName;
        throw new InvalidOperationException($"No EnergyGrid.sln above {AppContext.BaseDirectory}.");
    }
}
