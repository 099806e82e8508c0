using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>
/// Requests to an engine from the first to the last of a trial, warm-up included: nothing is drained, nothing begins anew; a window is looked at afterwards. A closed loop keeps its slots busy; an open
/// one sends when the arrivals say, whatever the engine does. Every request that was sent is in the outcome.
/// </summary>
public sealed class LoadRun : IAsyncDisposable
{
    /// <summary>Requests at one time at most: an engine that is so far behind is overloaded, and the run says so and sends no more.</summary>
    public const int MostInFlight = 20_000;

    /// <summary>Requests of one run at most.</summary>
    public const int MostRequests = 1_000_000;

    /// <summary>Chunks with output of one run at most: what is noted of each is kept.</summary>
    public const long MostChunks = 100_000_000;

    // A request that is given up has this long to say so.
    private static readonly TimeSpan LastPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100), LongestPause = TimeSpan.FromSeconds(5);

    private readonly EngineClient _client;
    private readonly LoadOrder _order;
    private readonly Prompts _prompts;
    private readonly TimeProvider _time;
    private readonly int _mostInFlight;
    private readonly CancellationTokenSource _sending = new(), _givenUp = new();
    private readonly Lock _lock = new();
    private readonly List<SentRequest> _requests = [];
    private readonly OutputProgress _progress;
    private readonly TaskCompletionSource _allBack = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _senders;
    private Task<LoadOutcome>? _end;
    private long _next, _sent, _ended, _failed, _chunks, _fullSince;
    private int _inFlight, _begun;
    // By each request that is not over, and by whoever sends: nobody comes after the last.
    private int _held = 1;
    private string? _latestError, _halted;

    private LoadRun(EngineClient client, LoadOrder order, Prompts prompts, IEnumerable<double>? instants, TimeProvider time, int mostInFlight)
    {
        (_client, _order, _prompts, _time, _mostInFlight) = (client, order, prompts, time, mostInFlight);
        _progress = new OutputProgress(time.TimestampFrequency / 100);
        Slots = instants is null ? order.Serve.Load.Concurrency : 0;
        if (instants is null)
        {
            var ramp = new Ramp(Slots);
            _senders = Task.WhenAll(Enumerable.Range(0, Slots).Select(slot => Task.Run(() => Slot(slot, ramp))));
        }
        else
        {
            // A thread of its own: what is due is not kept waiting by what comes.
            var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _senders = over.Task;
            new Thread(() =>
            {
                try
                {
                    SendAll(instants);
                    over.SetResult();
                }
                catch (Exception e)
                {
                    over.SetException(e);
                }
            })
            { IsBackground = true, Name = "arrivals", Priority = ThreadPriority.AboveNormal }.Start();
        }
    }

    /// <summary>Slots of a closed loop; 0 for an open one.</summary>
    public int Slots { get; }

    /// <summary>Requests that were sent and are not over. In a closed loop: slots that are busy.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Timestamp at which the last slot of a closed loop sent its first request; null before, and for an open loop.</summary>
    public long? FullSince => Volatile.Read(ref _fullSince) is var at && at != 0 ? at : null;

    /// <summary>Requests so far.</summary>
    public long Sent => Volatile.Read(ref _sent);

    /// <summary>Of those, ended.</summary>
    public long Ended => Volatile.Read(ref _ended);

    /// <summary>Of those, failed.</summary>
    public long Failed => Volatile.Read(ref _failed);

    /// <summary>What went wrong last, and with which request; null if nothing did.</summary>
    public string? LatestError => Volatile.Read(ref _latestError);

    /// <summary>Why it sends no more though nobody stopped it: the engine is overloaded, the trace is over, a bound was reached. Null while it goes on.</summary>
    public string? Halted => Volatile.Read(ref _halted);

    /// <summary>Begins. Files that the plan names are read first.</summary>
    /// <param name="client">To the engine; not disposed of.</param>
    /// <param name="order">What is sent.</param>
    /// <param name="time">The client's: monotonic timestamps.</param>
    /// <exception cref="ArgumentException">It cannot be done, or the engine's dialect cannot say it.</exception>
    /// <exception cref="InvalidDataException">A file is another than the plan means, or malformed.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static LoadRun Start(EngineClient client, LoadOrder order, TimeProvider time) => Start(client, order, time, MostInFlight);

    /// <summary>The same with another bound.</summary>
    internal static LoadRun Start(EngineClient client, LoadOrder order, TimeProvider time, int mostInFlight)
    {
        var (load, mix) = (order.Serve.Load, order.Serve.Prompts);
        var file = mix.FileSha256.Length > 0 ? PromptFile.Read(mix.FilePath ?? throw new ArgumentException("prompts of a file, and nobody says where it lies", nameof(order)), mix.FileSha256) : null;
        var trace = load.Arrivals is ArrivalProcess.Trace ? TraceFile.Read(load.TracePath ?? throw new ArgumentException("a trace, and nobody says where it lies", nameof(order)), load.TraceSha256) : null;
        var prompts = new Prompts(mix, order.BytesPerToken, order.Seed, order.Pass, order.Salt, file, trace);
        if (client.Dialect.Refusal(order.Ask(prompts.Request(0))) is { } refusal) throw new ArgumentException(refusal, nameof(order));
        if (load.Arrivals is ArrivalProcess.Closed && load.Concurrency is < 1 or > MostInFlight) throw new ArgumentException($"{load.Concurrency} slots: not within 1 … {MostInFlight}", nameof(order));
        return new LoadRun(client, order, prompts, load.Arrivals is ArrivalProcess.Closed ? null : ArrivalInstants.Of(load, order.Seed, order.Pass, trace), time, mostInFlight);
    }

    /// <summary>Adds to a list how many output tokens there were by when, since the last call: as chunks tell them, else a chunk as one. For a look at whether it is steady; nothing is counted by it.</summary>
    public void Drain(List<(long Timestamp, double Tokens)> to) => _progress.Drain(to);

    /// <summary>
    /// Sends no more, and lets what still runs go on for a while before it is given up. An engine that counts only at the end tells nothing of what is given up: a grace as long as a request makes
    /// tokens within the window known to the last one; where chunks tell, none is needed.
    /// </summary>
    /// <param name="grace">Zero: given up at once.</param>
    /// <exception cref="TimeoutException">A request does not come back even so.</exception>
    public Task<LoadOutcome> Stop(TimeSpan grace)
    {
        lock (_lock) return _end ??= End(grace);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Stop(TimeSpan.Zero).ConfigureAwait(false);
        _sending.Dispose();
        _givenUp.Dispose();
    }

    private async Task<LoadOutcome> End(TimeSpan grace)
    {
        // Not within the lock of the first who asks.
        await Task.Yield();
        await _sending.CancelAsync().ConfigureAwait(false);
        var all = AllBack();
        await all.WaitAsync(grace, _time, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _givenUp.CancelAsync().ConfigureAwait(false);
        await all.WaitAsync(LastPatience, _time).ConfigureAwait(false);
        lock (_lock)
        {
            return new LoadOutcome([.. _requests.OrderBy(r => r.Record.Sent).ThenBy(r => r.Number)], _sent, _ended, _failed, _requests.LongCount(r => r.Record.Outcome is RequestOutcome.Cancelled), _halted);
        }
    }

    private async Task AllBack()
    {
        await _senders.ConfigureAwait(false);
        Release();
        await _allBack.Task.ConfigureAwait(false);
    }

    private void Release()
    {
        if (Interlocked.Decrement(ref _held) == 0) _allBack.TrySetResult();
    }

    private async Task Slot(int slot, Ramp ramp)
    {
        await ramp.Turn(slot, _time, _sending.Token).ConfigureAwait(false);
        var failures = 0;
        for (var isFirst = true; !_sending.IsCancellationRequested; isFirst = false)
        {
            // Due as soon as the slot is free: making the prompt is the client's own time.
            var due = _time.GetTimestamp();
            var number = Interlocked.Increment(ref _next) - 1;
            if (!MaySend(number)) return;
            var drawn = _prompts.Request(number);
            var isRamp = slot == 0 && isFirst;
            if (isRamp) ramp.Asked(drawn.OutputTokens);
            var sent = Send(drawn, due, isRamp ? ramp : null);
            if (isFirst && Interlocked.Increment(ref _begun) == Slots) Volatile.Write(ref _fullSince, _time.GetTimestamp());
            var outcome = await sent.ConfigureAwait(false);
            if (isRamp) ramp.Over();
            failures = outcome is RequestOutcome.Failed ? failures + 1 : 0;
            // A dead engine is not hammered, and one that comes back is found.
            if (failures > 0) await Task.Delay(Pause(failures), _time, _sending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static TimeSpan Pause(int failures) => failures > 6 ? LongestPause : FirstPause * (1 << (failures - 1)) is var pause && pause < LongestPause ? pause : LongestPause;

    private void SendAll(IEnumerable<double> instants)
    {
        var start = _time.GetTimestamp();
        var number = 0L;
        foreach (var instant in instants)
        {
            if (!MaySend(number)) return;
            // Made before it is due.
            var drawn = _prompts.Request(number++);
            var due = start + (long)(instant * _time.TimestampFrequency);
            if (!Await(due)) return;
            if (InFlight >= _mostInFlight)
            {
                Halt($"overloaded: {_mostInFlight} requests are with the engine, and the next was due");
                return;
            }

            _ = Send(drawn, due, null);
        }

        Halt($"the trace is over: it has {number} requests");
    }

    // Sleeps while there is time to, and looks at the clock for the last millisecond: who yields then comes back too late on a machine that has other things to do. False when it is not to be sent any more.
    private bool Await(long due)
    {
        while (true)
        {
            var left = (due - _time.GetTimestamp()) * 1000.0 / _time.TimestampFrequency;
            if (left <= 0) return !_sending.IsCancellationRequested;
            if (left > 1.5)
            {
                if (_sending.Token.WaitHandle.WaitOne((int)Math.Min(left - 1, 1000))) return false;
            }
            else
            {
                Thread.SpinWait(20);
            }
        }
    }

    private bool MaySend(long number)
    {
        if (Halted is not null || _sending.IsCancellationRequested) return false;
        if (number >= _prompts.Count) Halt($"the trace is over: it has {_prompts.Count} requests");
        else if (number >= MostRequests) Halt($"{MostRequests} requests were sent, and no run has more");
        else if (Volatile.Read(ref _chunks) >= MostChunks) Halt($"{MostChunks} chunks came, and no run keeps more");
        return Halted is null;
    }

    private void Halt(string why) => Interlocked.CompareExchange(ref _halted, why, null);

    private async Task<RequestOutcome> Send(DrawnRequest drawn, long due, Ramp? ramp)
    {
        Interlocked.Increment(ref _held);
        Interlocked.Increment(ref _inFlight);
        Interlocked.Increment(ref _sent);
        RequestRecord record;
        var began = _time.GetTimestamp();
        var id = FormattableString.Invariant($"{drawn.Number}");
        try
        {
            record = await _client.Generate(id, _order.Ask(drawn), due, _givenUp.Token, Came).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // The client tells failures as records. What it throws (it was disposed of) is one all the same: what was sent is accounted for.
            record = new RequestRecord(id, RequestOutcome.Failed, Unprintable.Clean($"{e.GetType().Name}: {e.Message}"), 0, due, began, 0, _time.GetTimestamp(), TokenTimeline.Empty with { Tokens = -1 }, -1, -1, -1, -1, "");
        }

        lock (_lock) _requests.Add(new SentRequest(drawn.Number, drawn.OutputTokens, record));
        if (record.Outcome is RequestOutcome.Ended) Interlocked.Increment(ref _ended);
        if (record.Outcome is RequestOutcome.Failed)
        {
            Interlocked.Increment(ref _failed);
            Volatile.Write(ref _latestError, $"request {drawn.Number}: {record.Error}");
        }

        Interlocked.Decrement(ref _inFlight);
        Release();
        return record.Outcome;

        void Came(long at, int tokens)
        {
            Interlocked.Increment(ref _chunks);
            _progress.Add(at, tokens);
            ramp?.Came(tokens);
        }
    }
}
