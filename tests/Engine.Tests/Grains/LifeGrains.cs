using System.Collections.Concurrent;

namespace EnergyGrid.Engine.Tests;

/// <summary>What all life grains say of their lives; the grains of every silo of a test run in its process.</summary>
public static class Lives
{
    public static readonly ConcurrentDictionary<string, int> ActivationsToRefuse = [];
    private static readonly ConcurrentDictionary<string, TaskCompletionSource<DeactivationReasonCode>> Ends = [];

    private static readonly ConcurrentDictionary<string, TaskCompletionSource> Gates = [];

    /// <summary>What the activation of a turn grain whose key begins with <c>gated</c> waits for.</summary>
    public static TaskCompletionSource GateOf(string key) => Gates.GetOrAdd(key, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));

    /// <summary>Why the first activation of that key ended, once it has.</summary>
    public static TaskCompletionSource<DeactivationReasonCode> EndOf(string key) => Ends.GetOrAdd(key, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
}

[Alias("Test.IStayGrain")]
public interface IStayGrain : IGrainWithStringKey
{
    /// <summary>The name of this activation.</summary>
    [Alias("Who")] Task<string> Who();
}

[Alias("Test.IGoGrain")]
public interface IGoGrain : IGrainWithStringKey
{
    /// <summary>The name of this activation.</summary>
    [Alias("Who")] Task<string> Who();

    [Alias("Retire")] Task Retire();
}

[KeepAlive]
public sealed class StayGrain : Grain, IStayGrain
{
    private readonly string _activation = Guid.NewGuid().ToString("N");

    public Task<string> Who() => Task.FromResult(_activation);
}

public sealed class GoGrain : Grain, IGoGrain
{
    private readonly string _activation = Guid.NewGuid().ToString("N");

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var key = this.GetPrimaryKeyString();
        if (!Lives.ActivationsToRefuse.TryGetValue(key, out var left) || left == 0) return Task.CompletedTask;
        Lives.ActivationsToRefuse[key] = left - 1;
        throw new Contracts.RefusedException($"Not yet: {left} more.");
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        Lives.EndOf(this.GetPrimaryKeyString()).TrySetResult(reason.ReasonCode);
        return Task.CompletedTask;
    }

    public Task<string> Who() => Task.FromResult(_activation);

    public Task Retire()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }
}
