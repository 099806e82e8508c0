using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>What the analysis of a match group needs beside the observations.</summary>
/// <param name="Replication">min, max and h, as they were when the passes were planned.</param>
/// <param name="Delta">δ of the A/A test, log ratio.</param>
/// <param name="OffsetWatts">b: bound of the sensor's offset from qualification, W.</param>
/// <param name="Alias">Relative standard uncertainty from aliasing of part-time sampling.</param>
/// <param name="CounterDisagreement">Relative standard uncertainty from counter against integrated power.</param>
/// <param name="GainBound">Bound of the sensor's gain error, relative, uniform.</param>
public sealed record AnalysisSettings(
    Replication Replication,
    double Delta = Equivalence.DefaultDelta,
    double OffsetWatts = SensorUncertainty.AssumedOffsetWatts,
    double Alias = 0,
    double CounterDisagreement = 0,
    double GainBound = SensorUncertainty.AssumedGainBound)
{
    /// <summary>Level of the intervals.</summary>
    public const double Level = 0.95;
}

/// <summary>Trials of one cell: nothing disappears in silence.</summary>
/// <param name="Cell">Its label.</param>
/// <param name="Observed">All trials.</param>
/// <param name="Valid">Those that may be used.</param>
/// <param name="Reasons">Invalid ones by reason.</param>
/// <param name="Unpaired">Valid ones left out of the ratio because the baseline of that pass is not valid; 0 without a baseline.</param>
public sealed record CellCounts(string Cell, int Observed, int Valid, ImmutableSortedDictionary<string, int> Reasons, int Unpaired)
{
    /// <summary>Observed − Valid.</summary>
    public int Invalid => Observed - Valid;
}

/// <summary>A cell's own J/token.</summary>
/// <param name="Cell">Its label.</param>
/// <param name="Log">Of ln J/token; null if no pass is valid.</param>
/// <param name="JoulesPerToken">Geometric mean over the nested passes, J; NaN if no pass is valid.</param>
/// <param name="Interval">95 %, type A alone, J; null without one.</param>
/// <param name="GainUncertainty">Relative standard uncertainty of the sensor's gain, which replication does not reduce.</param>
/// <param name="CombinedUncertainty">Relative standard uncertainty, type A and gain in quadrature; the gain's alone without an interval.</param>
/// <param name="Components">Of ln J/token: here passes include drift that ratios cancel, and devices include their gain.</param>
public sealed record CellAbsolute(
    string Cell,
    NestedEstimate? Log,
    double JoulesPerToken,
    ConfidenceInterval? Interval,
    double GainUncertainty,
    double CombinedUncertainty,
    VarianceComponents Components);

/// <summary>A cell against its match group's baseline.</summary>
/// <param name="Cell">Its label.</param>
/// <param name="Baseline">The baseline's label.</param>
/// <param name="Log">Of the log ratio; null if no pass has both valid.</param>
/// <param name="Ratio">exp(mean log ratio); NaN if no pass has both valid.</param>
/// <param name="Interval">Pairwise 95 %, as a ratio; null without one.</param>
/// <param name="Adjusted">Holm, on the log ratio; its family is the group's ratios without A/A twins.</param>
/// <param name="TypeB">u_B of the log ratio; NaN if a mean power is unknown.</param>
/// <param name="Components">Of the log ratio.</param>
/// <param name="Verdict">Empty, or <see cref="SteinReplication.MoreDevices"/>, "stopped at max", "no interval".</param>
public sealed record CellRatio(
    string Cell,
    string Baseline,
    NestedEstimate? Log,
    double Ratio,
    ConfidenceInterval? Interval,
    HolmResult Adjusted,
    double TypeB,
    VarianceComponents Components,
    string Verdict)
{
    /// <summary>Whether the log ratio exceeds the chain's resolution.</summary>
    public bool Exceeds(double resolution) => Log is { } log && Math.Abs(log.Mean) > resolution;
}

/// <summary>An A/A pair.</summary>
/// <param name="Label">The original.</param>
/// <param name="Twin">Its twin.</param>
/// <param name="Log">ln(twin / original); null if no pass has both valid.</param>
/// <param name="Test">Two one-sided tests; null if no pass has both valid.</param>
public sealed record TwinResult(string Label, string Twin, NestedEstimate? Log, EquivalenceResult? Test);

/// <summary>
/// The statistics of one match group (measurement.md, "Design and analysis of a sweep"): counts, absolute values and ratios of every cell, and A/A pairs.
/// Pure: the same observations in any order give the same bits.
/// <para>How a matrix is built from it: make an <see cref="Observation"/> of every trial; <see cref="SteinReplication.Plan"/> after the first stage says
/// how many passes to run; <see cref="Run"/> at the end. <see cref="NestedEstimate.ToEstimate"/> gives the matrix its values,
/// <see cref="VarianceComponents.ToSpread"/> its spread, <see cref="Holm.Adjust"/> adjusts over several groups at once,
/// <see cref="Equivalence.Resolution"/> joins an A/A half-width with each ratio's type B term.</para>
/// </summary>
/// <param name="Baseline">The baseline's label; null if the group has none.</param>
/// <param name="Counts">In ordinal order of labels, as are the others.</param>
/// <param name="Absolutes">Every cell.</param>
/// <param name="Ratios">Every cell but the baseline; empty without a baseline.</param>
/// <param name="Twins">Every A/A pair named.</param>
public sealed record MatchGroupAnalysis(
    string? Baseline,
    ImmutableArray<CellCounts> Counts,
    ImmutableArray<CellAbsolute> Absolutes,
    ImmutableArray<CellRatio> Ratios,
    ImmutableArray<TwinResult> Twins)
{
    /// <summary>Analyses one match group. Its cells must have been matched (<see cref="Matching"/>).</summary>
    /// <param name="observations">One for every trial, invalid ones included.</param>
    /// <param name="baseline">Null for absolute values only.</param>
    /// <param name="settings">Rules and sensor.</param>
    /// <param name="twins">From the twin's label to its original's. Twins test the chain: they are outside Holm's family.</param>
    public static MatchGroupAnalysis Run(
        IReadOnlyCollection<Observation> observations,
        string? baseline,
        AnalysisSettings settings,
        IReadOnlyDictionary<string, string>? twins = null)
    {
        ArgumentNullException.ThrowIfNull(observations);
        ArgumentNullException.ThrowIfNull(settings);
        var groups = observations.Select(observation => observation.Device).Distinct(StringComparer.Ordinal).Count();
        var first = Math.Max(2, SteinReplication.FirstStagePasses(settings.Replication, Math.Max(1, groups)));
        var byCell = observations.ToLookup(observation => observation.Cell, StringComparer.Ordinal);
        var cells = byCell.Select(cell => cell.Key).Order(StringComparer.Ordinal).ToArray();
        var ratios = baseline is null
            ? []
            : cells.Where(cell => cell != baseline).Select(cell => RatioOf(byCell, cell, baseline, first, settings)).ToArray();
        var family = ratios.Where(ratio => twins?.ContainsKey(ratio.Cell) != true).ToArray();
        var adjusted = Holm.Adjust([.. family.Select(ratio => ratio.Log)], AnalysisSettings.Level);
        for (var i = 0; i < family.Length; i++)
        {
            var index = Array.IndexOf(ratios, family[i]);
            ratios[index] = family[i] with { Adjusted = adjusted[i] };
        }
        return new MatchGroupAnalysis(
            baseline,
            [.. cells.Select(cell => CountsOf(byCell, cell, baseline))],
            [.. cells.Select(cell => AbsoluteOf(byCell, cell, first, settings))],
            [.. ratios],
            [.. (twins ?? ImmutableSortedDictionary<string, string>.Empty)
                .OrderBy(pair => pair.Key, StringComparer.Ordinal)
                .Select(pair => TwinOf(byCell, pair.Value, pair.Key, first, settings.Delta))]);
    }

    private static CellRatio RatioOf(
        ILookup<string, Observation> byCell, string cell, string baseline, int first, AnalysisSettings settings)
    {
        var values = LogValues.OfCell(byCell, cell, baseline).ToArray();
        var sample = NestedSample.Of(values);
        var log = sample.Summarise(first);
        var used = values.Select(value => (value.Device, value.Pass)).ToHashSet();
        var typeB = SensorUncertainty.OfRatio(
            MeanWatts(byCell[cell], used), MeanWatts(byCell[baseline], used), settings.OffsetWatts, settings.Alias, settings.CounterDisagreement);
        return new CellRatio(
            cell,
            baseline,
            log,
            log is null ? double.NaN : Math.Exp(log.Mean),
            log?.Interval(AnalysisSettings.Level)?.Exponential(),
            new HolmResult(log?.PValue ?? double.NaN, double.NaN, null, null),
            typeB,
            VarianceComponents.Of(sample),
            SteinReplication.Verdict(log, settings.Replication.HalfWidth));
    }

    private static double MeanWatts(IEnumerable<Observation> observations, HashSet<(string Device, int Pass)> used) =>
        observations
            .Where(observation => observation.Valid && used.Contains((observation.Device, observation.Pass)))
            .OrderBy(observation => observation.Device, StringComparer.Ordinal)
            .ThenBy(observation => observation.Pass)
            .Select(observation => observation.MeanWatts)
            .DefaultIfEmpty(double.NaN)
            .Average();

    private static CellAbsolute AbsoluteOf(ILookup<string, Observation> byCell, string cell, int first, AnalysisSettings settings)
    {
        var sample = NestedSample.Of(LogValues.OfAbsolute(byCell[cell], cell));
        var log = sample.Summarise(first);
        var gain = SensorUncertainty.Gain(settings.GainBound);
        var spread = log is { Scope: not IntervalScope.None } ? log.StandardError : 0;
        return new CellAbsolute(
            cell,
            log,
            log is null ? double.NaN : Math.Exp(log.Mean),
            log?.Interval(AnalysisSettings.Level)?.Exponential(),
            gain,
            SensorUncertainty.Quadrature(gain, spread),
            VarianceComponents.Of(sample));
    }

    private static CellCounts CountsOf(ILookup<string, Observation> byCell, string cell, string? baseline)
    {
        var mine = byCell[cell].ToArray();
        var valid = mine.Count(observation => observation.Valid);
        var paired = baseline is null || baseline == cell ? valid : LogValues.OfCell(byCell, cell, baseline).Count();
        var reasons = mine.Where(observation => !observation.Valid)
            .GroupBy(observation => observation.Reason.Length > 0 ? observation.Reason : "no reason given", StringComparer.Ordinal)
            .ToImmutableSortedDictionary(group => group.Key, group => group.Count(), StringComparer.Ordinal);
        return new CellCounts(cell, mine.Length, valid, reasons, valid - paired);
    }

    private static TwinResult TwinOf(ILookup<string, Observation> byCell, string label, string twin, int first, double delta)
    {
        var log = NestedSample.Of(LogValues.OfCell(byCell, twin, label)).Summarise(first);
        return new TwinResult(label, twin, log, log is null ? null : Equivalence.Test(log, delta));
    }
}
