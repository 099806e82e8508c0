using EnergyGrid.Contracts;

namespace EnergyGrid.Silo;

/// <summary>A storage of Orleans' whose troubles are all one declared kind, <see cref="StorageTroubleException"/>; a conflict of ETags stays what it is.</summary>
internal sealed class DeclaredStorage(IGrainStorage inner) : IGrainStorage
{
    public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) => Declared(() => inner.ReadStateAsync(stateName, grainId, grainState));

    public Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) => Declared(() => inner.WriteStateAsync(stateName, grainId, grainState));

    public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) => Declared(() => inner.ClearStateAsync(stateName, grainId, grainState));

    private static async Task Declared(Func<Task> act)
    {
        try { await act(); }
        catch (Exception e) when (e is not (InconsistentStateException or OperationCanceledException)) { throw new StorageTroubleException(e.Message); }
    }
}
