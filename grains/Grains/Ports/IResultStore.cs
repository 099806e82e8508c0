using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>
/// Who writes, and under which number. Every activation of an actor takes a number above its predecessor's, on disk before it acts; a store refuses
/// whoever comes with a number below the highest it has seen of that actor.
/// </summary>
/// <param name="Actor"><c>sweep</c>, or <c>b0</c>, <c>b1</c>, … for a device group of it.</param>
/// <param name="Number">From 1.</param>
public readonly record struct Fence(string Actor, long Number)
{
    /// <summary>The actor that is a device group.</summary>
    public static string GroupActor(int group) => $"b{group}";
}

/// <summary>What became of a commit.</summary>
public enum CommitAnswer
{
    /// <summary>It is durable now.</summary>
    Committed,

    /// <summary>The same trial had been committed before, with this or another attempt: the first one stands.</summary>
    AlreadyThere,

    /// <summary>The order is not the one that its device group has registered: it was withdrawn or superseded. Nothing was changed.</summary>
    Withdrawn,
}

/// <summary>What a sweep says of itself beside its trials: enough, with the plan and the trials, to render every document of it anywhere.</summary>
/// <param name="Name">The plan's name.</param>
/// <param name="Phase">How it stands.</param>
/// <param name="SubmittedBy">Who.</param>
/// <param name="SubmittedUtc">When.</param>
/// <param name="EndedUtc">When, if it has ended.</param>
/// <param name="AtUtc">When this was said: the documents' date.</param>
/// <param name="Version">EnergyGrid's.</param>
/// <param name="Runtime">.NET and the operating system of the sweep's silo.</param>
/// <param name="Complete">Whether every cell has its passes.</param>
/// <param name="Devices">Those that were used, as they described themselves.</param>
/// <param name="Groups">Device groups: keys of the devices, by the group's number.</param>
/// <param name="Passes">All passes of all device groups.</param>
/// <param name="Facility">The site's ratio over the sweep's period, if the plan asks for it and the site has one.</param>
/// <param name="Closure">Of the site over its latest windows.</param>
/// <param name="Stretches">The sums that <paramref name="Facility"/> follows from.</param>
public sealed record SweepRecord(
    string Name,
    SweepPhase Phase,
    string SubmittedBy,
    DateTimeOffset SubmittedUtc,
    DateTimeOffset? EndedUtc,
    DateTimeOffset AtUtc,
    string Version,
    string Runtime,
    bool Complete,
    ImmutableArray<DeviceInfo> Devices,
    ImmutableSortedDictionary<int, ImmutableArray<string>> Groups,
    ImmutableArray<PassRow> Passes,
    FacilityRatio? Facility,
    ImmutableArray<ClosureResidual> Closure,
    ImmutableArray<FacilityStretch> Stretches)
{
    /// <summary>Nothing more will be said: the documents are frozen.</summary>
    public bool HasEnded => Phase is SweepPhase.Finished or SweepPhase.FinishedWithFailures or SweepPhase.Cancelled;
}

/// <summary>
/// Durable results of sweeps: the truth. What a call has answered survives kill -9 of any process.
/// <see cref="StorageTroubleException"/> means that it could not be kept or read (whether it was changed is then unknown);
/// <see cref="SupersededException"/> that a writer with a higher fence has been here. Every call is atomic and, repeated, changes nothing more.
/// </summary>
public interface IResultStore
{
    /// <summary>Makes the sweep's place and keeps its plan, once; the same plan again is a no-op.</summary>
    Task Create(string sweep, string planText, ResolvedPlan plan, CancellationToken stop = default);

    /// <summary>Raises the actor's fence to this number, and answers the order that is registered for it; empty if none.</summary>
    Task<string> Take(string sweep, Fence writer, CancellationToken stop = default);

    /// <summary>From now on this order, and no other, may commit trials of the device group that the writer is; empty: none may.</summary>
    /// <exception cref="RefusedException">An order, and the sweep has ended.</exception>
    Task Register(string sweep, Fence writer, string order, CancellationToken stop = default);

    /// <summary>Commits a trial's result under its order: at most one stands for each <see cref="TrialId"/>. The device group is <see cref="TrialId.Block"/>.</summary>
    Task<CommitAnswer> Commit(string sweep, string order, TrialResult result, CancellationToken stop = default);

    /// <summary>Committed results in the order of commit, from the given position on.</summary>
    Task<ImmutableArray<TrialResult>> Results(string sweep, int from = 0, CancellationToken stop = default);

    /// <summary>Adds an event; its sequence is the number of events before it. An event of the same key is there once: the first is answered.</summary>
    /// <param name="sweep">Whose.</param>
    /// <param name="writer">Who says it.</param>
    /// <param name="key">What makes it this event, for example <c>b0/void/dense/p3</c>: said again after a crash, it is still one.</param>
    /// <param name="kind">As in <see cref="SweepEvent.Kind"/>.</param>
    /// <param name="text">One line for people.</param>
    /// <param name="stop">Gives up.</param>
    Task<SweepEvent> Append(string sweep, Fence writer, string key, string kind, string text, CancellationToken stop = default);

    /// <summary>
    /// Keeps how the sweep stands, from which documents are rendered. With the record of an ended sweep they are frozen together with the manifest that
    /// vouches for them: nothing is committed, appended or published after it.
    /// </summary>
    Task Publish(string sweep, Fence writer, SweepRecord record, CancellationToken stop = default);
}
