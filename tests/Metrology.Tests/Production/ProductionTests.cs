using EnergyGrid.Contracts;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Metrology.Tests;

public class ProductionTests
{
    private static readonly Figure Throughput = EffectiveThroughput.OfTrials([Trial(2e14, 0)]);

    private static ThroughputTrial Trial(double flopsPerSecond, double cap, int pass = 0) => new(new PassValue("n", "d", pass, Math.Log(flopsPerSecond)), cap);

    [Fact]
    public void The_rate_is_the_lower_arm_times_utilization()
    {
        var ceilings = ProductionFunction.Ceilings(1e15, 1e12, 700, 1);
        Assert.Equal((1000.0, 700.0, 700.0), (ceilings.Compute, ceilings.Power, ceilings.Lower));
        Assert.Equal(350, ProductionFunction.TokensPerSecond(ceilings, 0.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => ProductionFunction.TokensPerSecond(ceilings, 1.01));
        Assert.Throws<ArgumentOutOfRangeException>(() => ProductionFunction.TokensPerSecond(ceilings, 0));
    }

    [Fact]
    public void The_verdict_agrees_with_the_arm_that_binds()
    {
        var positive = Gen.Choose(1, 1_000_000).Select(x => x / 1000.0);
        var arbitrary = (from k in positive from c in positive from p in positive from e in positive select (k, c, p, e)).ToArbitrary();
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(arbitrary, drawn =>
        {
            var (k, c, p, e) = drawn;
            var ceilings = ProductionFunction.Ceilings(k, c, p, e);
            // Too close to call in floating point.
            if (Math.Abs(ceilings.Compute / ceilings.Power - 1) < 1e-12)
            {
                return true;
            }
            var verdict = ConstraintBoundary.Compare(ConstraintBoundary.Rho(p, k), ConstraintBoundary.RhoStar(e, c));
            return verdict == (ceilings.Compute < ceilings.Power ? Scarcity.Compute : Scarcity.Power);
        }));
    }

    [Fact]
    public void Power_headroom_is_budget_over_drawn_power_and_scales_to_peak()
    {
        // 500 tokens/s at 1 J: the device draws 500 W; 8 devices share 3,200 W.
        var cell = new CellOperation(1, Boundary.Gpu, 4e11, EffectiveThroughput.OfTrials([Trial(500 * 4e11, 0)]), 1e15);
        var verdict = ConstraintBoundary.Judge(PowerBudget.Of(new Envelope(3200, Boundary.Gpu, 8)), cell);
        Assert.Equal(400.0 / 500, verdict.PowerHeadroomRealized!.Value, 1e-12);
        Assert.Equal(400.0 / 500 * 2e14 / 1e15, verdict.PowerHeadroomPeak!.Value, 1e-12);
        Assert.Equal("power scarce", verdict.Text);
        Assert.Equal("compute scarce", ConstraintBoundary.Judge(PowerBudget.Of(new Envelope(4800, Boundary.Gpu, 8)), cell).Text);
        Assert.Equal("compute scarce", ConstraintBoundary.Judge(PowerBudget.Of(new Envelope(3200, Boundary.Gpu, 8)), cell, watts: 600).Text);
    }

    [Fact]
    public void Without_an_envelope_the_verdict_is_not_determined_but_rho_star_is_known()
    {
        var verdict = ConstraintBoundary.Judge(null, new CellOperation(3.5, Boundary.Gpu, 4e11, Throughput));
        Assert.Equal(Scarcity.NotDetermined, verdict.Scarcity);
        Assert.Equal("not determined: no power envelope was declared", verdict.Text);
        Assert.Equal(8.75e-12, verdict.RhoStar!.Value, 1e-24);
        Assert.Null(verdict.PowerHeadroomRealized);
    }

    [Fact]
    public void An_envelope_at_another_boundary_determines_nothing()
    {
        var verdict = ConstraintBoundary.Judge(
            PowerBudget.Of(new Envelope(1e6, Boundary.Facility, 100), 1.2), new CellOperation(3.5, Boundary.Gpu, 4e11, Throughput));
        Assert.Equal("not determined: the envelope holds at the node boundary, e_tok at the gpu boundary", verdict.Text);
    }

    [Fact]
    public void Power_capped_trials_give_no_K_eff_and_the_reason_is_passed_on()
    {
        var capped = EffectiveThroughput.OfTrials([Trial(2e14, 0.2), Trial(2e14, double.NaN, 1)]);
        Assert.Null(capped.Value);
        Assert.Contains("power cap", capped.Reason);
        var verdict = ConstraintBoundary.Judge(PowerBudget.Of(new Envelope(700, Boundary.Gpu, 1)), new CellOperation(1, Boundary.Gpu, 4e11, capped));
        Assert.StartsWith("not determined: K_eff is not usable", verdict.Text);

        var mixed = EffectiveThroughput.OfTrials([Trial(1e14, 0), Trial(4e14, 0, 1), Trial(9e14, 0.001, 2)]);
        Assert.Equal(2e14, mixed.Value!.Value, 1e3);
        Assert.StartsWith("1 of 3 trials left out", mixed.Reason);
    }

    [Fact]
    public void Peaks_of_two_precisions_combine_by_time()
    {
        // 3 TFLOP at 1 TFLOP/s and 2 TFLOP at 2 TFLOP/s take 4 s.
        Assert.Equal(1.25e12, EffectiveThroughput.Peak([(3e12, 1e12), (2e12, 2e12)]));
    }

    [Fact]
    public void An_envelope_must_be_usable()
    {
        Assert.Throws<ArgumentException>(() => PowerBudget.Of(new Envelope(1000, Boundary.Facility, 10)));
        Assert.Throws<ArgumentException>(() => PowerBudget.Of(new Envelope(1000, Boundary.Facility, 10), 0.9));
        Assert.Throws<ArgumentException>(() => PowerBudget.Of(new Envelope(0, Boundary.Node, 10)));
        var budget = PowerBudget.Of(new Envelope(1000, Boundary.Node, 4));
        Assert.Equal(250, budget.WattsPerDevice);
        Assert.Equal([400.0, 300, 200, 100], budget.WithShares([400, 300, 200, 100]).AsEnumerable());
        Assert.Throws<ArgumentException>(() => budget.WithShares([400, 300, 200, 101]));
        Assert.Throws<ArgumentException>(() => budget.WithShares([500, 500]));
    }

    [Fact]
    public void Utilization_is_observed_over_the_ceiling_for_serving_and_does_not_apply_to_kernels()
    {
        var ceilings = ProductionFunction.Ceilings(1e15, 1e12, 700, 1);
        Assert.Equal(0.6, ProductionFunction.UtilizationOfServing(42_000, 100, ceilings).Value!.Value, 1e-12);
        Assert.Null(ProductionFunction.UtilizationOfServing(42_000, 100, null).Value);
        Assert.Null(ProductionFunction.UtilizationOfServing(null, 100, ceilings).Value);
        Assert.StartsWith("above 1", ProductionFunction.UtilizationOfServing(90_000, 100, ceilings).Reason);
        Assert.Equal("not applicable (saturated)", ProductionFunction.UtilizationOfKernel().Reason);
    }

    public static TheoryData<double?, double?, double?, bool?, string> Evidence => new()
    {
        { 0.011, 0.79, 0.69, true, "power_cap" },
        { 0.01, 0.8, 0.69, true, "hbm" },
        { 0.0, 0.5, 0.7, null, "compute" },
        { 0.0, 0.5, 0.2, false, "latency" },
        { 0.5, 0.9, 0.9, false, "power_cap hbm compute latency" },
        { 0.01, 0.79, 0.69, true, "unresolved" },
        { null, null, null, null, "unresolved" },
        { double.NaN, null, double.NaN, null, "unresolved" },
    };

    [Theory]
    [MemberData(nameof(Evidence))]
    public void Ceiling_evidence_follows_its_thresholds(double? capped, double? memory, double? compute, bool? meets, string expected)
    {
        Assert.Equal(expected, string.Join(' ', CeilingEvidence.Of(capped, Phi.Memory(memory, 1, 1), compute, meets)));
    }

    [Fact]
    public void Thresholds_are_configurable()
    {
        var evidence = CeilingEvidence.Of(0.02, Phi.Memory(0.6, 1, 1), 0.5, true, new CeilingThresholds(0.05, 0.6, 0.9));
        Assert.Equal("hbm", Assert.Single(evidence));
    }

    [Fact]
    public void Phi_mem_beyond_the_stream_ceiling_is_flagged_not_clamped()
    {
        Assert.Null(Phi.Memory(1.02, 1, 1).Reason);
        var high = Phi.Memory(1.3, 1, 1);
        Assert.Equal(1.3, high.Value);
        Assert.StartsWith("above 1.02", high.Reason);
    }

    [Fact]
    public void The_papers_phi_mem_passes_1_at_large_batch_where_ours_does_not()
    {
        // A device at 4.8 TB/s that streams 130 GB of FP16 weights for a batch of 8 at full bandwidth.
        var steps = 4.8e12 / 130e9;
        Assert.Equal(16, Phi.MemoryPaper(8 * steps, 4.8e12, 65e9, 2).Value!.Value, 1e-9);
        Assert.Equal(1, Phi.Memory(130e9, 1 / steps, 4.8e12).Value!.Value, 1e-12);
    }

    [Fact]
    public void Phi_system_is_given_only_at_equal_parameter_count()
    {
        // A against D' (809.50 M and 809.53 M a layer) and against D (652.7 M).
        Assert.Equal(2, Phi.System(3, 1.5, 809_500_672, 809_533_440).Value);
        var unequal = Phi.System(3, 1.5, 809_500_672, 652.7e6);
        Assert.Null(unequal.Value);
        Assert.Contains("parameter count", unequal.Reason);
    }

    [Fact]
    public void Every_phi_names_its_estimator_and_says_so_where_there_is_no_data()
    {
        Figure[] absent =
        [
            Phi.MemoryPaper(null, 1, 1, 1), Phi.Memory(1, 1, null), Phi.Decode(null, 1, 1, 1), Phi.Scheduling(null, 1),
            Phi.System(null, 1, 1, 1), Phi.Prefill(null, 1), Phi.Compute(null, 1), Phi.Routing(),
        ];
        Assert.All(absent, figure =>
        {
            Assert.Null(figure.Value);
            Assert.StartsWith("not estimated: ", figure.Reason);
            Assert.NotEmpty(figure.Estimator);
        });
        Figure[] present =
        [
            Phi.Decode(10, 4, 1, 1), Phi.Scheduling(0.5, 0.8), Phi.Prefill(4, 10), Phi.Compute(3, 2),
        ];
        Assert.Equal([5, 0.625, 0.4, 1.5], present.Select(figure => figure.Value!.Value));
        Assert.Equal(8, absent.Select(figure => figure.Estimator).Distinct().Count());
    }

    [Fact]
    public void PUE_multiplies_node_input_once_and_nothing_else()
    {
        var (node, measured) = TokenCost.AtFacility(2, Boundary.Node, Provenance.Measured, 1.5, 3, Provenance.Measured);
        Assert.Equal((3.0, Provenance.Measured), (node.Value!.Value, measured));
        Assert.Equal(2, TokenCost.AtFacility(2, Boundary.Facility, Provenance.Measured, 1.5, 3, Provenance.Measured).JoulesPerToken.Value);
        Assert.Null(TokenCost.AtFacility(2, Boundary.Gpu, Provenance.Measured, 1.5, 3, Provenance.Measured).JoulesPerToken.Value);
        Assert.Null(TokenCost.AtFacility(2, Boundary.Node, Provenance.Measured, null, 3, Provenance.Measured).JoulesPerToken.Value);
        Assert.Equal(Provenance.Modelled, TokenCost.AtFacility(2, Boundary.Node, Provenance.Measured, 1.5, 1, Provenance.Measured).Provenance);
        Assert.Equal(Provenance.Declared, TokenCost.AtFacility(2, Boundary.Node, Provenance.Measured, 1.5, 3, Provenance.Declared).Provenance);
        Assert.Contains("violation", TokenCost.AtFacility(2, Boundary.Node, Provenance.Measured, 0.9, 3, Provenance.Measured).JoulesPerToken.Reason);
    }

    [Fact]
    public void A_token_costs_its_facility_energy_and_kappa()
    {
        // 3.6 J at node input, PUE 1.25, 0.10 a kWh: 1.25e-6 kWh.
        var (joules, _) = TokenCost.AtFacility(3.6, Boundary.Node, Provenance.Measured, 1.25, 3, Provenance.Measured);
        Assert.Equal(0.10 * 1.25e-6 + 2e-6, TokenCost.PerToken(new CostTerms(0.10, 2e-6, "USD"), joules).Value!.Value, 1e-18);
        Assert.Null(TokenCost.PerToken(new CostTerms(0.10, 2e-6, "USD"), Phi.Routing()).Value);
        Assert.Equal(1, TokenCost.KilowattHours(3.6e6));
    }

    [Fact]
    public void A_slope_over_two_layer_counts_leaves_the_fixed_cost_in_the_intercept()
    {
        // 2 J a layer and 5 J a step besides, batch 8.
        var slope = LayerSlope.Fit([new(4, 13), new(12, 29)], 8);
        Assert.Equal(0.25, slope.JoulesPerTokenLayer, 1e-12);
        Assert.Equal(2, slope.SlopeJoulesPerLayer, 1e-12);
        Assert.Equal(5, slope.InterceptJoules, 1e-12);
        Assert.Equal("two points", slope.Linearity);
        Assert.Null(slope.Residual.Value);
        Assert.Empty(slope.Flags);
    }

    [Fact]
    public void One_layer_count_leaves_linearity_unchecked()
    {
        var slope = LayerSlope.Fit([new(4, 13)], 1);
        Assert.Equal(3.25, slope.JoulesPerTokenLayer);
        Assert.Equal("unchecked", slope.Linearity);
        Assert.Contains("linearity unchecked", slope.Flags);
        Assert.True(double.IsNaN(slope.InterceptJoules));
    }

    [Fact]
    public void Three_layer_counts_show_what_is_not_linear()
    {
        Assert.Equal(0, LayerSlope.Fit([new(1, 3), new(2, 5), new(3, 7)], 1).Residual.Value!.Value, 1e-12);
        // Deviations from the least-squares line of (1,3) (2,6) (3,7): −1/3, 2/3, −1/3; one degree of freedom.
        Assert.Equal(Math.Sqrt(6.0 / 9), LayerSlope.Fit([new(1, 3), new(2, 6), new(3, 7)], 1).Residual.Value!.Value, 1e-12);
        Assert.Contains("negative intercept", LayerSlope.Fit([new(1, 1), new(2, 4)], 1).Flags);
    }

    [Fact]
    public void The_order_of_points_does_not_matter_and_a_common_gain_scales_the_slope()
    {
        var point = from layers in Gen.Choose(1, 50) from joules in Gen.Choose(1, 100_000) select new LayerPoint(layers, joules / 100.0);
        var arbitrary = point.NonEmptyListOf().ToArbitrary();
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(arbitrary, points =>
        {
            var slope = LayerSlope.Fit([.. points], 3).JoulesPerTokenLayer;
            var reversed = LayerSlope.Fit([.. Enumerable.Reverse(points)], 3).JoulesPerTokenLayer;
            var scaled = LayerSlope.Fit([.. points.Select(p => p with { JoulesPerStep = 1.05 * p.JoulesPerStep })], 3).JoulesPerTokenLayer;
            var scale = points.Max(p => p.JoulesPerStep);
            return Math.Abs(slope - reversed) <= 1e-9 * scale && Math.Abs(1.05 * slope - scaled) <= 1e-9 * scale;
        }));
    }

    [Fact]
    public void A_whole_model_is_projected_from_layers_and_adds_the_head_only_if_it_was_measured()
    {
        var without = WholeModel.Project(0.05, 80);
        Assert.Equal(4, without.LayersJoulesPerToken, 1e-12);
        Assert.Equal(Provenance.Projected, without.Provenance);
        Assert.Contains("layers only", without.Flags);
        Assert.Null(without.WithHeadJoulesPerToken.Value);

        var with = WholeModel.Project(0.05, 80, 0.02, 215e9, 134e9);
        Assert.Equal(4.02, with.WithHeadJoulesPerToken.Value!.Value, 1e-12);
        Assert.Contains("needs 2 devices", with.Flags);
    }
}
