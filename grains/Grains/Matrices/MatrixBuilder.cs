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
public sealed record MatrixInput(
    string Sweep,
    ResolvedPlan Plan,
    ImmutableArray<TrialResult> Results,
    ImmutableArray<PassRow> Passes,
    ImmutableArray<DeviceInfo> Devices,
    FacilityRatio? Facility,
    ImmutableArray<ClosureResidual> Closure,
    DateTimeOffset GeneratedUtc,
    bool Complete);

/// <summary>From committed trials to the matrix. Pure: the same input gives the same matrix, in whatever order the trials came.</summary>
public static class MatrixBuilder
{
    /// <summary>The form of the document: 2 since it names no engine any more (there is one).</summary>
    public const int Format = 2;

    /// <summary>The second stage of each match group, from its first stage's trials.</summary>
    public static ImmutableDictionary<string, ReplicationPlan> Replicate(ResolvedPlan plan, IEnumerable<TrialResult> results, ImmutableArray<PassRow> passes)
        => Cells(plan, results, passes).ToImmutableDictionary(g => g.Group.Name, g => SteinReplication.Plan([.. g.Observations], g.Group.Baseline, plan.Replication));

    public static Matrix Build(MatrixInput input)
    {
        var plan = input.Plan;
        var settings = new AnalysisSettings(plan.Replication, plan.EquivalenceDelta);
        var groups = Cells(plan, input.Results, input.Passes).Select(g => new GroupWork(g, MatchGroupAnalysis.Run(
            [.. g.Observations], g.Group.Baseline, settings with { CounterDisagreement = CounterResidual(g) }, g.Group.Cells.Where(c => c.TwinOf is not null).ToDictionary(c => c.Label, c => c.TwinOf!)))).ToArray();

        // Holm over all ratios of the matrix, twins apart: they test the chain.
        var family = groups.SelectMany(g => g.Analysis.Ratios.Where(r => !g.Cells.Group.Cells.First(c => c.Label == r.Cell).IsTwin()).Select(r => (g.Cells.Group.Name, r.Cell, r.Log))).ToArray();
        var adjusted = Holm.Adjust([.. family.Select(f => f.Log)]).Zip(family).ToDictionary(p => (p.Second.Name, p.Second.Cell), p => p.First);
        var repeatability = groups.SelectMany(g => g.Analysis.Twins).Select(t => t.Test).FirstOrDefault(t => t is { Interval90: not null });

        var pue = Pue(plan, input.Facility);
        var rows = groups.Select(g => (g, Rows: g.Cells.Group.Cells.Select(c => Row(input, g, c, adjusted.GetValueOrDefault((g.Cells.Group.Name, c.Label)), repeatability, pue)).ToImmutableArray())).ToArray();
        var matrixGroups = rows.Select(r => Group(plan, input.Passes, r.g, r.Rows)).ToImmutableArray();
        var all = rows.SelectMany(r => r.Rows).ToArray();
        var provenance = all.Aggregate(Provenance.Measured, (worst, row) => Provenances.Worst(worst, row.Provenance));
        return new Matrix(Format, input.Sweep, plan.Name, plan.Sha256, input.GeneratedUtc, input.Complete, provenance, plan.Disclosure,
            matrixGroups, [.. plan.Panels.Select(p => Panel(p, matrixGroups))], input.Facility, input.Closure, Checklist(plan, input.Facility, all), Notes(plan, provenance, matrixGroups));
    }

    private static bool IsTwin(this PlannedCell cell) => cell.TwinOf is not null;

    private sealed record GroupCells(MatchGroup Group, ImmutableDictionary<string, ImmutableArray<TrialFigures>> Trials, ImmutableDictionary<string, ImmutableArray<TrialFigures>> Voided)
    {
        public IEnumerable<Observation> Observations => Trials.SelectMany(t => t.Value.Select(f => new Observation(
            f.Result.Host, f.Device, f.Result.Trial.Pass, t.Key, f.Gross?.JoulesPerTokenLayer ?? double.NaN, f.Valid, f.Reason, f.Valid ? f.MeanWatts : double.NaN)));
    }

    // Counter against integrated power: of each cell what is left after its windows are averaged, which is what replication does not reduce;
    // over the cells the root of the mean square. Nothing where no device has both.
    private static double CounterResidual(GroupCells cells)
    {
        var squares = cells.Trials.OrderBy(t => t.Key, StringComparer.Ordinal)
            .Select(t => Mean(t.Value.Where(f => f.Valid).SelectMany(f => f.Result.Legs).Select(l => l.CounterResidual).Where(double.IsFinite).Order()))
            .Where(double.IsFinite).Select(r => r * r).ToArray();
        return squares.Length > 0 ? Math.Sqrt(squares.Average()) : 0;
    }

    private sealed record GroupWork(GroupCells Cells, MatchGroupAnalysis Analysis);

    private static IEnumerable<GroupCells> Cells(ResolvedPlan plan, IEnumerable<TrialResult> results, ImmutableArray<PassRow> passes)
    {
        var open = passes.Where(p => p.Phase == PassPhase.Void).Select(p => (p.Group, p.Block, p.Pass)).ToHashSet();
        var byCell = results.ToLookup(r => (r.Trial.Group, r.Trial.Label));
        foreach (var group in plan.Groups)
        {
            var figures = group.Cells.ToDictionary(c => c.Label, c => byCell[(group.Name, c.Label)]
                .Select(r => (Void: open.Contains((r.Trial.Group, r.Trial.Block, r.Trial.Pass)), Figures: TrialFigures.Of(r, c.Configuration.Batch, c.Disclosure.Boundary, plan.Guards.MinCoverage))).ToArray());
            yield return new GroupCells(group,
                figures.ToImmutableDictionary(f => f.Key, f => f.Value.Where(v => !v.Void).Select(v => v.Figures).ToImmutableArray()),
                figures.ToImmutableDictionary(f => f.Key, f => f.Value.Where(v => v.Void).Select(v => v.Figures).ToImmutableArray()));
        }
    }

    private static (double? Value, int Category, Provenance Provenance, string Note) Pue(ResolvedPlan plan, FacilityRatio? facility) => plan.Pue switch
    {
        null => (null, 3, Provenance.Declared, "no PUE was asked for"),
        { Source: "declared", Value: { } value } choice => (value, choice.Category, Provenance.Declared, "declared PUE"),
        // Without a value there are bounds only; what multiplies by it says so.
        { Category: var category } when facility is not null => (facility.Value, category, facility.Provenance, facility.Name),
        _ => (null, 3, Provenance.Declared, "no facility ratio of the sweep's one site over its period"),
    };

    private static MatrixRow Row(MatrixInput input, GroupWork work, PlannedCell cell, HolmResult? holm, EquivalenceResult? repeatability,
        (double? Value, int Category, Provenance Provenance, string Note) pue)
    {
        var plan = input.Plan;
        var (configuration, cost) = (cell.Configuration, cell.Cost);
        var trials = work.Cells.Trials[cell.Label];
        var valid = trials.Where(t => t.Valid).ToImmutableArray();
        var absolute = work.Analysis.Absolutes.FirstOrDefault(a => a.Cell == cell.Label);
        var gross = absolute?.Log?.ToEstimate(0.95) ?? new Estimate(double.NaN, null, null, "none", 0);
        var boundary = cell.Disclosure.Boundary;

        // Rates of one device, from the slope of step time where there is one.
        var stepLayerSeconds = Mean(valid.Select(t => t.StepSeconds!.SlopeJoulesPerLayer));
        // Noise may turn the slope of time around where that of energy still stands: then there is no rate.
        if (!(stepLayerSeconds > 0)) stepLayerSeconds = double.NaN;
        var tokensPerSecond = configuration.Batch / (stepLayerSeconds * configuration.ModelLayers);
        var longStepSeconds = Mean(valid.Select(t => t.Longest.WindowSeconds * t.Result.Devices.Length / t.Longest.Steps));
        var longLayers = valid.IsEmpty ? configuration.LongLayers : valid[0].Longest.Layers;
        var layerTokensPerSecond = configuration.Batch * longLayers / longStepSeconds;
        var flopsPerTokenLayer = cost.Flops / configuration.Batch;

        var device = valid.IsEmpty ? null : input.Devices.FirstOrDefault(d => d.Host == valid[0].Result.Host && d.Uuid == valid[0].Result.Devices[0]);
        var peak = device?.PeakFlopsPerSecond ?? double.NaN;
        var realized = EffectiveThroughput.OfTrials(valid.Select(t => new ThroughputTrial(
            cost.Flops * t.Longest.Layers * t.Longest.Steps / (t.Longest.WindowSeconds * t.Result.Devices.Length), t.Result.Legs.Max(l => l.PowerCapFraction))));
        // K_eff, e_tok and P_IT at one boundary, the envelope's, whatever the headline's is; and of the same trials, those without power-cap time.
        var budget = Budget(plan, pue.Value);
        var at = budget?.Boundary ?? Boundary.Gpu;
        var uncapped = valid.Where(t => t.Result.Legs.Max(l => l.PowerCapFraction) == 0).ToArray();
        var judged = ConstraintBoundary.Judge(budget, new CellOperation(Mean((uncapped.Length > 0 ? [.. uncapped] : valid).Select(t => t.LongJoulesPerTokenLayer(at))), at, flopsPerTokenLayer, realized, peak));
        var verdict = budget is null && plan.Envelope is not null ? judged with { Reason = "the envelope is the facility's, and there is no PUE of at least 1 to divide it by" } : judged;
        var attributed = verdict.Scarcity != Scarcity.NotDetermined && at == Boundary.Node && valid.Any(t => !TrialFigures.WholeNode(t.Longest));

        var cap = valid.IsEmpty ? double.NaN : valid.Max(t => t.Result.Legs.Max(l => l.PowerCapFraction));
        var milliseconds = stepLayerSeconds * configuration.ModelLayers * 1e3;
        // The projection is one of means: a percentile is not judged by it.
        bool? meets = double.IsFinite(milliseconds) && cell.Disclosure.ServiceStatistic == "mean" ? milliseconds <= cell.Disclosure.ServiceMilliseconds : null;
        var phi = Phis(work, cell, configuration, cost, device, stepLayerSeconds, longStepSeconds, longLayers, tokensPerSecond, gross.Value);
        var achieved = cost.Flops * longLayers / longStepSeconds / peak;

        var (perToken, notes, worst, node, nodeProvenance) = Boundaries(input, cell, trials, gross.Value, pue);
        var (facility, facilityProvenance) = node.Value is { } nodeJoules
            ? TokenCost.AtFacility(nodeJoules, Boundary.Node, nodeProvenance, pue.Value, pue.Category, pue.Provenance)
            : (new Figure(null, "e_tok at node input · PUE (category 3), once", node.Reason), nodeProvenance);
        if (facility.Value is not null)
        {
            // Wherever it stands it says what it is.
            facility = facility with { Reason = Join(facility.Reason, $"projected, {facilityProvenance.ToString().ToLowerInvariant()}; {pue.Note}") };
            perToken = perToken.SetItem("facility", facility);
        }
        else notes = notes.SetItem("facility", facility.Reason ?? "");

        var ratio = work.Analysis.Ratios.FirstOrDefault(r => r.Cell == cell.Label);
        var typeB = ratio?.TypeB ?? double.NaN;
        var resolution = Equivalence.Resolution(repeatability?.HalfWidth95 ?? double.NaN, typeB);
        return new MatrixRow(
            cell.Label, cell.TwinOf, configuration, cell.ConfigurationSha256, IsKernel(configuration) ? "token-equivalent" : "token",
            valid.Sum(t => t.Result.Legs.Sum(l => l.Tokens)), gross, Net(valid), Mean(valid.Select(t => t.Gross!.InterceptJoules)),
            valid.IsEmpty ? "no valid trial" : valid[0].Gross!.Linearity, perToken, notes, device is { Kind: DeviceKind.Cpu, EnergyProvenance: not Provenance.Measured } ? double.NaN : absolute?.GainUncertainty ?? SensorUncertainty.Gain(),
            ratio is null || ratio.Log is null ? null : new RatioToBaseline(ratio.Baseline, ratio.Log.ToEstimate(0.95),
                holm?.HolmInterval?.Exponential().Low, holm?.HolmInterval?.Exponential().High, typeB, ratio.Exceeds(resolution) && Excludes(holm?.HolmInterval ?? ratio.Log.Interval(0.95)) && !Truncated(trials) && !Truncated(work.Cells.Trials[ratio.Baseline])),
            valid.Select(t => (t.Device, t.Result.Trial.Pass)).Distinct().Count(), valid.SelectMany(t => t.Result.Devices.Select(d => (t.Result.Host, d))).Distinct().Count(), valid.Select(t => t.Result.Host).Distinct().Count(),
            absolute?.Components.ToSpread() ?? new Spread(null, null, null), Invalidations(work, cell),
            realized.Value ?? double.NaN, peak, flopsPerTokenLayer, cost.Parameters, verdict.PowerHeadroomRealized, verdict.PowerHeadroomPeak, attributed ? verdict.Text + " (modelled: node energy attributed)" : verdict.Text,
            valid.IsEmpty ? [CeilingEvidence.Unresolved] : CeilingEvidence.Of(cap, phi["phi_mem"], double.IsFinite(achieved) ? achieved : null, meets), phi,
            IsKernel(configuration) ? ProductionFunction.UtilizationOfKernel() : ProductionFunction.UtilizationOfServing(null, double.NaN, null),
            tokensPerSecond, layerTokensPerSecond, milliseconds, meets, $"{cell.Disclosure.Quality} ({cell.Disclosure.QualityCheck})",
            facility, plan.Cost is { } terms ? TokenCost.PerToken(terms, facility).Value * 1e6 : null,
            valid.IsEmpty ? double.NaN : valid.Min(t => t.Result.Legs.Min(l => boundary == Boundary.Node ? l.Node!.Coverage : l.Gpu.Coverage)), Mean(valid.Select(t => t.MeanWatts)), cap,
            Flags(trials, work, cell, ratio, boundary), worst);
    }

    private static PowerBudget? Budget(ResolvedPlan plan, double? pue)
    {
        if (plan.Envelope is not { } envelope) return null;
        // A ratio below 1 is a boundary violation: it is shown, and nothing is divided by it.
        if (envelope.Boundary == Boundary.Facility && !(pue >= 1)) return null;
        return PowerBudget.Of(envelope, pue);
    }

    private static bool IsKernel(Configuration configuration) => configuration.Stack is "reference" or "simulated" or "cuda";

    private static ImmutableSortedDictionary<string, Figure> Phis(GroupWork work, PlannedCell cell, Configuration configuration, StepCost cost, DeviceInfo? device,
        double stepLayerSeconds, double longStepSeconds, int longLayers, double tokensPerSecond, double joulesPerTokenLayer)
    {
        double? rate = double.IsFinite(tokensPerSecond) ? tokensPerSecond : null;
        var parameters = cost.Parameters * configuration.ModelLayers;
        var bytesPerWeight = cost.WeightBytes / cost.Parameters;
        var memory = Phi.Memory(cost.Bytes * longLayers, double.IsFinite(longStepSeconds) ? longStepSeconds : null, device?.BandwidthBytesPerSecond);
        Figure Against(Figure figure) => device is { BandwidthProvenance: not Provenance.Measured } && figure.Value is not null
            ? figure with { Reason = Join(figure.Reason, $"{device.BandwidthProvenance.ToString().ToLowerInvariant()} bandwidth") }
            : figure;
        var reference = work.Cells.Group.Cells.FirstOrDefault(c => c is { TwinOf: null, Configuration: { Workload: "A", Weights: "FP16" } });
        var referenceJoules = reference is null ? null : work.Analysis.Absolutes.FirstOrDefault(a => a.Cell == reference.Label)?.JoulesPerToken;
        var baseline = work.Cells.Group.Cells.FirstOrDefault(c => c.Label == work.Cells.Group.Baseline);
        return ImmutableSortedDictionary.CreateRange(StringComparer.Ordinal, new Dictionary<string, Figure>
        {
            ["phi_mem"] = Against(memory),
            ["phi_mem_paper"] = Against(Phi.MemoryPaper(rate, device?.BandwidthBytesPerSecond, parameters, bytesPerWeight)),
            ["phi_decode"] = Against(Phi.Decode(rate, device?.BandwidthBytesPerSecond, parameters, bytesPerWeight)),
            ["phi_sched"] = Phi.Scheduling(null, null),
            ["phi_system"] = Phi.System(referenceJoules, joulesPerTokenLayer, reference?.Cost.Parameters ?? double.NaN, cost.Parameters),
            ["phi_prefill"] = Phi.Prefill(null, device?.PeakFlopsPerSecond),
            ["phi_comp"] = Phi.Compute(baseline is null ? null : baseline.Cost.Flops / baseline.Configuration.Batch, cost.Flops / configuration.Batch),
            ["phi_route"] = Phi.Routing(),
        });
    }

    private static (ImmutableSortedDictionary<string, Figure> PerToken, ImmutableSortedDictionary<string, string> Notes, Provenance Worst, Figure Node, Provenance NodeProvenance) Boundaries(
        MatrixInput input, PlannedCell cell, ImmutableArray<TrialFigures> trials, double gpuPerLayer, (double? Value, int Category, Provenance Provenance, string Note) pue)
    {
        const string GpuEstimator = "L · slope over L', layers only";
        const string NodeEstimator = "L · slope over L' of node input, layers only";
        var configuration = cell.Configuration;
        var figures = ImmutableSortedDictionary.CreateBuilder<string, Figure>(StringComparer.Ordinal);
        var notes = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        var legs = trials.Where(t => t.Valid).SelectMany(t => t.Result.Legs).ToArray();
        var boundary = cell.Disclosure.Boundary;
        var worst = legs.Aggregate(Provenance.Measured, (p, l) => Provenances.Worst(p, TrialFigures.ProvenanceAt(l, boundary)));
        var nodeProvenance = legs.Aggregate(Provenance.Measured, (p, l) => Provenances.Worst(p, TrialFigures.ProvenanceAt(l, Boundary.Node)));

        var memory = input.Devices.Where(d => trials.Any(t => t.Result.Host == d.Host && t.Result.Devices.Contains(d.Uuid))).Select(d => d.MemoryBytes).DefaultIfEmpty(double.NaN).Min();
        var bytes = Catalogue.ResidentBytes(configuration, configuration.ModelLayers) + LmHead.Cost(configuration).ResidentBytes;
        var needs = bytes > DeviceProfile.UsableShare * memory ? string.Create(CultureInfo.InvariantCulture, $", needs {Math.Ceiling(bytes / (DeviceProfile.UsableShare * memory)):F0} devices") : "";

        var own = boundary == Boundary.Gpu ? gpuPerLayer : Geometric(trials.Select(t => TrialFigures.Of(t.Result, configuration.Batch, Boundary.Gpu)));
        if (double.IsFinite(own)) figures["gpu"] = Figures.Of(own * configuration.ModelLayers, GpuEstimator, $"projected: layers only, interconnect excluded{needs}{Edges(legs.Select(l => l.Gpu))}");
        else notes["gpu"] = "no valid trial";

        var node = Geometric(trials.Where(t => t.Valid).Select(t => TrialFigures.Of(t.Result, configuration.Batch, Boundary.Node, input.Plan.Guards.MinCoverage)));
        var whole = legs.Length > 0 && legs.All(TrialFigures.WholeNode);
        Figure nodeFigure;
        if (double.IsFinite(node))
        {
            var edges = Edges(legs.Select(l => l.Node!));
            nodeFigure = Figures.Of(node * configuration.ModelLayers, NodeEstimator, whole
                ? $"projected: layers only, interconnect excluded{needs}{edges}"
                : $"modelled: attributed by share of the node's GPUs, excluded from claims; projected{needs}{edges}");
            figures["node"] = nodeFigure;
            if (!whole) notes["node"] = "attributed: not all GPUs of the node ran this cell (fill: node measures it)";
        }
        else
        {
            nodeFigure = Figures.NotEstimated(NodeEstimator, legs.Length == 0 ? "no valid trial" : "the node has no input meter");
            notes["node"] = nodeFigure.Reason!;
        }
        return (figures.ToImmutable(), notes.ToImmutable(), worst, nodeFigure, nodeProvenance);
    }

    // Edges that are off by a meter's period are no scatter that an interval would show: what they may add to a window is said where it counts.
    private static string Edges(IEnumerable<Energy> windows)
    {
        var share = windows.Select(e => e.EdgeUncertaintyJoules / e.Joules).Where(double.IsFinite).DefaultIfEmpty(0).Max();
        return share > 0.01 ? string.Create(CultureInfo.InvariantCulture, $", edges of a window may be off by up to {share:P1} of it") : "";
    }

    private static double Geometric(IEnumerable<TrialFigures> trials)
    {
        var values = trials.Where(t => t.Valid).Select(t => new PassValue(t.Result.Host, t.Device, t.Result.Trial.Pass, Math.Log(t.Gross!.JoulesPerTokenLayer))).ToArray();
        return NestedSample.Of(values).Summarise() is { } summary ? Math.Exp(summary.Mean) : double.NaN;
    }

    // Net energy may be near zero or below it, so it is averaged as it is, not as a logarithm.
    private static Estimate? Net(ImmutableArray<TrialFigures> valid)
    {
        var values = valid.Where(t => t.Net is not null).Select(t => new PassValue(t.Result.Host, t.Device, t.Result.Trial.Pass, t.Net!.JoulesPerTokenLayer)).ToArray();
        if (NestedSample.Of(values).Summarise() is not { } summary) return null;
        var interval = summary.Interval(0.95);
        return new Estimate(summary.Mean, interval?.Low, interval?.High, summary.Scope.Text(), summary.Units);
    }

    private static ImmutableSortedDictionary<string, int> Invalidations(GroupWork work, PlannedCell cell)
    {
        var reasons = work.Cells.Trials[cell.Label].Where(t => !t.Valid).Select(t => t.Reason)
            .Concat(work.Cells.Voided[cell.Label].Select(_ => "its pass was voided"));
        return reasons.GroupBy(r => r).ToImmutableSortedDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
    }

    private static ImmutableArray<string> Flags(ImmutableArray<TrialFigures> trials, GroupWork work, PlannedCell cell, CellRatio? ratio, Boundary boundary)
    {
        var valid = trials.Where(t => t.Valid).ToArray();
        var flags = valid.SelectMany(t => t.Result.Flags.Concat(t.Result.Legs.SelectMany(l => l.Flags)).Concat(t.Gross!.Flags).Distinct())
            .GroupBy(f => f).OrderByDescending(g => g.Count()).Select(g => g.Count() == valid.Length ? g.Key : $"{g.Key} ({g.Count()} of {valid.Length} trials)").ToList();
        var passes = valid.GroupBy(t => t.Device).Select(g => g.Count()).DefaultIfEmpty(0).Min();
        if (PassOrders.Flag(work.Cells.Group.Cells.Length, Math.Max(1, passes)) is { } carryOver) flags.Add(carryOver);
        if (ratio is { Verdict.Length: > 0 }) flags.Add(ratio.Verdict);
        if (cell.Disclosure.ServiceStatistic != "mean") flags.Add($"s* is a {cell.Disclosure.ServiceStatistic}: only a mean latency is projected, s* is not judged");
        if (boundary != Boundary.Gpu && valid.Any(t => t.Result.Legs.Any(l => !TrialFigures.WholeNode(l)))) flags.Add("node energy attributed: excluded from claims");
        if (Truncated(trials)) flags.Add("trials were left out because their slope was not positive: what is left is biased upwards, no claim rests on it");
        if (valid.Length == 0) flags.Add("no valid trial");
        return [.. flags.Concat(work.Cells.Group.Notes).Distinct()];
    }

    // A trial that is left out for what it showed, and not for how it ran, cuts off one side of the scatter.
    private static bool Truncated(ImmutableArray<TrialFigures> trials) => trials.Any(t => t.Reason == TrialFigures.NoSlope);

    private static MatrixGroup Group(ResolvedPlan plan, ImmutableArray<PassRow> passes, GroupWork work, ImmutableArray<MatrixRow> rows)
    {
        var group = work.Cells.Group;
        var twin = work.Analysis.Twins.FirstOrDefault();
        var repeatability = twin is null ? null : new RepeatabilityTest(twin.Label, twin.Twin,
            twin.Log is null ? new Estimate(double.NaN, null, null, "none", 0) : twin.Log.ToEstimate(0.90),
            plan.EquivalenceDelta, twin.Test?.Passed,
            Equivalence.Resolution(twin.Test?.HalfWidth95 ?? double.NaN, work.Analysis.Ratios.Select(r => r.TypeB).Where(double.IsFinite).DefaultIfEmpty(double.NaN).Max()));
        return new MatrixGroup(group.Name, group.Baseline, plan.Hardware.Model, rows, repeatability, Outcome(plan, work),
            passes.Count(p => p.Group == group.Name && p.Phase == PassPhase.Void));
    }

    private static ReplicationOutcome Outcome(ResolvedPlan plan, GroupWork work)
    {
        var stein = SteinReplication.Plan([.. work.Cells.Observations], work.Cells.Group.Baseline, plan.Replication);
        var decisive = stein.Cells.Where(c => c.Scope != IntervalScope.None).MaxBy(c => c.RequiredUnits ?? 0);
        if (decisive is null) return new ReplicationOutcome("none", 0, 0, 0, "no interval");
        var units = decisive.Scope switch { IntervalScope.Nodes => "nodes", IntervalScope.ThisNode => "devices", _ => "passes" };
        var verdicts = (work.Cells.Group.Baseline is null
            ? work.Analysis.Absolutes.Select(a => SteinReplication.Verdict(a.Log, plan.Replication.HalfWidth))
            : work.Analysis.Ratios.Select(r => r.Verdict)).Where(v => v.Length > 0).Distinct().ToArray();
        var reached = work.Analysis.Absolutes.Select(a => a.Log?.Units ?? 0).DefaultIfEmpty(0).Min();
        return new ReplicationOutcome(units, decisive.FirstStageUnits, decisive.RequiredUnits ?? 0, reached, verdicts.Length == 0 ? "reached" : string.Join("; ", verdicts));
    }

    private static MatrixPanel Panel(UnmatchedPanel panel, ImmutableArray<MatrixGroup> groups)
    {
        double Joules(CellReference cell) => groups.First(g => g.Name == cell.Group).Rows.First(r => r.Label == cell.Label).JoulesPerToken.GetValueOrDefault("gpu")?.Value ?? double.NaN;
        var reference = Joules(panel.Baseline);
        return new MatrixPanel(panel.Title, [.. panel.Cells.Select(c => new PanelRow(c.Group, c.Label, Joules(c), Joules(c) / reference, c.PublishedJoulesPerToken))]);
    }

    private static ImmutableArray<ChecklistItem> Checklist(ResolvedPlan plan, FacilityRatio? facility, MatrixRow[] rows)
    {
        var d = plan.Disclosure;
        var invariant = CultureInfo.InvariantCulture;
        return
        [
            Item("q*: quality target and how it was checked", $"{d.Quality}; {d.QualityCheck}"),
            Item("s*: service target", string.Create(invariant, $"{d.ServiceStatistic} ≤ {d.ServiceMilliseconds} ms per token")),
            Item("workload mix", d.WorkloadMix),
            Item("batching protocol", d.Batching),
            Item("hardware setup", d.Hardware),
            Item("energy-accounting boundary", d.Boundary.ToString().ToLowerInvariant()),
            Item("J/token with interval", Rows(r => r.JoulesPerTokenLayer.Low is not null)),
            Item("active binding constraint", plan.Envelope is { } e && rows.Any(r => r.PowerHeadroomRealized is not null) ? string.Create(invariant, $"against an envelope of {e.Watts:N0} W at the {e.Boundary.ToString().ToLowerInvariant()} over {e.Devices} devices") : ""),
            Item("PUE", facility is not null ? string.Create(invariant, $"{facility.Name} {(double.IsNaN(facility.Value) ? "without a value, bounds only" : facility.Value.ToString("F3", invariant))}, category {facility.Category}, IT coverage {facility.ItCoverage:P1}") : plan.Pue is { Value: { } value } ? string.Create(invariant, $"declared {value}, category {plan.Pue.Category}") : ""),
            Item("utilization-adjusted output", rows.Length > 0 && rows.All(r => IsKernel(r.Configuration)) ? "U: not applicable (saturated kernel workloads)" : Rows(r => r.Utilization.Value is not null)),
            Item("Phi_mem", Rows(r => r.Phi["phi_mem"].Value is not null)),
        ];

        // Says of how many rows it is true, unless it is of all that have anything to say.
        string Rows(Func<MatrixRow, bool> has)
        {
            var speaking = rows.Where(r => r.Passes > 0).ToArray();
            var having = speaking.Count(has);
            return having == 0 ? "" : having == speaking.Length ? "in every row that has valid trials" : string.Create(invariant, $"in {having} of {speaking.Length} rows that have valid trials");
        }

        static ChecklistItem Item(string item, string value) => new(item, value.Length > 0 ? value : "not disclosed", value.Length > 0);
    }

    private static ImmutableArray<string> Notes(ResolvedPlan plan, Provenance provenance, ImmutableArray<MatrixGroup> groups)
    {
        var notes = ImmutableArray.CreateBuilder<string>();
        if (provenance >= Provenance.Modelled) notes.Add("Energy in this matrix is modelled, not measured: no row of it is evidence about hardware.");
        notes.Add("J/token per layer is the slope of step energy over two values of L', divided by the batch. Whole-model figures are projected: layers only, head and interconnect excluded.");
        notes.Add("A kernel workload's token is a token-equivalent: the decode arithmetic of a model of that shape with synthetic weights. No equal quality is claimed.");
        notes.Add("Ratios are exponentials of the mean log ratio over passes in which cell and baseline are both valid; 95 % Student-t intervals over the units named by their scope.");
        foreach (var group in groups.Where(g => g.Repeatability is { Passed: false }))
            notes.Add(string.Create(CultureInfo.InvariantCulture, $"The A/A pair of {group.Name} was not shown to be repeatable within ±{group.Repeatability!.Delta:P1}: the chain may shift by more than its resolution says, and no ratio here is evidence of a small difference."));
        if (plan.Envelope is null) notes.Add("Without a declared power envelope the verdict of the constraint boundary is not determined.");
        return notes.ToImmutable();
    }

    // "No difference" must lie outside the interval that answers for all ratios of the matrix; without an interval nothing is resolved.
    private static bool Excludes(ConfidenceInterval? logRatio) => logRatio is not null && !logRatio.Contains(0);

    private static double Mean(IEnumerable<double> values)
    {
        var (sum, count) = (0.0, 0);
        foreach (var value in values) (sum, count) = (sum + value, count + 1);
        return count > 0 ? sum / count : double.NaN;
    }

    private static string Join(string? a, string b) => string.IsNullOrEmpty(a) ? b : $"{a}; {b}";
}
