using System.Collections.Immutable;

namespace EnergyGrid.Stacks;

/// <summary>
/// A serving engine that is ready: started here and ours alone, or an endpoint that runs anyway. What was started ends with <see cref="Stop"/>, and also when this process ends, in whatever way; nothing of
/// it stays. Safe to use from many tasks.
/// </summary>
public sealed class EngineProcess : IAsyncDisposable
{
    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(50), LongestBetween = TimeSpan.FromSeconds(1);

    private readonly EngineKeeper? _keeper;
    private readonly EngineLog? _log;
    private readonly EnginePort? _port;
    private readonly EnginePlace _place;
    private readonly TimeProvider _time;
    private readonly TaskCompletionSource<string> _died = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private Task? _stopping;

    private EngineProcess(StackEntry stack, StackModel model, EnginePlace place, TimeProvider time, string? token, Uri address, EngineKeeper? keeper, EngineLog? log, EnginePort? port, ImmutableArray<string> arguments)
    {
        (Stack, Model, _place, _time, Token, Address, _keeper, _log, _port, Arguments) = (stack, model, place, time, token, address, keeper, log, port, arguments);
        if (keeper is not null) _ = Watch(keeper);
    }

    /// <summary>Which stack it is.</summary>
    public StackEntry Stack { get; }

    /// <summary>Which model it serves.</summary>
    public StackModel Model { get; }

    /// <summary>Its base address.</summary>
    public Uri Address { get; }

    /// <summary>Of an endpoint that wants one; null otherwise. Goes into a header, and nowhere else.</summary>
    public string? Token { get; }

    /// <summary>What its requests may say.</summary>
    public Dialect Dialect => Stack.Dialect;

    /// <summary>Program and arguments as launched; empty for an endpoint.</summary>
    public ImmutableArray<string> Arguments { get; }

    /// <summary>As it tells itself; null where it tells none.</summary>
    public string? Version { get; private set; }

    /// <summary>What it says of itself beside, as it says it, cleaned and at most 64 KiB; empty where it says nothing.</summary>
    public string Description { get; private set; } = "";

    /// <summary>Which model lies at the model's path, lower-case hex: the lengths and both ends of a file, configuration and weight index of a directory (<c>ModelIdentity</c>); null where nothing lies there.</summary>
    public string? ModelSha256 { get; private set; }

    /// <summary>Of its first process, which leads its group; null for an endpoint.</summary>
    public int? ProcessId => _keeper?.Id;

    /// <summary>All processes that it is made of now, children that left its group included; none for an endpoint.</summary>
    public ImmutableArray<int> Processes => _keeper?.Processes ?? [];

    /// <summary>That it has ended unasked, and why. Never completes otherwise, nor for an endpoint.</summary>
    public Task<string> Died => _died.Task;

    /// <summary>Starts an engine, or finds an endpoint, and waits until it is ready and serves the model.</summary>
    /// <param name="stack">Which.</param>
    /// <param name="model">As <paramref name="stack"/> names it.</param>
    /// <param name="parameters">As a plan writes them.</param>
    /// <param name="place">Where.</param>
    /// <param name="time">Waits by this.</param>
    /// <param name="stop">Gives it up; nothing is left.</param>
    /// <exception cref="ArgumentException"><see cref="StackEntry.Refusal"/>.</exception>
    /// <exception cref="EngineStartException">It does not start, is not ready in time, ends first or serves another model: with the last that it said. Nothing is left.</exception>
    public static async Task<EngineProcess> Start(StackEntry stack, string model, IReadOnlyDictionary<string, string> parameters, EnginePlace place, TimeProvider time, CancellationToken stop)
    {
        if (stack.Refusal(model, parameters) is { } refusal) throw new ArgumentException(refusal, nameof(parameters));
        stop.ThrowIfCancellationRequested();
        var hash = Task.Run(() => stack.Model(model)!.Path is { } path ? ModelIdentity.Sha256(path) : null, CancellationToken.None);
        var engine = stack.Recipe.IsEndpoint ? new EngineProcess(stack, stack.Model(model)!, place, time, stack.Token(), stack.Address!, null, null, null, []) : Launch(stack, model, parameters, place, time);
        try
        {
            await engine.Ready(stop).ConfigureAwait(false);
            engine.ModelSha256 = await hash.ConfigureAwait(false);
            return engine;
        }
        catch
        {
            await engine.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Ends it, if it was started here: asks all of it, after a grace kills what is left, and waits until nothing is and its port is free. As often as wanted.</summary>
    /// <exception cref="TimeoutException">Something of it cannot be killed: a driver holds it.</exception>
    public Task Stop()
    {
        lock (_gate) return _stopping ??= End();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await Stop().ConfigureAwait(false);

    private static EngineProcess Launch(StackEntry stack, string model, IReadOnlyDictionary<string, string> parameters, EnginePlace place, TimeProvider time)
    {
        var port = EnginePort.Take();
        EngineLog? log = null;
        try
        {
            var command = stack.CommandLine(model, parameters, port.Number);
            log = new EngineLog(place.LogPath, place.MostLogBytes);
            var keeper = EngineKeeper.Start(command, stack, place.GpuUuids, log);
            return new EngineProcess(stack, stack.Model(model)!, place, time, null, new Uri(FormattableString.Invariant($"http://127.0.0.1:{port.Number}/")), keeper, log, port, command);
        }
        catch
        {
            log?.Dispose();
            port.Dispose();
            throw;
        }
    }

    private async Task Ready(CancellationToken stop)
    {
        using var limit = new CancellationTokenSource(Stack.StartLimit, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, limit.Token);
        using var probe = new EngineProbe(Address, Token, _time);
        var last = "it did not answer";
        try
        {
            for (var between = FirstLook; await NotReady(probe, either.Token).ConfigureAwait(false) is { } why; between = between * 1.5 < LongestBetween ? between * 1.5 : LongestBetween)
            {
                last = why;
                if (await Task.WhenAny(Died, Task.Delay(between, _time, either.Token)).ConfigureAwait(false) == Died) throw Dead();
                either.Token.ThrowIfCancellationRequested();
            }

            await CheckModel(probe, either.Token).ConfigureAwait(false);
            (Version, Description) = await probe.Describe(Stack.Recipe.IsEndpoint ? EngineRecipe.Of(Dialect.Name)!.Descriptions : Stack.Recipe.Descriptions, either.Token).ConfigureAwait(false);
            if (Died.IsCompleted) throw Dead();
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new EngineStartException(FormattableString.Invariant($"stack {Stack.Name} was not ready within {Stack.StartLimit.TotalSeconds:0.###} s: {last}{Said}"));
        }

        EngineStartException Dead() => new($"stack {Stack.Name} ended before it was ready: {Died.Result}");
    }

    private async Task<string?> NotReady(EngineProbe probe, CancellationToken stop)
    {
        if (Died.IsCompleted) return Died.Result;
        if (await probe.NotReady(Stack.Recipe.HealthPath, stop).ConfigureAwait(false) is { } why) return why;
        // Something else may answer at that port while the engine still loads, or finds it taken.
        return _keeper?.Listens(_port!.Number) is false ? "its port is answered by something else" : null;
    }

    private async Task CheckModel(EngineProbe probe, CancellationToken stop)
    {
        var (names, trouble) = await probe.Models(stop).ConfigureAwait(false);
        if (trouble is not null) throw new EngineStartException($"stack {Stack.Name} does not say what it serves: {trouble}{Said}");
        if (names.Contains(Model.ServedName)) return;
        var served = names.IsEmpty ? "no model" : string.Join(", ", names.Take(5));
        throw new EngineStartException($"stack {Stack.Name} serves {served} and not '{Model.ServedName}', which model {Model.Name} is: right would be served_name: as it calls it");
    }

    private string Said => _log?.Tail is { Length: > 0 } tail ? $"; the last that it said: {tail}" : "";

    private async Task Watch(EngineKeeper keeper)
    {
        var how = await keeper.Gone.ConfigureAwait(false);
        lock (_gate) if (_stopping is not null) return;
        try
        {
            // What it leaves behind holds devices, and what it said last is read to the end.
            await keeper.End(TimeSpan.Zero, _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Stop tells it again.
        }

        _died.TrySetResult(how + Said);
    }

    private async Task End()
    {
        if (_keeper is null) return;
        try
        {
            await _keeper.End(_place.Grace, _time).ConfigureAwait(false);
            _port!.Dispose();
        }
        finally
        {
            _keeper.Dispose();
            _log!.Dispose();
        }
    }
}
