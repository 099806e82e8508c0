namespace EnergyGrid.Devices;

/// <summary>
/// How far the power sensors of a simulated site are off beside their gain. One design serves all of them, so part of the offset and the whole non-linearity are common to the
/// site; each device adds an offset of its own. A device declares the bounds; what was drawn within them is nobody's to know, as with a real sensor.
/// </summary>
public sealed record SensorDesign
{
    private const ulong SitePart = 0x5E45_0001, DevicePart = 0x5E45_0002;

    /// <summary>The common offset lies within ± this, W.</summary>
    public double CommonOffsetBoundWatts { get; init; } = 3;

    /// <summary>Each device's own offset lies within ± this, W.</summary>
    public double OwnOffsetBoundWatts { get; init; } = 2;

    /// <summary>n of <see cref="TransferCurve"/> lies within ± this, W.</summary>
    public double NonLinearityBoundWatts { get; init; } = 2;

    /// <summary>The common offset, W; drawn from the site's seed when NaN.</summary>
    public double CommonOffsetWatts { get; init; } = double.NaN;

    /// <summary>Every device's own offset, W; drawn from each device's seed when NaN.</summary>
    public double OwnOffsetWatts { get; init; } = double.NaN;

    /// <summary>n, W; drawn from the site's seed when NaN.</summary>
    public double NonLinearityWatts { get; init; } = double.NaN;

    /// <summary>Bound of the whole offset of a device, W.</summary>
    public double OffsetBoundWatts => CommonOffsetBoundWatts + OwnOffsetBoundWatts;

    /// <summary>Neither offset nor non-linearity: the gain is all that is wrong.</summary>
    public static SensorDesign Straight { get; } = new() { CommonOffsetBoundWatts = 0, OwnOffsetBoundWatts = 0, NonLinearityBoundWatts = 0 };

    /// <summary>The worst within the default bounds: every part at its limit, with these signs (±1).</summary>
    public static SensorDesign Worst(int offsetSign, int nonLinearitySign)
    {
        var bounds = new SensorDesign();
        return bounds with
        {
            CommonOffsetWatts = offsetSign * bounds.CommonOffsetBoundWatts,
            OwnOffsetWatts = offsetSign * bounds.OwnOffsetBoundWatts,
            NonLinearityWatts = nonLinearitySign * bounds.NonLinearityBoundWatts,
        };
    }

    /// <summary>This design with what is common to a site drawn.</summary>
    /// <exception cref="ArgumentException">A value outside its bound: the declaration would be false.</exception>
    internal SensorDesign OfSite(ulong siteSeed)
    {
        var random = new SeededRandom(SeededRandom.Mix(siteSeed, SitePart));
        return this with
        {
            CommonOffsetWatts = Within(CommonOffsetWatts, CommonOffsetBoundWatts, ref random),
            NonLinearityWatts = Within(NonLinearityWatts, NonLinearityBoundWatts, ref random),
        };
    }

    /// <summary>One device's curve, from the design of its site.</summary>
    /// <param name="gain">Of its sensors.</param>
    /// <param name="fullScaleWatts">P_max, W.</param>
    /// <param name="deviceSeed">Of the device.</param>
    /// <exception cref="ArgumentException">A value outside its bound.</exception>
    internal TransferCurve CurveOf(double gain, double fullScaleWatts, ulong deviceSeed)
    {
        var random = new SeededRandom(SeededRandom.Mix(deviceSeed, DevicePart));
        return new TransferCurve(gain, CommonOffsetWatts + Within(OwnOffsetWatts, OwnOffsetBoundWatts, ref random), NonLinearityWatts, fullScaleWatts);
    }

    private static double Within(double value, double bound, ref SeededRandom random)
    {
        var drawn = bound * (2 * random.Uniform() - 1);
        if (double.IsNaN(value)) return drawn;
        return Math.Abs(value) <= bound ? value : throw new ArgumentException($"{value} W is outside the declared ±{bound} W.");
    }
}

/// <summary>What a sensor tells of a true power: <c>y + o + 4·n·(y/P_max)·(1 − y/P_max)</c> of <c>y = gain·P</c>, and never less than 0.</summary>
/// <param name="Gain">Of the sensor.</param>
/// <param name="OffsetWatts">o, W.</param>
/// <param name="NonLinearityWatts">n: the deviation from the straight line at half the scale, W.</param>
/// <param name="FullScaleWatts">P_max: the straight line holds there and at 0, W.</param>
public readonly record struct TransferCurve(double Gain, double OffsetWatts, double NonLinearityWatts, double FullScaleWatts)
{
    /// <summary>W told of <paramref name="watts"/> W.</summary>
    public double Reads(double watts)
    {
        var seen = Gain * watts;
        var share = seen / FullScaleWatts;
        return Math.Max(0, seen + OffsetWatts + 4 * NonLinearityWatts * share * (1 - share));
    }
}
