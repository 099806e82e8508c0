namespace EnergyGrid.Contracts;

/// <summary>Where a device stands.</summary>
[GenerateSerializer, Alias("TrialPhase")]
public enum TrialPhase { Idle, Waiting, Loading, WarmingUp, Measuring, CoolingDown, Ended }

/// <summary>A request to hold a device for a pass.</summary>
/// <param name="Sweep">Who asks.</param>
/// <param name="Pass">For which pass: <c>group/b0/p3</c>. The same holder and pass again renews the lease under a new epoch.</param>
/// <param name="Seconds">How long without a sign of life until others may take it, s.</param>
[GenerateSerializer, Immutable, Alias("LeaseRequest")]
public sealed record LeaseRequest(
    [property: Id(0)] string Sweep,
    [property: Id(1)] string Pass,
    [property: Id(2)] double Seconds);

/// <summary>The answer: held under a new epoch, or by whom else.</summary>
/// <param name="Granted">Whether the device is now held.</param>
/// <param name="Epoch">Of the lease if granted; from one counter per device, so a later holder is never stale.</param>
/// <param name="Holder">Who holds it, <c>sweep pass</c>.</param>
[GenerateSerializer, Immutable, Alias("Lease")]
public sealed record Lease(
    [property: Id(0)] bool Granted,
    [property: Id(1)] long Epoch,
    [property: Id(2)] string Holder);

/// <summary>A device's answer to "how is it going".</summary>
/// <param name="Device"><c>host/uuid</c>.</param>
/// <param name="Epoch">The highest epoch granted.</param>
/// <param name="Holder">Who holds it; empty if nobody.</param>
/// <param name="Trial">The latest trial; null if none since this activation.</param>
/// <param name="Attempt">Of that trial.</param>
/// <param name="Phase">Where it stands.</param>
/// <param name="Fraction">Of the phase, 0–1.</param>
/// <param name="SecondsLeft">Until the trial's likely end in the device's own time, s.</param>
/// <param name="Watts">Latest power, W; NaN if unknown.</param>
/// <param name="Celsius">Latest temperature, °C; NaN if unknown.</param>
/// <param name="Result">What came of the trial, once it has ended.</param>
[GenerateSerializer, Immutable, Alias("GpuStatus")]
public sealed record GpuStatus(
    [property: Id(0)] string Device,
    [property: Id(1)] long Epoch,
    [property: Id(2)] string Holder,
    [property: Id(3)] TrialId? Trial,
    [property: Id(4)] int Attempt,
    [property: Id(5)] TrialPhase Phase,
    [property: Id(6)] double Fraction,
    [property: Id(7)] double SecondsLeft,
    [property: Id(8)] double Watts,
    [property: Id(9)] double Celsius,
    [property: Id(10)] TrialResult? Result);

/// <summary>One reading of one device, for watching.</summary>
[GenerateSerializer, Immutable, Alias("PowerSample")]
public readonly record struct PowerSample(
    [property: Id(0)] DateTimeOffset At,
    [property: Id(1)] double Watts,
    [property: Id(2)] Provenance Provenance);
