namespace EnergyGrid.Contracts;

/// <summary>
/// What is known of the sensor that a device is metered by, for the analysis of what it measured: found on start, or declared by whoever made the sensor. What nothing could
/// tell is NaN. No sensor reveals its own offset, so a bound of it comes from elsewhere, and its source is named.
/// </summary>
/// <param name="UpdatePeriodSeconds">How often the sensor steps, s.</param>
/// <param name="Alias">Relative standard uncertainty of a window's energy from part-time sampling; <paramref name="Method"/> says for what window.</param>
/// <param name="CounterResidual">(counter − integrated power) / counter, the largest of either sign. It checks the integration, not the accuracy.</param>
/// <param name="OffsetWatts">The sensor's constant offset lies within ± this, W.</param>
/// <param name="OffsetSource">What <paramref name="OffsetWatts"/> rests on, or why nothing could tell it.</param>
/// <param name="RatedWatts">P_max, the end of the sensor's scale: the device's power rating, W.</param>
/// <param name="AtUtc">When it was found or declared.</param>
/// <param name="Method">How, in words.</param>
/// <param name="NonLinearityWatts">The sensor's deviation from its own straight line is d(P) = 4·n·(P/P_max)·(1 − P/P_max) with n within ± this, W.</param>
[GenerateSerializer, Immutable, Alias("SensorQualification")]
public sealed record SensorQualification(
    [property: Id(0)] double UpdatePeriodSeconds,
    [property: Id(1)] double Alias,
    [property: Id(2)] double CounterResidual,
    [property: Id(3)] double OffsetWatts,
    [property: Id(4)] string OffsetSource,
    [property: Id(5)] double RatedWatts,
    [property: Id(6)] DateTimeOffset AtUtc,
    [property: Id(7)] string Method,
    [property: Id(8)] double NonLinearityWatts = double.NaN);
