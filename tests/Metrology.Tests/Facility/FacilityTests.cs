using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology.Tests;

public sealed class FacilityTests
{
    private const long Year = 365 * 86_400;

    private static FacilityPeriod Period(double facility = 1.2e9, double it = 1e9, long seconds = 86_400) =>
        new(0, seconds, seconds, facility, 0, 0, 1, it, 0, 0, 0, 3, false, [], Provenance.Measured);

    private static void Near(double expected, double actual) =>
        Assert.True(Math.Abs(expected - actual) <= 1e-12 * Math.Max(1, Math.Abs(expected)), $"expected {expected:R}, got {actual:R}");

    [Fact]
    public void Only_a_year_is_pue_less_is_ipue_and_a_sub_boundary_is_ppue()
    {
        Assert.Equal("pue", FacilityRatios.Of(Period(seconds: Year)).Name);
        Assert.Equal("ipue", FacilityRatios.Of(Period(seconds: Year - 1)).Name);
        Assert.Equal("ppue", FacilityRatios.Of(Period(seconds: Year) with { IsSubBoundary = true }).Name);
    }

    [Fact]
    public void A_ratio_comes_with_both_energies_coverage_category_and_edition()
    {
        var ratio = FacilityRatios.Of(Period() with { CoveredSeconds = 43_200 });
        Near(1.2, ratio.Value);
        Near(1.2e9 / 3.6e6, ratio.FacilityKilowattHours);
        Near(1e9 / 3.6e6, ratio.ItKilowattHours);
        Assert.Equal((3, 0.5, 1.0, "ISO/IEC 30134-2:2016"), (ratio.Category, ratio.TimeCoverage, ratio.ItCoverage, ratio.Edition));
        Assert.Throws<ArgumentException>(() => FacilityRatios.Of(Period() with { Category = 0 }));
        Assert.Throws<ArgumentException>(() => FacilityRatios.Of(Period(seconds: 0)));
    }

    [Fact]
    public void Below_95_percent_of_IT_coverage_there_are_bounds_and_no_value()
    {
        // 10 % of the IT energy, by rated power, is unmetered; it draws between a tenth and all of its rating.
        var ratio = FacilityRatios.Of(Period(it: 0.9e9) with { ItUnmeteredRatedJoules = 0.1e9, ItLowJoules = 0.01e9, ItHighJoules = 0.1e9 });
        Near(0.9, ratio.ItCoverage);
        Assert.True(double.IsNaN(ratio.Value));
        Near(1.2, ratio.Low!.Value);
        Near(1.2 / 0.91, ratio.High!.Value);
        Assert.Contains(ratio.Flags, f => f.Contains("inflated", StringComparison.Ordinal));
        // The naive ratio overstates: it says 1.33 where 1.2 may be true.
        Assert.True(1.2e9 / 0.9e9 > ratio.High);
        var enough = FacilityRatios.Of(Period(it: 0.96e9) with { ItUnmeteredRatedJoules = 0.04e9, ItHighJoules = 0.04e9 });
        Near(1.25, enough.Value);
        Near(1.2, enough.Low!.Value);
    }

    [Fact]
    public void Coverage_weighs_energy_not_meters()
    {
        // One silent meter of a hundred, but rated a third of what the others draw.
        Near(0.75, FacilityRatios.ItCoverage(99e3, 33e3));
        Assert.Equal(0, FacilityRatios.ItCoverage(0, 0));
    }

    [Fact]
    public void A_value_below_one_is_flagged_and_shown_raw()
    {
        var ratio = FacilityRatios.Of(Period(facility: 0.93e9));
        Near(0.93, ratio.Value);
        Assert.Contains(FacilityRatios.BelowOne, ratio.Flags);
    }

    [Fact]
    public void IT_power_is_facility_power_over_PUE()
    {
        Near(1e6, FacilityRatios.ItWatts(1.56e6, 1.56));
        Assert.Throws<ArgumentException>(() => FacilityRatios.ItWatts(1e6, 0.9));
        Assert.Throws<ArgumentException>(() => FacilityRatios.ItWatts(1e6, double.NaN));
        Assert.Null(FacilityRatios.PowerRatio(1e6, 0));
    }

    [Fact]
    public void PUE_multiplies_node_input_energy_with_category_3_only()
    {
        Assert.Equal(new PueAdjusted(4.2, Provenance.Measured, ""), PueAdjustment.Of(3.5, Boundary.Node, Provenance.Measured, 1.2, 3, Provenance.Measured));
        var modelled = PueAdjustment.Of(3.5, Boundary.Node, Provenance.Measured, 1.2, 1, Provenance.Measured);
        Assert.Equal(Provenance.Modelled, modelled.Provenance);
        Assert.Contains("category 1", modelled.Reason);
        var inserted = PueAdjustment.Of(3.5, Boundary.Node, Provenance.Measured, 1.2, 2, Provenance.Measured, 1.05);
        Near(4.41, inserted.JoulesPerToken!.Value);
        Assert.Equal((Provenance.Measured, ""), (inserted.Provenance, inserted.Reason));
        Assert.Equal(Provenance.Declared, PueAdjustment.Of(3.5, Boundary.Node, Provenance.Measured, 1.2, 3, Provenance.Declared).Provenance);
    }

    [Theory]
    [InlineData(Boundary.Gpu, 1.2, 3, null, "never GPU energy alone")]
    [InlineData(Boundary.Rack, 1.2, 3, null, "node-input")]
    [InlineData(Boundary.Facility, 1.2, 3, null, "never multiplied again")]
    [InlineData(Boundary.Node, 0.93, 3, null, "boundary violation")]
    [InlineData(Boundary.Node, double.NaN, 3, null, "bounds only")]
    [InlineData(Boundary.Node, 1.2, 4, null, "category 4")]
    [InlineData(Boundary.Node, 1.2, 2, 0.9, "distribution losses")]
    public void PUE_is_refused_with_a_reason(Boundary boundary, double pue, int category, double? losses, string reason)
    {
        var refused = PueAdjustment.Of(3.5, boundary, Provenance.Measured, pue, category, Provenance.Measured, losses);
        Assert.Null(refused.JoulesPerToken);
        Assert.Contains(reason, refused.Reason);
    }

    [Fact]
    public void A_partial_ratio_or_one_with_bounds_only_multiplies_nothing()
    {
        var ratio = FacilityRatios.Of(Period());
        Near(4.2, PueAdjustment.Of(3.5, Boundary.Node, Provenance.Measured, ratio).JoulesPerToken!.Value);
        Assert.Null(PueAdjustment.Of(3.5, Boundary.Node, Provenance.Measured, ratio with { Name = "ppue" }).JoulesPerToken);
        Assert.Null(PueAdjustment.Of(3.5, Boundary.Node, Provenance.Measured, ratio with { Value = double.NaN }).JoulesPerToken);
    }

    [Fact]
    public void A_share_of_a_node_is_modelled_and_the_whole_node_on_one_cell_is_measured()
    {
        var share = NodeAttribution.Of(600, 10_000, 4_000, 1, 8, 1, Provenance.Measured);
        Near(600 + 6_000 / 8.0, share.Joules);
        Assert.Equal((Provenance.Modelled, false), (share.Provenance, share.MayClaim));
        var whole = NodeAttribution.Of(4_000, 10_000, 4_000, 8, 8, 8, Provenance.Measured);
        Assert.Equal(new NodeShare(10_000, Provenance.Measured, true, ""), whole);
        Assert.False(NodeAttribution.Of(500, 10_000, 4_000, 1, 8, 8, Provenance.Measured).MayClaim);
        Assert.False(NodeAttribution.Of(4_000, 10_000, 4_000, 8, 8, 7, Provenance.Measured).MayClaim);
        Assert.False(NodeAttribution.Of(4_000, 10_000, 4_000, 8, 8, 8, Provenance.Modelled).MayClaim);
        Assert.Throws<ArgumentException>(() => NodeAttribution.Of(1, 1, 1, 9, 8, 8, Provenance.Measured));
    }

    [Fact]
    public void Shares_of_all_GPUs_add_up_to_the_node()
    {
        double[] gpus = [512.5, 600, 433.25, 698];
        var shares = gpus.Sum(g => NodeAttribution.Of(g, 4_100, gpus.Sum(), 1, 4, 1, Provenance.Measured).Joules);
        Near(4_100, shares);
    }

    [Fact]
    public void Overlap_is_the_common_part_over_the_longest_window()
    {
        Near(0.95, NodeAttribution.Overlap([(0, 100), (5, 105)]));
        Near(0.5, NodeAttribution.Overlap([(0, 100), (0, 50)]));
        Assert.Equal(0, NodeAttribution.Overlap([(0, 10), (20, 30)]));
        Assert.Throws<ArgumentException>(() => NodeAttribution.Overlap([]));
    }
}
