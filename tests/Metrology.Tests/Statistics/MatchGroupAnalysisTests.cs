using EnergyGrid.Contracts;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Metrology.Tests;

public class MatchGroupAnalysisTests
{
    private static readonly AnalysisSettings Settings = new(new Replication(5, 20, 0.01));

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
        var absolute = Assert.Single(MatchGroupAnalysis.Run(observations, null, Settings).Absolutes);
        Assert.Equal(0.029, absolute.GainUncertainty, 0.0005);
        Assert.True(absolute.Interval!.HalfWidth < 1e-4);
        Assert.True(absolute.CombinedUncertainty >= absolute.GainUncertainty);
    }

    [Fact]
    public void The_type_B_term_uses_the_mean_power_of_the_passes_used()
    {
        Observation[] observations =
        [
            Of("a", 0, "A", 2) with { MeanWatts = 690 }, Of("a", 0, "C", 1) with { MeanWatts = 390 },
            Of("a", 1, "A", 2) with { MeanWatts = 710 }, Of("a", 1, "C", 1) with { MeanWatts = 410 },
            Of("a", 2, "A", 2) with { MeanWatts = 100, Valid = false }, Of("a", 2, "C", 1) with { MeanWatts = 5 },
        ];
        var ratio = Assert.Single(MatchGroupAnalysis.Run(observations, "A", Settings).Ratios);
        Assert.Equal(SensorUncertainty.OfRatio(700, 400), ratio.TypeB, 1e-15);
        Assert.True(double.IsNaN(Assert.Single(MatchGroupAnalysis.Run([Of("a", 0, "A", 2), Of("a", 0, "C", 1)], "A", Settings).Ratios).TypeB));
    }

    [Fact]
    public void Twins_are_tested_for_equivalence_and_stand_outside_Holms_family()
    {
        var observations = Enumerable.Range(0, 6).SelectMany(pass => new[]
        {
            Of("a", pass, "A", 2), Of("a", pass, "A2", 2 * (1 + 0.0005 * (pass % 2))), Of("a", pass, "C", 1 + 0.001 * pass),
        }).ToArray();
        var analysis = MatchGroupAnalysis.Run(observations, "A", Settings, new Dictionary<string, string> { ["A2"] = "A" });
        var twin = Assert.Single(analysis.Twins);
        Assert.True(twin.Test!.Passed);
        var ratio = analysis.Ratios.Single(r => r.Cell == "C");
        // A family of one is not adjusted.
        Assert.Equal(ratio.Adjusted.PValue, ratio.Adjusted.HolmPValue);
        Assert.Null(analysis.Ratios.Single(r => r.Cell == "A2").Adjusted.HolmInterval);
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
            Text(MatchGroupAnalysis.Run(drawn.sweep, "A", Settings)) == Text(MatchGroupAnalysis.Run(drawn.shuffled, "A", Settings))));
    }

    [Fact]
    public void A_permutation_of_passes_within_a_device_changes_nothing()
    {
        // Without a second stage: then no pass is set apart from another.
        var settings = new AnalysisSettings(new Replication(100, 100, 0.01));
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
            var forward = MatchGroupAnalysis.Run(sweep, "A", Settings).Ratios.FirstOrDefault(r => r.Cell == "B");
            var backward = MatchGroupAnalysis.Run(sweep, "B", Settings).Ratios.FirstOrDefault(r => r.Cell == "A");
            return forward?.Log is null == backward?.Log is null
                && (forward?.Log is null || Close(forward.Ratio * backward!.Ratio, 1))
                && (forward?.Interval is null || Close(forward.Interval.Low * backward!.Interval!.High, 1));
        }));
    }

    private static Observation Of(string device, int pass, string cell, double joules) => new("n", device, pass, cell, joules, true);

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
