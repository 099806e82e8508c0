using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>Where the raw samples of a trial go.</summary>
public interface ITraceSink
{
    /// <summary>Keeps a trace durably.</summary>
    /// <param name="sweep">The sweep's id.</param>
    /// <param name="trial">Which trial; its text is the trace's name within the sweep.</param>
    /// <param name="csv">UTF-8: seconds since the trial's start, device, watts, counter joules, phase.</param>
    /// <param name="stop">Gives up.</param>
    /// <returns>The file's name below <c>traces/</c>, and its SHA-256 in lower-case hex.</returns>
    /// <exception cref="StorageTroubleException">It could not be kept; the trial stands without it, flagged.</exception>
    /// <exception cref="RefusedException">The sweep has ended: nothing is added to it any more.</exception>
    Task<(string Name, string Sha256)> Write(string sweep, TrialId trial, ReadOnlyMemory<byte> csv, CancellationToken stop);
}
