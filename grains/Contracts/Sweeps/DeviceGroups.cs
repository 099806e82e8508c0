using System.Collections.Immutable;

namespace EnergyGrid.Contracts;

/// <summary>How a pass stands.</summary>
[GenerateSerializer, Alias("PassPhase")]
public enum PassPhase { Open, Done, Void }

/// <summary>One run of every configuration of a match group on one device group.</summary>
/// <param name="Group">The match group.</param>
/// <param name="Block">Which device group.</param>
/// <param name="Pass">Its number there; a voided pass keeps it.</param>
/// <param name="Phase">How it stands.</param>
/// <param name="Leases">How often it was begun: 1, and once more for every order of it that was lost. The attempt of its trials is one less.</param>
/// <param name="Reason">Why it is void.</param>
[GenerateSerializer, Immutable, Alias("PassRow")]
public sealed record PassRow(
    [property: Id(0)] string Group,
    [property: Id(1)] int Block,
    [property: Id(2)] int Pass,
    [property: Id(3)] PassPhase Phase,
    [property: Id(4)] int Leases,
    [property: Id(5)] string Reason);

/// <summary>How a device group stands.</summary>
[GenerateSerializer, Alias("GroupPhase")]
public enum GroupPhase
{
    /// <summary>It has no orders yet, or none since its last activation.</summary>
    Fresh,

    /// <summary>It runs, or would if it may.</summary>
    Running,

    /// <summary>Its host does not answer: it goes on by itself when the host is back.</summary>
    Away,

    /// <summary>Its devices lose what they are given: somebody must see to them.</summary>
    Sick,

    /// <summary>It takes no orders any more.</summary>
    Ended,
}

/// <summary>What a sweep wants of a device group.</summary>
/// <param name="SweepFence">The number of the sweep's activation.</param>
/// <param name="Version">Grows whenever the sweep wants something else.</param>
/// <param name="PlanText">Resolved; as submitted for a sweep from before resolved plans were kept.</param>
/// <param name="Devices">The group's devices, the leading one first, as they described themselves when the sweep took them.</param>
/// <param name="Targets">Passes wanted on this group, by match group.</param>
/// <param name="Going">Whether trials may be started.</param>
/// <param name="Priority">Of the sweep.</param>
/// <param name="SubmittedUtc">Of the sweep.</param>
/// <param name="Tries">Grows when somebody has seen to devices that were given up: they are tried again.</param>
[GenerateSerializer, Immutable, Alias("GroupOrders")]
public sealed record GroupOrders(
    [property: Id(0)] long SweepFence,
    [property: Id(1)] long Version,
    [property: Id(2)] string PlanText,
    [property: Id(3)] ImmutableArray<DeviceInfo> Devices,
    [property: Id(4)] ImmutableDictionary<string, int> Targets,
    [property: Id(5)] bool Going,
    [property: Id(6)] int Priority,
    [property: Id(7)] DateTimeOffset SubmittedUtc,
    [property: Id(8)] int Tries);

/// <summary>How a device group stands, as it tells its sweep.</summary>
/// <param name="Group">Its number.</param>
/// <param name="Fence">The number of its activation; of two reports the one of the higher fence is newer, then the one of the higher sequence.</param>
/// <param name="Sequence">Grows with every report of one activation.</param>
/// <param name="SweepFence">Of the sweep's activation whose orders it follows; 0 without orders.</param>
/// <param name="Version">Of those orders; 0 without orders.</param>
/// <param name="Phase">How it stands.</param>
/// <param name="Reason">Why it is away or sick; empty otherwise.</param>
/// <param name="Tries">How often the sweep had been resumed when it came to that.</param>
/// <param name="Idle">Whether it has done all that those orders want.</param>
/// <param name="Waiting">Whom it waits for; empty if for nobody.</param>
/// <param name="Trouble">What could not be kept; empty if nothing.</param>
/// <param name="Committed">Results of its trials.</param>
/// <param name="Valid">Of them valid.</param>
/// <param name="Planned">Trials of all passes that those orders want, as far as is known.</param>
/// <param name="Passes">All its passes.</param>
/// <param name="Running">The trial that runs there, a line for every device of the group.</param>
[GenerateSerializer, Immutable, Alias("GroupReport")]
public sealed record GroupReport(
    [property: Id(0)] int Group,
    [property: Id(1)] long Fence,
    [property: Id(2)] long Sequence,
    [property: Id(15)] long SweepFence,
    [property: Id(3)] long Version,
    [property: Id(4)] GroupPhase Phase,
    [property: Id(5)] string Reason,
    [property: Id(14)] int Tries,
    [property: Id(6)] bool Idle,
    [property: Id(7)] string Waiting,
    [property: Id(8)] string Trouble,
    [property: Id(9)] int Committed,
    [property: Id(10)] int Valid,
    [property: Id(11)] int Planned,
    [property: Id(12)] ImmutableArray<PassRow> Passes,
    [property: Id(13)] ImmutableArray<RunningTrial> Running);
