using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Plans;
using StackExchange.Redis;

namespace EnergyGrid.Results;

/// <summary>
/// Results of all silos in one Redis. Whatever changes a sweep is one Lua call (<see cref="RedisScripts"/>): it checks fence, order and end, then writes.
/// Documents are rendered from the records when somebody asks, the same bytes on every silo, and frozen with the manifest by the call that ends the sweep.
/// <code>
/// P:sweeps                SET     ids of the sweeps that have results here
/// P:{ID}                  HASH    form (1), plan, resolved, plan_sha256; fence:ACTOR its highest number, order:ACTOR its registered order;
///                                 record (how it stands), trials and events (how many there were when that was said);
///                                 once it has ended: ended (the phase's number), manifest_sha256
/// P:{ID}:trials           LIST    committed trials in the order of commit
/// P:{ID}:index            HASH    identity of a trial (group, label, configuration, block, pass; a line each) → its place in the list
/// P:{ID}:events           STREAM  entry SEQUENCE+1-0, field r: the event
/// P:{ID}:keys             HASH    key of an event → its sequence
/// P:{ID}:blocks           HASH    SHA-256 of a trial's file → the file; a trace in columns
/// P:{ID}:sizes            HASH    SHA-256 of a trial's file → its length, B
/// P:{ID}:traces           HASH    file of a committed trial → its SHA-256 and length: a trace by its name alone, others with their folder
/// P:{ID}:documents        HASH    once it has ended: name of a document → the document, journals included
/// </code>
/// <c>P</c> is the grid's prefix; the braces are a hash tag. Trials, events, how it stands, blocks and documents are MessagePack in an envelope with version and
/// SHA-256 (<see cref="Sealed"/>). Nothing expires, and nothing is ever looked for by pattern.
/// </summary>
public sealed class RedisResultStore : IResultStore, IResultFiles, ITrialFiles, IResultRetention
{
    /// <summary>Longer than the client's own time-out: what it does not end, this does.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private const int Part = 250;
    private readonly IConnectionMultiplexer _redis;
    private readonly IDatabase _db;
    private readonly string _prefix;
    private readonly TimeProvider _time;
    private readonly RenderedSweeps _rendered = new();

    /// <param name="redis">The process's connection.</param>
    /// <param name="prefix">What the grid's keys begin with; no braces.</param>
    /// <param name="time">Dates events.</param>
    public RedisResultStore(IConnectionMultiplexer redis, string prefix, TimeProvider time)
    {
        if (prefix.Length == 0 || prefix.AsSpan().ContainsAny('{', '}')) throw new ArgumentException($"'{prefix}' cannot begin the grid's keys: it is empty or has braces, which are a sweep's.", nameof(prefix));
        (_redis, _db, _prefix, _time) = (redis, redis.GetDatabase(), prefix, time);
    }

    private RedisKey SweepSet => _prefix + ":sweeps";

    public async Task Create(string sweep, string planText, ResolvedPlan plan, CancellationToken stop = default)
    {
        var keys = Keys(sweep);
        // The set first: it may name a sweep that was never made, and never lacks one that was.
        await Ask(() => _db.SetAddAsync(SweepSet, sweep)).ConfigureAwait(false);
        var answer = await Run(keys, RedisScripts.Create, [planText, PlanWriter.ToYaml(plan), plan.Sha256]).ConfigureAwait(false);
        switch (Said(answer))
        {
            case "other": throw new RefusedException($"Sweep '{sweep}' exists with another plan: submit under another id.");
            case "ended": throw new RefusedException($"Sweep '{sweep}' has ended ({PhaseOf(answer[1])}): submit under another id.");
        }
    }

    public async Task<string> Take(string sweep, Fence writer, CancellationToken stop = default) =>
        (string)(await Run(sweep, writer, RedisScripts.Take, []).ConfigureAwait(false))[1]!;

    public async Task Register(string sweep, Fence writer, string order, CancellationToken stop = default)
    {
        var answer = await Run(sweep, writer, RedisScripts.Register, [order]).ConfigureAwait(false);
        if (Said(answer) == "ended") throw HasEnded(sweep, answer);
    }

    public async Task<CommitAnswer> Commit(string sweep, string order, TrialResult result, CancellationToken stop = default)
    {
        var keys = Keys(sweep);
        var record = Sealed.Put(RecordKind.Trial, result.Epoch, TrialRecord.Of(result));
        var answer = await Run(keys, RedisScripts.Commit, [order, Fence.GroupActor(result.Trial.Block), SweepKeys.Identity(result.Trial), record, result.Trace, result.TraceSha256, result.Served is { Requests: { Length: > 0 } requests } ? SweepFileName.Requests + requests : "", result.Served?.RequestsSha256 ?? ""]).ConfigureAwait(false);
        return Said(answer) switch
        {
            "there" => CommitAnswer.AlreadyThere,
            "withdrawn" => CommitAnswer.Withdrawn,
            _ => CommitAnswer.Committed,
        };
    }

    public async Task<ImmutableArray<TrialResult>> Results(string sweep, int from = 0, CancellationToken stop = default)
    {
        var keys = Keys(sweep);
        var count = await Ask(() => _db.ListLengthAsync(keys.Trials)).ConfigureAwait(false);
        return await Trials(keys, from, (int)count).ConfigureAwait(false);
    }

    public async Task<SweepEvent> Append(string sweep, Fence writer, string key, string kind, string text, CancellationToken stop = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        var record = Sealed.Put(RecordKind.Event, writer.Number, new EventRecord(Instant.Of(_time.GetUtcNow()), kind, text, key));
        var answer = await Run(sweep, writer, RedisScripts.Append, [key, record]).ConfigureAwait(false);
        if (Said(answer) == "ended") throw HasEnded(sweep, answer);
        return await Ask(() => Task.FromResult(Event(sweep, (long)answer[1], (byte[])answer[2]!).Event)).ConfigureAwait(false);
    }

    public async Task Publish(string sweep, Fence writer, SweepRecord record, CancellationToken stop = default)
    {
        var keys = Keys(sweep);
        RedisValue standing = Sealed.Put(RecordKind.Standing, writer.Number, StandingRecord.Of(record));
        if (!record.HasEnded)
        {
            var said = await Run(sweep, writer, RedisScripts.Publish, [standing]).ConfigureAwait(false);
            if (Said(said) == "ended") throw HasEnded(sweep, said);
            return;
        }
        // What is committed while the documents are rendered is in them the next time around.
        while (true)
        {
            stop.ThrowIfCancellationRequested();
            // A copy that was superseded learns it before it renders, and an end that stands is found before it is rendered again.
            await Run(sweep, writer, RedisScripts.Take, []).ConfigureAwait(false);
            if (await Ask(() => _db.HashGetAsync(keys.Sweep, "ended")).ConfigureAwait(false) is { IsNull: false } ended)
            {
                // Whoever was killed while it ended and ends again: the first end stands.
                if ((SweepPhase)(int)ended == record.Phase) return;
                throw new RefusedException($"Sweep '{sweep}' has ended ({(SweepPhase)(int)ended}): nothing is added to it any more.");
            }
            var (trials, events) = await Ask(async () => ((int)await _db.ListLengthAsync(keys.Trials).ConfigureAwait(false), await _db.StreamLengthAsync(keys.Events).ConfigureAwait(false))).ConfigureAwait(false);
            var rendered = await Render(keys, record, trials, events).ConfigureAwait(false);
            var documents = rendered.SelectMany(f => new RedisValue[] { f.Name, Sealed.Put(RecordKind.Document, writer.Number, PackedRecord.Of(f.Bytes.Span)) });
            var manifest = rendered.First(f => f.Name == SweepDocuments.ManifestName).Line.Sha256;
            var answer = await Run(sweep, writer, RedisScripts.Freeze, [standing, trials, events, (int)record.Phase, manifest, .. documents]).ConfigureAwait(false);
            if (Said(answer) == RedisScripts.Ok) return;
        }
    }

    public async Task<(string Name, string Sha256)> Write(string sweep, TrialId trial, TrialFileKind kind, ReadOnlyMemory<byte> bytes, CancellationToken stop)
    {
        var keys = Keys(sweep);
        var (name, sha256) = (SweepFileName.Of(trial, kind), SweepFileName.Sha256(bytes.Span));
        var block = await Task.Run(() => Sealed.Put(RecordKind.Trace, 0, PackedRecord.Of(TraceRecord.Of(bytes.Span))), stop).ConfigureAwait(false);
        var answer = await Run(keys, RedisScripts.Keep, [sha256, bytes.Length, block]).ConfigureAwait(false);
        return Said(answer) == "ended" ? throw HasEnded(sweep, answer) : (name, sha256);
    }

    public async Task<ImmutableArray<ResultFile>> Files(string sweep, CancellationToken stop = default)
    {
        if (!SweepFileName.IsPlain(sweep)) return [];
        var keys = Keys(sweep);
        if (await View(keys).ConfigureAwait(false) is not { } view) return [];
        if (view.Ended)
        {
            var manifest = await Frozen(keys, SweepDocuments.ManifestName).ConfigureAwait(false) ?? throw Lost(keys, SweepDocuments.ManifestName);
            return [.. Parse<Manifest>(manifest).Files.Select(f => new ResultFile(f.Name, f.Bytes)).Append(new(SweepDocuments.ManifestName, manifest.Length)).OrderBy(f => f.Name, StringComparer.Ordinal)];
        }
        var files = new List<ResultFile>
        {
            new(SweepDocuments.PlanName, view.Plan.Length),
            new(SweepDocuments.ResolvedName, view.Resolved.Length),
            new(Journals.TrialsName, (await Journal(keys, Journals.TrialsName).ConfigureAwait(false)).Length),
            new(Journals.EventsName, (await Journal(keys, Journals.EventsName).ConfigureAwait(false)).Length),
        };
        foreach (var (name, (_, bytes)) in await Traces(keys).ConfigureAwait(false)) files.Add(new(Path(name), bytes));
        foreach (var file in await Documents(keys, view, stop).ConfigureAwait(false)) files.Add(new(file.Name, file.Bytes.Length));
        return [.. files.OrderBy(f => f.Name, StringComparer.Ordinal)];
    }

    public async Task<Stream?> Open(string sweep, string name, CancellationToken stop = default) =>
        await Content(sweep, name, stop).ConfigureAwait(false) is { } bytes ? new MemoryStream(bytes, writable: false) : null;

    public async Task<Matrix?> Matrix(string sweep, CancellationToken stop = default) =>
        await Content(sweep, SweepDocuments.MatrixName, stop).ConfigureAwait(false) is not { } bytes ? null : await SweepDocuments.ReadMatrix(bytes, async () =>
        {
            var plans = await Task.WhenAll(Content(sweep, SweepDocuments.PlanName, stop), Content(sweep, SweepDocuments.ResolvedName, stop)).ConfigureAwait(false);
            return (await Manifest(sweep, stop).ConfigureAwait(false) ?? throw new InvalidDataException($"sweep '{sweep}' has no {SweepDocuments.ManifestName}."),
                SweepDocuments.Plan(Encoding.UTF8.GetString(plans[0] ?? []), Encoding.UTF8.GetString(plans[1] ?? [])), await Results(sweep, 0, stop).ConfigureAwait(false));
        }).ConfigureAwait(false);

    public async Task<Manifest?> Manifest(string sweep, CancellationToken stop = default) =>
        await Content(sweep, SweepDocuments.ManifestName, stop).ConfigureAwait(false) is { } bytes ? Parse<Manifest>(bytes) : null;

    public async Task<ImmutableArray<SweepEvent>> Events(string sweep, long from, CancellationToken stop = default) =>
        SweepFileName.IsPlain(sweep) ? [.. (await Lines(Keys(sweep), Math.Max(0, from), long.MaxValue).ConfigureAwait(false)).Select(l => l.Event)] : [];

    public async Task<ImmutableArray<string>> Sweeps(CancellationToken stop = default)
    {
        var named = (await Ask(() => _db.SetMembersAsync(SweepSet)).ConfigureAwait(false)).Select(v => (string)v!).Order(StringComparer.Ordinal).ToArray();
        var there = await Ask(() => Task.WhenAll(named.Select(n => _db.KeyExistsAsync(Keys(n).Sweep)))).ConfigureAwait(false);
        return [.. named.Zip(there).Where(p => p.Second).Select(p => p.First)];
    }

    public async Task Remove(string sweep, string manifestSha256, CancellationToken stop = default)
    {
        if (!SweepFileName.IsPlain(sweep)) return;
        var answer = await Run(Keys(sweep), RedisScripts.Remove, [manifestSha256]).ConfigureAwait(false);
        switch (Said(answer))
        {
            case "running": throw new RefusedException($"Sweep '{sweep}' has not ended: only what has ended can leave the grid.");
            case "other": throw new RefusedException($"The manifest of sweep '{sweep}' has SHA-256 {(string?)answer[1]}, not {manifestSha256}: what was archived is something else.");
        }
        await Ask(() => _db.SetRemoveAsync(SweepSet, sweep)).ConfigureAwait(false);
    }

    public async Task<Manifest> Adopt(string directory, CancellationToken stop = default)
    {
        SweepDirectory found;
        List<RedisValue> arguments;
        try
        {
            (found, arguments) = await Task.Run(() =>
            {
                var read = SweepDirectory.Read(directory);
                return (read, Adopted(read));
            }, stop).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StorageTroubleException($"'{directory}' cannot be read: {e.Message}");
        }
        var keys = Keys(found.Manifest.Sweep);
        await Ask(() => _db.SetAddAsync(SweepSet, keys.Name)).ConfigureAwait(false);
        var answer = await Run(keys, RedisScripts.Adopt, [.. arguments]).ConfigureAwait(false);
        return Said(answer) == RedisScripts.Ok ? found.Manifest : throw new RefusedException($"Sweep '{keys.Name}' is there with other content.");
    }

    private static List<RedisValue> Adopted(SweepDirectory from)
    {
        byte[] Bytes(string name) => from.Paths.TryGetValue(name, out var path) ? File.ReadAllBytes(path) : [];
        var traces = from.Paths.Keys.Where(n => n.StartsWith(SweepFileName.Traces, StringComparison.Ordinal)).ToArray();
        // As they are, whatever version wrote them: the manifest vouches for these very bytes.
        var documents = from.Paths.Keys.Except(traces).ToArray();
        List<RedisValue> all =
        [
            (int)from.Manifest.Phase, SweepFileName.Sha256(from.ManifestBytes.Span), Bytes(SweepDocuments.PlanName), Bytes(SweepDocuments.ResolvedName), from.Manifest.PlanSha256,
            from.Trials.Length, from.Events.Length, traces.Length, documents.Length,
        ];
        foreach (var trial in from.Trials) all.AddRange([SweepKeys.Identity(trial.Trial), Sealed.Put(RecordKind.Trial, trial.Epoch, TrialRecord.Of(trial))]);
        foreach (var said in from.Events) all.AddRange([said.Key ?? "", Sealed.Put(RecordKind.Event, 0, EventRecord.Of(said))]);
        foreach (var name in traces)
        {
            var csv = Bytes(name);
            all.AddRange([name[SweepFileName.Traces.Length..], SweepFileName.Sha256(csv), csv.Length, Sealed.Put(RecordKind.Trace, 0, PackedRecord.Of(TraceRecord.Of(csv)))]);
        }
        foreach (var name in documents) all.AddRange([name, Sealed.Put(RecordKind.Document, 0, PackedRecord.Of(Bytes(name)))]);
        return all;
    }

    // How the sweep stands for readers.
    private sealed record SweepView(byte[] Plan, byte[] Resolved, string PlanSha256, byte[]? Record, int Trials, long Events, bool Ended);

    private async Task<SweepView?> View(SweepKeys keys)
    {
        var found = await Ask(() => _db.HashGetAsync(keys.Sweep, ["plan", "resolved", "plan_sha256", "record", "trials", "events", "ended"])).ConfigureAwait(false);
        return found[0].IsNull ? null : new((byte[])found[0]!, (byte[]?)found[1] ?? [], (string?)found[2] ?? "", (byte[]?)found[3], (int)found[4], (long)found[5], !found[6].IsNull);
    }

    private async Task<byte[]?> Content(string sweep, string name, CancellationToken stop)
    {
        if (!SweepFileName.IsPlain(sweep)) return null;
        var keys = Keys(sweep);
        if (name.StartsWith(SweepFileName.Traces, StringComparison.Ordinal)) return await TrialFile(keys, name[SweepFileName.Traces.Length..]).ConfigureAwait(false);
        // Of a sweep that was taken in they stand with the documents.
        if (name.StartsWith(SweepFileName.Requests, StringComparison.Ordinal) && await TrialFile(keys, name).ConfigureAwait(false) is { } requests) return requests;
        if (await View(keys).ConfigureAwait(false) is not { } view) return null;
        if (view.Ended && await Frozen(keys, name).ConfigureAwait(false) is { } frozen) return frozen;
        return name switch
        {
            SweepDocuments.PlanName => view.Plan,
            SweepDocuments.ResolvedName => view.Resolved,
            Journals.TrialsName or Journals.EventsName => await Journal(keys, name).ConfigureAwait(false),
            _ when view.Ended => null,
            _ => (await Documents(keys, view, stop).ConfigureAwait(false)).FirstOrDefault(f => f.Name == name)?.Bytes.ToArray(),
        };
    }

    private async Task<byte[]> Journal(SweepKeys keys, string name) => name == Journals.TrialsName
        ? Journals.Trials(await Results(keys.Name).ConfigureAwait(false))
        : Journals.Events(await Lines(keys, 0, long.MaxValue).ConfigureAwait(false));

    // Of a sweep that goes on, as of its last record: what came since is not in them, so every silo renders the same.
    private async Task<ImmutableArray<RenderedFile>> Documents(SweepKeys keys, SweepView view, CancellationToken stop)
    {
        if (view.Record is not { } record) return [];
        var version = $"{SweepFileName.Sha256(record)} {view.Trials} {view.Events}";
        var standing = await Ask(() => Task.FromResult(Sealed.Open<StandingRecord>(RecordKind.Standing, record, $"how sweep '{keys.Name}' stands").ToRecord())).ConfigureAwait(false);
        var all = await _rendered.Get(keys.Name, version, () => Render(keys, standing, view.Trials, view.Events), stop).ConfigureAwait(false);
        return [.. all.Where(f => f.Name is not (Journals.TrialsName or Journals.EventsName))];
    }

    /// <summary>All documents, manifest and journals included, as of so many trials and events. Never on the caller's turn.</summary>
    private Task<ImmutableArray<RenderedFile>> Render(SweepKeys keys, SweepRecord record, int trials, long events) => Task.Run(async () =>
    {
        var view = await View(keys).ConfigureAwait(false) ?? throw Unknown(keys);
        var results = await Trials(keys, 0, trials).ConfigureAwait(false);
        var files = await Traces(keys).ConfigureAwait(false);
        var committed = results.Where(r => r.Trace.Length > 0 && files.ContainsKey(r.Trace)).Select(r => r.Trace).Distinct().Order(StringComparer.Ordinal).ToArray();
        var requests = results.Where(r => r.Served is { Requests.Length: > 0 }).Select(r => SweepFileName.Requests + r.Served!.Requests).Where(files.ContainsKey).Distinct().Order(StringComparer.Ordinal);
        var drawn = ImmutableArray.CreateBuilder<RenderedFile>();
        foreach (var name in committed.Take(SweepDocuments.MostTraces)) drawn.Add(new(name, await TrialFile(keys, name).ConfigureAwait(false) ?? throw Lost(keys, SweepFileName.Traces + name)));
        RenderedFile[] journals =
        [
            new(Journals.TrialsName, Journals.Trials(results)),
            new(Journals.EventsName, Journals.Events(await Lines(keys, 0, events).ConfigureAwait(false))),
        ];
        RenderedFile[] plans = [new(SweepDocuments.PlanName, view.Plan), new(SweepDocuments.ResolvedName, view.Resolved)];
        var others = journals.Concat(plans).Select(f => f.Line).Concat(committed.Concat(requests).Select(n => new ManifestFile(Path(n), files[n].Bytes, files[n].Sha256)));
        var plan = SweepDocuments.Plan(Encoding.UTF8.GetString(view.Plan), Encoding.UTF8.GetString(view.Resolved));
        try
        {
            return SweepDocuments.Render(new(keys.Name, plan, view.PlanSha256, record, results, drawn.ToImmutable()), others).AddRange(journals);
        }
        catch (InvalidDataException e)
        {
            throw new StorageTroubleException(e.Message);
        }
    });

    private async Task<ImmutableArray<TrialResult>> Trials(SweepKeys keys, int from, int to)
    {
        if (to <= from) return [];
        // All parts are on their way at once.
        var parts = await Ask(() => Task.WhenAll(Enumerable.Range(0, (to - from + Part - 1) / Part).Select(p => _db.ListRangeAsync(keys.Trials, from + p * Part, Math.Min(to, from + (p + 1) * Part) - 1)))).ConfigureAwait(false);
        var trials = ImmutableArray.CreateBuilder<TrialResult>(to - from);
        foreach (var record in parts.SelectMany(p => p))
        {
            var place = from + trials.Count;
            try { trials.Add(Sealed.Open<TrialRecord>(RecordKind.Trial, (byte[])record!, $"sweep '{keys.Name}', trial {place + 1}").ToResult() with { Sequence = place }); }
            catch (InvalidDataException e) { throw new StorageTroubleException(await Named(keys, place).ConfigureAwait(false) is { } trial ? $"{e.Message} It is {trial}." : e.Message); }
        }
        return trials.ToImmutable();
    }

    // A damaged record does not say whose it is; the index does.
    private async Task<string?> Named(SweepKeys keys, int place)
    {
        var index = await Ask(() => _db.HashGetAllAsync(keys.Index)).ConfigureAwait(false);
        return index.Where(e => (int)e.Value == place).Select(e => ((string)e.Name!).Split('\n')).Select(p => p is [var group, var label, var configuration, var block, var pass]
            ? new TrialId(keys.Name, group, label, configuration, int.Parse(block, System.Globalization.CultureInfo.InvariantCulture), int.Parse(pass, System.Globalization.CultureInfo.InvariantCulture)).ToString() : string.Join('/', p)).FirstOrDefault();
    }

    /// <summary>Events with sequences in <c>[from, to)</c>.</summary>
    private async Task<List<EventLine>> Lines(SweepKeys keys, long from, long to)
    {
        var lines = new List<EventLine>();
        var last = to == long.MaxValue ? "+" : $"{to}-0";
        while (from < to)
        {
            var next = from;
            var part = await Ask(() => _db.StreamRangeAsync(keys.Events, $"{next + 1}-0", last, Part)).ConfigureAwait(false);
            foreach (var entry in part)
                lines.Add(await Ask(() => Task.FromResult(Event(keys.Name, next++, (byte[])entry["r"]!))).ConfigureAwait(false));
            from = next;
            if (part.Length < Part) break;
        }
        return lines;
    }

    private static EventLine Event(string sweep, long sequence, byte[] record) => Sealed.Open<EventRecord>(RecordKind.Event, record, $"sweep '{sweep}', event {sequence}").ToLine(sequence);

    private async Task<ImmutableSortedDictionary<string, (string Sha256, long Bytes)>> Traces(SweepKeys keys)
    {
        var found = await Ask(() => _db.HashGetAllAsync(keys.Traces)).ConfigureAwait(false);
        return found.Select(e => (Name: (string)e.Name!, Value: ((string)e.Value!).Split(' '))).ToImmutableSortedDictionary(e => e.Name, e => (e.Value[0], long.Parse(e.Value[1], System.Globalization.CultureInfo.InvariantCulture)), StringComparer.Ordinal);
    }

    // A trace stands there by its name alone, as before there were other files.
    private static string Path(string name) => name.Contains('/') ? name : SweepFileName.Traces + name;

    private async Task<byte[]?> TrialFile(SweepKeys keys, string name)
    {
        if ((string?)await Ask(() => _db.HashGetAsync(keys.Traces, name)).ConfigureAwait(false) is not { } kept) return null;
        var sha256 = kept.Split(' ')[0];
        var what = name.Contains('/') ? $"sweep '{keys.Name}', {name}" : $"sweep '{keys.Name}', trace {name}";
        return await Ask(async () =>
        {
            var block = (byte[]?)await _db.HashGetAsync(keys.Blocks, sha256).ConfigureAwait(false) ?? throw new InvalidDataException($"{what}: its block is gone.");
            try
            {
                var csv = Sealed.Open<PackedRecord>(RecordKind.Trace, block, what).Trace().ToCsv();
                return SweepFileName.Sha256(csv) == sha256 ? csv : throw new InvalidDataException($"its SHA-256 is {SweepFileName.Sha256(csv)}, not {sha256}");
            }
            catch (InvalidDataException e) when (!e.Message.StartsWith(what, StringComparison.Ordinal))
            {
                throw new InvalidDataException($"{what}: the record is damaged: {e.Message}.", e);
            }
        }).ConfigureAwait(false);
    }

    private async Task<byte[]?> Frozen(SweepKeys keys, string name)
    {
        var what = $"sweep '{keys.Name}', {name}";
        return await Ask(async () => (byte[]?)await _db.HashGetAsync(keys.Documents, name).ConfigureAwait(false) is { } kept ? Sealed.Open<PackedRecord>(RecordKind.Document, kept, what).Bytes() : null).ConfigureAwait(false);
    }

    private SweepKeys Keys(string sweep) => new(_prefix, sweep);

    private Task<RedisValue[]> Run(string sweep, Fence writer, string script, RedisValue[] arguments) => Run(Keys(sweep), script, [writer.Actor, writer.Number, .. arguments], writer);

    private async Task<RedisValue[]> Run(SweepKeys keys, string script, RedisValue[] arguments, Fence writer = default)
    {
        var answer = await Ask(async () => (RedisValue[])(await _db.ScriptEvaluateAsync(script, keys.All, arguments).ConfigureAwait(false))!).ConfigureAwait(false);
        return Said(answer) switch
        {
            "unknown" => throw Unknown(keys),
            "superseded" => throw new SupersededException($"Sweep '{keys.Name}': '{writer.Actor}' number {writer.Number} has been superseded by number {(string?)answer[1]}."),
            _ => answer,
        };
    }

    private Task<T> Ask<T>(Func<Task<T>> work) => RedisTrouble.Told(_redis, Patience, work);

    private static string Said(RedisValue[] answer) => (string)answer[0]!;

    private static T Parse<T>(byte[] document) => JsonSerializer.Deserialize<T>(document, DocumentJson.Compact)!;

    private static SweepPhase PhaseOf(RedisValue phase) => (SweepPhase)(int)phase;

    private StorageTroubleException Unknown(SweepKeys keys) => new($"Redis has no results of sweep '{keys.Name}' under '{_prefix}': they were removed, or Redis lost its data. Nothing is begun anew for it.");

    private static StorageTroubleException Lost(SweepKeys keys, string name) => new($"Redis has no '{name}' of sweep '{keys.Name}', which it should have.");

    private static RefusedException HasEnded(string sweep, RedisValue[] answer) => new($"Sweep '{sweep}' has ended ({PhaseOf(answer[1])}): nothing is added to it any more.");
}
