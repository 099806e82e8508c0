using System.Collections.Immutable;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;

namespace EnergyGrid.Results;

/// <summary>One sweep's directory while this process has it open: its journals, what is in them, and who may write.</summary>
internal sealed class SweepPlace : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _saying = new(1, 1);
    private readonly SemaphoreSlim _publishing = new(1, 1);
    private readonly string _sweep;
    private readonly JournalFile _trialJournal;
    private readonly JournalFile _eventJournal;
    private readonly Dictionary<TrialId, TrialResult> _trials = [];
    private readonly Dictionary<TrialId, Task> _pending = [];
    private readonly List<TrialResult> _order = [];
    private readonly List<EventLine> _events = [];
    private readonly Dictionary<string, EventLine> _keys = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _fences = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _orders = new(StringComparer.Ordinal);
    private bool _closed;

    private SweepPlace(string sweep, JournalFile trials, JournalFile events) => (_sweep, _trialJournal, _eventJournal) = (sweep, trials, events);

    /// <summary>How the sweep ended, if it did: the manifest says so, which is written last.</summary>
    public SweepPhase? Ended { get; private set; }

    /// <summary>Opens or makes the directory and reads it.</summary>
    /// <param name="sweep">The sweep's id.</param>
    /// <param name="directory">Its directory.</param>
    /// <param name="half">How the names of files end that a crash left half written.</param>
    /// <exception cref="InvalidDataException">A line of a journal is damaged.</exception>
    public static SweepPlace Open(string sweep, string directory, string half)
    {
        var (trialJournal, trials) = JournalFile.Open(Path.Combine(directory, Journals.TrialsName));
        JournalFile? eventJournal = null;
        try
        {
            (eventJournal, var events) = JournalFile.Open(Path.Combine(directory, Journals.EventsName));
            var place = new SweepPlace(sweep, trialJournal, eventJournal);
            foreach (var line in trials) place.Add(Journals.Trial(line));
            foreach (var line in events) place.Add(Journals.Event(line));
            // Nothing writes here before this has been read.
            foreach (var file in Directory.EnumerateFiles(directory, "*" + half, SearchOption.AllDirectories)) File.Delete(file);
            place.Ended = EndOf(Path.Combine(directory, SweepDocuments.ManifestName));
            place._closed = place.Ended is not null;
            return place;
        }
        catch
        {
            trialJournal.DisposeAsync().AsTask().GetAwaiter().GetResult();
            eventJournal?.DisposeAsync().AsTask().GetAwaiter().GetResult();
            throw;
        }
    }

    public string Take(Fence writer)
    {
        lock (_gate)
        {
            Check(writer);
            return _orders.GetValueOrDefault(writer.Actor, "");
        }
    }

    public void Register(Fence writer, string order)
    {
        lock (_gate)
        {
            Check(writer);
            if (_closed && order.Length > 0) throw HasEnded();
            _orders[writer.Actor] = order;
        }
    }

    public async Task<CommitAnswer> Commit(string order, TrialResult result)
    {
        Task write;
        var first = false;
        lock (_gate)
        {
            if (_trials.ContainsKey(result.Trial)) return CommitAnswer.AlreadyThere;
            if (!_pending.TryGetValue(result.Trial, out write!))
            {
                if (_closed || order.Length == 0 || _orders.GetValueOrDefault(Fence.GroupActor(result.Trial.Block)) != order) return CommitAnswer.Withdrawn;
                first = true;
                _pending[result.Trial] = write = _trialJournal.Append(
                    place => Journals.Document(result with { Sequence = place }), place => { lock (_gate) Add(result with { Sequence = place }); });
            }
        }
        try
        {
            await write;
            return first ? CommitAnswer.Committed : CommitAnswer.AlreadyThere;
        }
        finally
        {
            lock (_gate) _pending.Remove(result.Trial);
        }
    }

    public ImmutableArray<TrialResult> Results(int from)
    {
        lock (_gate) return [.. _order.Skip(from)];
    }

    /// <summary>A file of a committed trial, empty if it has none; null if the trial is not committed.</summary>
    public string? FileOf(TrialId trial, TrialFileKind kind)
    {
        lock (_gate) return _trials.GetValueOrDefault(trial) is not { } committed ? null : kind == TrialFileKind.Trace ? committed.Trace : committed.Served?.Requests ?? "";
    }

    public async Task<SweepEvent> Append(Fence writer, string key, string kind, string text, DateTimeOffset at, CancellationToken stop)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        await _saying.WaitAsync(stop);
        try
        {
            EventLine said;
            lock (_gate)
            {
                Check(writer);
                if (_keys.TryGetValue(key, out var first)) return first.Event;
                // Said before there were keys: a sweep that was killed while it ended, and ends again, has ended once.
                if (_events is [.., { Key: null } last] && (last.Kind, last.Text) == (kind, text)) return last.Event;
                if (_closed) throw HasEnded();
                said = new EventLine(_events.Count, at, kind, text, key);
            }
            await _eventJournal.Append(_ => Journals.Document(said), _ => { lock (_gate) Add(said); });
            return said.Event;
        }
        finally
        {
            _saying.Release();
        }
    }

    public ImmutableArray<SweepEvent> Events(long from)
    {
        lock (_gate) return [.. _events.Skip((int)Math.Clamp(from, 0, int.MaxValue)).Select(e => e.Event)];
    }

    public async Task Publish(Fence writer, SweepRecord record, Func<ImmutableArray<TrialResult>, Task> write, CancellationToken stop)
    {
        await _publishing.WaitAsync(stop);
        try
        {
            Task[] pending;
            lock (_gate)
            {
                Check(writer);
                if (Ended is { } ended)
                {
                    // Whoever was killed while it ended and ends again: the first end stands.
                    if (record.Phase == ended) return;
                    throw HasEnded();
                }
                if (record.HasEnded) _closed = true;
                pending = [.. _pending.Values];
            }
            try
            {
                if (record.HasEnded) await Quiet(pending);
                await write(Results(0));
                if (record.HasEnded) Ended = record.Phase;
            }
            catch
            {
                lock (_gate) _closed = Ended is not null;
                throw;
            }
        }
        finally
        {
            _publishing.Release();
        }
    }

    /// <exception cref="RefusedException">The sweep has ended.</exception>
    public void MustBeOpen()
    {
        lock (_gate)
            if (_closed) throw HasEnded();
    }

    public async ValueTask DisposeAsync()
    {
        await _trialJournal.DisposeAsync();
        await _eventJournal.DisposeAsync();
    }

    // What was taken before the end is answered before the end: in it or told as failed.
    private async Task Quiet(Task[] pending)
    {
        foreach (var commit in pending) await commit.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _saying.WaitAsync();
        _saying.Release();
    }

    private void Check(Fence writer)
    {
        var highest = _fences.GetValueOrDefault(writer.Actor);
        if (writer.Number < highest) throw new SupersededException($"Sweep '{_sweep}': '{writer.Actor}' number {writer.Number} has been superseded by number {highest}.");
        _fences[writer.Actor] = writer.Number;
    }

    private void Add(TrialResult result)
    {
        if (_trials.TryAdd(result.Trial, result)) _order.Add(result);
    }

    private void Add(EventLine said)
    {
        _events.Add(said);
        if (said.Key is { } key) _keys.TryAdd(key, said);
    }

    private RefusedException HasEnded() => new($"Sweep '{_sweep}' has ended{(Ended is { } ended ? $" ({ended})" : "")}: nothing is added to it any more.");

    private static SweepPhase? EndOf(string manifest)
    {
        if (!File.Exists(manifest)) return null;
        try
        {
            var phase = JsonSerializer.Deserialize<Manifest>(File.ReadAllBytes(manifest), DocumentJson.Compact)?.Phase;
            return phase is SweepPhase.Finished or SweepPhase.FinishedWithFailures or SweepPhase.Cancelled ? phase : null;
        }
        catch (JsonException)
        {
            // A damaged manifest is for 'verify' to tell; the journals are the truth, and the next publication writes it anew.
            return null;
        }
    }
}
