using System.Collections.Immutable;

namespace EnergyGrid.Contracts;

/// <summary>Where a sweep stands.</summary>
[GenerateSerializer, Alias("SweepPhase")]
public enum SweepPhase
{
    /// <summary>Accepted, not yet begun.</summary>
    Queued,

    /// <summary>Trials are being run.</summary>
    Running,

    /// <summary>Stopped between trials, by request or because something must be put right (see the reason).</summary>
    Paused,

    /// <summary>Every cell has its passes.</summary>
    Finished,

    /// <summary>It ended, and some cell has no valid trial.</summary>
    FinishedWithFailures,

    /// <summary>Ended by request.</summary>
    Cancelled,
}

/// <summary>A device that runs a trial.</summary>
[GenerateSerializer, Immutable, Alias("RunningTrial")]
public sealed record RunningTrial(
    [property: Id(0)] string Device,
    [property: Id(1)] string Trial,
    [property: Id(2)] TrialPhase Phase,
    [property: Id(3)] double Fraction,
    [property: Id(4)] double Watts,
    [property: Id(5)] double Celsius);

/// <summary>A sweep as it is seen from outside.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">The plan's name.</param>
/// <param name="Phase">Where it stands.</param>
/// <param name="Reason">Why it is paused or how it ended; empty otherwise.</param>
/// <param name="PlannedTrials">Trials of all passes needed so far (second-stage passes are added when they are known).</param>
/// <param name="CommittedTrials">Results kept.</param>
/// <param name="ValidTrials">Of them valid.</param>
/// <param name="InvalidTrials">Of them invalidated, failed or of a voided pass.</param>
/// <param name="VoidedPasses">Passes given up.</param>
/// <param name="Stage">1 or 2 of the two-stage replication.</param>
/// <param name="SecondsLeft">Estimate of the time left by the wall clock, s; NaN if unknown.</param>
/// <param name="Running">What runs now.</param>
/// <param name="SubmittedUtc">When.</param>
/// <param name="EndedUtc">When, if it has ended.</param>
/// <param name="Waiting">What it waits for while nothing is wrong: devices that another sweep holds, a host that is away; empty if for nothing.</param>
/// <param name="Priority">Of sweeps that want the same devices the higher one has them first; of equals, the older.</param>
/// <param name="SubmittedBy">Who; empty if that was not told.</param>
[GenerateSerializer, Immutable, Alias("SweepStatus")]
public sealed record SweepStatus(
    [property: Id(0)] string Id,
    [property: Id(1)] string Name,
    [property: Id(2)] SweepPhase Phase,
    [property: Id(3)] string Reason,
    [property: Id(4)] int PlannedTrials,
    [property: Id(5)] int CommittedTrials,
    [property: Id(6)] int ValidTrials,
    [property: Id(7)] int InvalidTrials,
    [property: Id(8)] int VoidedPasses,
    [property: Id(9)] int Stage,
    [property: Id(10)] double SecondsLeft,
    [property: Id(11)] ImmutableArray<RunningTrial> Running,
    [property: Id(12)] DateTimeOffset SubmittedUtc,
    [property: Id(13)] DateTimeOffset? EndedUtc,
    [property: Id(14)] string Waiting = "",
    [property: Id(15)] int Priority = 0,
    [property: Id(16)] string SubmittedBy = "")
{
    /// <summary>Whether nothing more will happen.</summary>
    public bool HasEnded => Phase is SweepPhase.Finished or SweepPhase.FinishedWithFailures or SweepPhase.Cancelled;
}

/// <summary>A line of the index.</summary>
[GenerateSerializer, Immutable, Alias("SweepLine")]
public sealed record SweepLine(
    [property: Id(0)] string Id,
    [property: Id(1)] string Name,
    [property: Id(2)] DateTimeOffset SubmittedUtc,
    [property: Id(3)] bool Ended);
