using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Plans;
using EnergyGrid.Report;

namespace EnergyGrid.Results;

/// <summary>
/// Results as a directory a sweep: <c>plan.yaml</c> as submitted, <c>plan.resolved.yaml</c>, <c>trials.ndjson</c> and <c>events.ndjson</c>
/// (journals), <c>traces/</c>, and what is written anew with every publication: <c>matrix.json</c>, <c>cells.csv</c>, <c>report.html</c>,
/// <c>manifest.json</c>. Files that are not journals are replaced whole or not at all.
/// </summary>
public sealed class FileResultStore(string root, TimeProvider time) : IResultStore, IResultFiles, ITraceSink, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Lazy<Sweep>> _sweeps = [];

    /// <summary>Where the sweeps' directories are.</summary>
    public string Root { get; } = root;

    /// <summary>The directory of a sweep. Throws <see cref="ArgumentException"/> for an id that is not a plain name.</summary>
    public string DirectoryOf(string sweep) => IsPlainName(sweep)
        ? Path.Combine(Root, sweep)
        : throw new ArgumentException($"'{sweep}' is no id of a sweep: 1 to 100 letters, digits, '-', '_' or '.', not beginning with '.'.", nameof(sweep));

    /// <summary>Whether a name can stand as a directory or file by itself.</summary>
    public static bool IsPlainName(string name) => name.Length is > 0 and <= 100 && name[0] != '.' && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');

    public async Task Create(string sweep, string planText, ResolvedPlan plan, CancellationToken stop = default)
    {
        var directory = DirectoryOf(sweep);
        Directory.CreateDirectory(Path.Combine(directory, "traces"));
        await Replace(Path.Combine(directory, "plan.yaml"), Encoding.UTF8.GetBytes(planText), stop);
        await Replace(Path.Combine(directory, "plan.resolved.yaml"), Encoding.UTF8.GetBytes(PlanWriter.ToYaml(plan)), stop);
        _ = Open(sweep);
    }

    public async Task<CommitAnswer> Commit(string sweep, TrialResult result, CancellationToken stop = default)
    {
        var place = Open(sweep);
        await place.Committing.WaitAsync(stop);
        Task append;
        try
        {
            if (place.Trials.ContainsKey(result.Trial)) return CommitAnswer.AlreadyThere;
            append = place.TrialJournal.Append(JsonSerializer.Serialize(result, DocumentJson.Compact));
            place.Trials[result.Trial] = result;
            place.Order.Add(result);
        }
        finally
        {
            place.Committing.Release();
        }
        try
        {
            await append;
            return CommitAnswer.Committed;
        }
        catch
        {
            await place.Committing.WaitAsync(CancellationToken.None);
            place.Trials.Remove(result.Trial);
            place.Order.Remove(result);
            place.Committing.Release();
            throw;
        }
    }

    public async Task<ImmutableArray<TrialResult>> Results(string sweep, CancellationToken stop = default)
    {
        var place = Open(sweep);
        await place.Committing.WaitAsync(stop);
        try { return [.. place.Order]; }
        finally { place.Committing.Release(); }
    }

    public async Task<SweepEvent> Append(string sweep, string kind, string text, CancellationToken stop = default)
    {
        var place = Open(sweep);
        await place.Committing.WaitAsync(stop);
        try
        {
            // A sweep that was killed while it ended, and ends again, has ended once.
            if (place.Events is [.., var last] && (last.Kind, last.Text) == (kind, text)) return last;
            var said = new SweepEvent(place.Events.Count, time.GetUtcNow(), kind, text);
            await place.EventJournal.Append(JsonSerializer.Serialize(said, DocumentJson.Compact));
            place.Events.Add(said);
            return said;
        }
        finally
        {
            place.Committing.Release();
        }
    }

    public async Task<ImmutableArray<SweepEvent>> Events(string sweep, long from, CancellationToken stop = default)
    {
        if (!Exists(sweep)) return [];
        var place = Open(sweep);
        await place.Committing.WaitAsync(stop);
        try { return [.. place.Events.Skip((int)Math.Clamp(from, 0, int.MaxValue))]; }
        finally { place.Committing.Release(); }
    }

    public Task<ImmutableArray<ResultFile>> Files(string sweep, CancellationToken stop = default) => Task.FromResult<ImmutableArray<ResultFile>>(!Exists(sweep)
        ? []
        : [.. FilesOf(DirectoryOf(sweep)).Select(f => new ResultFile(f.Name, new FileInfo(f.Path).Length))]);

    public Task<Stream?> Open(string sweep, string name, CancellationToken stop = default)
    {
        // Only what is listed can be opened: no name leads out of the directory.
        var path = Exists(sweep) ? FilesOf(DirectoryOf(sweep)).FirstOrDefault(f => f.Name == name).Path : null;
        return Task.FromResult<Stream?>(path is null ? null : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
    }

    public Task<Matrix?> Matrix(string sweep, CancellationToken stop = default) => Document<Matrix>(sweep, "matrix.json", stop);

    public Task<Manifest?> Manifest(string sweep, CancellationToken stop = default) => Document<Manifest>(sweep, "manifest.json", stop);

    public async Task Publish(string sweep, Matrix matrix, Manifest manifest, CancellationToken stop = default)
    {
        var directory = DirectoryOf(sweep);
        await Replace(Path.Combine(directory, "matrix.json"), JsonSerializer.SerializeToUtf8Bytes(matrix, DocumentJson.Indented), stop);
        await Replace(Path.Combine(directory, "cells.csv"), Encoding.UTF8.GetBytes(CellsCsv.Write(matrix)), stop);
        var traces = new List<PowerTrace>();
        foreach (var file in Directory.EnumerateFiles(Path.Combine(directory, "traces"), "*.csv").Order(StringComparer.Ordinal).Take(64))
            traces.Add(PowerTrace.Parse(Path.GetFileNameWithoutExtension(file), await File.ReadAllTextAsync(file, stop)));
        await Replace(Path.Combine(directory, "report.html"), Encoding.UTF8.GetBytes(ReportPage.Render(matrix, manifest, traces)), stop);
        // The manifest comes last: it vouches for the others as they now are.
        var files = ImmutableArray.CreateBuilder<ManifestFile>();
        foreach (var (name, file) in FilesOf(directory).Where(f => f.Name != "manifest.json"))
        {
            await using var content = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            files.Add(new ManifestFile(name, content.Length, Convert.ToHexStringLower(await SHA256.HashDataAsync(content, stop))));
        }
        await Replace(Path.Combine(directory, "manifest.json"), ManifestSeal.Put(JsonSerializer.SerializeToUtf8Bytes(manifest with { Files = files.ToImmutable() }, DocumentJson.Indented)), stop);
    }

    public async Task<(string Name, string Sha256)> Write(string sweep, TrialId trial, ReadOnlyMemory<byte> csv, CancellationToken stop)
    {
        var name = $"{new string([.. trial.ToString().Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? c : '_')])}.csv";
        await Replace(Path.Combine(DirectoryOf(sweep), "traces", name), csv.ToArray(), stop);
        return (name, Convert.ToHexStringLower(SHA256.HashData(csv.Span)));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (_, place) in _sweeps)
        {
            if (!place.IsValueCreated) continue;
            await place.Value.TrialJournal.DisposeAsync();
            await place.Value.EventJournal.DisposeAsync();
        }
    }

    private const string Next = ".next";

    private bool Exists(string sweep) => IsPlainName(sweep) && Directory.Exists(DirectoryOf(sweep));

    private static IEnumerable<(string Name, string Path)> FilesOf(string directory) => Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories)
        .Select(path => (Name: Path.GetRelativePath(directory, path).Replace('\\', '/'), path))
        .Where(f => !f.Name.EndsWith(Next, StringComparison.Ordinal))
        .OrderBy(f => f.Name, StringComparer.Ordinal);

    private async Task<T?> Document<T>(string sweep, string name, CancellationToken stop) where T : class
    {
        await using var content = await Open(sweep, name, stop);
        return content is null ? null : await JsonSerializer.DeserializeAsync<T>(content, DocumentJson.Compact, stop);
    }

    private Sweep Open(string sweep)
    {
        var place = _sweeps.GetOrAdd(sweep, id => new Lazy<Sweep>(() => new Sweep(DirectoryOf(id))));
        try { return place.Value; }
        catch
        {
            // What is damaged or unreadable now may be mended while this process runs.
            _sweeps.TryRemove(new(sweep, place));
            throw;
        }
    }

    private static async Task Replace(string path, byte[] content, CancellationToken stop)
    {
        var next = path + Next;
        try
        {
            await using (var file = new FileStream(next, FileMode.Create, FileAccess.Write, FileShare.None, 1, FileOptions.Asynchronous))
            {
                await file.WriteAsync(content, stop);
                file.Flush(flushToDisk: true);
            }
            File.Move(next, path, overwrite: true);
        }
        catch (Exception e)
        {
            File.Delete(next);
            // What .NET makes of EFBIG: a file may not grow, which is no mistake in an argument of ours.
            if (e is ArgumentOutOfRangeException) throw new IOException($"'{next}' could not be written: the file may not grow so large.", e);
            throw;
        }
    }

    private sealed class Sweep
    {
        public Sweep(string directory)
        {
            (TrialJournal, var trials) = JournalFile.Open(Path.Combine(directory, "trials.ndjson"));
            try
            {
                (EventJournal, var events) = JournalFile.Open(Path.Combine(directory, "events.ndjson"));
                foreach (var line in trials)
                {
                    var result = JsonSerializer.Deserialize<TrialResult>(line, DocumentJson.Compact)!;
                    if (Trials.TryAdd(result.Trial, result)) Order.Add(result);
                }
                foreach (var line in events) Events.Add(JsonSerializer.Deserialize<SweepEvent>(line, DocumentJson.Compact)!);
                // Files that a crash left half written; nothing writes here before this has been read.
                foreach (var half in Directory.EnumerateFiles(directory, "*" + Next, SearchOption.AllDirectories)) File.Delete(half);
            }
            catch
            {
                TrialJournal.DisposeAsync().AsTask().GetAwaiter().GetResult();
                EventJournal?.DisposeAsync().AsTask().GetAwaiter().GetResult();
                throw;
            }
        }

        public SemaphoreSlim Committing { get; } = new(1, 1);
        public JournalFile TrialJournal { get; }
        public JournalFile EventJournal { get; }
        public Dictionary<TrialId, TrialResult> Trials { get; } = [];
        public List<TrialResult> Order { get; } = [];
        public List<SweepEvent> Events { get; } = [];
    }
}
