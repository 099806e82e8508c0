using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>The sweeps there are, oldest first.</summary>
[GenerateSerializer, Alias("SweepIndexState")]
public sealed class SweepIndexState
{
    [Id(0)] public ImmutableArray<SweepLine> Sweeps { get; set; } = [];
}

/// <summary>Knows which sweeps there are, so that a restarted grid finds the unfinished ones.</summary>
[ControlPlacement]
public sealed class SweepIndexGrain([PersistentState("index", "grid")] IPersistentState<SweepIndexState> state) : Grain, ISweepIndexGrain
{
    public Task Add(SweepLine line) => Keep(state.State.Sweeps.Any(s => s.Id == line.Id) ? state.State.Sweeps : state.State.Sweeps.Add(line));

    public Task End(string id) => Keep([.. state.State.Sweeps.Select(s => s.Id == id ? s with { Ended = true } : s)]);

    public Task Remove(string id) => Keep(state.State.Sweeps.RemoveAll(s => s.Id == id));

    public Task<ImmutableArray<SweepLine>> List() => Task.FromResult(state.State.Sweeps);

    private async Task Keep(ImmutableArray<SweepLine> sweeps)
    {
        var kept = state.State.Sweeps;
        if (sweeps.SequenceEqual(kept)) return;
        state.State.Sweeps = sweeps;
        try
        {
            await state.WriteStateAsync();
        }
        catch
        {
            state.State.Sweeps = kept;
            DeactivateOnIdle();
            throw;
        }
    }
}
