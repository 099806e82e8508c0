using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;
using EnergyGrid.Workloads;

namespace EnergyGrid.Grains;

/// <summary>From a cell to its row: its own figures, then those that set it against its baseline.</summary>
/// <param name="input">What the matrix is made from.</param>
/// <param name="pue">What multiplies node-input energy.</param>
/// <param name="family">Adjusted over all ratios of the matrix, by group and label.</param>
/// <param name="lender">The group whose A/A pair stands in for groups without one; null if none has one.</param>
internal sealed partial class RowBuilder(MatrixInput input, PueInUse pue, IReadOnlyDictionary<(string Group, string Cell), FamilyRatio> family, GroupWork? lender)
{
    private const double Alpha = 1 - AnalysisSettings.Level;

    public MatrixRow Row(GroupWork work, PlannedCell planned)
    {
        var plan = input.Plan;
        var cell = work.Cells[planned.Label];
        var (configuration, cost, valid, boundary) = (planned.Configuration, planned.Cost, cell.Valid, cell.Boundary);
        var absolute = work.Analysis.Absolutes.FirstOrDefault(a => a.Cell == planned.Label);
        var gross = absolute?.Log?.ToEstimate(AnalysisSettings.Level, absolute.TypeB.Bound) ?? NoEstimate;
        var rate = cell.TokenLayersPerSecond;
        var tokensPerSecond = rate / configuration.ModelLayers;
        var longStepSeconds = Mean(valid.Select(t => t.Longest.WindowSeconds * t.Result.Devices.Length / t.Longest.Steps));
        var longLayers = valid.IsEmpty ? configuration.LongLayers : valid[0].Longest.Layers;
        var realized = PowerVerdicts.Realized(cell, valid);
        var peak = cell.PeakFlopsPerSecond;
        var cap = TrialFigures.Largest(valid.Select(t => t.PowerCapFraction));
        var phi = Phis(work, cell, longStepSeconds, longLayers, tokensPerSecond, gross.Value);
        var achieved = cost.Flops * longLayers / longStepSeconds / peak;
        var ceilings = valid.IsEmpty ? [CeilingEvidence.Unresolved] : CeilingEvidence.Of(cap, phi["phi_mem"], double.IsFinite(achieved) ? achieved : null, cell.MeetsService);
        var head = Head(cell);
        var (perToken, notes, node, nodeProvenance) = Boundaries(cell, gross.Value, head);
        var (facility, facilityProvenance) = node.Value is { } nodeJoules
            ? TokenCost.AtFacility(nodeJoules, Boundary.Node, nodeProvenance, pue.Value, pue.Category, pue.Provenance)
            : (new Figure(null, "e_tok at node input · PUE (category 3), once", node.Reason), nodeProvenance);
        if (facility.Value is not null)
        {
            // Wherever it stands it says what it is.
            facility = facility with { Reason = Join(facility.Reason, $"{(configuration.Serve is null ? "projected, " : "")}{facilityProvenance.ToString().ToLowerInvariant()}; {pue.Note}") };
            perToken = perToken.SetItem("facility", facility);
        }
        else notes = notes.SetItem("facility", facility.Reason ?? "");
        double? money = plan.Cost is { } terms ? TokenCost.PerToken(terms, facility).Value * 1e6 : null;
        var linearity = Linearity(cell);
        var coverage = valid.IsEmpty ? double.NaN : valid.Min(t => t.Layers.Min(l => boundary == Boundary.Node ? l.Node!.Coverage : l.Gpu.Coverage));
        var intercept = cell.Nested(valid.Where(t => double.IsFinite(t.Gross!.InterceptJoules)), t => t.Gross!.InterceptJoules)?.Mean ?? double.NaN;
        var watts = gross.Value * rate;
        var noTrial = "no valid trial";
        var row = new MatrixRow(
            planned.Label, planned.TwinOf, configuration, planned.ConfigurationSha256, cost, configuration.Serve is null ? "token-equivalent" : "token", valid.Sum(t => t.Layers.Sum(l => l.Tokens)), boundary, Estimator(valid),
            gross, valid.IsEmpty ? Parts(null, null) : Parts(absolute?.TypeA, absolute?.TypeB), Net(cell), intercept, linearity, head, perToken, notes, Ratio(work, cell),
            valid.Select(t => (t.Device, t.Result.Trial.Pass)).Distinct().Count(), valid.SelectMany(t => t.Result.Devices.Select(d => (t.Result.Host, d))).Distinct().Count(), valid.Select(t => t.Result.Host).Distinct().Count(),
            absolute?.Components.ToSpread() ?? new Spread(null, null, null), Invalidations(cell),
            realized.Value ?? double.NaN, peak, cell.FlopsPerTokenLayer, rate, watts, cell.AchievedOverFloor, PowerVerdicts.Of(plan, pue, cell, absolute?.TypeB.Bound ?? double.NaN, ceilings), ceilings, phi,
            configuration.Serve is null ? ProductionFunction.UtilizationOfKernel() : ProductionFunction.UtilizationOfServing(null, double.NaN, null),
            tokensPerSecond, cell.ProjectedStepMilliseconds, planned.Disclosure.ServiceMilliseconds, planned.Disclosure.ServiceStatistic, cell.MeetsService, $"{planned.Disclosure.Quality} ({planned.Disclosure.QualityCheck})",
            facility, money, plan.Cost?.Currency, coverage, Mean(valid.Select(t => t.MeanWatts)), cap, Flags(work, cell), cell.ProvenanceAt(boundary),
            Absences.Of(
                (nameof(MatrixRow.NetJoulesPerTokenLayer), valid.Any(t => t.Net is not null) ? 0 : null, valid.IsEmpty ? noTrial : boundary == Boundary.Gpu ? "idle with context was not measured" : "net energy is known at the gpu boundary only"),
                (nameof(MatrixRow.InterceptJoulesPerStep), intercept, valid.IsEmpty ? noTrial : "one L' only"),
                (nameof(MatrixRow.Linearity), linearity is null ? null : 0, valid.IsEmpty ? noTrial : "no third L' was run"),
                (nameof(MatrixRow.KEffRealized), realized.Value, realized.Reason ?? ""),
                (nameof(MatrixRow.KEffPeak), peak, valid.IsEmpty ? noTrial : "the device declares no peak"),
                (nameof(MatrixRow.TokenLayersPerSecond), rate, noTrial),
                (nameof(MatrixRow.WattsPerDevice), watts, noTrial),
                (nameof(MatrixRow.AchievedOverFloor), cell.AchievedOverFloor, valid.IsEmpty ? noTrial : "bandwidth or peak of the device is not known"),
                (nameof(MatrixRow.ProjectedTokensPerSecond), tokensPerSecond, noTrial),
                (nameof(MatrixRow.ProjectedStepMilliseconds), cell.ProjectedStepMilliseconds, noTrial),
                (nameof(MatrixRow.MeetsService), cell.MeetsService is null ? null : 0, valid.IsEmpty ? noTrial : $"s* is a {planned.Disclosure.ServiceStatistic}, and only a mean is projected"),
                (nameof(MatrixRow.CostPerMillionTokens), money, plan.Cost is null ? "the plan names no price" : facility.Reason ?? ""),
                (nameof(MatrixRow.Coverage), coverage, noTrial),
                (nameof(MatrixRow.MeanWatts), valid.IsEmpty ? null : 0, noTrial),
                (nameof(MatrixRow.PowerCapFraction), cap, valid.IsEmpty ? noTrial : "the device does not tell"),
                (nameof(MatrixRow.Ratio), work.Analysis.Ratios.Any(r => r.Cell == planned.Label && r.Log is not null) ? 0 : null,
                    planned.Label == work.Group.Baseline ? "it is the baseline" : work.Group.Baseline is null ? "its group has no baseline" : "no pass has both it and the baseline valid"),
                (nameof(MatrixRow.Provenance), valid.IsEmpty ? null : 0, noTrial)),
            SecondsPerTokenLayer: HasTimes ? cell.Nested(valid, t => Math.Log(t.SecondsPerToken(configuration)))?.ToEstimate(AnalysisSettings.Level, 0) ?? NoEstimate : null);
        return configuration.Serve is null ? row : Served(cell, row);
    }

    private static Estimate NoEstimate => new(double.NaN, null, null, "none", 0);

    private static Uncertainty Parts(TypeA? a, TypeB? b) => new(
        Known(a?.StandardError), a?.DegreesOfFreedom ?? 0, Known(b?.Offset), Known(b?.NonLinearity), Known(b?.Alias), Known(b?.CounterResidual), Known(b?.Gain), Known(b?.Combined), Known(b?.Bound));

    private static double? Known(double? value) => value is { } v && double.IsFinite(v) ? v : null;

    private static string Estimator(ImmutableArray<TrialFigures> valid)
    {
        if (valid.IsEmpty) return "none: no valid trial";
        if (valid[0].Result.Served is not null) return "energy of the window over its output tokens";
        var layers = valid[0].Layers.Select(l => l.Layers).Distinct().Order().ToArray();
        return layers.Length < 2
            ? string.Create(CultureInfo.InvariantCulture, $"one L' = {layers[0]}, intercept included")
            : string.Create(CultureInfo.InvariantCulture, $"slope over L' = {layers[0]} and {layers[^1]}");
    }

    private RatioToBaseline? Ratio(GroupWork work, CellWork cell)
    {
        if (work.Analysis.Ratios.FirstOrDefault(r => r.Cell == cell.Cell.Label) is not { Log: { } log } ratio) return null;
        var baseline = work.Cells[ratio.Baseline];
        var adjusted = family.GetValueOrDefault((work.Group.Name, ratio.Cell));
        var simultaneous = adjusted?.Simultaneous?.Exponential();
        var test = work.Repeatability is not null ? work : lender;
        double? resolution = test is null ? null : Known(Equivalence.Resolution(test.Repeatability!.HalfWidth95 + test.Shift, ratio.TypeB.Combined));
        var (standing, reason) = Standing(cell, baseline, log, resolution, adjusted);
        return new RatioToBaseline(ratio.Baseline, log.ToEstimate(AnalysisSettings.Level, ratio.TypeB.Bound), simultaneous?.Low, simultaneous?.High, Parts(ratio.TypeA, ratio.TypeB),
            Known(ratio.PValue), Known(adjusted?.HolmPValue), resolution, test?.Group.Name, standing, reason,
            cell.AchievedOverFloor / baseline.AchievedOverFloor, [.. Plans.Comparability.Confounds(cell.Cell, baseline.Cell)], HasTimes ? TimeRatio(cell, baseline) : null);
    }

    private bool HasTimes => input.Format >= 4;

    // Over the passes that the ratio of energies is over. A clock has no bias that would not cancel: the interval is of the scatter alone.
    private static Estimate TimeRatio(CellWork cell, CellWork baseline)
    {
        var reference = baseline.Valid.ToDictionary(t => (t.Device, t.Result.Trial.Pass), t => t.SecondsPerToken(baseline.Cell.Configuration));
        var paired = cell.Valid.Where(t => reference.ContainsKey((t.Device, t.Result.Trial.Pass)));
        return cell.Nested(paired, t => Math.Log(t.SecondsPerToken(cell.Cell.Configuration) / reference[(t.Device, t.Result.Trial.Pass)]))?.ToEstimate(AnalysisSettings.Level, 0) ?? NoEstimate;
    }

    private static (RatioStanding Standing, string Reason) Standing(CellWork cell, CellWork baseline, NestedEstimate log, double? resolution, FamilyRatio? adjusted)
    {
        var worst = Provenances.Worst(cell.ProvenanceAt(cell.Boundary)!.Value, baseline.ProvenanceAt(cell.Boundary)!.Value);
        if (worst != Provenance.Measured) return (RatioStanding.NotMeasured, $"its energies are {worst.ToString().ToLowerInvariant()}: no claim");
        var missed = new[] { cell, baseline }.Where(c => c.MeetsService == false)
            .Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.Cell.Label} takes {c.Latency}, s* is {Service(c.Cell.Disclosure)}")).ToArray();
        if (missed.Length > 0) return (RatioStanding.OutsideOperatingPoint, "outside the operating point: " + string.Join("; ", missed));
        if (cell.IsTruncated || baseline.IsTruncated) return (RatioStanding.NotResolved, "trials were left out for what they showed");
        if (adjusted is null) return (RatioStanding.NotResolved, "an A/A twin: it tests the chain");
        if (double.IsNaN(adjusted.HolmPValue)) return (RatioStanding.NotResolved, "no interval");
        if (resolution is not { } smallest) return (RatioStanding.NotResolved, "no A/A pair was tested: the resolution is not known");
        if (Math.Abs(log.Mean) <= smallest) return (RatioStanding.NotResolved, string.Create(CultureInfo.InvariantCulture, $"within the resolution of {smallest:P2}"));
        return adjusted.HolmPValue <= Alpha ? (RatioStanding.Resolved, "") : (RatioStanding.NotResolved, string.Create(CultureInfo.InvariantCulture, $"no difference is not refused (Holm p = {adjusted.HolmPValue:G2})"));
    }

    private static string Service(Disclosure d) => string.Create(CultureInfo.InvariantCulture, $"{d.ServiceMilliseconds:G3} ms{(d.FirstTokenMilliseconds is { } first ? string.Create(CultureInfo.InvariantCulture, $" and {first:G3} ms to the first") : "")}");

    private static LinearityCheck? Linearity(CellWork cell)
    {
        var with = cell.Valid.Where(t => t.Departure is not null).ToArray();
        if (cell.Nested(with, t => t.Departure!.Value) is not { } departure) return null;
        var layers = with[0].Layers.Select(l => l.Layers).Distinct().Order().ToArray();
        var interval = departure.Interval(AnalysisSettings.Level);
        return new LinearityCheck(new Estimate(departure.Mean, interval?.Low, interval?.High, departure.Scope.Text(), departure.Units), layers[1], interval?.Contains(0));
    }

    private static Figure Head(CellWork cell)
    {
        const string Name = "energy of the LM head's step ÷ batch, run by itself";
        if (cell.Cell.Configuration.Vocabulary == 0) return Figures.NotApplicable(Name, "the cell has no head");
        return HeadAt(cell, Boundary.Gpu) is { } head ? Figures.Of(head, Name) : Figures.NotEstimated(Name, "the head was not run");
    }

    private static double? HeadAt(CellWork cell, Boundary boundary) =>
        cell.Nested(cell.Holding(boundary).Where(t => t.HeadJoulesPerToken > 0), t => Math.Log(t.HeadJoulesPerToken!.Value)) is { } head ? Math.Exp(head.Mean) : null;

    private ImmutableSortedDictionary<string, Figure> Phis(GroupWork work, CellWork cell, double longStepSeconds, int longLayers, double tokensPerSecond, double joulesPerTokenLayer)
    {
        var (configuration, cost, device) = (cell.Cell.Configuration, cell.Cell.Cost, cell.Device);
        double? rate = double.IsFinite(tokensPerSecond) ? tokensPerSecond : null;
        var parameters = cost.Parameters * configuration.ModelLayers;
        var bytesPerWeight = cost.WeightBytes / cost.Parameters;
        var memory = Phi.Memory(cost.Bytes * longLayers, double.IsFinite(longStepSeconds) ? longStepSeconds : null, device?.BandwidthBytesPerSecond);
        Figure Against(Figure figure) => device is { BandwidthProvenance: not Provenance.Measured } && figure.Value is not null
            ? figure with { Reason = Join(figure.Reason, $"{device.BandwidthProvenance.ToString().ToLowerInvariant()} bandwidth") }
            : figure;
        var reference = work.Group.Cells.FirstOrDefault(c => c is { TwinOf: null, Configuration: { Workload: "A", Weights: "FP16" } });
        var referenceJoules = reference is null ? null : work.Analysis.Absolutes.FirstOrDefault(a => a.Cell == reference.Label)?.JoulesPerToken;
        var baseline = work.Group.Cells.FirstOrDefault(c => c.Label == work.Group.Baseline);
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

    private (ImmutableSortedDictionary<string, Figure> PerToken, ImmutableSortedDictionary<string, string> Notes, Figure Node, Provenance NodeProvenance) Boundaries(CellWork cell, double ownPerLayer, Figure head)
    {
        var headAtNode = HeadAt(cell, Boundary.Node);
        var nodeEstimator = cell.Cell.Configuration.Serve is not null ? "energy of the node over output tokens" : headAtNode is null ? "L · slope over L' of node input" : "L · slope over L' of node input + LM head";
        var gpuEstimator = cell.Cell.Configuration.Serve is not null ? "energy of the devices over output tokens" : head.Value is null ? "L · slope over L'" : "L · slope over L' + LM head";
        var configuration = cell.Cell.Configuration;
        var figures = ImmutableSortedDictionary.CreateBuilder<string, Figure>(StringComparer.Ordinal);
        var notes = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        var (atGpu, atNode) = (cell.Holding(Boundary.Gpu), cell.Holding(Boundary.Node));
        var nodeProvenance = cell.ProvenanceAt(Boundary.Node) ?? Provenance.Measured;

        var memory = input.Devices.Where(d => cell.Trials.Any(t => t.Result.Host == d.Host && t.Result.Devices.Contains(d.Uuid))).Select(d => d.MemoryBytes).DefaultIfEmpty(double.NaN).Min();
        var serves = configuration.Serve is not null;
        var bytes = serves ? 0 : Catalogue.ResidentBytes(configuration, configuration.ModelLayers) + LmHead.Cost(configuration).ResidentBytes;
        var needs = bytes > DeviceProfile.UsableShare * memory ? string.Create(CultureInfo.InvariantCulture, $", needs {Math.Ceiling(bytes / (DeviceProfile.UsableShare * memory)):F0} devices") : "";
        string What(double? head) => serves ? "measured as served" : head is null ? "projected: layers only, interconnect excluded" : "projected: layers and head, interconnect excluded";

        var own = cell.Boundary == Boundary.Gpu ? ownPerLayer : Geometric(cell, atGpu);
        if (double.IsFinite(own)) figures["gpu"] = Figures.Of(own * configuration.ModelLayers + (head.Value ?? 0), gpuEstimator, $"{What(head.Value)}{needs}{Edges(atGpu.SelectMany(t => t.Layers).Select(l => l.Gpu))}");
        else notes["gpu"] = "no valid trial";

        var node = Geometric(cell, atNode);
        var whole = atNode.All(t => t.HasWholeNode);
        Figure nodeFigure;
        if (double.IsFinite(node))
        {
            var edges = Edges(atNode.SelectMany(t => t.Layers).Select(l => l.Node!));
            nodeFigure = Figures.Of(node * configuration.ModelLayers + (headAtNode ?? 0), nodeEstimator, whole
                ? $"{What(headAtNode)}{needs}{edges}"
                : $"modelled: attributed by share of the node's GPUs, excluded from claims; {What(headAtNode)}{needs}{edges}");
            figures["node"] = nodeFigure;
            if (!whole) notes["node"] = "attributed: not all GPUs of the node ran this cell (fill: node measures it)";
        }
        else
        {
            nodeFigure = Figures.NotEstimated(nodeEstimator, atGpu.IsEmpty ? "no valid trial" : "the node has no input meter");
            notes["node"] = nodeFigure.Reason!;
        }
        return (figures.ToImmutable(), notes.ToImmutable(), nodeFigure, nodeProvenance);
    }

    // Edges that are off by a meter's period are no scatter that an interval would show: what they may add to a window is said where it counts.
    private static string Edges(IEnumerable<Energy> windows)
    {
        var share = windows.Select(e => e.EdgeUncertaintyJoules / e.Joules).Where(double.IsFinite).DefaultIfEmpty(0).Max();
        return share > 0.01 ? string.Create(CultureInfo.InvariantCulture, $", edges of a window may be off by up to {share:P1} of it") : "";
    }

    private static double Geometric(CellWork cell, IEnumerable<TrialFigures> trials) =>
        cell.Nested(trials, t => Math.Log(t.Gross!.JoulesPerTokenLayer)) is { } summary ? Math.Exp(summary.Mean) : double.NaN;

    // Net energy may be near zero or below it, so it is averaged as it is, not as a logarithm.
    private static Estimate? Net(CellWork cell)
    {
        if (cell.Nested(cell.Valid.Where(t => t.Net is not null), t => t.Net!.JoulesPerTokenLayer) is not { } summary) return null;
        var interval = summary.Interval(AnalysisSettings.Level);
        return new Estimate(summary.Mean, interval?.Low, interval?.High, summary.Scope.Text(), summary.Units);
    }

    private static ImmutableSortedDictionary<string, int> Invalidations(CellWork cell)
    {
        var reasons = cell.Trials.Where(t => !t.Valid).Select(t => t.Reason).Concat(Enumerable.Repeat("its pass was voided", cell.Voided));
        return reasons.GroupBy(r => r).ToImmutableSortedDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
    }

    private static ImmutableArray<string> Flags(GroupWork work, CellWork cell)
    {
        var valid = cell.Valid;
        var ratio = work.Analysis.Ratios.FirstOrDefault(r => r.Cell == cell.Cell.Label);
        var flags = valid.SelectMany(t => t.Result.Flags.Concat(t.Result.Legs.SelectMany(l => l.Flags)).Concat(t.Gross!.Flags).Distinct())
            .GroupBy(f => f).OrderByDescending(g => g.Count()).Select(g => g.Count() == valid.Length ? g.Key : $"{g.Key} ({g.Count()} of {valid.Length} trials)").ToList();
        var passes = valid.GroupBy(t => t.Device).Select(g => g.Count()).DefaultIfEmpty(0).Min();
        if (PassOrders.Flag(work.Group.Cells.Length, Math.Max(1, passes)) is { } carryOver) flags.Add(carryOver);
        if (ratio is { Verdict.Length: > 0 }) flags.Add(ratio.Verdict);
        var served = cell.Cell.Configuration.Serve is not null;
        if (cell.MeetsService == false) flags.Add(served ? $"s* is missed: {cell.Latency}, not {Service(cell.Cell.Disclosure)}" : string.Create(CultureInfo.InvariantCulture, $"s* is missed: {cell.ProjectedStepMilliseconds:G3} ms a token, not {cell.Cell.Disclosure.ServiceMilliseconds:G3}"));
        if (!served && cell.Cell.Disclosure.ServiceStatistic != "mean") flags.Add($"s* is a {cell.Cell.Disclosure.ServiceStatistic}: only a mean latency is projected, s* is not judged");
        if (cell.Boundary != Boundary.Gpu && valid.Any(t => !t.HasWholeNode)) flags.Add("node energy attributed: excluded from claims");
        if (cell.IsTruncated) flags.Add("trials were left out because their slope was not positive: what is left is biased upwards, no claim rests on it");
        if (valid.Length == 0) flags.Add("no valid trial");
        return [.. flags.Concat(work.Group.Notes).Distinct()];
    }

    private static double Mean(IEnumerable<double> values)
    {
        var (sum, count) = (0.0, 0);
        foreach (var value in values) (sum, count) = (sum + value, count + 1);
        return count > 0 ? sum / count : double.NaN;
    }

    private static string Join(string? a, string b) => string.IsNullOrEmpty(a) ? b : $"{a}; {b}";
}
