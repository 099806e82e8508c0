using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>
/// Results that leave the grid and come back: nothing is dropped by itself. <see cref="StorageTroubleException"/> as in <see cref="IResultStore"/>.
/// </summary>
public interface IResultRetention
{
    /// <summary>Sweeps that have results here, by id.</summary>
    Task<ImmutableArray<string>> Sweeps(CancellationToken stop = default);

    /// <summary>Removes all results of a sweep that has ended, if its manifest is the one that is named; an unknown sweep is a no-op.</summary>
    /// <param name="sweep">Whose.</param>
    /// <param name="manifestSha256">SHA-256 of the bytes of <c>manifest.json</c> in lower-case hex: what is removed is what was archived.</param>
    /// <param name="stop">Gives up.</param>
    /// <exception cref="RefusedException">It has not ended, or its manifest is another one.</exception>
    Task Remove(string sweep, string manifestSha256, CancellationToken stop = default);

    /// <summary>
    /// Takes in the directory of an ended sweep under the sweep's id, whole or not at all. Every file is held against the manifest, which is held against
    /// its seal. The same directory again is a no-op.
    /// </summary>
    /// <returns>What its manifest says.</returns>
    /// <exception cref="RefusedException">The directory is damaged, its sweep has not ended, or the id is there with other content.</exception>
    Task<Manifest> Adopt(string directory, CancellationToken stop = default);
}
