using System.Collections.Immutable;

namespace EnergyGrid.Metrology;

/// <summary>Logarithms as sensors read them, each with its cell's and its baseline's sensitivity to the sensor: the passes that one result is made of.</summary>
internal sealed class MeteredValues
{
    private readonly ImmutableArray<(PassValue Value, Sensitivity Cell, Sensitivity Baseline)> _passes;
    private readonly SensorBounds _sensor;

    private MeteredValues(IEnumerable<PassValue> values, IEnumerable<Observation> cell, IEnumerable<Observation>? baseline, SensorBounds sensor)
    {
        var sorted = values.OrderBy(value => value.Node, StringComparer.Ordinal).ThenBy(value => value.Device, StringComparer.Ordinal).ThenBy(value => value.Pass).ToArray();
        // Before the look-ups: it refuses passes given twice with a reason.
        Sample = NestedSample.Of(sorted);
        var (cells, baselines) = (ByPass(cell), baseline is null ? null : ByPass(baseline));
        _passes = [.. sorted.Select(value => (value, cells[(value.Device, value.Pass)], baselines?[(value.Device, value.Pass)] ?? Sensitivity.Zero))];
        _sensor = sensor;

        Dictionary<(string, int), Sensitivity> ByPass(IEnumerable<Observation> observations) => observations
            .Where(observation => observation.Valid)
            .ToDictionary(observation => (observation.Device, observation.Pass), observation => Sensitivity.Of(observation.Points, sensor.RatedWatts));
    }

    /// <summary>ln J/token of a cell.</summary>
    public static MeteredValues OfAbsolute(ILookup<string, Observation> byCell, string cell, SensorBounds sensor) =>
        new(LogValues.OfAbsolute(byCell[cell], cell), byCell[cell], null, sensor);

    /// <summary>ln(cell / baseline) of the passes in which both are valid.</summary>
    public static MeteredValues OfRatio(ILookup<string, Observation> byCell, string cell, string baseline, SensorBounds sensor) =>
        new(LogValues.OfCell(byCell, cell, baseline), byCell[cell], byCell[baseline], sensor);

    /// <summary>The values as read.</summary>
    public NestedSample Sample { get; }

    /// <summary>Of every device group the mean sensitivities over its passes, in ordinal order.</summary>
    public ImmutableArray<DeviceSensitivity> Devices =>
        [.. _passes.GroupBy(pass => pass.Value.Device, StringComparer.Ordinal).Select(device => new DeviceSensitivity(
            device.First().Value.Node, Sensitivity.MeanOf([.. device.Select(pass => pass.Cell)]), Sensitivity.MeanOf([.. device.Select(pass => pass.Baseline)])))];

    /// <summary>
    /// The mean as read, with the largest scatter that the truth may have had. An offset that adds to every reading makes them differ less, relative to each other, than
    /// the truth did (10 W on 400 W: by 2.5 %), and lets drift show that cancels in a true ratio; an interval from the readings' own scatter would be too narrow where
    /// the bias is worst. So the readings are corrected as if the sensor stood at each corner of its bounds, and the standard error is that of the corner (or of the
    /// readings themselves) where it is largest. Null if there is no value.
    /// </summary>
    public NestedEstimate? Summarise(int firstStagePasses)
    {
        var read = Sample.Summarise(firstStagePasses);
        if (read is null or { Scope: IntervalScope.None } || _sensor is { OffsetWatts: 0, NonLinearityWatts: 0 })
        {
            return read;
        }
        var widest = read;
        foreach (var (offset, bend) in _sensor.Corners)
        {
            var corrected = _passes.Select(pass => pass.Value with
            {
                Value = pass.Value.Value + pass.Cell.LogCorrection(offset, bend) - pass.Baseline.LogCorrection(offset, bend),
            }).ToArray();
            // Unknown or infinite: then the bound is so too, and there is no interval.
            if (!corrected.All(pass => double.IsFinite(pass.Value)))
            {
                return read;
            }
            var truth = NestedSample.Of(corrected).Summarise(firstStagePasses)!;
            widest = truth.StandardError > widest.StandardError ? truth : widest;
        }
        return widest with { Mean = read.Mean };
    }
}
