using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>A file of a sweep's directory.</summary>
/// <param name="Name">Relative to the sweep's directory, with forward slashes: <c>matrix.json</c>, <c>traces/….ndjson</c>.</param>
/// <param name="Bytes">Its length, B.</param>
public sealed record ResultFile(string Name, long Bytes);

/// <summary>
/// What <see cref="IResultStore"/> wrote, for readers. Reading never disturbs a sweep. An unknown sweep, a document that is not written yet
/// and a name that would lead out of the sweep's directory are all answered with null or nothing.
/// </summary>
public interface IResultFiles
{
    /// <summary>All files of a sweep, by name; empty for an unknown sweep.</summary>
    Task<ImmutableArray<ResultFile>> Files(string sweep, CancellationToken stop = default);

    /// <summary>Opens one file for reading, or null.</summary>
    /// <param name="sweep">The sweep's id.</param>
    /// <param name="name">As in <see cref="ResultFile.Name"/>.</param>
    /// <param name="stop">Gives up.</param>
    Task<Stream?> Open(string sweep, string name, CancellationToken stop = default);

    /// <summary><c>matrix.json</c>, or null.</summary>
    Task<Matrix?> Matrix(string sweep, CancellationToken stop = default);

    /// <summary><c>manifest.json</c>, or null.</summary>
    Task<Manifest?> Manifest(string sweep, CancellationToken stop = default);

    /// <summary>Events with a sequence of at least <paramref name="from"/>, in order; empty for an unknown sweep.</summary>
    Task<ImmutableArray<SweepEvent>> Events(string sweep, long from, CancellationToken stop = default);
}
