using System.Diagnostics;
using EnergyGrid.Grains;

namespace EnergyGrid.Results.Tests;

/// <summary>A sweep's files as a directory, and what <c>energygrid verify</c> says of it.</summary>
internal sealed class Export : IDisposable
{
    private static readonly string Console = typeof(EnergyGrid.Console.GridCommand).Assembly.Location;
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("energygrid-export-");

    public string Path => _directory.FullName;

    public static async Task<Export> Of(IResultFiles files, string sweep)
    {
        var export = new Export();
        foreach (var (name, bytes) in await All(files, sweep))
        {
            var path = System.IO.Path.Combine(export.Path, name);
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
            await File.WriteAllBytesAsync(path, bytes);
        }
        return export;
    }

    /// <summary>Every file by its name; its length is the one that was listed.</summary>
    public static async Task<SortedDictionary<string, byte[]>> All(IResultFiles files, string sweep)
    {
        var all = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var file in await files.Files(sweep))
        {
            all[file.Name] = await Read(files, sweep, file.Name);
            Assert.Equal(file.Bytes, all[file.Name].Length);
        }
        return all;
    }

    public static async Task<byte[]> Read(IResultFiles files, string sweep, string name)
    {
        await using var content = await files.Open(sweep, name);
        Assert.NotNull(content);
        using var bytes = new MemoryStream();
        await content.CopyToAsync(bytes);
        return bytes.ToArray();
    }

    public async Task<(int Code, string Error)> Verify()
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", ["exec", Console, "verify", Path]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true })!;
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        await output;
        return (process.ExitCode, await error);
    }

    public void Dispose() => _directory.Delete(recursive: true);
}
