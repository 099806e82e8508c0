using System.Collections.Immutable;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;

namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>
/// A record outside the grid: what its silos have ever shown as committed and said as events, each with the moment. Whatever dies afterwards, all
/// of it must still be there, unchanged.
/// </summary>
internal sealed class Ledger : IAsyncDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);

    private readonly IReadOnlyList<SiloProcess> _silos;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _following = [];
    private readonly Dictionary<string, Book> _books = [];

    public Ledger(IReadOnlyList<SiloProcess> silos) => _silos = silos;

    /// <summary>What was seen of a sweep.</summary>
    public Book this[string sweep]
    {
        get
        {
            lock (_books) return _books[sweep];
        }
    }

    /// <summary>A submission was acknowledged: from now on the sweep is looked at.</summary>
    public void Acknowledged(string sweep)
    {
        var book = new Book();
        lock (_books)
        {
            if (!_books.TryAdd(sweep, book)) return;
        }
        _following.Add(Task.Run(() => Follow(sweep, book)));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_following);
        _stop.Dispose();
    }

    // Any silo is asked, in turn: what one has shown the next must show too.
    private async Task Follow(string sweep, Book book)
    {
        for (var turn = 0; !_stop.IsCancellationRequested && !book.IsClosed; turn++)
        {
            var silo = _silos[turn % _silos.Count];
            if (silo.IsUp)
            {
                if (await Patience.Ask<object>(async () => await silo.Client.Trials(sweep, _stop.Token)) is ImmutableArray<TrialResult> trials) book.Saw(silo.Name, trials);
                using var look = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
                look.CancelAfter(Look);
                await Patience.Ask<object>(async () =>
                {
                    await foreach (var news in silo.Client.Watch(sweep, book.NextEvent, look.Token))
                        if (news.Event is { } said) book.Heard(silo.Name, said);
                    return this;
                });
            }
            await Task.Delay(Look, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}

/// <summary>What was seen of one sweep.</summary>
internal sealed class Book
{
    private readonly Lock _gate = new();
    private readonly Dictionary<TrialId, (string Document, DateTimeOffset At)> _trials = [];
    private readonly Dictionary<long, SweepEvent> _events = [];
    private readonly List<string> _complaints = [];

    /// <summary>Set when the sweep's end has been checked.</summary>
    public bool IsClosed { get; set; }

    public int Trials
    {
        get { lock (_gate) return _trials.Count; }
    }

    public long NextEvent
    {
        get { lock (_gate) return _events.Count; }
    }

    /// <summary>Contradictions: something that was shown and then shown differently, or not any more.</summary>
    public ImmutableArray<string> Complaints
    {
        get { lock (_gate) return [.. _complaints]; }
    }

    public ImmutableArray<SweepEvent> Events
    {
        get { lock (_gate) return [.. _events.Values.OrderBy(e => e.Sequence)]; }
    }

    /// <summary>When a trial was first shown as committed; null if never.</summary>
    public DateTimeOffset? SeenAt(TrialId trial)
    {
        lock (_gate) return _trials.TryGetValue(trial, out var seen) ? seen.At : null;
    }

    /// <summary>A silo's whole answer.</summary>
    public void Saw(string silo, ImmutableArray<TrialResult> trials)
    {
        var now = TimeProvider.System.GetUtcNow();
        lock (_gate)
        {
            if (trials.Length != trials.Select(t => t.Trial).Distinct().Count()) _complaints.Add($"{silo} shows a trial twice");
            if (trials.Length < _trials.Count) _complaints.Add($"{silo} shows {trials.Length} trials at {now:HH:mm:ss.fff}, and {_trials.Count} had been shown");
            foreach (var trial in trials)
            {
                var document = JsonSerializer.Serialize(trial, DocumentJson.Compact);
                if (!_trials.TryAdd(trial.Trial, (document, now)) && _trials[trial.Trial].Document != document) _complaints.Add($"{silo} shows {trial.Trial} changed");
            }
        }
    }

    public void Heard(string silo, SweepEvent said)
    {
        lock (_gate)
        {
            if (!_events.TryAdd(said.Sequence, said) && _events[said.Sequence] != said) _complaints.Add($"{silo} says event {said.Sequence} '{said.Text}', and it had been '{_events[said.Sequence].Text}'");
        }
    }
}
