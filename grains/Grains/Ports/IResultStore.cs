using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>What became of a commit.</summary>
public enum CommitAnswer
{
    /// <summary>It is durable now.</summary>
    Committed,

    /// <summary>The same trial had been committed before, with this or another attempt: the first one stands.</summary>
    AlreadyThere,
}

/// <summary>Durable results of sweeps. What a call has answered survives kill -9; an <see cref="IOException"/> means that nothing was changed.</summary>
public interface IResultStore
{
    /// <summary>Makes the sweep's place and keeps its plan, once; the same plan again is a no-op.</summary>
    Task Create(string sweep, string planText, ResolvedPlan plan, CancellationToken stop = default);

    /// <summary>Commits a trial's result: at most one stands for each <see cref="TrialId"/>.</summary>
    Task<CommitAnswer> Commit(string sweep, TrialResult result, CancellationToken stop = default);

    /// <summary>All committed results in the order of commit.</summary>
    Task<ImmutableArray<TrialResult>> Results(string sweep, CancellationToken stop = default);

    /// <summary>Adds an event; its sequence is the number of events before it.</summary>
    Task<SweepEvent> Append(string sweep, string kind, string text, CancellationToken stop = default);

    /// <summary>Writes matrix, cells, report and manifest anew, each whole or not at all.</summary>
    Task Publish(string sweep, Matrix matrix, Manifest manifest, CancellationToken stop = default);
}
