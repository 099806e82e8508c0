using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Plans;

namespace EnergyGrid.Results;

/// <summary>
/// Results as a directory a sweep: <c>plan.yaml</c> as submitted, <c>plan.resolved.yaml</c>, <c>trials.ndjson</c> and <c>events.ndjson</c>
/// (journals), <c>traces/</c>, and what is written anew with every publication: <c>matrix.json</c>, <c>cells.csv</c>, <c>report.html</c>,
/// <c>manifest.json</c>. Files that are not journals are replaced whole or not at all. One process owns the root, so fences and registered orders
/// are in memory: who held one has gone with the process.
/// </summary>
public sealed class FileResultStore(string root, TimeProvider time) : IResultStore, IResultFiles, ITrialFiles, IResultRetention, IAsyncDisposable
{
    private const string Next = ".next";
    private const string Coming = ".coming-";
    private const string Going = ".going-";
    private readonly ConcurrentDictionary<string, Lazy<SweepPlace>> _sweeps = [];
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _quiet = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _working;
    private bool _gone;

    /// <summary>Where the sweeps' directories are.</summary>
    public string Root { get; } = root;

    /// <summary>The directory of a sweep. Throws <see cref="ArgumentException"/> for an id that is not a plain name.</summary>
    public string DirectoryOf(string sweep) => Path.Combine(Root, SweepFileName.Sweep(sweep));

    public async Task Create(string sweep, string planText, ResolvedPlan plan, CancellationToken stop = default)
    {
        var directory = DirectoryOf(sweep);
        await Kept(directory, async () =>
        {
            Directory.CreateDirectory(Path.Combine(directory, "traces"));
            if (Open(sweep).Ended is { } ended) throw new RefusedException($"Sweep '{sweep}' has ended ({ended}): submit under another id.");
            var text = Path.Combine(directory, SweepDocuments.PlanName);
            if (!File.Exists(text)) await Replace(text, Encoding.UTF8.GetBytes(planText), stop);
            else if (await File.ReadAllTextAsync(text, stop) != planText) throw new RefusedException($"Sweep '{sweep}' exists with another plan: submit under another id.");
            var resolved = Path.Combine(directory, SweepDocuments.ResolvedName);
            if (!File.Exists(resolved)) await Replace(resolved, Encoding.UTF8.GetBytes(PlanWriter.ToYaml(plan)), stop);
            // The same text may have been resolved otherwise by an older release, and a directory may have been put together by hand.
            else if (PlanFile.Load(await File.ReadAllTextAsync(resolved, stop), SweepDocuments.ResolvedName).Plan is { } there && there.Sha256 != plan.Sha256)
                throw new RefusedException($"Sweep '{sweep}' exists with another plan: its text was resolved to {there.Sha256}, here it is {plan.Sha256}; submit under another id.");
            if (Open(sweep).Results(0).FirstOrDefault(r => r.PlanSha256.Length > 0 && r.PlanSha256 != plan.Sha256) is { } foreign)
                throw new RefusedException($"Sweep '{sweep}' exists with trials of another plan ({foreign.Trial} was run for {foreign.PlanSha256}): submit under another id.");
        });
    }

    public Task<string> Take(string sweep, Fence writer, CancellationToken stop = default) => Kept(sweep, place => place.Take(writer));

    public Task Register(string sweep, Fence writer, string order, CancellationToken stop = default) => Kept(sweep, place => place.Register(writer, order));

    public Task<CommitAnswer> Commit(string sweep, string order, TrialResult result, CancellationToken stop = default) => Kept(DirectoryOf(sweep), () => Open(sweep).Commit(order, result));

    public Task<ImmutableArray<TrialResult>> Results(string sweep, int from = 0, CancellationToken stop = default) =>
        Exists(sweep) ? Kept(sweep, place => place.Results(from)) : Task.FromResult(ImmutableArray<TrialResult>.Empty);

    public Task<SweepEvent> Append(string sweep, Fence writer, string key, string kind, string text, CancellationToken stop = default) =>
        Kept(DirectoryOf(sweep), () => Open(sweep).Append(writer, key, kind, text, time.GetUtcNow(), stop));

    public Task<ImmutableArray<SweepEvent>> Events(string sweep, long from, CancellationToken stop = default) =>
        Exists(sweep) ? Kept(sweep, place => place.Events(from)) : Task.FromResult(ImmutableArray<SweepEvent>.Empty);

    public Task Publish(string sweep, Fence writer, SweepRecord record, CancellationToken stop = default)
    {
        var directory = DirectoryOf(sweep);
        // Rendering and hashing are long for whoever asks.
        return Kept(directory, () => Task.Run(() => Open(sweep).Publish(writer, record, trials => Write(sweep, directory, record, trials, stop), stop), stop));
    }

    public Task<(string Name, string Sha256)> Write(string sweep, TrialId trial, TrialFileKind kind, ReadOnlyMemory<byte> bytes, CancellationToken stop)
    {
        var (directory, name, sha256) = (DirectoryOf(sweep), SweepFileName.Of(trial, kind), SweepFileName.Sha256(bytes.Span));
        return Kept(directory, async () =>
        {
            var place = Open(sweep);
            // The file of a committed trial is the one that it was committed with, whatever a superseded attempt still writes.
            if (place.FileOf(trial, kind) is { Length: > 0 }) return (name, sha256);
            place.MustBeOpen();
            await Replace(Path.Combine(directory, SweepFileName.Folder(kind), name), bytes, stop);
            return (name, sha256);
        });
    }

    public Task<ImmutableArray<ResultFile>> Files(string sweep, CancellationToken stop = default) => Exists(sweep)
        ? Kept(DirectoryOf(sweep), () => Task.FromResult(Listed(DirectoryOf(sweep))))
        : Task.FromResult(ImmutableArray<ResultFile>.Empty);

    public async Task<Stream?> Open(string sweep, string name, CancellationToken stop = default)
    {
        if (!Exists(sweep)) return null;
        // Only what is listed can be opened: no name leads out of the directory.
        return await Kept(DirectoryOf(sweep), () => Task.FromResult<Stream?>(FilesOf(DirectoryOf(sweep)).FirstOrDefault(f => f.Name == name).Path is { } path ? Reading(path) : null));
    }

    public async Task<Matrix?> Matrix(string sweep, CancellationToken stop = default)
    {
        await using var content = await Open(sweep, SweepDocuments.MatrixName, stop);
        if (content is null) return null;
        using var bytes = new MemoryStream();
        await content.CopyToAsync(bytes, stop);
        return await SweepDocuments.ReadMatrix(bytes.ToArray(), async () =>
        {
            var directory = DirectoryOf(sweep);
            return (await Manifest(sweep, stop) ?? throw new InvalidDataException($"sweep '{sweep}' has no {SweepDocuments.ManifestName}."),
                SweepDocuments.Plan(Text(directory, SweepDocuments.PlanName), Text(directory, SweepDocuments.ResolvedName)), await Results(sweep, 0, stop));
        });
    }

    public Task<Manifest?> Manifest(string sweep, CancellationToken stop = default) => Document<Manifest>(sweep, SweepDocuments.ManifestName, stop);

    public Task<ImmutableArray<string>> Sweeps(CancellationToken stop = default) => Kept(Root, () => Task.FromResult<ImmutableArray<string>>(!Directory.Exists(Root)
        ? []
        : [.. Directory.EnumerateDirectories(Root).Select(d => Path.GetFileName(d)).Where(SweepFileName.IsPlain).Order(StringComparer.Ordinal)]));

    public async Task Remove(string sweep, string manifestSha256, CancellationToken stop = default)
    {
        if (!Exists(sweep)) return;
        var directory = DirectoryOf(sweep);
        await Kept(directory, async () =>
        {
            var place = Open(sweep);
            if (place.Ended is null) throw new RefusedException($"Sweep '{sweep}' has not ended: only what has ended can leave the grid.");
            var found = SweepFileName.Sha256(await File.ReadAllBytesAsync(Path.Combine(directory, SweepDocuments.ManifestName), stop));
            if (found != manifestSha256) throw new RefusedException($"The manifest of sweep '{sweep}' has SHA-256 {found}, not {manifestSha256}: what was archived is something else.");
            _sweeps.TryRemove(sweep, out _);
            await place.DisposeAsync();
            // Gone at once for every reader; deleted in its own time.
            var going = Path.Combine(Root, $"{Going}{Guid.NewGuid():N}");
            Directory.Move(directory, going);
            Directory.Delete(going, recursive: true);
        });
    }

    public Task<Manifest> Adopt(string directory, CancellationToken stop = default) => Kept(directory, () => Task.Run(async () =>
    {
        var found = SweepDirectory.Read(directory);
        var into = DirectoryOf(found.Manifest.Sweep);
        if (Directory.Exists(into))
        {
            var there = Path.Combine(into, SweepDocuments.ManifestName);
            if (File.Exists(there) && found.ManifestBytes.Span.SequenceEqual(File.ReadAllBytes(there))) return found.Manifest;
            throw new RefusedException($"Sweep '{found.Manifest.Sweep}' is there with other content.");
        }
        var coming = Path.Combine(Root, $"{Coming}{Guid.NewGuid():N}");
        try
        {
            foreach (var (name, path) in found.Paths) await Replace(Path.Combine(coming, name), await File.ReadAllBytesAsync(path, stop), stop);
            Directory.Move(coming, into);
        }
        catch
        {
            if (Directory.Exists(coming)) Directory.Delete(coming, recursive: true);
            throw;
        }
        return found.Manifest;
    }, stop));

    /// <summary>Ends what has begun and takes nothing more: from then on the root may be another's.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            if (_gone) return;
            _gone = true;
            if (_working == 0) _quiet.SetResult();
        }
        await _quiet.Task.ConfigureAwait(false);
        foreach (var (_, place) in _sweeps)
            if (place.IsValueCreated) await place.Value.DisposeAsync();
    }

    private static async Task Write(string sweep, string directory, SweepRecord record, ImmutableArray<TrialResult> trials, CancellationToken stop)
    {
        var plan = SweepDocuments.Plan(Text(directory, SweepDocuments.PlanName), Text(directory, SweepDocuments.ResolvedName));
        var before = Path.Combine(directory, SweepDocuments.ManifestName);
        var sha256 = plan?.Sha256 ?? (File.Exists(before) ? JsonSerializer.Deserialize<Manifest>(await File.ReadAllBytesAsync(before, stop), DocumentJson.Compact)!.PlanSha256 : "");
        var traces = ImmutableArray.CreateBuilder<RenderedFile>();
        foreach (var (name, path) in FilesOf(directory).Where(f => f.Name.StartsWith(SweepFileName.Traces, StringComparison.Ordinal)).Take(SweepDocuments.MostTraces))
            traces.Add(new(name[SweepFileName.Traces.Length..], await File.ReadAllBytesAsync(path, stop)));
        string[] rendered = plan is null ? [SweepDocuments.ManifestName] : [SweepDocuments.MatrixName, SweepDocuments.CellsName, SweepDocuments.ReportName, SweepDocuments.ManifestName, FacilitySeries.Name];
        var others = new List<ManifestFile>();
        foreach (var (name, path) in FilesOf(directory).Where(f => !rendered.Contains(f.Name)))
        {
            // Trials may be committed meanwhile: the manifest vouches for those that the matrix is made from.
            if (name == Journals.TrialsName)
            {
                var known = FirstLines(await File.ReadAllBytesAsync(path, stop), trials.Length);
                others.Add(new ManifestFile(name, known.Length, SweepFileName.Sha256(known.Span)));
                continue;
            }
            await using var content = Reading(path);
            others.Add(new ManifestFile(name, content.Length, Convert.ToHexStringLower(await SHA256.HashDataAsync(content, stop))));
        }
        // The manifest comes last: it vouches for the others as they now are.
        foreach (var file in SweepDocuments.Render(new(sweep, plan, sha256, record, trials, traces.ToImmutable()), others))
            await Replace(Path.Combine(directory, file.Name), file.Bytes, stop);
    }

    private static ImmutableArray<ResultFile> Listed(string directory)
    {
        // The journals' lengths first: what they name is then in the list.
        var journals = new[] { Journals.TrialsName, Journals.EventsName }.ToDictionary(n => n, n => new FileInfo(Path.Combine(directory, n)) is { Exists: true } file ? file.Length : 0, StringComparer.Ordinal);
        return [.. FilesOf(directory).Select(f => new ResultFile(f.Name, journals.TryGetValue(f.Name, out var length) ? length : new FileInfo(f.Path).Length))];
    }

    private static string Text(string directory, string name) => Path.Combine(directory, name) is var path && File.Exists(path) ? File.ReadAllText(path) : "";

    private bool Exists(string sweep) => SweepFileName.IsPlain(sweep) && Directory.Exists(DirectoryOf(sweep));

    private static ReadOnlyMemory<byte> FirstLines(byte[] journal, int lines)
    {
        var end = 0;
        for (; lines > 0; lines--) end += 1 + Array.IndexOf(journal, (byte)'\n', end) - end;
        return journal.AsMemory(0, end);
    }

    private static FileStream Reading(string path) => new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

    private static IEnumerable<(string Name, string Path)> FilesOf(string directory) => Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories)
        .Select(path => (Name: Path.GetRelativePath(directory, path).Replace('\\', '/'), path))
        .Where(f => !f.Name.EndsWith(Next, StringComparison.Ordinal))
        .OrderBy(f => f.Name, StringComparer.Ordinal);

    private async Task<T?> Document<T>(string sweep, string name, CancellationToken stop) where T : class
    {
        await using var content = await Open(sweep, name, stop);
        return content is null ? null : await JsonSerializer.DeserializeAsync<T>(content, DocumentJson.Compact, stop);
    }

    private SweepPlace Open(string sweep)
    {
        var place = _sweeps.GetOrAdd(sweep, id => new Lazy<SweepPlace>(() => SweepPlace.Open(id, DirectoryOf(id), Next)));
        try { return place.Value; }
        catch
        {
            // What is damaged or unreadable now may be mended while this process runs.
            _sweeps.TryRemove(new(sweep, place));
            throw;
        }
    }

    private Task Kept(string sweep, Action<SweepPlace> work) => Kept(sweep, place =>
    {
        work(place);
        return true;
    });

    private Task<T> Kept<T>(string sweep, Func<SweepPlace, T> work) => Kept(DirectoryOf(sweep), () => Task.FromResult(work(Open(sweep))));

    private Task Kept(string path, Func<Task> work) => Kept(path, async () =>
    {
        await work();
        return true;
    });

    // Whatever the disk says is one declared kind, with the place and what the kernel said.
    private async Task<T> Kept<T>(string path, Func<Task<T>> work)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_gone, this);
            _working++;
        }
        try
        {
            return await work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new StorageTroubleException(e.Message.Contains(path, StringComparison.Ordinal) ? e.Message : $"'{path}': {e.Message}");
        }
        finally
        {
            lock (_gate)
                if (--_working == 0 && _gone) _quiet.SetResult();
        }
    }

    private static async Task Replace(string path, ReadOnlyMemory<byte> content, CancellationToken stop)
    {
        var next = path + Next;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await using (var file = new FileStream(next, FileMode.Create, FileAccess.Write, FileShare.None, 1, FileOptions.Asynchronous))
            {
                await file.WriteAsync(content, stop);
                file.Flush(flushToDisk: true);
            }
            File.Move(next, path, overwrite: true);
        }
        catch (Exception e)
        {
            if (File.Exists(next)) File.Delete(next);
            // What .NET makes of EFBIG: a file may not grow, which is no mistake in an argument of ours.
            if (e is ArgumentOutOfRangeException) throw new IOException($"'{next}' could not be written: the file may not grow so large.", e);
            throw;
        }
    }
}
