using System.Collections.Immutable;

namespace EnergyGrid.Contracts;

/// <summary>Where a device stands.</summary>
[GenerateSerializer, Alias("TrialPhase")]
public enum TrialPhase
{
    Idle, Waiting, Loading, WarmingUp, Measuring, CoolingDown, Ended,

    /// <summary>It has run; its trace and its result are being kept.</summary>
    Keeping,
}

/// <summary>How an order has ended.</summary>
[GenerateSerializer, Alias("OrderEnd")]
public enum OrderEnd
{
    /// <summary>Not yet.</summary>
    None,

    /// <summary>Its result is kept, and it is in the status.</summary>
    Kept,

    /// <summary>A result of the same trial was kept before; that one stands.</summary>
    KeptBefore,

    /// <summary>The order had been withdrawn or superseded: its result was dropped.</summary>
    Withdrawn,

    /// <summary>It was stopped on request.</summary>
    Stopped,

    /// <summary>The device fell away beneath it: nobody knows what became of it.</summary>
    Lost,
}

/// <summary>A member of the device group that runs an order.</summary>
/// <param name="Uuid">The device.</param>
/// <param name="Watts">Latest power, W; NaN if unknown.</param>
/// <param name="Celsius">Latest temperature, °C; NaN if unknown.</param>
[GenerateSerializer, Immutable, Alias("MemberStatus")]
public readonly record struct MemberStatus(
    [property: Id(0)] string Uuid,
    [property: Id(1)] double Watts,
    [property: Id(2)] double Celsius);

/// <summary>A device's answer to "how is it going".</summary>
/// <param name="Device"><c>host/uuid</c>.</param>
/// <param name="Incarnation">Of the process that serves it: another one has lost what an earlier one ran.</param>
/// <param name="Order">The latest order; empty if none since this activation.</param>
/// <param name="Holder">Whose it is, <c>sweep/n</c>; empty if none.</param>
/// <param name="Trial">Its trial; null if none.</param>
/// <param name="Phase">Where it stands.</param>
/// <param name="Fraction">Of the whole trial, over all of its L', 0–1: never less than before; an estimate.</param>
/// <param name="SecondsLeft">Until the trial's likely end in the device's own time, s.</param>
/// <param name="Watts">Latest power of this device, W; NaN if unknown.</param>
/// <param name="Celsius">Latest temperature of this device, °C; NaN if unknown.</param>
/// <param name="End">How the order has ended.</param>
/// <param name="Result">What was kept, if this order's own was.</param>
/// <param name="Trouble">Why the result could not be kept so far; empty if nothing is in the way. It is tried again.</param>
/// <param name="Members">All devices of the order's group, this one first.</param>
[GenerateSerializer, Immutable, Alias("GpuStatus")]
public sealed record GpuStatus(
    [property: Id(0)] string Device,
    [property: Id(1)] string Incarnation,
    [property: Id(2)] string Order,
    [property: Id(3)] string Holder,
    [property: Id(4)] TrialId? Trial,
    [property: Id(5)] TrialPhase Phase,
    [property: Id(6)] double Fraction,
    [property: Id(7)] double SecondsLeft,
    [property: Id(8)] double Watts,
    [property: Id(9)] double Celsius,
    [property: Id(10)] OrderEnd End,
    [property: Id(11)] TrialResult? Result,
    [property: Id(12)] string Trouble,
    [property: Id(13)] ImmutableArray<MemberStatus> Members);

/// <summary>One reading of one device, for watching.</summary>
[GenerateSerializer, Immutable, Alias("PowerSample")]
public readonly record struct PowerSample(
    [property: Id(0)] DateTimeOffset At,
    [property: Id(1)] double Watts,
    [property: Id(2)] Provenance Provenance);
