using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Stacks;

namespace EnergyGrid.Node;

/// <summary>
/// A serving engine under load: started anew for the trial, loaded until its output is flat, watched over one window, and held against its own counters when the load is over. The load is one run:
/// what counts is what happened within the window.
/// </summary>
internal sealed class ServedWork(Trial trial, ServingStacks stacks) : ITrialWork
{
    /// <summary>A window below this is no claim, s.</summary>
    public const double LeastWindowSeconds = 60;

    /// <summary>… or below so many of the median request.</summary>
    public const double LeastRequests = 20;

    // Prompts found in a cache beyond what the plan shares: engines keep what templates have in common.
    private const double MostUnplannedCached = 0.02;

    // An engine's counters are looked at so often, and waited for so long after the last request.
    private static readonly TimeSpan MostDrain = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MostQuiescence = TimeSpan.FromSeconds(20);

    private readonly ServeConfiguration _serve = trial.Order.Configuration.Serve!;
    private readonly DeviceRecording _progress = new();
    private readonly List<(long Timestamp, double Tokens)> _marks = [];
    private readonly List<EngineCounters> _looks = [];
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _looking = new();
    private Task _watching = Task.CompletedTask;
    private EngineProcess? _engine;
    private EngineClient? _client;
    private EngineMetrics? _metrics;
    private Canary? _canary;
    private LoadRun? _run;
    private LoadOutcome? _outcome;
    private EngineCounters? _before;
    private EngineCounters? _after;
    private ImmutableArray<RequestRow> _rows = [];
    private ServedTrial? _served;

    public string? Refusal()
    {
        var configuration = trial.Order.Configuration;
        if (stacks.Find(configuration.Stack) is not { } stack) return $"this node has no stack '{configuration.Stack}' in its stacks.yaml";
        if (stack.Refusal(_serve.Model, _serve.Parameters) is { } refusal) return refusal;
        if (trial.Devices.FirstOrDefault(d => d.Device.Info.Kind == DeviceKind.Simulated) is { } simulated) return $"{simulated.Device.Info.Uuid} is simulated, and a serving engine is not";
        var generation = _serve.Generation;
        return stack.Dialect.Refusal(new GenerationRequest("", "", 1, generation.Api, generation.LeastTokens, generation.IgnoreEndOfSequence, generation.Temperature, generation.Seed));
    }

    public async Task Load(int layers, CancellationToken stop)
    {
        var stack = stacks.Find(trial.Order.Configuration.Stack)!;
        ImmutableArray<string> gpus = [.. trial.Devices.Select(d => d.Device.Info).Where(d => d.Kind == DeviceKind.Cuda).Select(d => d.Uuid)];
        _engine = await EngineProcess.Start(stack, _serve.Model, _serve.Parameters, new EnginePlace(gpus, stacks.LogOf($"{trial.Order.Trial}")), trial.Time, stop);
        Admit();
        _client = new EngineClient(_engine.Address, _engine.Dialect, new EngineClientOptions { Token = _engine.Token }, trial.Time);
        _metrics = EngineMetrics.Of(_engine.Address, _engine.Dialect, _engine.Token, trial.Time);
        _before = await Counters(stop);
        _canary = Canary.Start(trial.Time);
        await _canary.Singing.WaitAsync(stop);
    }

    public void Start()
    {
        var order = trial.Order;
        // New to every engine, also when a lost trial is run again.
        var salt = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{order.Trial.Sweep}/{order.Trial}/{order.Attempt}/{order.Id}")))[..12];
        _run = LoadRun.Start(_client!, new LoadOrder(_serve, _engine!.Model.ServedName, _engine.Model.BytesPerToken, order.Configuration.DataSeed, order.Trial.Pass, salt), trial.Time);
        _watching = Task.Run(Watch, CancellationToken.None);
    }

    public bool IsFlat(double seconds)
    {
        Drain();
        if (_run is not { } run || (_serve.Load.Arrivals == ArrivalProcess.Closed && run.FullSince is null)) return false;
        return _progress.Steps is [.., var last] && Flatness.IsFlat(_progress, last.TimeNanoseconds, seconds, Flatness.MostServedChange) && trial.Group.All(g => Flatness.IsWarm(g.Recording, last.TimeNanoseconds, seconds));
    }

    public void Look()
    {
        if (_engine is not { } engine) return;
        if (engine.Died.IsCompleted) throw new InvalidOperationException($"the engine ended in the middle of the trial: {engine.Died.Result}");
        Admit();
        Drain();
    }

    public async Task Stop(CancellationToken stop)
    {
        if (_run is not { } run) return;
        // What is in flight at the second edge ends, so that its tokens are known: the window is over, and its energy with it.
        _outcome = await run.Stop(MostDrain).WaitAsync(stop);
        _after = await Quiescent(stop);
    }

    public async Task Release()
    {
        _looking.Cancel();
        await _watching;
        if (_run is { } run) await run.DisposeAsync();
        if (_canary is { } canary) await canary.DisposeAsync();
        _client?.Dispose();
        _metrics?.Dispose();
        try
        {
            if (_engine is { } engine) await engine.Stop();
        }
        finally
        {
            foreach (var device in trial.Devices) device.Device.Admit([]);
            _looking.Dispose();
        }
    }

    public WindowWork Within(TrialLeg leg, List<string> flags)
    {
        var (from, to) = ((leg.From - trial.Origin) / 1e3, (leg.To - trial.Origin) / 1e3);
        _rows = [.. _outcome!.Requests.Select(r => RequestRow.Of(r, Microseconds))];
        var window = ServedWindow.Of(_rows, from, to, Limits(trial.Order.Service));
        (double, double)? counter = _before?.GeneratedTokens is { } before && _after?.GeneratedTokens is { } after ? (before, after) : null;
        var account = Reconciliation.Of(_rows, counter, _after?.Sources.GetValueOrDefault(nameof(EngineCounters.GeneratedTokens)) ?? "");
        var client = ClientFigures.Of(_rows, _canary!.Added(trial.TimestampAt(leg.From), trial.TimestampAt(leg.To)), from, to);
        Judge((leg.To - leg.From) / 1e9, window, account, client, flags);
        EngineCounters[] looks;
        lock (_gate) looks = [.. _looks.Where(l => trial.NanosecondsAt(l.Timestamp) is var at && at >= leg.From && at < leg.To)];
        _served = new ServedTrial(
            trial.Order.Configuration.Stack, _engine!.Version ?? "", _engine.Arguments, _engine.ModelSha256 ?? "", !_engine.Arguments.IsEmpty, "", "",
            window.PromptTokens ?? double.NaN, window.CachedTokens ?? double.NaN, window.EndedRequests, window.GoodRequests ?? double.NaN,
            new(window.FirstToken.Line(), window.PerToken.Line(), window.BetweenTokens.Line(), window.EndToEnd.Line()), string.Join(", ", window.Timings.Select(t => t.Name()).DefaultIfEmpty(TokenTiming.Unknown.Name())),
            new(account.Sent, account.Ended, account.Failed, account.CutOff, account.OutputTokens, account.CutOffMost, account.EngineTokens ?? double.NaN, account.EngineCounter, account.TokenIds ?? -1, account.Words),
            Mean(looks, l => l.Running), Mean(looks, l => l.Waiting), Mean(looks, l => l.KvUse), client.Added.Line().P99Milliseconds, client.Lateness.Line().P99Milliseconds);
        return new WindowWork(window.OutputTokens, window.OutputTokens, trial.Devices.Count, double.NaN, double.NaN);
    }

    public (ServedTrial? Served, ReadOnlyMemory<byte> Requests) Figures()
    {
        if (_served is null) return default;
        using var file = new MemoryStream();
        RequestRows.Write(file, _rows);
        return (_served, file.ToArray());
    }

    private static RequestLimits? Limits(ServiceLimits? service) => service is null ? null
        : new(service.FirstTokenMilliseconds is { } first ? TimeSpan.FromMilliseconds(first) : null, TimeSpan.FromMilliseconds(service.PerTokenMilliseconds));

    // What cannot be relied on invalidates; what is short is said.
    private void Judge(double seconds, ServedWindow window, Reconciliation account, ClientFigures client, List<string> flags)
    {
        var c = CultureInfo.InvariantCulture;
        if (account.Agrees == false) trial.Invalidate(account.Words);
        else if (account.Agrees is null) flags.Add(account.Words);
        if (window.UntoldRequests > 0) trial.Invalidate(string.Create(c, $"nobody said how many tokens {window.UntoldRequests} of the requests within the window had"));
        if (window.FailedRequests > 0) trial.Invalidate(string.Create(c, $"{window.FailedRequests} of {window.FailedRequests + window.EndedRequests} requests failed within the window: {_rows.First(r => r.Outcome == RequestOutcome.Failed && r.End >= window.From && r.End < window.To).Error}"));
        if (window.EndedRequests == 0) trial.Invalidate("no request ended within the window: it is too short for this load");
        if (OutputLengths.Of(_rows, _serve.Generation).Refusal is { } lengths) trial.Invalidate(lengths);
        if (window.CachedShare - _serve.Prompts.SharedShare > MostUnplannedCached) trial.Invalidate(string.Create(c, $"{window.CachedShare:P1} of prompt tokens came out of the engine's cache, and the plan shares {_serve.Prompts.SharedShare:P1}"));
        if (_serve.Prompts.FileSha256.Length == 0 && _serve.Load.Arrivals != ArrivalProcess.Trace && window is { PromptTokens: > 0 and var prompts, FirstTokens: > 0 and var firsts }
            && (double)prompts / firsts is var mean && Math.Abs(mean / _serve.Prompts.Input.Mean - 1) > 0.1)
            flags.Add(string.Create(c, $"prompts have {mean:F0} tokens in the mean, the plan says {_serve.Prompts.Input.Mean:F0}: bytes_per_token of the model is not {_engine!.Model.BytesPerToken:G3}"));
        var most = trial.Order.Guards.MaxClientMilliseconds;
        if (client.Refusal(TimeSpan.FromMilliseconds(most)) is { } slow) trial.Invalidate(slow);
        if (most > TrialGuards.ClientMilliseconds) flags.Add(string.Create(c, $"the plan lets the client add up to {most:G3} ms, not {TrialGuards.ClientMilliseconds:G3}: no claim about latencies"));
        if (_run!.Halted is { } halted) trial.Invalidate($"the load ended before the window did: {halted}");
        if (seconds < LeastWindowSeconds || seconds * 1e3 < LeastRequests * window.EndToEnd.Line().P50Milliseconds)
            flags.Add(string.Create(c, $"window of {seconds:F0} s: no claim below {LeastWindowSeconds:F0} s and {LeastRequests:F0} median requests"));
        if (window.Timings.Contains(TokenTiming.ByText)) flags.Add("when tokens came is spread by text: the engine told their total alone");
    }

    private long Microseconds(long timestamp) => (long)Math.Floor((trial.NanosecondsAt(timestamp) - trial.Origin) / 1e3);

    private void Drain()
    {
        if (_run is not { } run) return;
        _marks.Clear();
        run.Drain(_marks);
        if (_marks.Count > 0) _progress.Add([], [.. _marks.Select(m => new StepMark(trial.NanosecondsAt(m.Timestamp), m.Tokens))]);
    }

    private void Admit()
    {
        var processes = _engine!.Processes;
        foreach (var device in trial.Devices) device.Device.Admit(processes);
    }

    private async Task Watch()
    {
        while (!_looking.IsCancellationRequested)
        {
            if (await Counters(_looking.Token) is { } look)
                lock (_gate) _looks.Add(look);
            await Task.Delay(LookPeriod, trial.Time, _looking.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<EngineCounters?> Counters(CancellationToken stop)
    {
        if (_metrics is null) return null;
        try
        {
            return await _metrics.Read(stop);
        }
        catch (Exception e) when (e is InvalidDataException or OperationCanceledException)
        {
            // It does not tell, and then it has none: a trial whose tokens cannot be held against anything says so.
            return null;
        }
    }

    // Counters that move when a request ends agree only when the engine has let go of those that were given up.
    private async Task<EngineCounters?> Quiescent(CancellationToken stop)
    {
        var began = trial.Time.GetTimestamp();
        EngineCounters? last = null;
        while (trial.Time.GetElapsedTime(began) < MostQuiescence)
        {
            var now = await Counters(stop);
            if (now is null or { Running: null, Waiting: null }) return now;
            if (now is { Running: 0 or null, Waiting: 0 or null } && last?.GeneratedTokens == now.GeneratedTokens) return now;
            last = now;
            await Task.Delay(TimeSpan.FromMilliseconds(200), trial.Time, stop);
        }
        return last;
    }

    private static double Mean(EngineCounters[] looks, Func<EngineCounters, double?> of) => looks.Select(of).OfType<double>().DefaultIfEmpty(double.NaN).Average();
}
