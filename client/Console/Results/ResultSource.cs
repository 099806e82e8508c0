using System.Collections.Immutable;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Results;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary>A sweep's results: a directory of this machine, or a sweep of the grid.</summary>
internal static class ResultSource
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>Whether an argument can be nothing but a path: an id has no separator and begins with no dot.</summary>
    public static bool IsPath(string source) => source.Contains(Path.DirectorySeparatorChar) || source.StartsWith('.');

    /// <summary>The directory that an argument names; null if it names a sweep of the grid. A bare word is a sweep before it is a directory, which may be an old copy of it.</summary>
    /// <exception cref="CommandException">It is a path, and there is no directory.</exception>
    public static async Task<string?> DirectoryOf(string source, Func<GridClient> client, Screen screen, CancellationToken stop)
    {
        var there = Directory.Exists(source);
        if (IsPath(source)) return there ? source : throw new CommandException(ExitCodes.Usage, $"{source}: there is no such directory.");
        if (!there) return null;
        string why;
        try
        {
            using var grid = client();
            using var soon = CancellationTokenSource.CreateLinkedTokenSource(stop);
            soon.CancelAfter(Patience);
            _ = await grid.Sweep(source, soon.Token);
            return null;
        }
        catch (Exception e) when (!stop.IsCancellationRequested && (e is CommandException or GridUnreachableException or OperationCanceledException or GridProblemException))
        {
            why = e is GridProblemException { Status: System.Net.HttpStatusCode.NotFound } ? "the grid has no sweep of that name" : "no grid answers";
        }
        screen.Complain($"energygrid: {source} is read from the directory ./{source}: {why}.");
        return source;
    }

    /// <summary>The matrix of a directory or of a sweep.</summary>
    public static async Task<Matrix> Matrix(string source, Func<GridClient> client, Screen screen, CancellationToken stop)
    {
        if (await DirectoryOf(source, client, screen, stop) is { } directory) return await Matrix(directory, stop);
        using var grid = client();
        return await grid.Matrix(source, stop);
    }

    /// <summary>The matrix of a directory.</summary>
    public static async Task<Matrix> Matrix(string source, CancellationToken stop)
    {
        var path = Path.Combine(source, SweepDocuments.MatrixName);
        try
        {
            return await SweepDocuments.ReadMatrix(await File.ReadAllBytesAsync(path, stop), async () =>
            {
                string Text(string name) => Path.Combine(source, name) is var file && File.Exists(file) ? File.ReadAllText(file) : "";
                var trials = JournalLine.Documents(await File.ReadAllBytesAsync(Path.Combine(source, Journals.TrialsName), stop), Journals.TrialsName).Select(Journals.Trial).ToImmutableArray();
                return (Read<Manifest>(Path.Combine(source, SweepDocuments.ManifestName)), SweepDocuments.Plan(Text(SweepDocuments.PlanName), Text(SweepDocuments.ResolvedName)), trials);
            });
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Usage, $"{path} cannot be read: {FileFault.Words(e)}");
        }
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
            throw new CommandException(ExitCodes.Usage, $"{path} cannot be read: {FileFault.Words(e)}");
        }
    }

    /// <summary>Downloads every file of a sweep into a directory. Of a sweep that goes on, all documents are of one publication and all traces of the kept trials are there.</summary>
    public static async Task<int> Download(GridClient grid, string id, string directory, CancellationToken stop)
    {
        var root = Path.GetFullPath(directory);
        for (var attempt = 1; attempt <= MostAttempts; attempt++)
        {
            var before = await Manifest(grid, id, stop);
            var files = await grid.Files(id, stop);
            foreach (var file in files)
            {
                var path = Path.GetFullPath(Path.Combine(root, file.Name));
                // The grid is not trusted to name only files below the directory.
                if (!path.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal)) throw new CommandException(ExitCodes.Failed, $"the grid names a file '{file.Name}' outside the directory; nothing was written there.");
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                await using var into = File.Create(path);
                await grid.Download(id, file.Name, into, stop);
                // Journals grow while they are copied; what they had when the files were listed fits the other files of the list.
                if (file.Name.EndsWith(".ndjson", StringComparison.Ordinal) && into.Length > file.Bytes) into.SetLength(file.Bytes);
            }
            // Documents may have been written anew meanwhile: then some are older than the manifest that vouches for them.
            var after = await Manifest(grid, id, stop);
            if (after.AsSpan().SequenceEqual(before)) return files.Length;
        }
        throw new CommandException(ExitCodes.Failed, $"the documents of '{id}' were written anew {MostAttempts} times while they were copied; try again, or pause the sweep.");
    }

    // Empty before the first publication.
    private static async Task<byte[]> Manifest(GridClient grid, string id, CancellationToken stop)
    {
        using var bytes = new MemoryStream();
        try { await grid.Download(id, "manifest.json", bytes, stop); }
        catch (GridProblemException e) when (e.Status == System.Net.HttpStatusCode.NotFound) { return []; }
        return bytes.ToArray();
    }

    private const int MostAttempts = 5;
}
