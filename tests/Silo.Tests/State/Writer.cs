using System.Diagnostics;
using System.Globalization;

namespace EnergyGrid.Silo.Tests;

/// <summary>A record that is wrong if any part of it is of another write.</summary>
public sealed record Page(int Number, string Text)
{
    public const string Type = "page", Name = "page", Key = "only";

    // Long enough that a write takes a good part of the time: a kill then often meets one.
    public static Page Of(int number) => new(number, new string((char)('a' + number % 26), 1_000_000));

    public bool IsWhole => Text == Of(Number).Text;
}

/// <summary>
/// This assembly as a process: <c>EnergyGrid.Silo.Tests write DIRECTORY</c> writes page after page, each with the next number, and prints a number once its write has been acknowledged.
/// </summary>
public static class Writer
{
    public static async Task<int> Main(string[] args)
    {
        if (args is not ["write", var directory]) return 2;
        using var files = new StateFiles(directory);
        var (etag, page) = await files.Read<Page>(Page.Type, Page.Name, Page.Key);
        for (var number = (page?.Number ?? 0) + 1; ; number++)
        {
            etag = await files.Write(Page.Type, Page.Name, Page.Key, etag, Page.Of(number));
            Console.WriteLine(number.ToString(CultureInfo.InvariantCulture));
        }
    }

    public static Process Start(string directory)
    {
        var runtime = Path.GetDirectoryName(typeof(object).Assembly.Location)!; // …/shared/Microsoft.NETCore.App/10.0.x
        var dotnet = Path.GetFullPath(Path.Combine(runtime, "..", "..", "..", OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet"));
        return Process.Start(new ProcessStartInfo(dotnet, ["exec", typeof(Writer).Assembly.Location, "write", directory]) { RedirectStandardOutput = true })!;
    }
}
