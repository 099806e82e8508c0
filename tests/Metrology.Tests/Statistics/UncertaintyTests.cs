using System.Collections.Immutable;
using EnergyGrid.Contracts;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Metrology.Tests;

public class UncertaintyTests
{
    [Fact]
    public void An_offset_shifts_a_ratio_by_the_difference_of_inverse_powers()
    {
        // 10 W on 700 W and 400 W: 10·(1/400 − 1/700)/√3.
        Assert.Equal(0.0061859, SensorUncertainty.OfRatio(700, 400), 1e-6);
        Assert.Equal(0, SensorUncertainty.OfRatio(500, 500));
        Assert.Equal(0.005, SensorUncertainty.OfRatio(500, 500, 10, 0.003, 0.004), 1e-12);
        Assert.Equal(0.029, SensorUncertainty.Gain(), 0.0005);
        Assert.True(double.IsNaN(SensorUncertainty.OfRatio(double.NaN, 400)));
        Assert.Throws<ArgumentOutOfRangeException>(() => SensorUncertainty.OfRatio(0, 400));
        Assert.Throws<ArgumentOutOfRangeException>(() => SensorUncertainty.OfRatio(700, 400, -1));
    }

    [Fact]
    public void Resolution_is_the_larger_of_repeatability_and_twice_the_type_B_term()
    {
        Assert.Equal(0.01, Equivalence.Resolution(0.004, 0.005));
        Assert.Equal(0.02, Equivalence.Resolution(0.02, 0.005));
        Assert.True(double.IsNaN(Equivalence.Resolution(double.NaN, 0.005)));
    }

    [Fact]
    public void A_pair_passes_if_its_90_percent_interval_lies_within_delta()
    {
        // Mean 0.004, standard error 0.003, 9 degrees of freedom: t(0.95, 9) = 1.8331, so −0.0015 … 0.0095.
        var estimate = new NestedEstimate(0.004, IntervalScope.ThisDevice, 10, 9, 0.003 * Math.Sqrt(10), 0.003, 10, 1, 1);
        var result = Equivalence.Test(estimate);
        Assert.True(result.Passed);
        Assert.Equal(0.0095, result.Interval90!.High, 5e-5);
        Assert.Equal(2.2622 * 0.003, result.HalfWidth95, 1e-6);
        Assert.False(Equivalence.Test(estimate, 0.009).Passed);
        Assert.Null(Equivalence.Test(new NestedEstimate(0, IntervalScope.None, 1, 0, double.NaN, double.NaN, 1, 1, 1)).Passed);
        Assert.Throws<ArgumentOutOfRangeException>(() => Equivalence.Test(estimate, 0));
    }

    [Fact]
    public void The_interval_and_the_p_value_of_equivalence_agree()
    {
        var arbitrary = (from mean in Gen.Choose(-2000, 2000)
                         from error in Gen.Choose(1, 1000)
                         from df in Gen.Choose(1, 30)
                         select new NestedEstimate(mean / 1e5, IntervalScope.ThisDevice, df + 1, df, 1, error / 1e5, df + 1, 1, 1)).ToArbitrary();
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(arbitrary, estimate =>
        {
            var result = Equivalence.Test(estimate);
            return Math.Abs(result.PValue - 0.05) < 1e-9 || result.Passed == result.PValue <= 0.05;
        }));
    }

    [Fact]
    public void Holms_p_values_are_those_of_the_textbook()
    {
        Assert.Equal([0.03, 0.06, 0.06, 0.02], Holm.AdjustPValues([0.01, 0.04, 0.03, 0.005]).Select(p => Math.Round(p, 12)));
    }

    [Fact]
    public void Holm_never_lowers_a_p_value_keeps_their_order_and_is_never_stricter_than_Bonferroni()
    {
        var arbitrary = Gen.Choose(0, 1000).Select(x => x / 1000.0).NonEmptyListOf().ToArbitrary();
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(arbitrary, raw =>
        {
            var adjusted = Holm.AdjustPValues([.. raw]);
            return raw.Zip(adjusted).All(pair => pair.Second >= pair.First && pair.Second <= Math.Min(1, raw.Count * pair.First))
                && Enumerable.Range(0, raw.Count).All(i => Enumerable.Range(0, raw.Count).All(j => raw[i] > raw[j] || adjusted[i] <= adjusted[j]));
        }));
    }

    [Fact]
    public void Holms_intervals_exclude_no_difference_exactly_where_its_p_values_do()
    {
        var estimate = from mean in Gen.Choose(-500, 500)
                       from df in Gen.Choose(0, 20)
                       select df == 0
                           ? new NestedEstimate(mean, IntervalScope.None, 1, 0, double.NaN, double.NaN, 1, 1, 1)
                           : new NestedEstimate(mean / 100.0, IntervalScope.ThisNode, df + 1, df, 1, 1, 9, df + 1, 1);
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(estimate.NonEmptyListOf().ToArbitrary(), estimates =>
        {
            var adjusted = Holm.Adjust([.. estimates]);
            return estimates.Zip(adjusted).All(pair => pair.First.Scope == IntervalScope.None
                ? pair.Second.HolmInterval is null && double.IsNaN(pair.Second.HolmPValue)
                : (Math.Abs(pair.Second.HolmPValue - 0.05) < 1e-9 || pair.Second.HolmInterval!.Contains(0) == pair.Second.HolmPValue > 0.05)
                    && pair.First.Interval(0.95)!.HalfWidth <= pair.Second.HolmInterval!.HalfWidth * (1 + 1e-9)
                    && pair.Second.HolmInterval.HalfWidth <= pair.Second.SimultaneousInterval!.HalfWidth * (1 + 1e-9));
        }));
    }
}

public class MatchingTests
{
    private static readonly Disclosure Disclosure = new(
        "not applicable: synthetic weights", "none", 100, "p99", "s = 4096, saturated", "static", "H100 SXM", Boundary.Gpu);

    private static readonly MatchSubject Cell = new(
        "A", Disclosure, ImmutableSortedDictionary<string, string>.Empty.Add("batch", "8").Add("context", "4096"));

    public static TheoryData<string, MatchSubject, string> Differences => new()
    {
        { "quality (q*)", Cell with { Disclosure = Disclosure with { Quality = "MMLU ≥ 0.70" } }, "quality (q*): not applicable: synthetic weights ≠ MMLU ≥ 0.70" },
        { "quality check (q*)", Cell with { Disclosure = Disclosure with { QualityCheck = "5-shot" } }, "quality check (q*): none ≠ 5-shot" },
        { "service (s*)", Cell with { Disclosure = Disclosure with { ServiceMilliseconds = 50 } }, "service (s*): p99 ≤ 100 ms ≠ p99 ≤ 50 ms" },
        { "service (s*)", Cell with { Disclosure = Disclosure with { ServiceStatistic = "mean" } }, "service (s*): p99 ≤ 100 ms ≠ mean ≤ 100 ms" },
        { "workload mix", Cell with { Disclosure = Disclosure with { WorkloadMix = "s = 64k" } }, "workload mix: s = 4096, saturated ≠ s = 64k" },
        { "batching", Cell with { Disclosure = Disclosure with { Batching = "continuous" } }, "batching: static ≠ continuous" },
        { "hardware", Cell with { Disclosure = Disclosure with { Hardware = "H200" } }, "hardware: H100 SXM ≠ H200" },
        { "boundary", Cell with { Disclosure = Disclosure with { Boundary = Boundary.Node } }, "boundary: Gpu ≠ Node" },
        { "match key batch", Cell with { Keys = Cell.Keys.SetItem("batch", "24") }, "match key batch: 8 ≠ 24" },
        { "match key context", Cell with { Keys = Cell.Keys.Remove("context") }, "match key context: 4096 ≠ not disclosed" },
    };

    [Theory]
    [MemberData(nameof(Differences))]
    public void Every_dimension_and_key_must_be_equal_and_a_refusal_names_it_with_both_values(string what, MatchSubject other, string text)
    {
        var mismatch = Assert.Single(Matching.Compare(Cell, other, ["batch", "context"]));
        Assert.Equal(what, mismatch.What);
        Assert.Equal(text, mismatch.ToString());
    }

    [Fact]
    public void Equal_cells_match_and_keys_that_the_plan_does_not_name_do_not_count()
    {
        Assert.Empty(Matching.Compare(Cell, Cell with { Label = "C" }, ["batch", "context"]));
        Assert.Empty(Matching.Compare(Cell, Cell with { Keys = Cell.Keys.SetItem("batch", "24") }, ["context"]));
    }

    [Fact]
    public void What_neither_discloses_does_not_match()
    {
        var silent = Cell with { Disclosure = Disclosure with { Batching = " " } };
        Assert.Equal("batching: not disclosed", Assert.Single(Matching.Compare(silent, silent, ["batch"])).ToString());
    }

    [Fact]
    public void A_group_is_checked_against_its_baseline()
    {
        var wrong = Cell with { Label = "F", Keys = Cell.Keys.SetItem("batch", "24") };
        var (label, reasons) = Assert.Single(Matching.CheckGroup([Cell, Cell with { Label = "C" }, wrong], "A", ["batch"]));
        Assert.Equal("F", label);
        Assert.Equal("match key batch", Assert.Single(reasons).What);
        Assert.Throws<ArgumentException>(() => Matching.CheckGroup([wrong], "A", ["batch"]));
    }
}
