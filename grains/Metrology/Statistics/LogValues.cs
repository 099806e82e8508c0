namespace EnergyGrid.Metrology;

/// <summary>From observations to the logarithms that are averaged.</summary>
public static class LogValues
{
    /// <summary>ln J/token of a cell's valid passes. Throws <see cref="ArgumentException"/> if a valid value is not positive and finite.</summary>
    public static IEnumerable<PassValue> OfAbsolute(IEnumerable<Observation> observations, string cell)
    {
        ArgumentNullException.ThrowIfNull(observations);
        return observations
            .Where(observation => observation.Valid && observation.Cell == cell)
            .Select(observation => new PassValue(observation.Node, observation.Device, observation.Pass, Log(observation)));
    }

    /// <summary>ln(cell / baseline) for every pass on a device group in which both are valid. A pass of one device never meets a baseline of another.</summary>
    public static IEnumerable<PassValue> OfRatio(IEnumerable<Observation> observations, string cell, string baseline)
    {
        ArgumentNullException.ThrowIfNull(observations);
        var baselines = new Dictionary<(string Device, int Pass), double>();
        var cells = new List<Observation>();
        foreach (var observation in observations)
        {
            if (!observation.Valid)
            {
                continue;
            }
            if (observation.Cell == baseline && !baselines.TryAdd((observation.Device, observation.Pass), Log(observation)))
            {
                throw new ArgumentException($"{baseline} is given twice in pass {observation.Pass} on {observation.Device}.", nameof(observations));
            }
            if (observation.Cell == cell)
            {
                cells.Add(observation);
            }
        }
        foreach (var observation in cells)
        {
            if (baselines.TryGetValue((observation.Device, observation.Pass), out var reference))
            {
                yield return new PassValue(observation.Node, observation.Device, observation.Pass, Log(observation) - reference);
            }
        }
    }

    internal static IEnumerable<PassValue> OfCell(ILookup<string, Observation> byCell, string cell, string? baseline) =>
        baseline is null ? OfAbsolute(byCell[cell], cell) : OfRatio(byCell[baseline].Concat(baseline == cell ? [] : byCell[cell]), cell, baseline);

    private static double Log(Observation observation) =>
        observation.JoulesPerToken > 0 && double.IsFinite(observation.JoulesPerToken)
            ? Math.Log(observation.JoulesPerToken)
            : throw new ArgumentException(
                $"{observation.Cell} in pass {observation.Pass} on {observation.Device} is valid, but its J/token is {observation.JoulesPerToken}; it must be positive and finite.");
}
