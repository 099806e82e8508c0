using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Grains;

/// <summary>One cell while its row is made: what its valid trials say by themselves, before it is set against others.</summary>
internal sealed class CellWork
{
    private readonly MatrixInput _input;
    private readonly int _firstStage;

    /// <param name="input">What the matrix is made from.</param>
    /// <param name="cell">The cell.</param>
    /// <param name="trials">Its trials in passes that count.</param>
    /// <param name="voided">How many of its trials belong to voided passes.</param>
    /// <param name="firstStage">Passes that tell the scatter, where passes are the units.</param>
    public CellWork(MatrixInput input, PlannedCell cell, ImmutableArray<TrialFigures> trials, int voided, int firstStage)
    {
        (_input, Cell, Trials, Voided, _firstStage) = (input, cell, trials, voided, firstStage);
        Valid = [.. trials.Where(t => t.Valid)];
        Uncapped = [.. Valid.Where(t => t.PowerCapFraction == 0)];
        Device = Valid.IsEmpty ? null : input.Devices.FirstOrDefault(d => d.Host == Valid[0].Result.Host && d.Uuid == Valid[0].Result.Devices[0]);
        TokenLayersPerSecond = Nested(Valid, t => Math.Log(cell.Configuration.Batch * t.LayerStepsPerSecond)) is { } rate ? Math.Exp(rate.Mean) : double.NaN;
    }

    public PlannedCell Cell { get; }

    public ImmutableArray<TrialFigures> Trials { get; }

    public ImmutableArray<TrialFigures> Valid { get; }

    /// <summary>Valid ones without any time under the power cap.</summary>
    public ImmutableArray<TrialFigures> Uncapped { get; }

    public int Voided { get; }

    /// <summary>One device that it ran on; null without a valid trial.</summary>
    public DeviceInfo? Device { get; }

    /// <summary>All devices that it ran on.</summary>
    public IEnumerable<DeviceInfo> Devices => _input.Devices.Where(d => Valid.Any(t => t.Result.Host == d.Host && t.Result.Devices.Contains(d.Uuid)));

    public Boundary Boundary => Cell.Disclosure.Boundary;

    public double FlopsPerTokenLayer => Cell.Cost.Flops / Cell.Configuration.Batch;

    public double TokenLayersPerSecond { get; }

    public double PeakFlopsPerSecond => Device?.PeakFlopsPerSecond ?? double.NaN;

    public double ProjectedStepMilliseconds => 1e3 * Cell.Configuration.Batch * Cell.Configuration.ModelLayers / TokenLayersPerSecond;

    /// <summary>Of a serving engine s* is held against what its requests had; of a decode step against a projection, which is one of means: a percentile is not judged by it.</summary>
    public bool? MeetsService => Cell.Configuration.Serve is not null ? MeetsServed : double.IsFinite(ProjectedStepMilliseconds) && Cell.Disclosure.ServiceStatistic == "mean" ? ProjectedStepMilliseconds <= Cell.Disclosure.ServiceMilliseconds : null;

    /// <summary>How long a token takes, as s* asks for it.</summary>
    public string Latency => Cell.Configuration.Serve is null ? string.Create(CultureInfo.InvariantCulture, $"{ProjectedStepMilliseconds:G3} ms a token")
        : string.Create(CultureInfo.InvariantCulture, $"{ServedMilliseconds(l => l.PerToken):G3} ms a token ({Cell.Disclosure.ServiceStatistic}) and {ServedMilliseconds(l => l.FirstToken):G3} ms to the first");

    /// <summary>The statistic of s* of one of the times of served requests, mean over trials, ms; NaN without trials that have it.</summary>
    public double ServedMilliseconds(Func<ServedLatencies, LatencyLine> of) =>
        Nested(Valid.Where(t => t.Result.Served is { } s && double.IsFinite(Statistic(of(s.Latencies)))), t => Statistic(of(t.Result.Served!.Latencies)))?.Mean ?? double.NaN;

    private double Statistic(LatencyLine line) => Cell.Disclosure.ServiceStatistic switch { "mean" => line.MeanMilliseconds, "p50" => line.P50Milliseconds, "p90" => line.P90Milliseconds, _ => line.P99Milliseconds };

    private bool? MeetsServed
    {
        get
        {
            var (token, first) = (ServedMilliseconds(l => l.PerToken), ServedMilliseconds(l => l.FirstToken));
            // One limit that is missed is enough, whatever the other does not tell.
            if (token > Cell.Disclosure.ServiceMilliseconds || first > Cell.Disclosure.FirstTokenMilliseconds) return false;
            return double.IsFinite(token) && (Cell.Disclosure.FirstTokenMilliseconds is null || double.IsFinite(first)) ? true : null;
        }
    }

    /// <summary>Time of a layer and step over the floor of its shape; null if a ceiling is unknown.</summary>
    public double? AchievedOverFloor => Cell.Configuration.Serve is null && Device is { } d && d.BandwidthBytesPerSecond > 0 && d.PeakFlopsPerSecond > 0 && double.IsFinite(TokenLayersPerSecond)
        ? Cell.Configuration.Batch / TokenLayersPerSecond / Math.Max(Cell.Cost.Bytes / d.BandwidthBytesPerSecond, Cell.Cost.Flops / d.PeakFlopsPerSecond)
        : null;

    /// <summary>The worst of any part of the energy of the trials that hold there; null without one.</summary>
    public Provenance? ProvenanceAt(Boundary boundary) => Holding(boundary) is { IsEmpty: false } trials
        ? trials.Aggregate(Provenance.Measured, (worst, trial) => Provenances.Worst(worst, trial.ProvenanceAt(boundary)))
        : null;

    /// <summary>A trial that is left out for what it showed, and not for how it ran, cuts off one side of the scatter.</summary>
    public bool IsTruncated => Trials.Any(t => t.Reason == TrialFigures.NoSlope);

    /// <summary>The trials that hold at the boundary, in figures of that boundary: valid, metered there, with a positive slope there.</summary>
    public ImmutableArray<TrialFigures> Holding(Boundary boundary) => boundary == Boundary
        ? Valid
        : [.. Trials.Select(t => TrialFigures.Of(t.Result, Cell.Configuration.Batch, boundary, boundary == Boundary.Node ? _input.Plan.Guards.MinCoverage : 0)).Where(t => t.Valid)];

    /// <summary>Those of them without power-cap time; all, if there is none.</summary>
    public ImmutableArray<TrialFigures> UncappedAt(Boundary boundary)
    {
        var all = Holding(boundary);
        ImmutableArray<TrialFigures> free = [.. all.Where(t => t.PowerCapFraction == 0)];
        return free.IsEmpty ? all : free;
    }

    /// <summary>The nested mean of a value of each trial; null without trials.</summary>
    public NestedEstimate? Nested(IEnumerable<TrialFigures> trials, Func<TrialFigures, double> value) => NestedSample.Of(trials.Select(t => t.At(value(t)))).Summarise(_firstStage);
}
