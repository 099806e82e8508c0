using System.Collections.Immutable;

namespace EnergyGrid.Metrology;

/// <summary>What replication shows.</summary>
/// <param name="StandardError">u_A: of the mean logarithm, as it stands in the interval; NaN without one.</param>
/// <param name="DegreesOfFreedom">Of it; 0 without an interval.</param>
/// <param name="HalfWidth">Of the 95 % Student interval of the logarithm, type A alone; NaN without one.</param>
public sealed record TypeA(double StandardError, int DegreesOfFreedom, double HalfWidth)
{
    /// <summary>Of a nested mean; null: there is no value.</summary>
    public static TypeA Of(NestedEstimate? log) => log?.Interval(AnalysisSettings.Level) is { } interval
        ? new TypeA(log.StandardError, log.DegreesOfFreedom, interval.HalfWidth)
        : new TypeA(double.NaN, 0, double.NaN);
}

/// <summary>The mean sensitivities on one device group over the passes used.</summary>
/// <param name="Node">Its node.</param>
/// <param name="Cell">Of the cell.</param>
/// <param name="Baseline">Of the baseline in the same passes; <see cref="Sensitivity.Zero"/> for an absolute value.</param>
public readonly record struct DeviceSensitivity(string Node, Sensitivity Cell, Sensitivity Baseline);

/// <summary>
/// What replication does not reduce, of a log ratio or of ln J/token. All but the bound are standard uncertainties, relative; a bounded source's is its
/// bound/√3 (GUM 4.3.7). NaN where the powers or a bound are unknown.
/// </summary>
/// <param name="Offset">Of the sensor's offset.</param>
/// <param name="NonLinearity">Of its bend.</param>
/// <param name="Alias">Of part-time sampling.</param>
/// <param name="CounterResidual">Of counter against integrated power.</param>
/// <param name="Gain">Of the sensor's gain; 0 for a ratio on the same devices.</param>
/// <param name="Bound">
/// B: by how much all of them together may move the logarithm. Offset and bend at the worst corner of their bounds, the gain's bound, and √3·√(alias² + residual²),
/// added. To first order the corner is b·|Δs_o| + n·|Δs_n|; the reading's own error in the sensitivities (2 to 3 % of it) is included. Infinite if a bound reaches
/// the power itself: then the truth may be nothing at all.
/// </param>
public sealed record TypeB(double Offset, double NonLinearity, double Alias, double CounterResidual, double Gain, double Bound)
{
    /// <summary>u_B: all sources in quadrature.</summary>
    public double Combined => Math.Sqrt(
        Offset * Offset + NonLinearity * NonLinearity + Alias * Alias + CounterResidual * CounterResidual + Gain * Gain);

    /// <summary>
    /// Of a ratio on the same devices. Every sensor's errors are its own: each device group's bound is taken first, then averaged as its values are, so nothing
    /// cancels between sensors.
    /// </summary>
    public static TypeB OfRatio(IReadOnlyCollection<DeviceSensitivity> devices, SensorBounds bounds)
    {
        ArgumentNullException.ThrowIfNull(devices);
        ArgumentNullException.ThrowIfNull(bounds);
        bounds.Check();
        var offset = Mean(devices, device => Moved(bounds.OffsetWatts, device.Cell.Offset - device.Baseline.Offset));
        var bend = Mean(devices, device => Moved(bounds.NonLinearityWatts, device.Cell.NonLinearity - device.Baseline.NonLinearity));
        var corner = Mean(devices, device => WorstCorner(device, bounds));
        var sampling = Math.Sqrt(3 * (bounds.Alias * bounds.Alias + bounds.CounterResidual * bounds.CounterResidual));
        return new TypeB(offset / Math.Sqrt(3), bend / Math.Sqrt(3), bounds.Alias, bounds.CounterResidual, 0, corner + sampling);
    }

    /// <summary>Of ln J/token: the ratio to an exactly known value, and the gain.</summary>
    public static TypeB OfAbsolute(IReadOnlyCollection<DeviceSensitivity> devices, SensorBounds bounds)
    {
        var known = OfRatio([.. devices.Select(device => device with { Baseline = Sensitivity.Zero })], bounds);
        // The reading is (1 ± gain) times the truth: downwards is further in the logarithm.
        return known with { Gain = bounds.Gain / Math.Sqrt(3), Bound = known.Bound + (bounds.Gain < 1 ? -Math.Log(1 - bounds.Gain) : Unbounded(bounds.Gain)) };
    }

    // ln(ratio read / true ratio) is a quotient of affine functions of offset and bend, hence monotone along every line: the extremes lie at corners.
    private static double WorstCorner(DeviceSensitivity device, SensorBounds bounds)
    {
        var worst = 0.0;
        foreach (var (offset, bend) in bounds.Corners)
        {
            var (cell, baseline) = (device.Cell.LogCorrection(offset, bend), device.Baseline.LogCorrection(offset, bend));
            // Math.Max hands NaN on.
            worst = Math.Max(worst, double.IsNegativeInfinity(cell) || double.IsNegativeInfinity(baseline) ? double.PositiveInfinity : Math.Abs(baseline - cell));
        }
        return worst;
    }

    private static double Mean(IReadOnlyCollection<DeviceSensitivity> devices, Func<DeviceSensitivity, double> value) => NestedSample.MeanOf(
        devices.GroupBy(device => device.Node, StringComparer.Ordinal).OrderBy(node => node.Key, StringComparer.Ordinal).Select(node => NestedSample.MeanOf(node.Select(value))));

    private static double Moved(double bound, double sensitivity) => Math.Abs(Sensitivity.Product(bound, sensitivity));

    private static double Unbounded(double gain) => double.IsNaN(gain) ? double.NaN : double.PositiveInfinity;
}
