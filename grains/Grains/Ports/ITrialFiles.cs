using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>What a trial leaves beside its result.</summary>
public enum TrialFileKind
{
    /// <summary>Its raw samples, CSV, below <c>traces/</c>.</summary>
    Trace,

    /// <summary>A row for each request to a serving engine, JSON lines, below <c>requests/</c>.</summary>
    Requests,
}

/// <summary>Where the files of a trial go.</summary>
public interface ITrialFiles
{
    /// <summary>Keeps a file durably. It is part of the results once a trial that names it is committed.</summary>
    /// <param name="sweep">The sweep's id.</param>
    /// <param name="trial">Which trial; its text is the file's name.</param>
    /// <param name="kind">Which of its files.</param>
    /// <param name="bytes">UTF-8.</param>
    /// <param name="stop">Gives up.</param>
    /// <returns>The file's name below its folder, and its SHA-256 in lower-case hex.</returns>
    /// <exception cref="StorageTroubleException">It could not be kept.</exception>
    /// <exception cref="RefusedException">The sweep has ended: nothing is added to it any more.</exception>
    Task<(string Name, string Sha256)> Write(string sweep, TrialId trial, TrialFileKind kind, ReadOnlyMemory<byte> bytes, CancellationToken stop);
}
