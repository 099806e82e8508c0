using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;
using EnergyGrid.Workloads;

namespace EnergyGrid.Grains;

/// <summary>What a matrix is made from.</summary>
/// <param name="Sweep">Its id.</param>
/// <param name="Plan">Resolved.</param>
/// <param name="Results">All committed results.</param>
/// <param name="Passes">All passes: what belongs to a voided one is shown and not used.</param>
/// <param name="Devices">Those that were used.</param>
/// <param name="Facility">The site's ratio over the sweep's period, if the plan asks for it and the site has one.</param>
/// <param name="Closure">Of the site over its latest window.</param>
/// <param name="GeneratedUtc">Now.</param>
/// <param name="Complete">Whether the sweep has ended.</param>
/// <param name="Format">Of the document: what an older one has not is left out.</param>
public sealed record MatrixInput(
    string Sweep,
    ResolvedPlan Plan,
    ImmutableArray<TrialResult> Results,
    ImmutableArray<PassRow> Passes,
    ImmutableArray<DeviceInfo> Devices,
    FacilityRatio? Facility,
    ImmutableArray<ClosureResidual> Closure,
    DateTimeOffset GeneratedUtc,
    bool Complete,
    int Format = MatrixBuilder.Format);

/// <summary>From committed trials to the matrix. Pure: the same input gives the same matrix, in whatever order the trials came.</summary>
public static class MatrixBuilder
{
    /// <summary>
    /// The form of the document. 2 names no engine; 3 has the readings behind every window, intervals with the sensor's bounds, and null for what is not there; 4 has times with intervals, and rows of
    /// serving engines.
    /// </summary>
    public const int Format = 4;

    /// <summary>From this one on everything can be made again from the trials.</summary>
    public const int FirstWhole = 3;

    /// <summary>The second stage of each match group, from its first stage's trials.</summary>
    public static ImmutableDictionary<string, ReplicationPlan> Replicate(ResolvedPlan plan, IEnumerable<TrialResult> results, ImmutableArray<PassRow> passes)
        => Sorted(plan, results, passes).ToImmutableDictionary(g => g.Group.Name, g => SteinReplication.Plan(Observations(g.Trials), g.Group.Baseline, plan.Replication));

    public static Matrix Build(MatrixInput input)
    {
        var plan = input.Plan;
        var groups = Sorted(plan, input.Results, input.Passes).Select(g => Analyse(input, g)).ToArray();

        // One family over all ratios of the matrix, twins apart: they test the chain.
        var members = groups.SelectMany(g => g.Analysis.Ratios.Where(r => g.Cells[r.Cell].Cell.TwinOf is null).Select(r => (Group: g, Ratio: r))).ToArray();
        var adjusted = RatioFamily.Adjust([.. members.Select(m => (m.Ratio.Log, m.Ratio.TypeB.Bound))]);
        var family = members.Zip(adjusted).ToDictionary(p => (p.First.Group.Group.Name, p.First.Ratio.Cell), p => p.Second);

        var pue = PueInUse.Of(plan, input.Facility);
        var rows = new RowBuilder(input, pue, family, groups.FirstOrDefault(g => g.Repeatability is not null));
        var matrixGroups = groups.Select(g => Group(input, g, rows)).ToImmutableArray();
        var all = matrixGroups.SelectMany(g => g.Rows).ToArray();
        var provenance = all.Aggregate((Provenance?)null, (worst, row) => row.Provenance is not { } own ? worst : worst is { } before ? Provenances.Worst(before, own) : own);
        var ran = Ran(plan, input);
        return new Matrix(input.Format, input.Sweep, plan.Name, plan.Sha256, input.GeneratedUtc, input.Complete, provenance, plan.Disclosure, ran, adjusted.Count(a => a.Simultaneous is not null),
            matrixGroups, [.. plan.Panels.Select(p => Panel(plan, p, matrixGroups))], input.Facility, input.Closure, Checklist.Of(plan, input.Facility, ran, all), Notes(plan, provenance, matrixGroups));
    }

    private sealed record SortedTrials(MatchGroup Group, ImmutableDictionary<string, ImmutableArray<TrialFigures>> Trials, ImmutableDictionary<string, int> Voided);

    private static ImmutableArray<Observation> Observations(ImmutableDictionary<string, ImmutableArray<TrialFigures>> trials) => [.. trials.SelectMany(t => t.Value.Select(f => new Observation(
        f.Result.Host, f.Device, f.Result.Trial.Pass, t.Key, f.Gross?.JoulesPerTokenLayer ?? double.NaN, f.Valid, f.Reason, f.Points)))];

    private static IEnumerable<SortedTrials> Sorted(ResolvedPlan plan, IEnumerable<TrialResult> results, ImmutableArray<PassRow> passes)
    {
        var open = passes.Where(p => p.Phase == PassPhase.Void).Select(p => (p.Group, p.Block, p.Pass)).ToHashSet();
        var byCell = results.ToLookup(r => (r.Trial.Group, r.Trial.Label));
        foreach (var group in plan.Groups)
        {
            var figures = group.Cells.ToDictionary(c => c.Label, c => byCell[(group.Name, c.Label)]
                .Select(r => (Void: open.Contains((r.Trial.Group, r.Trial.Block, r.Trial.Pass)), Figures: TrialFigures.Of(r, c.Configuration.Batch, c.Disclosure.Boundary, plan.Guards.MinCoverage))).ToArray());
            yield return new SortedTrials(group,
                figures.ToImmutableDictionary(f => f.Key, f => f.Value.Where(v => !v.Void).Select(v => v.Figures).ToImmutableArray()),
                figures.ToImmutableDictionary(f => f.Key, f => f.Value.Count(v => v.Void)));
        }
    }

    private static GroupWork Analyse(MatrixInput input, SortedTrials sorted)
    {
        var observations = Observations(sorted.Trials);
        var firstStage = MatchGroupAnalysis.FirstStagePasses(observations, input.Plan.Replication);
        var cells = sorted.Group.Cells.ToImmutableDictionary(c => c.Label, c => new CellWork(input, c, sorted.Trials[c.Label], sorted.Voided[c.Label], firstStage), StringComparer.Ordinal);
        var sensor = SensorInUse.Of(cells.Values);
        var analysis = MatchGroupAnalysis.Run(observations, sorted.Group.Baseline, new AnalysisSettings(input.Plan.Replication, sensor, input.Plan.EquivalenceDelta),
            sorted.Group.Cells.Where(c => c.TwinOf is not null).ToDictionary(c => c.Label, c => c.TwinOf!));
        return new GroupWork(sorted.Group, cells, sensor, analysis);
    }

    private static MatrixGroup Group(MatrixInput input, GroupWork work, RowBuilder rows)
    {
        var group = work.Group;
        var twin = work.Analysis.Twins.FirstOrDefault();
        var repeatability = twin is null ? null : new RepeatabilityTest(twin.Label, twin.Twin,
            twin.Log is null ? new Estimate(double.NaN, null, null, "none", 0) : twin.Log.ToEstimate(0.90, 0),
            input.Plan.EquivalenceDelta, twin.Test?.Passed, twin.Test?.HalfWidth95 ?? double.NaN);
        var s = work.Sensor;
        return new MatrixGroup(group.Name, group.Baseline, input.Plan.Hardware.Model, new(s.OffsetWatts, s.NonLinearityWatts, s.RatedWatts, s.Alias, s.CounterResidual, s.Gain, s.Source),
            [.. group.Cells.Select(c => rows.Row(work, c))], repeatability, Outcome(input.Plan, work), input.Passes.Count(p => p.Group == group.Name && p.Phase == PassPhase.Void));
    }

    private static ReplicationOutcome Outcome(ResolvedPlan plan, GroupWork work)
    {
        var stein = SteinReplication.Plan(Observations(work.Cells.ToImmutableDictionary(c => c.Key, c => c.Value.Trials)), work.Group.Baseline, plan.Replication);
        var decisive = stein.Cells.Where(c => c.Scope != IntervalScope.None).MaxBy(c => c.RequiredUnits ?? 0);
        if (decisive is null) return new ReplicationOutcome("none", 0, 0, 0, "no interval");
        var units = decisive.Scope switch { IntervalScope.Nodes => "nodes", IntervalScope.ThisNode => "devices", _ => "passes" };
        var verdicts = (work.Group.Baseline is null
            ? work.Analysis.Absolutes.Select(a => a.Verdict)
            : work.Analysis.Ratios.Select(r => r.Verdict)).Where(v => v.Length > 0).Distinct().ToArray();
        var reached = work.Analysis.Absolutes.Select(a => a.Log?.Units ?? 0).DefaultIfEmpty(0).Min();
        return new ReplicationOutcome(units, decisive.FirstStageUnits, decisive.RequiredUnits ?? 0, reached, verdicts.Length == 0 ? "reached" : string.Join("; ", verdicts));
    }

    // A published figure beside one that was not measured would look like its confirmation.
    private static MatrixPanel Panel(ResolvedPlan plan, UnmatchedPanel panel, ImmutableArray<MatrixGroup> groups)
    {
        MatrixRow RowOf(CellReference cell) => groups.First(g => g.Name == cell.Group).Rows.First(r => r.Label == cell.Label);
        PlannedCell CellOf(CellReference cell) => plan.Groups.First(g => g.Name == cell.Group).Cells.First(c => c.Label == cell.Label);
        ImmutableArray<string> Notes(CellReference cell)
        {
            var needs = RowOf(cell).ProjectedJoulesPerToken.GetValueOrDefault("gpu")?.Reason?.Split(", ").FirstOrDefault(r => r.StartsWith("needs ", StringComparison.Ordinal));
            return [.. needs is null ? [] : new[] { needs }, .. Plans.Comparability.Confounds(CellOf(cell), CellOf(panel.Baseline))];
        }

        double Joules(CellReference cell) => RowOf(cell).ProjectedJoulesPerToken.GetValueOrDefault("gpu")?.Value ?? double.NaN;
        var reference = Joules(panel.Baseline);
        return new MatrixPanel(panel.Title, [.. panel.Cells.Select(c => new PanelRow(c.Group, c.Label, Joules(c), Joules(c) / reference, RowOf(c).Provenance == Provenance.Measured ? c.PublishedJoulesPerToken : null, Notes(c)))]);
    }

    private static RanOn Ran(ResolvedPlan plan, MatrixInput input)
    {
        var valid = input.Results.Where(r => r.Outcome == TrialOutcome.Valid).ToArray();
        var devices = valid.SelectMany(r => r.Devices.Select(d => (r.Host, d))).Distinct().Count();
        var differences = new List<string>();
        if (devices > 0 && plan.Hardware.Devices is { } disclosed && devices < disclosed) differences.Add(string.Create(CultureInfo.InvariantCulture, $"the plan discloses up to {disclosed} devices; it ran on {devices}"));
        if (devices > 0 && plan.Envelope is { } envelope && envelope.Devices != devices) differences.Add(string.Create(CultureInfo.InvariantCulture, $"the power envelope is shared by {envelope.Devices} devices; it ran on {devices}"));
        return new RanOn(devices, valid.Select(r => r.Host).Distinct().Count(), valid.Select(r => (r.Site, r.Rack)).Distinct().Count(),
            [.. valid.Select(r => r.Model).Distinct().Order(StringComparer.Ordinal)], [.. valid.Select(r => r.Driver).Distinct().Order(StringComparer.Ordinal)],
            [.. valid.Select(r => r.PowerLimitWatts).Where(double.IsFinite).Distinct().Order()], plan.Hardware.Devices, string.Join("; ", differences));
    }

    private static ImmutableArray<string> Notes(ResolvedPlan plan, Provenance? provenance, ImmutableArray<MatrixGroup> groups)
    {
        var notes = ImmutableArray.CreateBuilder<string>();
        if (provenance is null) notes.Add("No trial is valid: there is nothing here that was measured or modelled.");
        else if (provenance >= Provenance.Modelled) notes.Add("Energy in this matrix is modelled, not measured: no row of it is evidence about hardware, and no ratio of it is a claim.");
        var rows = groups.SelectMany(g => g.Rows).ToArray();
        if (rows.Any(r => r.Serving is null))
        {
            notes.Add("J/token per layer is the slope of step energy over L', divided by the batch; where only one L' fits, the intercept is in it and the row's estimator says so. Whole-model figures are projected; interconnect is not in them.");
            notes.Add("A kernel workload's token is a token-equivalent: the decode arithmetic of a model of that shape with synthetic weights. No equal quality is claimed.");
        }
        if (rows.Any(r => r.Serving is not null))
            notes.Add("J/token of a serving engine is the energy of a window over the output tokens that came within it, prefill, queueing and idle slots included. Tokens are the engine's own count, held against its counters; a token of a served model and a token-equivalent are two things, and no ratio is of both.");
        notes.Add("Ratios are exponentials of the mean log ratio over passes in which cell and baseline are both valid. Their intervals hold the scatter between the units named by their scope and what the sensors' bounds allow; pairwise ones each by itself, simultaneous ones all together.");
        foreach (var group in groups.Where(g => g.Repeatability is { Passed: false }))
            notes.Add(string.Create(CultureInfo.InvariantCulture, $"The A/A pair of {group.Name} was not shown to be repeatable within ±{group.Repeatability!.Delta:P1}: the chain may shift by more than its resolution says, and no ratio here is evidence of a small difference."));
        if (plan.Envelope is null) notes.Add("Without a declared power envelope the verdict of the constraint boundary is not determined.");
        return notes.ToImmutable();
    }
}

/// <summary>One match group while its rows are made.</summary>
internal sealed record GroupWork(MatchGroup Group, ImmutableDictionary<string, CellWork> Cells, SensorBounds Sensor, MatchGroupAnalysis Analysis)
{
    /// <summary>Its A/A test, where it has an interval.</summary>
    public EquivalenceResult? Repeatability => Analysis.Twins.Select(t => t.Test).FirstOrDefault(t => t is { Interval90: not null });

    /// <summary>By how much the pair differs, log, where it was not shown to be repeatable: so much the chain may shift. 0 where it was.</summary>
    public double Shift => Analysis.Twins.FirstOrDefault(t => t.Test is { Interval90: not null }) is { Log: { } log, Test.Passed: not true } ? Math.Abs(log.Mean) : 0;
}

/// <summary>The ratio that multiplies node-input energy.</summary>
/// <param name="Value">Null: there is none; NaN: bounds only.</param>
/// <param name="Category">1, 2 or 3.</param>
/// <param name="Provenance">Of the ratio.</param>
/// <param name="Note">What it is, or why there is none.</param>
internal sealed record PueInUse(double? Value, int Category, Provenance Provenance, string Note)
{
    public static PueInUse Of(ResolvedPlan plan, FacilityRatio? facility) => plan.Pue switch
    {
        null => new(null, 3, Provenance.Declared, "no PUE was asked for"),
        { Source: "declared", Value: { } value } choice => new(value, choice.Category, Provenance.Declared, "declared PUE"),
        // Without a value there are bounds only; what multiplies by it says so.
        { Category: var category } when facility is not null => new(facility.Value, category, facility.Provenance, facility.Name),
        _ => new(null, 3, Provenance.Declared, "no facility ratio of the sweep's one site over its period"),
    };
}

/// <summary>What is taken of the sensors that metered a match group.</summary>
internal static class SensorInUse
{
    /// <summary>
    /// Of each device its qualification, what is assumed of a sensor where it has none or does not tell; of the group the worst of them. Devices whose energy no sensor meters bound nothing.
    /// The counter's residual is that of qualification or of the trials, whichever is larger.
    /// </summary>
    public static SensorBounds Of(IEnumerable<CellWork> cells)
    {
        var work = cells.ToArray();
        var devices = work.SelectMany(c => c.Devices).DistinctBy(d => d.Key).OrderBy(d => d.Key, StringComparer.Ordinal).ToArray();
        if (devices.Length > 0 && devices.All(d => d.EnergySource.StartsWith("declared", StringComparison.Ordinal)))
            return SensorBounds.None with { Source = $"no sensor: {devices[0].EnergySource}; nobody bounds what is declared" };
        var rated = devices.Select(d => d.RatedWatts).Where(w => w > 0).DefaultIfEmpty(double.NaN).Max();
        var known = devices.Select(d => d.Qualification).OfType<SensorQualification>().ToArray();
        double? Told(DeviceInfo d, Func<SensorQualification, double> of) => d.Qualification is { } q && double.IsFinite(of(q)) ? Math.Abs(of(q)) : null;
        double Worst(Func<SensorQualification, double> of, Func<DeviceInfo, double> otherwise) => devices.Select(d => Told(d, of) ?? otherwise(d)).DefaultIfEmpty(double.NaN).Max();
        string From(Func<SensorQualification, double> of, string name, string told) => devices.Count(d => Told(d, of) is null) switch
        {
            var none when none == devices.Length => $"{name} assumed",
            0 => told,
            var some => $"{told}; {name} assumed of {some} of {devices.Length} devices",
        };
        var assumed = SensorBounds.Assumed(rated);
        if (devices.Length == 0) return assumed with { CounterResidual = Residual(work) };
        var offsetSource = known.FirstOrDefault(q => double.IsFinite(q.OffsetWatts))?.OffsetSource ?? "";
        return assumed with
        {
            OffsetWatts = Worst(q => q.OffsetWatts, _ => SensorBounds.AssumedOffsetWatts),
            NonLinearityWatts = Worst(q => q.NonLinearityWatts, d => SensorBounds.AssumedNonLinearity * (d.RatedWatts > 0 ? d.RatedWatts : rated)),
            Alias = Worst(q => q.Alias, _ => 0),
            CounterResidual = Math.Max(Residual(work), Worst(q => q.CounterResidual, _ => 0)),
            Source = string.Join("; ", From(q => q.OffsetWatts, "offset", $"offset: {offsetSource}"), From(q => q.NonLinearityWatts, "non-linearity", "non-linearity declared with the sensor"), "gain assumed",
                known.Length > 0 ? $"alias and counter residual: {known[0].Method}" : "alias not known"),
        };
    }

    // Counter against integrated power: of each cell what is left after its windows are averaged, which is what replication does not reduce;
    // over the cells the root of the mean square. Nothing where no device has both.
    private static double Residual(CellWork[] cells)
    {
        var squares = cells.OrderBy(c => c.Cell.Label, StringComparer.Ordinal)
            .Select(c => c.Valid.SelectMany(t => t.Layers).Select(l => l.CounterResidual).Where(double.IsFinite).Order().ToArray())
            .Where(r => r.Length > 0).Select(r => r.Average()).Select(r => r * r).ToArray();
        return squares.Length > 0 ? Math.Sqrt(squares.Average()) : 0;
    }
}
