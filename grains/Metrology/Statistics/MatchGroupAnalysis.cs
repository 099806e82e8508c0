using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>What the analysis of a match group needs beside the observations.</summary>
/// <param name="Replication">min, max and h, as they were when the passes were planned.</param>
/// <param name="Sensor">What bounds the errors of the sensors that metered the energies.</param>
/// <param name="Delta">δ of the A/A test, log ratio.</param>
public sealed record AnalysisSettings(Replication Replication, SensorBounds Sensor, double Delta = Equivalence.DefaultDelta)
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
/// <param name="Log">Of ln J/token, with the scatter at the worst corner of the sensor's bounds; null if no pass is valid.</param>
/// <param name="JoulesPerToken">Geometric mean over the nested passes, J; NaN if no pass is valid.</param>
/// <param name="TypeA">Of ln J/token.</param>
/// <param name="TypeB">Of ln J/token; it includes the sensor's gain, which ratios cancel.</param>
/// <param name="Interval">95 %, type A and the bound of type B together, J; null without one.</param>
/// <param name="Components">Of ln J/token: here passes include drift that ratios cancel, and devices include their gain.</param>
/// <param name="Verdict">On the scatter of the readings as they are, as of a ratio.</param>
public sealed record CellAbsolute(
    string Cell,
    NestedEstimate? Log,
    double JoulesPerToken,
    TypeA TypeA,
    TypeB TypeB,
    ConfidenceInterval? Interval,
    VarianceComponents Components,
    string Verdict);

/// <summary>A cell against its match group's baseline.</summary>
/// <param name="Cell">Its label.</param>
/// <param name="Baseline">The baseline's label.</param>
/// <param name="Log">Of the log ratio, with the scatter at the worst corner of the sensor's bounds; null if no pass has both valid.</param>
/// <param name="Ratio">exp(mean log ratio); NaN if no pass has both valid.</param>
/// <param name="TypeA">Of the log ratio.</param>
/// <param name="TypeB">Of the log ratio.</param>
/// <param name="Interval">Pairwise 95 %, type A and the bound of type B together, as a ratio; null without one.</param>
/// <param name="PValue">Of "no difference" under that bound, by itself; NaN without an interval. What it is among all others, <see cref="RatioFamily"/> says.</param>
/// <param name="Components">Of the log ratio.</param>
/// <param name="Verdict">On the scatter of the readings as they are: empty, or <see cref="SteinReplication.MoreDevices"/>, "stopped at max", "no interval".</param>
public sealed record CellRatio(
    string Cell,
    string Baseline,
    NestedEstimate? Log,
    double Ratio,
    TypeA TypeA,
    TypeB TypeB,
    ConfidenceInterval? Interval,
    double PValue,
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
/// <see cref="VarianceComponents.ToSpread"/> its spread, <see cref="RatioFamily.Adjust"/> gives all groups' ratios what holds for them together,
/// <see cref="Equivalence.Resolution"/> joins an A/A half-width with each ratio's u_B.</para>
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
    /// <param name="twins">From the twin's label to its original's: they are tested for equivalence beside their ratios.</param>
    public static MatchGroupAnalysis Run(
        IReadOnlyCollection<Observation> observations,
        string? baseline,
        AnalysisSettings settings,
        IReadOnlyDictionary<string, string>? twins = null)
    {
        ArgumentNullException.ThrowIfNull(observations);
        ArgumentNullException.ThrowIfNull(settings);
        var first = FirstStagePasses(observations, settings.Replication);
        var byCell = observations.ToLookup(observation => observation.Cell, StringComparer.Ordinal);
        var cells = byCell.Select(cell => cell.Key).Order(StringComparer.Ordinal).ToArray();
        return new MatchGroupAnalysis(
            baseline,
            [.. cells.Select(cell => CountsOf(byCell, cell, baseline))],
            [.. cells.Select(cell => AbsoluteOf(byCell, cell, first, settings))],
            [.. cells.Where(cell => baseline is not null && cell != baseline).Select(cell => RatioOf(byCell, cell, baseline!, first, settings))],
            [.. (twins ?? ImmutableSortedDictionary<string, string>.Empty)
                .OrderBy(pair => pair.Key, StringComparer.Ordinal)
                .Select(pair => TwinOf(byCell, pair.Value, pair.Key, first, settings.Delta))]);
    }

    /// <summary>How many passes tell the scatter, where passes are the units: those of the first stage, and two at least.</summary>
    /// <param name="observations">Of one match group, valid or not.</param>
    /// <param name="replication">min and max.</param>
    public static int FirstStagePasses(IReadOnlyCollection<Observation> observations, Replication replication)
    {
        ArgumentNullException.ThrowIfNull(observations);
        return Math.Max(2, SteinReplication.FirstStagePasses(replication, Math.Max(1, observations.Select(observation => observation.Device).Distinct(StringComparer.Ordinal).Count())));
    }

    private static CellRatio RatioOf(
        ILookup<string, Observation> byCell, string cell, string baseline, int first, AnalysisSettings settings)
    {
        var values = MeteredValues.OfRatio(byCell, cell, baseline, settings.Sensor);
        var log = values.Summarise(first);
        var typeB = TypeB.OfRatio(values.Devices, settings.Sensor);
        return new CellRatio(
            cell,
            baseline,
            log,
            log is null ? double.NaN : Math.Exp(log.Mean),
            TypeA.Of(log),
            typeB,
            log?.Interval(AnalysisSettings.Level, typeB.Bound)?.Exponential(),
            log?.PValue(typeB.Bound) ?? double.NaN,
            VarianceComponents.Of(values.Sample),
            SteinReplication.Verdict(values.Sample.Summarise(first), settings.Replication.HalfWidth));
    }

    private static CellAbsolute AbsoluteOf(ILookup<string, Observation> byCell, string cell, int first, AnalysisSettings settings)
    {
        var values = MeteredValues.OfAbsolute(byCell, cell, settings.Sensor);
        var log = values.Summarise(first);
        var typeB = TypeB.OfAbsolute(values.Devices, settings.Sensor);
        return new CellAbsolute(
            cell,
            log,
            log is null ? double.NaN : Math.Exp(log.Mean),
            TypeA.Of(log),
            typeB,
            log?.Interval(AnalysisSettings.Level, typeB.Bound)?.Exponential(),
            VarianceComponents.Of(values.Sample),
            SteinReplication.Verdict(values.Sample.Summarise(first), settings.Replication.HalfWidth));
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
