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

    /// <summary>Downloads every file of a sweep into a directory.</summary>
    public static async Task<int> Download(GridClient grid, string id, string directory, CancellationToken stop)
    {
        var root = Path.GetFullPath(directory);
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
        return files.Length;
    }
}
