using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>What is to be asked of an engine.</summary>
/// <param name="Serve">Load, prompts, generation.</param>
/// <param name="ServedModel">As the engine names it.</param>
/// <param name="BytesPerToken">Of synthetic text with its tokenizer, B.</param>
/// <param name="Seed">Of prompts and arrivals.</param>
/// <param name="Pass">Which pass: all arms of it ask the same.</param>
/// <param name="Salt">The trial's.</param>
public sealed record LoadOrder(ServeConfiguration Serve, string ServedModel, double BytesPerToken, long Seed, int Pass, string Salt);

/// <summary>
/// A load on an engine, from its first request to the end of its last: a closed loop of slots, or requests that come when they come. One run from warm-up to end; what counts of it is decided afterwards.
/// Every request that was sent comes to an end that is kept. Safe to use from many tasks.
/// </summary>
public sealed class LoadRun
{
    /// <summary>An open loop that has so many requests in flight is no load that an engine holds.</summary>
    public const int MostInFlight = 20_000;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100), LongestPause = TimeSpan.FromSeconds(5), Spin = TimeSpan.FromMilliseconds(1.5);

    private readonly EngineClient _client;
    private readonly LoadOrder _order;
    private readonly TimeProvider _time;
    private readonly Prompts _prompts;
    private readonly CancellationTokenSource _sending = new();
    private readonly CancellationTokenSource _running = new();
    private readonly Lock _gate = new();
    private readonly List<(long Number, RequestRecord Record)> _records = [];
    private readonly Task _all;
    private readonly long _began;
    private long _number = -1;
    private long _progress;
    private int _busy;
    private Task<LoadOutcome>? _stopping;
    private volatile string? _trouble;
    private volatile string _latestError = "";

    private LoadRun(EngineClient client, LoadOrder order, TimeProvider time)
    {
        (_client, _order, _time, _began) = (client, order, time, time.GetTimestamp());
        _prompts = new Prompts(order.Serve.Prompts, order.BytesPerToken, order.Seed, order.Pass, order.Salt);
        var load = order.Serve.Load;
        if (load.Arrivals == ArrivalProcess.Closed)
        {
            _all = Task.WhenAll(Enumerable.Range(0, load.Concurrency).Select(slot => Task.Run(() => Slot(slot, load.Concurrency))));
        }
        else
        {
            // A trace that is none is found before anything is sent.
            var arrivals = Arrivals.Of(load, order.Seed, order.Pass).GetEnumerator();
            if (!arrivals.MoveNext()) throw new InvalidDataException("nothing arrives");
            _all = Task.Run(() => Open(arrivals));
        }
    }

    /// <summary>Starts it.</summary>
    /// <exception cref="InvalidDataException">A file of prompts or arrivals is not what the plan says.</exception>
    public static LoadRun Start(EngineClient client, LoadOrder order, TimeProvider time) => new(client, order, time);

    /// <summary>Requests in flight: of a closed loop, slots with one.</summary>
    public int Busy => Volatile.Read(ref _busy);

    /// <summary>Output so far: tokens where chunks told them, else chunks with output. For seeing whether it is flat.</summary>
    public long Progress => Interlocked.Read(ref _progress);

    /// <summary>Requests sent so far.</summary>
    public long Sent => Interlocked.Read(ref _number) + 1;

    /// <summary>Why the last one that failed did; empty if none has.</summary>
    public string LatestError => _latestError;

    /// <summary>Why this is no load any more; null if it is one.</summary>
    public string? Trouble => _trouble;

    /// <summary>Sends nothing more, gives those in flight so much time, then gives them up. As often as wanted: the shortest time counts.</summary>
    public Task<LoadOutcome> Stop(TimeSpan grace)
    {
        _sending.Cancel();
        if (grace <= TimeSpan.Zero) _running.Cancel();
        else
        {
            lock (_gate)
                if (_stopping is null) _running.CancelAfter(grace);
        }

        lock (_gate) return _stopping ??= End();
    }

    private async Task<LoadOutcome> End()
    {
        await _all.ConfigureAwait(false);
        lock (_gate) return new LoadOutcome([.. _records.OrderBy(r => r.Number).Select(r => r.Record)]);
    }

    // The first request of each slot is shorter than the next ones, each by another share: slots that all began whole would go on in step.
    private async Task Slot(int slot, int slots)
    {
        var pause = FirstPause;
        for (var first = true; !_sending.IsCancellationRequested; first = false)
        {
            var record = await Send(_time.GetTimestamp(), null, first ? (slot + 1.0) / slots : 1).ConfigureAwait(false);
            if (record.Outcome != RequestOutcome.Failed)
            {
                pause = FirstPause;
                continue;
            }

            // An engine that refuses everything is not asked a thousand times a second.
            await Task.Delay(pause, _time, _sending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    private async Task Open(IEnumerator<Arrival> arrivals)
    {
        var flying = new List<Task>();
        using (arrivals)
        {
            do
            {
                var due = TimeSpan.FromSeconds(arrivals.Current.Seconds);
                if (!await Until(due).ConfigureAwait(false)) break;
                if (Busy >= MostInFlight)
                {
                    _trouble = string.Create(CultureInfo.InvariantCulture, $"{MostInFlight} requests are in flight: the engine does not hold this load");
                    break;
                }

                var arrival = arrivals.Current;
                flying.Add(Send(_began + (long)(due.TotalSeconds * _time.TimestampFrequency), arrival, 1));
                if (flying.Count > 2 * Busy + 1000) flying.RemoveAll(t => t.IsCompleted);
            }
            while (arrivals.MoveNext());
        }

        await Task.WhenAll(flying).ConfigureAwait(false);
    }

    // A timer is a millisecond late or two: the last of it is spent looking.
    private async Task<bool> Until(TimeSpan due)
    {
        while (true)
        {
            if (_sending.IsCancellationRequested) return false;
            var left = due - _time.GetElapsedTime(_began);
            if (left <= TimeSpan.Zero) return true;
            if (left > Spin) await Task.Delay(left - Spin < TimeSpan.FromSeconds(1) ? left - Spin : TimeSpan.FromSeconds(1), _time, _sending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            else Thread.Yield();
        }
    }

    private async Task<RequestRecord> Send(long scheduled, Arrival? arrival, double share)
    {
        var number = Interlocked.Increment(ref _number);
        Interlocked.Increment(ref _busy);
        try
        {
            var (text, most) = _prompts.At(number, arrival?.InputTokens, arrival?.OutputTokens);
            var generation = _order.Serve.Generation;
            if (share < 1) most = Math.Max(Math.Max(1, generation.LeastTokens), (int)Math.Ceiling(most * share));
            var request = new GenerationRequest(_order.ServedModel, text, most, generation.Api, generation.LeastTokens, generation.IgnoreEndOfSequence, generation.Temperature, generation.Seed);
            var record = await _client.Generate(number.ToString(CultureInfo.InvariantCulture), request, scheduled, _running.Token, tokens => Interlocked.Add(ref _progress, tokens)).ConfigureAwait(false);
            if (record.Outcome == RequestOutcome.Failed) _latestError = record.Error;
            lock (_gate) _records.Add((number, record));
            return record;
        }
        finally
        {
            Interlocked.Decrement(ref _busy);
        }
    }
}

/// <summary>All requests of a load, in the order of sending.</summary>
/// <param name="Records">Each with its end.</param>
public sealed record LoadOutcome(ImmutableArray<RequestRecord> Records);
