using System.Collections.Immutable;

namespace EnergyGrid.Silo.Tests;

[GenerateSerializer, Alias("Test.CounterState")]
public sealed class CounterState
{
    [Id(0)] public int Value { get; set; }
    [Id(1)] public ImmutableDictionary<string, double> Figures { get; set; } = ImmutableDictionary<string, double>.Empty;
}

/// <summary>A number that is kept.</summary>
[Alias("Test.ICounterGrain")]
public interface ICounterGrain : IGrainWithStringKey
{
    [Alias("Add")] Task<int> Add(int by);
    [Alias("Value")] Task<int> Value();
    [Alias("Keep")] Task Keep(string name, double figure);
    [Alias("Figures")] Task<ImmutableDictionary<string, double>> Figures();

    /// <summary>True if there is a record afterwards.</summary>
    [Alias("Clear")] Task<bool> Clear();
    [Alias("Retire")] Task Retire();
}

public sealed class CounterGrain([PersistentState("counter", "grid")] IPersistentState<CounterState> state) : Grain, ICounterGrain
{
    public async Task<int> Add(int by)
    {
        state.State.Value += by;
        await state.WriteStateAsync();
        return state.State.Value;
    }

    public Task<int> Value() => Task.FromResult(state.State.Value);

    public async Task Keep(string name, double figure)
    {
        state.State.Figures = state.State.Figures.SetItem(name, figure);
        await state.WriteStateAsync();
    }

    public Task<ImmutableDictionary<string, double>> Figures() => Task.FromResult(state.State.Figures);

    public async Task<bool> Clear()
    {
        await state.ClearStateAsync();
        return state.RecordExists;
    }

    public Task Retire()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }
}
