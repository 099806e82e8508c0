using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Grid.Tests.Sweeps;
using EnergyGrid.Plans;

namespace EnergyGrid.Grid.Tests.Matrices;

/// <summary>Matrices from trials whose energies are made by hand, so that every printed figure can be worked out beside it.</summary>
public sealed class MatrixBuilderTests
{
    private const double StepSeconds = 1e-3;

    private static ResolvedPlan Plan(string more = "", int devices = 2) => PlanFile.Load(SmallPlan.Of(workloads: "A, C", more: more, devices: devices), "plan.yaml") switch
    {
        { Plan: { } plan } => plan,
        var refused => throw new InvalidOperationException(string.Join('\n', refused.Problems)),
    };

    /// <summary>A trial whose step takes 1 ms and <paramref name="joulesPerLayer"/> a layer, and <paramref name="intercept"/> J besides.</summary>
    private static TrialResult Trial(ResolvedPlan plan, string label, int block, int pass, double joulesPerLayer, double intercept = 0.1, TrialOutcome outcome = TrialOutcome.Valid,
        double cap = 0, double coverage = 1, double idleWatts = double.NaN, bool wholeNode = false, double nodeShare = 1.5)
    {
        var cell = plan.Groups[0].Cells.First(c => c.Label == label);
        var legs = ImmutableArray.CreateBuilder<Leg>();
        foreach (var layers in new[] { cell.Configuration.ShortLayers, cell.Configuration.LongLayers })
        {
            const double Window = 30;
            var steps = Window / (StepSeconds * layers);
            var joules = steps * (intercept + joulesPerLayer * layers);
            var gpu = new Energy(joules * coverage, Window * coverage, Window, 0, 0, 0, "counter", Provenance.Measured);
            var node = new Energy(joules * nodeShare, Window, Window, 0, 0, 0, "counter", Provenance.Measured);
            legs.Add(new Leg(layers, DateTimeOffset.UnixEpoch, Window, steps, steps * cell.Configuration.Batch, gpu, node, joules, 1, wholeNode ? 1 : 0,
                0, cap, 0, 20, 60, 1980, StepSeconds * layers, StepSeconds * layers, []));
        }
        return new TrialResult(new TrialId("s", plan.Groups[0].Name, label, cell.ConfigurationSha256, block, pass), outcome,
            outcome == TrialOutcome.Valid ? [] : ["thermal slowdown"], $"n{block}", "lab", "r1", [$"GPU-{block}"], "H100-SXM-80GB", "test", 700, 1, 0,
            DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, 40, legs.ToImmutable(), idleWatts, [], "", "");
    }

    private static Matrix Build(ResolvedPlan plan, IEnumerable<TrialResult> trials, params PassRow[] passes)
    {
        ImmutableArray<TrialResult> all = [.. trials];
        var devices = all.Select(t => (t.Host, t.Devices[0])).Distinct().Select((d, i) => new DeviceInfo(d.Host, d.Item2, "H100-SXM-80GB", DeviceKind.Cuda, "lab", "r1", i, 80e9, 3.35e12, Provenance.Measured,
            989e12, 700, 700, "test", "test", Provenance.Measured));
        return MatrixBuilder.Build(new MatrixInput("s", plan, all, [.. passes], [.. devices], null, [], DateTimeOffset.UnixEpoch, true));
    }

    private static IEnumerable<TrialResult> Pass(ResolvedPlan plan, int block, int pass, double a, double c, double gain = 1) =>
    [
        Trial(plan, "A", block, pass, a * gain), Trial(plan, "C", block, pass, c * gain), Trial(plan, "A (twin)", block, pass, a * gain),
    ];

    private static MatrixRow Row(Matrix matrix, string label) => matrix.Groups[0].Rows.Single(r => r.Label == label);

    [Fact]
    public void J_per_token_and_layer_is_the_slope_over_two_depths_and_the_intercept_stays_out()
    {
        var plan = Plan();
        var row = Row(Build(plan, Pass(plan, 0, 0, 0.4, 0.2).Concat(Pass(plan, 0, 1, 0.4, 0.2))), "A");
        Assert.Equal(0.4 / 8, row.JoulesPerTokenLayer.Value, 1e-12);
        Assert.Equal(0.1, row.InterceptJoulesPerStep, 1e-9);
        Assert.StartsWith("slope over L' = ", row.Estimator);
        Assert.Null(row.Linearity);
        Assert.Equal(80 * 0.4 / 8, row.ProjectedJoulesPerToken["gpu"].Value!.Value, 1e-9);
        Assert.Contains("projected", row.ProjectedJoulesPerToken["gpu"].Reason);
        Assert.Equal("token-equivalent", row.TokenKind);
    }

    [Fact]
    public void A_gain_that_differs_between_devices_does_not_touch_a_ratio()
    {
        var plan = Plan();
        double[] gains = [0.95, 1.05];
        var matrix = Build(plan, gains.SelectMany((g, d) => Enumerable.Range(0, 3).SelectMany(p => Pass(plan, d, p, 0.4, 0.2, g))));
        Assert.Equal(0.5, Row(matrix, "C").Ratio!.Ratio.Value, 1e-12);
        Assert.Equal("nodes", Row(matrix, "C").Ratio!.Ratio.Scope);
        Assert.Equal(2, Row(matrix, "C").Ratio!.Ratio.Units);
        Assert.True(matrix.Groups[0].Repeatability!.Passed);
        Assert.Equal(Math.Sqrt(0.95 * 1.05) * 0.4 / 8, Row(matrix, "A").JoulesPerTokenLayer.Value, 1e-12);
    }

    [Fact]
    public void A_ratio_whose_interval_includes_one_is_not_resolved_however_far_its_estimate_lies()
    {
        var plan = Plan();
        double[] scatter = [0.1, 0.2, 0.9, 0.15, 1.2];
        var matrix = Build(plan, scatter.SelectMany((c, p) => Pass(plan, 0, p, 0.4, c)));
        var ratio = Row(matrix, "C").Ratio!;
        Assert.InRange(ratio.Ratio.Value, 0.5, 0.95);
        Assert.True(ratio.Ratio.High > 1);
        Assert.False(ratio.Resolved);
    }

    [Fact]
    public void The_order_in_which_trials_were_committed_changes_nothing()
    {
        var plan = Plan();
        var trials = Enumerable.Range(0, 2).SelectMany(d => Enumerable.Range(0, 4).SelectMany(p => Pass(plan, d, p, 0.4 + 0.01 * p, 0.2 + 0.003 * p * d))).ToArray();
        var random = new Random(5);
        var first = System.Text.Json.JsonSerializer.Serialize(Build(plan, trials), DocumentJson.Compact);
        for (var i = 0; i < 5; i++)
        {
            random.Shuffle(trials);
            Assert.Equal(first, System.Text.Json.JsonSerializer.Serialize(Build(plan, trials), DocumentJson.Compact));
        }
    }

    [Fact]
    public void A_share_under_the_power_cap_that_one_trial_does_not_tell_is_not_known()
    {
        var plan = Plan();
        var row = Row(Build(plan, [Trial(plan, "A", 0, 0, 0.4), Trial(plan, "A", 0, 1, 0.4, cap: double.NaN)]), "A");
        Assert.True(double.IsNaN(row.PowerCapFraction));
        Assert.Equal(0.25, Row(Build(plan, [Trial(plan, "A", 0, 0, 0.4), Trial(plan, "A", 0, 1, 0.4, cap: 0.25)]), "A").PowerCapFraction);
    }

    [Fact]
    public void A_voided_pass_is_counted_and_not_used()
    {
        var plan = Plan();
        var group = plan.Groups[0].Name;
        var trials = Pass(plan, 0, 0, 0.4, 0.2).Concat(Pass(plan, 0, 1, 0.4, 0.2)).Concat(Pass(plan, 0, 2, 9, 0.1));
        var matrix = Build(plan, trials, new PassRow(group, 0, 0, PassPhase.Done, 1, ""), new PassRow(group, 0, 1, PassPhase.Done, 1, ""), new PassRow(group, 0, 2, PassPhase.Void, 1, "the host died"));
        Assert.Equal(0.5, Row(matrix, "C").Ratio!.Ratio.Value, 1e-12);
        Assert.Equal(2, Row(matrix, "C").Passes);
        Assert.Equal(1, Row(matrix, "C").Invalidations["its pass was voided"]);
        Assert.Equal(1, matrix.Groups[0].VoidedPasses);
    }

    [Fact]
    public void An_invalid_trial_is_counted_with_its_reason_and_its_pass_gives_no_ratio()
    {
        var plan = Plan();
        var trials = Pass(plan, 0, 0, 0.4, 0.2).Concat(Pass(plan, 0, 1, 0.4, 0.2)).Append(Trial(plan, "A", 0, 2, 0.4, outcome: TrialOutcome.Invalid)).Append(Trial(plan, "C", 0, 2, 0.9));
        var matrix = Build(plan, trials);
        Assert.Equal(0.5, Row(matrix, "C").Ratio!.Ratio.Value, 1e-12);
        Assert.Equal(1, Row(matrix, "A").Invalidations["thermal slowdown"]);
        Assert.Equal(3, Row(matrix, "C").Passes);
    }

    [Fact]
    public void Half_covered_energy_is_divided_by_the_tokens_of_the_covered_half()
    {
        var plan = Plan();
        var trials = new[] { Trial(plan, "A", 0, 0, 0.4, coverage: 0.5), Trial(plan, "A", 0, 1, 0.4) };
        Assert.Equal(0.4 / 8, Row(Build(plan, trials), "A").JoulesPerTokenLayer.Value, 1e-12);
        Assert.Equal(0.5, Row(Build(plan, trials), "A").Coverage);
    }

    [Fact]
    public void Net_energy_takes_idle_with_context_off_the_whole_window()
    {
        var plan = Plan();
        // A layer takes 1 ms, so 100 W of idle are 0.1 J a layer.
        var row = Row(Build(plan, [Trial(plan, "A", 0, 0, 0.4, idleWatts: 100), Trial(plan, "A", 0, 1, 0.4, idleWatts: 100)]), "A");
        Assert.Equal(0.3 / 8, row.NetJoulesPerTokenLayer!.Value, 1e-12);
        Assert.Null(Row(Build(plan, [Trial(plan, "A", 0, 0, 0.4)]), "A").NetJoulesPerTokenLayer);
    }

    [Fact]
    public void Headroom_is_budget_over_drawn_power_and_without_an_envelope_nothing_is_determined()
    {
        var open = Plan();
        Assert.StartsWith("not determined", Row(Build(open, [Trial(open, "A", 0, 0, 0.4)]), "A").Constraint.Text);

        var plan = Plan("envelope: {watts: 1600, boundary: gpu, devices: 2}");
        var row = Row(Build(plan, [Trial(plan, "A", 0, 0, 0.4, intercept: 0)]), "A");
        // 0.4 J in 1 ms a layer: 400 W drawn of 800 W budgeted.
        var constraint = row.Constraint;
        Assert.Equal(2, constraint.Headroom!.Value, 1e-9);
        Assert.Equal("not power-bound", constraint.Verdict);
        Assert.Equal(400, constraint.DrawnWatts!.Value, 1e-9);
        Assert.Equal(800, constraint.BreakEvenWatts!.Value, 1e-9);
        Assert.Equal(2 * row.KEffRealized / row.KEffPeak, constraint.HeadroomPeak!.Value, 1e-9);
        Assert.Equal(constraint.BreakEvenWatts.Value * row.KEffPeak / row.KEffRealized, constraint.BreakEvenWattsPeak!.Value, 1e-6);
        // (1) holds among the figures of a row: both arms give its own rate, one with what it drew for P_IT.
        Assert.Equal(row.TokenLayersPerSecond, row.KEffRealized / row.FlopsPerTokenLayer, 1e-6);
        Assert.Equal(row.TokenLayersPerSecond, constraint.DrawnWatts.Value / row.JoulesPerTokenLayer.Value, 1e-6);
        Assert.Equal(constraint.Rho!.Value / constraint.RhoStar!.Value, constraint.Headroom.Value, 1e-9);

        // At its break-even envelope the same cell sits on the boundary, and below it power is scarce.
        var below = Plan("envelope: {watts: 799, boundary: gpu, devices: 2}");
        Assert.Equal("power-bound", Row(Build(below, [Trial(below, "A", 0, 0, 0.4, intercept: 0)]), "A").Constraint.Verdict);

        var capped = Row(Build(plan, [Trial(plan, "A", 0, 0, 0.4, cap: 0.5)]), "A");
        Assert.StartsWith("not determined", capped.Constraint.Text);
        Assert.Contains("power_cap", capped.Ceilings);
    }

    [Fact]
    public void Node_energy_is_measured_only_where_the_whole_node_ran_the_cell()
    {
        var plan = Plan("pue: {source: declared, value: 1.2, category: 3}");
        var whole = Row(Build(plan, [Trial(plan, "A", 0, 0, 0.4, wholeNode: true)]), "A");
        Assert.Equal(1.5 * 80 * 0.4 / 8, whole.ProjectedJoulesPerToken["node"].Value!.Value, 1e-9);
        Assert.DoesNotContain("attributed", whole.ProjectedJoulesPerToken["node"].Reason);
        // PUE multiplies node input, once.
        Assert.Equal(1.2 * 1.5 * 80 * 0.4 / 8, whole.PueAdjustedJoulesPerToken.Value!.Value, 1e-9);

        var shared = Row(Build(plan, [Trial(plan, "A", 0, 0, 0.4)]), "A");
        Assert.Contains("modelled: attributed", shared.ProjectedJoulesPerToken["node"].Reason);
        Assert.Contains("excluded from claims", shared.ProjectedJoulesPerToken["node"].Reason);
    }

    [Fact]
    public void A_cell_without_any_trial_has_no_figures_and_says_so()
    {
        var plan = Plan();
        var row = Row(Build(plan, [Trial(plan, "A", 0, 0, 0.4)]), "C");
        Assert.True(double.IsNaN(row.JoulesPerTokenLayer.Value));
        Assert.Null(row.Ratio);
        Assert.Contains("no valid trial", row.Flags);
        Assert.Equal("unresolved", Assert.Single(row.Ceilings));
    }

    private static ResolvedPlan At(Boundary boundary, string more = "")
    {
        var plan = Plan(more);
        return plan with { Groups = [.. plan.Groups.Select(g => g with { Cells = [.. g.Cells.Select(c => c with { Disclosure = c.Disclosure with { Boundary = boundary } })] })] };
    }

    [Fact]
    public void Attributed_node_energy_makes_a_row_at_the_node_boundary_modelled()
    {
        var plan = At(Boundary.Node, "pue: {source: declared, value: 1.2, category: 3}");
        var shared = Row(Build(plan, [Trial(plan, "A", 0, 0, 0.4)]), "A");
        Assert.Equal(Provenance.Modelled, shared.Provenance);
        Assert.Equal(Provenance.Measured, Row(Build(plan, [Trial(plan, "A", 0, 0, 0.4, wholeNode: true)]), "A").Provenance);

        // At the gpu boundary the row is measured; what follows from the attribution is not.
        var gpu = Plan("pue: {source: declared, value: 1.2, category: 3}");
        var row = Row(Build(gpu, [Trial(gpu, "A", 0, 0, 0.4)]), "A");
        Assert.Equal(Provenance.Measured, row.Provenance);
        Assert.DoesNotContain("projected, measured", row.ProjectedJoulesPerToken["facility"].Reason);
    }

    [Fact]
    public void A_cell_is_accounted_at_its_own_boundary_and_not_at_the_plans()
    {
        var plan = At(Boundary.Node);
        Assert.Equal(Boundary.Gpu, plan.Disclosure.Boundary);
        Assert.Equal(1.5 * 0.4 / 8, Row(Build(plan, [Trial(plan, "A", 0, 0, 0.4, wholeNode: true)]), "A").JoulesPerTokenLayer.Value, 1e-12);
    }

    [Theory]
    [InlineData(Boundary.Rack)]
    [InlineData(Boundary.Facility)]
    public void Node_energy_is_never_shown_at_a_boundary_above_the_node(Boundary boundary)
    {
        var plan = At(boundary);
        var row = Row(Build(plan, [Trial(plan, "A", 0, 0, 0.4, wholeNode: true)]), "A");
        Assert.True(double.IsNaN(row.JoulesPerTokenLayer.Value));
        Assert.Contains(row.Invalidations.Keys, k => k.Contains(boundary.ToString().ToLowerInvariant()));
    }

    [Fact]
    public void A_node_meter_that_covers_too_little_invalidates_the_trial_at_the_node_boundary()
    {
        var plan = At(Boundary.Node);
        var trial = Trial(plan, "A", 0, 0, 0.4, wholeNode: true);
        var half = trial with { Legs = [.. trial.Legs.Select(l => l with { Node = l.Node! with { Joules = l.Node.Joules / 2, CoveredSeconds = l.Node.CoveredSeconds / 2 } })] };
        var row = Row(Build(plan, [trial with { Trial = trial.Trial with { Pass = 1 } }, half]), "A");
        Assert.Equal(1, row.Invalidations.Values.Sum());
        Assert.Equal(1, row.Coverage);
    }

    [Fact]
    public void A_cell_that_lost_trials_to_their_own_noise_is_flagged_as_biased_and_resolves_nothing()
    {
        var plan = Plan();
        var trials = Enumerable.Range(0, 4).SelectMany(p => Pass(plan, 0, p, 0.4, 0.2)).ToArray();
        Assert.True(Row(Build(plan, trials), "C").Ratio!.Resolved);
        var row = Row(Build(plan, [.. trials, Trial(plan, "C", 0, 4, -0.001), Trial(plan, "A", 0, 4, 0.4)]), "C");
        Assert.Equal(1, row.Invalidations.Values.Sum());
        Assert.Contains(row.Flags, f => f.Contains("biased"));
        Assert.False(row.Ratio!.Resolved);
    }

    [Fact]
    public void The_residual_of_counter_against_power_enters_the_type_B_term()
    {
        var plan = Plan();
        var trials = Enumerable.Range(0, 3).SelectMany(p => Pass(plan, 0, p, 0.4, 0.2)).ToArray();
        var without = Row(Build(plan, trials), "C").Ratio!.Uncertainty.CounterTerm!.Value;
        var with = Row(Build(plan, trials.Select(t => t with { Legs = [.. t.Legs.Select(l => l with { CounterResidual = 0.02 })] })), "C").Ratio!.Uncertainty.CounterTerm!.Value;
        Assert.Equal(0, without, 1e-12);
        Assert.Equal(0.02, with, 1e-12);
    }

    private static FacilityRatio Ratio(double value) => new("ipue", value, 0.9, 1.4, 3, 0, 100, 1, 1, 1, 0.9, [], [], Provenance.Measured, "test");

    private static Matrix BuildAt(ResolvedPlan plan, IEnumerable<TrialResult> trials, FacilityRatio facility) =>
        MatrixBuilder.Build(new MatrixInput("s", plan, [.. trials], [], [], facility, [], DateTimeOffset.UnixEpoch, true));

    [Theory]
    [InlineData(0.98)]
    [InlineData(double.NaN)]
    public void A_facility_ratio_that_cannot_be_divided_by_leaves_the_verdict_open_and_breaks_nothing(double value)
    {
        var plan = Plan("envelope: {watts: 1600, boundary: facility, devices: 2}\npue: {source: site, category: 3}");
        var matrix = BuildAt(plan, [Trial(plan, "A", 0, 0, 0.4, wholeNode: true)], Ratio(value));
        Assert.Contains("no PUE of at least 1", Row(matrix, "A").Constraint.Text);
        Assert.Null(Row(matrix, "A").PueAdjustedJoulesPerToken.Value);
        Assert.DoesNotContain("not disclosed", Row(matrix, "A").PueAdjustedJoulesPerToken.Reason);
        Assert.False(matrix.Checklist.Single(c => c.Item == "active binding constraint").State == DisclosureState.Disclosed);
        Assert.DoesNotContain("NaN", matrix.Checklist.Single(c => c.Item == "PUE").Value);
    }

    [Fact]
    public void The_checklist_says_of_how_many_rows_it_is_true()
    {
        var plan = Plan();
        var matrix = Build(plan, [.. Pass(plan, 0, 0, 0.4, 0.2), Trial(plan, "A", 0, 1, 0.4)]);
        Assert.Equal("in 1 of 3 rows that have valid trials", matrix.Checklist.Single(c => c.Item == "J/token with interval").Value);
    }

    [Fact]
    public void A_verdict_that_rests_on_attributed_node_energy_says_so()
    {
        var plan = Plan("envelope: {watts: 1600, boundary: node, devices: 2}");
        Assert.Contains("modelled", Row(Build(plan, [Trial(plan, "A", 0, 0, 0.4)]), "A").Constraint.Text);
        Assert.DoesNotContain("modelled", Row(Build(plan, [Trial(plan, "A", 0, 0, 0.4, wholeNode: true)]), "A").Constraint.Text);
    }

    [Fact]
    public void The_pue_adjusted_figure_says_that_it_is_projected_and_by_what()
    {
        var plan = Plan("pue: {source: declared, value: 1.2, category: 3}");
        var figure = Row(Build(plan, [Trial(plan, "A", 0, 0, 0.4, wholeNode: true)]), "A").PueAdjustedJoulesPerToken;
        Assert.Contains("projected", figure.Reason);
        Assert.Contains("declared", figure.Reason);
    }

    [Fact]
    public void Devices_are_counted_and_not_device_groups()
    {
        var plan = Plan();
        var trial = Trial(plan, "A", 0, 0, 0.4);
        Assert.Equal(2, Row(Build(plan, [trial with { Devices = ["GPU-0", "GPU-1"] }]), "A").Devices);
    }

    [Fact]
    public void A_percentile_target_is_not_judged_by_a_mean()
    {
        var plan = Plan();
        MatrixRow Under(string statistic)
        {
            var with = plan with { Groups = [.. plan.Groups.Select(g => g with { Cells = [.. g.Cells.Select(c => c with { Disclosure = c.Disclosure with { ServiceStatistic = statistic } })] })] };
            return Row(Build(with, [Trial(with, "A", 0, 0, 0.4)]), "A");
        }
        Assert.True(Under("mean").MeetsService);
        Assert.Null(Under("p99").MeetsService);
        Assert.Contains(Under("p99").Flags, f => f.Contains("p99"));
    }

    [Fact]
    public void Energy_made_from_declared_watts_has_no_sensor_and_claims_nothing()
    {
        var plan = Plan();
        var trials = Enumerable.Range(0, 5).SelectMany(p => Pass(plan, 0, p, 0.4, 0.2)).Select(t => t with { Legs = [.. t.Legs.Select(l => l with { Gpu = l.Gpu with { Provenance = Provenance.Modelled } })] });
        var device = new DeviceInfo("n0", "GPU-0", "cpu", DeviceKind.Cpu, "lab", "r1", 0, 1e9, 1e9, Provenance.Measured, 1e9, 120, 120, "test", "declared", Provenance.Modelled);
        var matrix = MatrixBuilder.Build(new MatrixInput("s", plan, [.. trials], [], [device], null, [], DateTimeOffset.UnixEpoch, true));
        Assert.StartsWith("no sensor", matrix.Groups[0].Sensor.Source);
        Assert.Equal(0, Row(matrix, "A").Uncertainty.Bound);
        Assert.Equal(RatioStanding.NotMeasured, Row(matrix, "C").Ratio!.Standing);
        Assert.Contains("modelled", Row(matrix, "C").Ratio!.StandingReason);
    }

    [Fact]
    public void A_matrix_without_any_valid_trial_has_no_provenance()
    {
        var plan = Plan();
        Assert.Null(Build(plan, []).Provenance);
        var invalid = Build(plan, [Trial(plan, "A", 0, 0, 0.4, outcome: TrialOutcome.Invalid)]);
        Assert.Null(invalid.Provenance);
        Assert.All(invalid.Groups[0].Rows, r => Assert.Null(r.Provenance));
        Assert.Contains(invalid.Notes, n => n.Contains("No trial is valid"));
    }

    [Fact]
    public void A_ratio_whose_baseline_misses_its_service_target_is_outside_the_operating_point()
    {
        var plan = Plan();
        // 80 layers of 1 ms each: 80 ms.
        ResolvedPlan Under(double milliseconds) => plan with { Groups = [.. plan.Groups.Select(g => g with { Cells = [.. g.Cells.Select(c => c with { Disclosure = c.Disclosure with { ServiceMilliseconds = milliseconds } })] })] };
        RatioToBaseline Ratio(ResolvedPlan p) => Row(Build(p, Enumerable.Range(0, 5).SelectMany(i => Pass(p, 0, i, 0.4, 0.2))), "C").Ratio!;
        Assert.Equal(RatioStanding.Resolved, Ratio(Under(100)).Standing);
        Assert.Equal(RatioStanding.OutsideOperatingPoint, Ratio(Under(60)).Standing);
        Assert.Contains("80", Ratio(Under(60)).StandingReason);
    }

    [Fact]
    public void The_printed_interval_holds_what_the_sensor_may_hide()
    {
        var plan = Plan();
        // Five passes without any scatter: all that is left is the sensors' bound.
        var row = Row(Build(plan, Enumerable.Range(0, 5).SelectMany(p => Pass(plan, 0, p, 0.4, 0.2))), "C");
        var ratio = row.Ratio!;
        Assert.Equal(0, ratio.Uncertainty.StandardError!.Value, 1e-12);
        Assert.Equal(Math.Exp(ratio.Uncertainty.Bound!.Value), ratio.Ratio.High!.Value / ratio.Ratio.Value, 1e-9);
        // 400 and 200 W a layer: an offset of 10 W either way moves them by 2.5 and 5 %.
        Assert.Equal(10 * (1 / 200.0 - 1 / 400.0) / Math.Sqrt(3), ratio.Uncertainty.OffsetTerm!.Value, 1e-9);
        Assert.InRange(ratio.Uncertainty.Bound!.Value, 0.025, 0.06);
        Assert.True(ratio.SimultaneousLow <= ratio.Ratio.Low && ratio.SimultaneousHigh >= ratio.Ratio.High);
        // The gain stays in absolute values alone.
        Assert.Equal(0, ratio.Uncertainty.GainTerm);
        Assert.Equal(0.05 / Math.Sqrt(3), row.Uncertainty.GainTerm!.Value, 1e-12);
    }

    [Fact]
    public void Every_number_of_a_row_that_is_null_has_its_reason_beside_it()
    {
        var plan = Plan("envelope: {watts: 1600, boundary: gpu, devices: 2}");
        foreach (var matrix in new[] { Build(plan, []), Build(plan, [Trial(plan, "A", 0, 0, 0.4, idleWatts: 100)]), Build(plan, Enumerable.Range(0, 3).SelectMany(p => Pass(plan, 0, p, 0.4, 0.2))) })
            foreach (var row in System.Text.Json.JsonSerializer.SerializeToNode(matrix, DocumentJson.Compact)!["groups"]![0]!["rows"]!.AsArray())
                foreach (var member in row!.AsObject().Where(m => m.Value is null && m.Key is not ("twinOf" or "currency")))
                    Assert.True(row["absent"]![member.Key]?.GetValue<string>() is { Length: > 0 }, $"{row["label"]}.{member.Key} is null without a reason");
    }

    [Fact]
    public void A_plan_that_discloses_more_devices_than_ran_is_told_so()
    {
        var plan = Plan(devices: 16);
        var matrix = Build(plan, Pass(plan, 0, 0, 0.4, 0.2).Concat(Pass(plan, 1, 0, 0.4, 0.2)));
        Assert.Equal(2, matrix.RanOn.Devices);
        Assert.Contains("up to 16 devices; it ran on 2", matrix.RanOn.Difference);
        Assert.Contains("ran on 2", matrix.Checklist.Single(c => c.Item == "hardware setup").Value);
        var two = Plan();
        Assert.Empty(Build(two, Pass(two, 0, 0, 0.4, 0.2).Concat(Pass(two, 1, 0, 0.4, 0.2))).RanOn.Difference);
    }

    [Fact]
    public void A_published_figure_stands_beside_a_measured_one_only()
    {
        var plan = Plan();
        var panel = plan with { Panels = [new UnmatchedPanel("printed", new(plan.Groups[0].Name, "A"), [new(plan.Groups[0].Name, "A", 3.5)])] };
        var measured = Build(panel, [Trial(panel, "A", 0, 0, 0.4)]);
        Assert.Equal(3.5, measured.Panels[0].Rows[0].PublishedJoulesPerToken);
        var trial = Trial(panel, "A", 0, 0, 0.4);
        var modelled = Build(panel, [trial with { Legs = [.. trial.Legs.Select(l => l with { Gpu = l.Gpu with { Provenance = Provenance.Modelled } })] }]);
        Assert.Null(modelled.Panels[0].Rows[0].PublishedJoulesPerToken);
    }

    [Fact]
    public void A_group_without_a_pair_of_its_own_says_whose_resolution_it_borrows()
    {
        var plan = Plan();
        var other = plan.Groups[0] with { Name = "other", Cells = [.. plan.Groups[0].Cells.Where(c => c.TwinOf is null)] };
        var both = plan with { Groups = [plan.Groups[0], other] };
        TrialResult In(TrialResult t) => t with { Trial = t.Trial with { Group = "other" } };
        var own = Enumerable.Range(0, 4).SelectMany(p => Pass(plan, 0, p, 0.4 + 0.001 * p, 0.2)).ToArray();
        var matrix = Build(both, [.. own, .. own.Where(t => t.Trial.Label != "A (twin)").Select(In)]);
        Assert.Equal(plan.Groups[0].Name, matrix.Groups[0].Rows.Single(r => r.Label == "C").Ratio!.ResolutionFrom);
        Assert.Equal(plan.Groups[0].Name, matrix.Groups[1].Rows.Single(r => r.Label == "C").Ratio!.ResolutionFrom);
        Assert.Equal(2, matrix.Family);
    }

    [Fact]
    public void A_pair_that_is_not_repeatable_is_noted_for_the_whole_matrix()
    {
        var plan = Plan();
        Matrix With(double twin) => Build(plan, Enumerable.Range(0, 4).SelectMany(p => Pass(plan, 0, p, 0.4, 0.2).SkipLast(1).Append(Trial(plan, "A (twin)", 0, p, twin + 0.0001 * p))));
        Assert.DoesNotContain(With(0.4).Notes, n => n.Contains("A/A"));
        Assert.Contains(With(0.45).Notes, n => n.Contains("not shown to be repeatable"));
    }

    [Theory]
    [InlineData("phi_mem")]
    [InlineData("phi_mem_paper")]
    [InlineData("phi_decode")]
    public void A_phi_against_a_bandwidth_that_nobody_measured_says_so(string phi)
    {
        var plan = Plan();
        var device = new DeviceInfo("n0", "GPU-0", "H100-SXM-80GB", DeviceKind.Cuda, "lab", "r1", 0, 80e9, 3.35e12, Provenance.Modelled, 989e12, 700, 700, "test", "test", Provenance.Measured);
        var row = Row(MatrixBuilder.Build(new MatrixInput("s", plan, [Trial(plan, "A", 0, 0, 0.4)], [], [device], null, [], DateTimeOffset.UnixEpoch, true)), "A");
        Assert.Contains("modelled bandwidth", row.Phi[phi].Reason);
    }

    [Fact]
    public void What_the_edges_of_a_slow_meter_may_add_is_said_beside_its_figure()
    {
        var plan = Plan();
        var trial = Trial(plan, "A", 0, 0, 0.4, wholeNode: true);
        var slow = trial with { Legs = [.. trial.Legs.Select(l => l with { Node = l.Node! with { EdgeUncertaintyJoules = 0.067 * l.Node.Joules } })] };
        Assert.DoesNotContain("edges", Row(Build(plan, [trial]), "A").ProjectedJoulesPerToken["node"].Reason);
        var row = Row(Build(plan, [slow]), "A");
        Assert.Contains("6.7", row.ProjectedJoulesPerToken["node"].Reason);
        Assert.DoesNotContain("edges", row.ProjectedJoulesPerToken["gpu"].Reason);
    }
}
