using System.CommandLine;
using System.Formats.Tar;
using System.Security.Cryptography;
using EnergyGrid.Contracts;
using EnergyGrid.Report;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary><c>sweep archive</c>, <c>sweep adopt</c>, <c>sweep delete</c>: results leave the grid as a directory, come back, or go for good.</summary>
internal static class RetentionCommands
{
    private const string Manifest = "manifest.json";

    public static Command Make() => new("sweep", "Moves results of ended sweeps out of the grid and back, or deletes them.") { Archive(), Adopt(), Delete() };

    private static Command Archive()
    {
        var id = GridNames.Sweep();
        var to = new Option<string?>("--to") { Description = "Directory to make; SWEEP if not said.", HelpName = "DIR" };
        var command = new Command("archive", "Moves an ended sweep's results into a new directory, verifies it, then removes them from the grid.") { id, to };
        command.SetAction(async (parsed, stop) =>
        {
            var screen = GridCommand.Screen(parsed);
            var sweep = parsed.GetValue(id)!;
            var path = Path.GetFullPath(parsed.GetValue(to) ?? sweep);
            using var client = GridCommand.Client(parsed);
            var status = await client.Sweep(sweep, stop);
            if (!status.HasEnded) throw new CommandException(ExitCodes.Usage, $"{sweep} has not ended ({Tables.Phase(status.Phase)}): only what has ended can be archived; 'energygrid cancel {sweep}' ends it.");
            // A command that was killed after the copy goes on from the copy.
            if (!IsThere(path)) await Copy(client, sweep, path, stop);
            else if (!Verification.Of(path, stop).Holds || ResultSource.Read<Manifest>(Path.Combine(path, Manifest)).Sweep != sweep)
                throw new CommandException(ExitCodes.Usage, $"{path} is there already and is no sound copy of {sweep}; name a new directory with --to.");
            await client.Remove(sweep, Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(Path.Combine(path, Manifest), stop))), stop);
            if (screen.Json) screen.Document(new { sweep, directory = path });
            else screen.Say($"{sweep} is in {path} and no more in the grid; 'energygrid sweep adopt {path}' brings it back.");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Adopt()
    {
        var source = new Argument<string>("directory") { Description = "A directory of results of an ended sweep." };
        var command = new Command("adopt", "Verifies a directory of results and brings it into the grid under its sweep's id.") { source };
        command.SetAction(async (parsed, stop) =>
        {
            var screen = GridCommand.Screen(parsed);
            var directory = parsed.GetValue(source)!;
            if (!Directory.Exists(directory)) throw new CommandException(ExitCodes.Usage, $"{directory}: there is no such directory.");
            MustHold(Verification.Of(directory, stop), screen);
            using var client = GridCommand.Client(parsed);
            // A file of its own: a tar can be larger than memory, and its length goes ahead of it.
            await using var tar = new FileStream(Path.GetTempFileName(), FileMode.Create, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose | FileOptions.Asynchronous);
            await using (var writer = new TarWriter(tar, leaveOpen: true))
                foreach (var path in Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
                    await writer.WriteEntryAsync(path, Path.GetRelativePath(directory, path).Replace('\\', '/'), stop);
            tar.Position = 0;
            var line = await client.Adopt(tar, stop);
            if (screen.Json) screen.Document(line);
            else screen.Say($"{line.Id} ({line.Name}) is in the grid; {directory} stays as it is.");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Delete()
    {
        var id = GridNames.Sweep();
        var yes = new Option<bool>("--yes") { Description = "Do not ask." };
        var only = new Option<string?>("--manifest") { Description = "Only if its manifest.json has this SHA-256.", HelpName = "SHA256" };
        var command = new Command("delete", "Deletes an ended sweep and its results for good; 'sweep archive' keeps them.") { id, yes, only };
        command.SetAction(async (parsed, stop) =>
        {
            var screen = GridCommand.Screen(parsed);
            var sweep = parsed.GetValue(id)!;
            using var client = GridCommand.Client(parsed);
            var status = await client.Sweep(sweep, stop);
            if (!status.HasEnded) throw new CommandException(ExitCodes.Usage, $"{sweep} has not ended ({Tables.Phase(status.Phase)}): only what has ended can be deleted; 'energygrid cancel {sweep}' ends it.");
            var manifest = await ManifestSha256(client, sweep, stop);
            if (parsed.GetValue(only) is { } wanted && !wanted.Equals(manifest, StringComparison.OrdinalIgnoreCase))
                throw new CommandException(ExitCodes.Usage, $"the manifest of {sweep} has SHA-256 {manifest}, not {wanted}: nothing was deleted.");
            if (!parsed.GetValue(yes)) await Ask($"{sweep} ({status.Name}), {Tables.Phase(status.Phase)}, {status.CommittedTrials} trials, manifest {manifest}", screen, stop);
            await client.Remove(sweep, manifest, stop);
            if (screen.Json) screen.Document(new { deleted = sweep, manifest });
            else screen.Say($"{sweep} is deleted; its manifest was {manifest}.");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static async Task<string> ManifestSha256(GridClient client, string sweep, CancellationToken stop)
    {
        using var bytes = new MemoryStream();
        try { await client.Download(sweep, Manifest, bytes, stop); }
        catch (GridProblemException e) when (e.Status == System.Net.HttpStatusCode.NotFound)
        {
            throw new CommandException(ExitCodes.Usage, $"{sweep} has no manifest that could vouch for what is deleted: {e.Message}");
        }
        return Convert.ToHexStringLower(SHA256.HashData(bytes.GetBuffer().AsSpan(0, (int)bytes.Length)));
    }

    // Whoever cannot be asked has to say so beforehand.
    private static async Task Ask(string what, Screen screen, CancellationToken stop)
    {
        if (System.Console.IsInputRedirected) throw new CommandException(ExitCodes.Usage, $"{what}: say --yes to delete it for good; nothing was deleted.");
        screen.Complain(NumberText.Clean(what));
        System.Console.Error.Write("Delete it and its results for good? [y/N] ");
        var answer = await Task.Run(System.Console.ReadLine, stop).WaitAsync(stop);
        if (answer?.Trim().ToLowerInvariant() is not ("y" or "yes")) throw new CommandException(ExitCodes.Cancelled, "nothing was deleted.");
    }

    private static bool IsThere(string path) => File.Exists(path) || (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any());

    // Under another name until it is whole, on the disk and verified: what lies at the path is always a sound copy.
    private static async Task Copy(GridClient client, string sweep, string path, CancellationToken stop)
    {
        var coming = $"{path}.{Path.GetRandomFileName()}";
        try
        {
            await ResultSource.Download(client, sweep, coming, stop);
            foreach (var file in Directory.EnumerateFiles(coming, "*", SearchOption.AllDirectories))
            {
                using var written = new FileStream(file, FileMode.Open, FileAccess.ReadWrite);
                written.Flush(flushToDisk: true);
            }
            var found = Verification.Of(coming, stop);
            if (!found.Holds) throw new CommandException(ExitCodes.Failed, $"what the grid gave of {sweep} does not verify ({found.Discrepancies[0].File}: {found.Discrepancies[0].What}); nothing was removed.");
            if (Directory.Exists(path)) Directory.Delete(path); // empty
            Directory.Move(coming, path);
        }
        finally
        {
            if (Directory.Exists(coming)) Directory.Delete(coming, recursive: true);
        }
    }

    private static void MustHold(Verification found, Screen screen)
    {
        if (found.Holds) return;
        foreach (var d in found.Discrepancies) screen.Complain($"{d.File}: {d.What}");
        throw new CommandException(ExitCodes.Failed, $"{found.Directory} does not verify; nothing was taken in.");
    }
}
