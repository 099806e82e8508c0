using EnergyGrid.Contracts;

namespace EnergyGrid.Silo;

/// <summary>State of grains as files, for a single silo without Redis. All that can go wrong with the disk is <see cref="StorageTroubleException"/>.</summary>
internal sealed class FileGrainStorage(StateFiles files) : IGrainStorage
{
    public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) => Declared(grainId, stateName, "read", async () =>
    {
        var (etag, state) = await files.Read<T>(grainId.Type.ToString()!, stateName, grainId.Key.ToString()!);
        (grainState.ETag, grainState.RecordExists) = (etag, etag is not null);
        grainState.State = etag is null ? Activator.CreateInstance<T>() : state!;
    });

    public Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) => Declared(grainId, stateName, "written", async () =>
    {
        grainState.ETag = await files.Write(grainId.Type.ToString()!, stateName, grainId.Key.ToString()!, grainState.ETag, grainState.State);
        grainState.RecordExists = true;
    });

    public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) => Declared(grainId, stateName, "cleared", async () =>
    {
        await files.Clear(grainId.Type.ToString()!, stateName, grainId.Key.ToString()!, grainState.ETag);
        (grainState.ETag, grainState.RecordExists) = (null!, false);
        grainState.State = Activator.CreateInstance<T>();
    });

    // No inner exceptions: one without a codec would replace the declared one on its way to another process.
    private static async Task Declared(GrainId grain, string stateName, string verb, Func<Task> act)
    {
        try { await act(); }
        catch (StaleETagException e) { throw new InconsistentStateException($"{grain}, state '{stateName}': {e.Message}", e.Stored, e.Offered); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Text.Json.JsonException) { throw new StorageTroubleException($"State '{stateName}' of {grain} could not be {verb}: {e.Message}"); }
    }
}
