using System.Collections.Immutable;
using EnergyGrid.Contracts;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Metrology.Tests;

public class MatchGroupAnalysisTests
{
    private static readonly AnalysisSettings Settings = new(new Replication(5, 20, 0.01), SensorBounds.None);
    private static readonly AnalysisSettings Bounded = Settings with { Sensor = SensorBounds.Assumed(700, 0.001, 0.002) };

    [Fact]
    public void Ratios_use_only_passes_where_both_are_valid_and_nothing_is_lost_in_silence()
    {
        Observation[] observations =
        [
            Of("a", 0, "A", 2), Of("a", 0, "C", 1),
            Of("a", 1, "A", 4), Of("a", 1, "C", 1),
            Of("a", 2, "A", 1000) with { Valid = false, Reason = "thermal slowdown" }, Of("a", 2, "C", 1),
            Of("a", 3, "A", 2), Of("a", 3, "C", double.NaN) with { Valid = false, Reason = "low coverage" },
        ];
        var analysis = MatchGroupAnalysis.Run(observations, "A", Settings);
        var ratio = Assert.Single(analysis.Ratios);
        // exp of the mean of ln(1/2) and ln(1/4), not the mean of the ratios.
        Assert.Equal(Math.Sqrt(1.0 / 8), ratio.Ratio, 1e-12);
        Assert.Equal(2, ratio.Log!.Passes);
        Assert.Equal("this device", ratio.Log.Scope.Text());

        var (a, c) = (analysis.Counts[0], analysis.Counts[1]);
        Assert.Equal((4, 3, 1, 1), (a.Observed, a.Valid, a.Invalid, a.Reasons["thermal slowdown"]));
        Assert.Equal((4, 3, 1, 1, 1), (c.Observed, c.Valid, c.Invalid, c.Reasons["low coverage"], c.Unpaired));
    }

    [Fact]
    public void A_pass_of_one_device_never_meets_the_baseline_of_another()
    {
        Observation[] observations = [Of("a", 0, "A", 2), Of("b", 0, "C", 1)];
        var ratio = Assert.Single(MatchGroupAnalysis.Run(observations, "A", Settings).Ratios);
        Assert.Null(ratio.Log);
        Assert.True(double.IsNaN(ratio.Ratio));
        Assert.Equal("no interval", ratio.Verdict);
    }

    [Fact]
    public void A_group_without_a_baseline_has_absolute_values_alone()
    {
        var analysis = MatchGroupAnalysis.Run([Of("a", 0, "H", 2), Of("a", 1, "H", 8), Of("a", 0, "J", 3)], null, Settings);
        Assert.Empty(analysis.Ratios);
        Assert.Equal(4, analysis.Absolutes[0].JoulesPerToken, 1e-12);
        Assert.NotNull(analysis.Absolutes[0].Interval);
        Assert.Null(analysis.Absolutes[1].Interval);
    }

    [Fact]
    public void Absolute_values_carry_the_gain_that_replication_does_not_reduce()
    {
        var observations = Enumerable.Range(0, 400).Select(pass => Of("a", pass, "A", pass % 2 == 0 ? 1.0 : 1.0001)).ToArray();
        var gain = Settings with { Sensor = SensorBounds.None with { Gain = 0.05 } };
        var absolute = Assert.Single(MatchGroupAnalysis.Run(observations, null, gain).Absolutes);
        Assert.Equal(0.029, absolute.TypeB.Combined, 0.0005);
        Assert.True(absolute.TypeA.HalfWidth < 1e-4);
        Assert.InRange(absolute.Interval!.Low / absolute.JoulesPerToken, 0.9499, 0.95);
        Assert.Equal(MatchGroupAnalysis.Run(observations, null, Settings).Absolutes[0].Interval!.HalfWidth, absolute.TypeA.HalfWidth, 1e-7);
    }

    [Fact]
    public void The_type_B_term_uses_the_powers_of_the_passes_used()
    {
        Observation[] observations =
        [
            Of("a", 0, "A", 2, 690), Of("a", 0, "C", 1, 390),
            Of("a", 1, "A", 2, 660), Of("a", 1, "C", 1.01, 410),
            Of("a", 2, "A", 2, 100) with { Valid = false }, Of("a", 2, "C", 1, 50),
            Of("a", 3, "A", 2, 200),
        ];
        var ratio = Assert.Single(MatchGroupAnalysis.Run(observations, "A", Bounded).Ratios);
        static Sensitivity Mean(double a, double b) => Sensitivity.MeanOf([Sensitivity.Of(Window(a), 700), Sensitivity.Of(Window(b), 700)]);
        Assert.Equal(TypeB.OfRatio([new("n", Mean(390, 410), Mean(690, 660))], Bounded.Sensor), ratio.TypeB);
        Assert.Equal(ratio.Log!.Interval(0.95, ratio.TypeB.Bound)!.Exponential(), ratio.Interval);
        Assert.Equal(ratio.Log.PValue(ratio.TypeB.Bound), ratio.PValue);
        Assert.Equal((ratio.Log.StandardError, 1), (ratio.TypeA.StandardError, ratio.TypeA.DegreesOfFreedom));
        Assert.Equal(ratio.Log.Interval(0.95)!.HalfWidth, ratio.TypeA.HalfWidth);
    }

    [Fact]
    public void Scatter_is_that_of_the_truth_where_an_offset_would_hide_some_of_it()
    {
        // Powers that scatter at equal time: 10 W on every reading make 380 … 420 W look less different than 370 … 410 W are.
        double[] watts = [380, 390, 400, 410, 420];
        var offset = Settings with { Sensor = SensorBounds.None with { OffsetWatts = 10 } };
        var observations = watts.Select((w, pass) => Of("a", pass, "C", w, w)).ToArray();
        var absolute = Assert.Single(MatchGroupAnalysis.Run(observations, null, offset).Absolutes);
        var truth = NestedSample.Of(watts.Select((w, pass) => new PassValue("n", "a", pass, Math.Log(w - 10)))).Summarise()!;
        Assert.Equal(truth.StandardError, absolute.TypeA.StandardError, 1e-12);
        Assert.Equal(Math.Exp(watts.Average(Math.Log)), absolute.JoulesPerToken, 1e-9);
        Assert.True(absolute.TypeA.StandardError > 1.02 * MatchGroupAnalysis.Run(observations, null, Settings).Absolutes[0].TypeA.StandardError);
    }

    [Fact]
    public void Where_powers_are_unknown_there_is_no_interval_unless_no_bound_needs_them()
    {
        Observation[] observations = [Of("a", 0, "A", 2), Of("a", 0, "C", 1), Of("a", 1, "A", 2), Of("a", 1, "C", 1.01)];
        var unknown = Assert.Single(MatchGroupAnalysis.Run(observations, "A", Bounded).Ratios);
        Assert.True(double.IsNaN(unknown.TypeB.Bound) && double.IsNaN(unknown.PValue));
        Assert.Null(unknown.Interval);
        Assert.True(unknown.TypeA.HalfWidth > 0);
        Assert.NotNull(Assert.Single(MatchGroupAnalysis.Run(observations, "A", Settings).Ratios).Interval);
    }

    [Fact]
    public void Twins_are_tested_for_equivalence_on_type_A_alone_and_have_a_ratio_of_their_own()
    {
        var observations = Enumerable.Range(0, 6).SelectMany(pass => new[]
        {
            Of("a", pass, "A", 2, 600), Of("a", pass, "A2", 2 * (1 + 0.0005 * (pass % 2)), 599), Of("a", pass, "C", 1 + 0.001 * pass, 400),
        }).ToArray();
        var twins = new Dictionary<string, string> { ["A2"] = "A" };
        var analysis = MatchGroupAnalysis.Run(observations, "A", Bounded, twins);
        var twin = Assert.Single(analysis.Twins);
        Assert.True(twin.Test!.Passed);
        Assert.Equal(MatchGroupAnalysis.Run(observations, "A", Settings, twins).Twins[0], twin);
        // At nearly equal power hardly anything but alias and counter residual is left.
        var (own, other) = (analysis.Ratios.Single(r => r.Cell == "A2"), analysis.Ratios.Single(r => r.Cell == "C"));
        Assert.InRange(own.TypeB.Bound, Math.Sqrt(3 * 5e-6), Math.Sqrt(3 * 5e-6) + 1e-4);
        Assert.True(other.TypeB.Bound > 0.008);
    }

    [Fact]
    public void A_valid_trial_must_have_positive_joules()
    {
        Assert.Contains("positive", Assert.Throws<ArgumentException>(() => MatchGroupAnalysis.Run([Of("a", 0, "A", 0)], null, Settings)).Message);
        Assert.Contains("twice", Assert.Throws<ArgumentException>(
            () => MatchGroupAnalysis.Run([Of("a", 0, "A", 1), Of("a", 0, "A", 1), Of("a", 0, "C", 1)], "A", Settings)).Message);
    }

    [Fact]
    public void The_order_of_observations_changes_no_bit()
    {
        var arbitrary = (from sweep in Samples.Sweeps from shuffled in Gen.Shuffle(sweep) select (sweep, shuffled)).ToArbitrary();
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(arbitrary, drawn =>
            Text(MatchGroupAnalysis.Run(drawn.sweep, "A", Bounded)) == Text(MatchGroupAnalysis.Run(drawn.shuffled, "A", Bounded))));
    }

    [Fact]
    public void A_permutation_of_passes_within_a_device_changes_nothing()
    {
        // Without a second stage: then no pass is set apart from another.
        var settings = Bounded with { Replication = new Replication(100, 100, 0.01) };
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Samples.Sweeps.ToArbitrary(), sweep =>
        {
            var permuted = sweep.Select(o => o with { Pass = 99 - o.Pass }).ToArray();
            return Same(MatchGroupAnalysis.Run(sweep, "A", settings), MatchGroupAnalysis.Run(permuted, "A", settings));
        }));
    }

    [Fact]
    public void Scaling_a_devices_gain_or_drift_of_a_pass_leaves_ratios_unchanged()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Samples.Sweeps.ToArbitrary(), sweep =>
        {
            var scaled = sweep.Select(o => o with
            {
                JoulesPerToken = o.JoulesPerToken * (o.Device.EndsWith('1') ? 1.05 : 0.96) * (1 + 0.01 * o.Pass),
            }).ToArray();
            return Same(MatchGroupAnalysis.Run(sweep, "A", Settings), MatchGroupAnalysis.Run(scaled, "A", Settings));
        }));
    }

    [Fact]
    public void Exchanging_cell_and_baseline_inverts_the_ratio_and_its_interval()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Samples.Sweeps.ToArbitrary(), sweep =>
        {
            var forward = MatchGroupAnalysis.Run(sweep, "A", Bounded).Ratios.FirstOrDefault(r => r.Cell == "B");
            var backward = MatchGroupAnalysis.Run(sweep, "B", Bounded).Ratios.FirstOrDefault(r => r.Cell == "A");
            return forward?.Log is null == backward?.Log is null
                && (forward?.Log is null || Close(forward.Ratio * backward!.Ratio, 1))
                && (forward?.Interval is null || Close(forward.Interval.Low * backward!.Interval!.High, 1));
        }));
    }

    private static Observation Of(string device, int pass, string cell, double joules, double watts = double.NaN) =>
        new("n", device, pass, cell, joules, true, "", double.IsNaN(watts) ? default : Window(watts));

    private static ImmutableArray<EnergyPoint> Window(double watts) => [new(4, watts * 0.01, 0.01)];

    private static bool Same(MatchGroupAnalysis a, MatchGroupAnalysis b) => a.Ratios.Zip(b.Ratios).All(pair =>
        pair.First.Cell == pair.Second.Cell
        && Close(pair.First.Ratio, pair.Second.Ratio)
        && Close(pair.First.Interval?.Low, pair.Second.Interval?.Low)
        && Close(pair.First.Interval?.High, pair.Second.Interval?.High)
        && pair.First.Log?.Scope == pair.Second.Log?.Scope);

    private static bool Close(double? a, double? b) =>
        a is null == b is null && (a is null || a.Value.Equals(b!.Value) || Math.Abs(a.Value / b.Value - 1) < 1e-9);

    private static string Text(MatchGroupAnalysis analysis) => string.Join('\n',
    [
        .. analysis.Counts.Select(c => $"{c.Cell} {c.Observed} {c.Valid} {c.Unpaired} {string.Join(' ', c.Reasons)}"),
        .. analysis.Absolutes.Select(a => $"{a with { }}"),
        .. analysis.Ratios.Select(r => $"{r}"),
    ]);
}
