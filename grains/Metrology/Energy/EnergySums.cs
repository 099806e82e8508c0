using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>Energies of several sources over one common interval.</summary>
public static class EnergySums
{
    /// <summary>
    /// The energy of a device group: joules, gap bounds and edge uncertainties add, the coverage is the least of any part, the provenance
    /// the worst.
    /// </summary>
    /// <exception cref="ArgumentException">No part, or parts over intervals that are not equally long.</exception>
    public static Energy Over(IReadOnlyCollection<Energy> parts)
    {
        if (parts.Count == 0) throw new ArgumentException("No energy to sum.");
        var first = parts.First();
        var (joules, low, high, edges) = (new NeumaierSum(), 0.0, 0.0, 0.0);
        var (covered, method, provenance) = (double.PositiveInfinity, first.Method, Provenance.Measured);
        foreach (var part in parts)
        {
            if (Math.Abs(part.ExpectedSeconds - first.ExpectedSeconds) > 1e-9)
                throw new ArgumentException($"One part is over {first.ExpectedSeconds} s, another over {part.ExpectedSeconds} s; they must share one interval.");
            joules.Add(part.Joules);
            low += part.LowGapJoules;
            high += part.HighGapJoules;
            edges += part.EdgeUncertaintyJoules;
            covered = Math.Min(covered, part.CoveredSeconds);
            if (part.Method != method) method = "mixed";
            provenance = Provenances.Worst(provenance, part.Provenance);
        }
        return new Energy(joules.Value, covered, first.ExpectedSeconds, low, high, edges, method, provenance);
    }

    internal static Energy Of(double joules, long coveredNanoseconds, long expectedNanoseconds, double edgeJoules, string method, SensorProfile sensor, Provenance split)
    {
        var uncovered = (double)(expectedNanoseconds - coveredNanoseconds) / Readings.NanosecondsPerSecond;
        return new Energy(
            joules,
            (double)coveredNanoseconds / Readings.NanosecondsPerSecond,
            (double)expectedNanoseconds / Readings.NanosecondsPerSecond,
            sensor.MinWatts * uncovered,
            sensor.RatedWatts * uncovered,
            edgeJoules,
            method,
            Provenances.Worst(sensor.Provenance, split));
    }
}
