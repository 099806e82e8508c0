using System.Collections.Immutable;
using System.Runtime.CompilerServices;

namespace EnergyGrid.Engine.Tests;

/// <summary>Everything that may be inside a record.</summary>
[GenerateSerializer, Immutable, Alias("Test.Parcel")]
public sealed record Parcel(
    [property: Id(0)] string Name,
    [property: Id(1)] ImmutableArray<Parcel.Item> Items,
    [property: Id(2)] ReadOnlyMemory<byte> Samples,
    [property: Id(3)] ImmutableDictionary<string, double> Figures,
    [property: Id(4)] double? Limit,
    [property: Id(5)] DateTimeOffset At)
{
    [GenerateSerializer, Immutable, Alias("Test.Parcel.Item")]
    public readonly record struct Item([property: Id(0)] int Index, [property: Id(1)] double Joules);
}

/// <summary>An exception that no other process could read.</summary>
public sealed class UndeclaredException(string message) : Exception(message);

public static class Ambient
{
    public static readonly AsyncLocal<string?> Value = new();
}

[Alias("Test.ICallGrain")]
public interface ICallGrain : IGrainWithStringKey
{
    [Alias("Echo")] ValueTask<Parcel> Echo(Parcel parcel);
    [Alias("Take")] ValueTask Take(Parcel parcel);
    [Alias("Taken")] Task<int> Taken();

    /// <summary>Waits until it is cancelled.</summary>
    [Alias("Hold")] Task Hold(CancellationToken cancellationToken = default);

    /// <summary>Answers when a <see cref="Hold"/> has begun.</summary>
    [Alias("Held"), AlwaysInterleave] Task Held();

    /// <summary>Answers when a <see cref="Hold"/> saw its cancellation.</summary>
    [Alias("Released"), AlwaysInterleave] Task Released();

    /// <summary>A short wait: cancelled by its deadline.</summary>
    [Alias("HoldShortly"), ResponseTimeout("00:00:00.300")] Task HoldShortly(CancellationToken cancellationToken = default);

    /// <summary>Calls <paramref name="next"/>, which calls this grain again, which is busy.</summary>
    [Alias("Ring"), ResponseTimeout("00:00:01")] Task Ring(string next, string last);

    [Alias("Stale")] Task Stale(long offered, long current);
    [Alias("FailForeign")] Task FailForeign();
    [Alias("AmbientSeen")] Task<string?> AmbientSeen();
    [Alias("Retire")] Task Retire();

    [Alias("Count")] IAsyncEnumerable<int> Count(int to, CancellationToken cancellationToken = default);

    /// <summary>Answers when that many enumerations have ended, however they ended.</summary>
    [Alias("CountsEnded"), AlwaysInterleave] Task CountsEnded(int atLeast);

    /// <summary>An enumeration that throws <see cref="Contracts.StaleEpochException"/> after its first item.</summary>
    [Alias("CountThenFail")] IAsyncEnumerable<int> CountThenFail(CancellationToken cancellationToken = default);

    /// <summary>The key of the grain that a reference in a call leads to.</summary>
    [Alias("KeyOf")] Task<string> KeyOf(ICallGrain other);

    /// <summary>A reference to itself.</summary>
    [Alias("Self")] Task<ICallGrain> Self();
}

public sealed class CallGrain : Grain, ICallGrain
{
    private readonly TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<(int AtLeast, TaskCompletionSource Reached)> _awaited = [];
    private int _taken, _countsEnded;

    public ValueTask<Parcel> Echo(Parcel parcel) => ValueTask.FromResult(parcel);

    public ValueTask Take(Parcel parcel)
    {
        _taken += parcel.Items.Length;
        return ValueTask.CompletedTask;
    }

    public Task<int> Taken() => Task.FromResult(_taken);

    public async Task Hold(CancellationToken cancellationToken)
    {
        _held.TrySetResult();
        try { await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken); }
        catch (OperationCanceledException)
        {
            _released.TrySetResult();
            throw;
        }
    }

    public Task Held() => _held.Task;

    public Task Released() => _released.Task;

    public Task HoldShortly(CancellationToken cancellationToken) => Hold(cancellationToken);

    public Task Ring(string next, string last) => GrainFactory.GetGrain<ICallGrain>(next).Ring(last, next);

    public Task Stale(long offered, long current) => throw new Contracts.StaleEpochException($"Epoch {offered} is below {current}.", offered, current);

    public Task FailForeign() => throw new InvalidOperationException("outer", new UndeclaredException("inner"));

    public Task<string?> AmbientSeen() => Task.FromResult(Ambient.Value.Value);

    public Task Retire()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public async IAsyncEnumerable<int> Count(int to, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            for (var i = 0; i < to; i++)
            {
                await Task.Delay(1, cancellationToken);
                yield return i;
            }
        }
        finally
        {
            _countsEnded++;
            foreach (var (_, reached) in _awaited.Where(a => a.AtLeast <= _countsEnded)) reached.TrySetResult();
        }
    }

    public Task CountsEnded(int atLeast)
    {
        if (_countsEnded >= atLeast) return Task.CompletedTask;
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _awaited.Add((atLeast, reached));
        return reached.Task;
    }

    public async IAsyncEnumerable<int> CountThenFail([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return 1;
        await Task.Yield();
        cancellationToken.ThrowIfCancellationRequested();
        throw new Contracts.StaleEpochException("Epoch 3 is below 4.", 3, 4);
    }

    public Task<string> KeyOf(ICallGrain other) => Task.FromResult(other.GetPrimaryKeyString());

    public Task<ICallGrain> Self() => Task.FromResult(this.AsReference<ICallGrain>());
}
