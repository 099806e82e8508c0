using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary>A sweep's results: a directory of this machine, or a sweep of the grid.</summary>
internal static class ResultSource
{
    /// <summary>Whether an argument names a directory here.</summary>
    public static bool IsDirectory(string source) => Directory.Exists(source);

    /// <summary>The matrix of a directory or of a sweep.</summary>
    public static async Task<Matrix> Matrix(string source, Func<GridClient> client, CancellationToken stop)
    {
        if (!IsDirectory(source))
        {
            // What looks like a path is one: an id has no separator.
            if (source.Contains('/')) throw new CommandException(ExitCodes.Usage, $"{source}: there is no such directory.");
            using var grid = client();
            return await grid.Matrix(source, stop);
        }
        return Read<Matrix>(Path.Combine(source, "matrix.json"));
    }

    /// <summary>Reads one document of a directory.</summary>
    /// <exception cref="CommandException">It is not there or is none.</exception>
    public static T Read<T>(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(File.ReadAllBytes(path), DocumentJson.Compact) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new CommandException(ExitCodes.Usage, $"{path}:{(e.LineNumber ?? 0) + 1}: no {typeof(T).Name}: {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Usage, $"{path} cannot be read: {e.Message}");
        }
    }

    /// <summary>Downloads every file of a sweep into a directory. Of a sweep that goes on, all documents are of one publication.</summary>
    public static async Task<int> Download(GridClient grid, string id, string directory, CancellationToken stop)
    {
        const string Manifest = "manifest.json";
        var root = Path.GetFullPath(directory);
        for (var attempt = 1; ; attempt++)
        {
            var files = await grid.Files(id, stop);
            foreach (var file in files)
            {
                var path = Path.GetFullPath(Path.Combine(root, file.Name));
                // The grid is not trusted to name only files below the directory.
                if (!path.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal)) throw new CommandException(ExitCodes.Failed, $"the grid names a file '{file.Name}' outside the directory; nothing was written there.");
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                await using var into = File.Create(path);
                await grid.Download(id, file.Name, into, stop);
            }
            // The documents may have been written anew meanwhile: then some are older than the manifest that vouches for them.
            if (!files.Any(f => f.Name == Manifest)) return files.Length;
            using var now = new MemoryStream();
            await grid.Download(id, Manifest, now, stop);
            if (now.ToArray().AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(root, Manifest)))) return files.Length;
            if (attempt == MostAttempts) throw new CommandException(ExitCodes.Failed, $"the documents of '{id}' were written anew {MostAttempts} times while they were copied; try again, or pause the sweep.");
        }
    }

    private const int MostAttempts = 5;
}
