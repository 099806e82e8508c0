using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Devices.Tests;

/// <summary>GPU steps against node-meter steps.</summary>
public sealed class LoadStepTests
{
    private static readonly double[] True = [105, 200, 300, 400, 500, 600];

    [Fact]
    public void Slope_offset_and_residual_of_a_straight_sensor_are_found()
    {
        // The sensor reads 0.97·P + 4, the supply takes 1 W for each 0.94 W, and everything else draws 480 W at the input.
        var fit = LoadSteps.Fit([.. True.Select(p => new LoadLevel(0.97 * p + 4, 480 + p / 0.94))], new NodeBase(480, 2), out var reason)!;
        Assert.Equal("", reason);
        Assert.Equal(1 / (0.97 * 0.94), fit.Slope, 1e-9);
        // Its reading at no power, and what the base may be off by.
        Assert.Equal(4 + 2 / fit.Slope, fit.OffsetWatts, 1e-6);
        Assert.Equal(480 - 4 * fit.Slope, fit.InterceptWatts, 1e-6);
        Assert.Equal(0, fit.ResidualWatts, 1e-9);
        Assert.Equal(6, fit.Levels);
    }

    [Fact]
    public void The_bound_holds_the_true_offset_at_its_level_when_both_meters_scatter()
    {
        const int trials = 2000;
        var random = new Random(11);
        var held = 0;
        for (var i = 0; i < trials; i++)
        {
            var offset = 10 * random.NextDouble() - 5;
            LoadLevel[] levels = [.. True.Select(p => new LoadLevel(1.03 * p + offset, 480 + p / 0.94 + Normal(random)))];
            if (LoadSteps.Fit(levels, new NodeBase(480, 0), out _)!.OffsetWatts >= Math.Abs(offset)) held++;
        }

        // |offset| is held wherever the two-sided interval holds it, and in half of the other cases.
        Assert.InRange((double)held / trials, 0.955, 0.995);
    }

    [Fact]
    public void Steps_alone_cannot_tell_an_offset_from_the_rest_of_the_node()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Gen.Choose(-100, 100).ToArbitrary(), tenths =>
        {
            var offset = 0.1 * tenths;
            LoadLevel[] with = [.. True.Select(p => new LoadLevel(p + offset, 480 + p / 0.94))];
            // Another sensor without offset in a node that draws less: the same levels, to the last bit that matters.
            LoadLevel[] without = [.. with.Select(l => new LoadLevel(l.GpuWatts, 480 - offset / 0.94 + l.GpuWatts / 0.94))];
            var (one, other) = (LoadSteps.Fit(with, null, out var reason)!, LoadSteps.Fit(without, null, out _)!);
            return double.IsNaN(one.OffsetWatts) && reason.Contains("is not known", StringComparison.Ordinal)
                && Math.Abs(one.InterceptWatts - other.InterceptWatts) < 1e-6 && Math.Abs(one.Slope - other.Slope) < 1e-9;
        }));
    }

    [Fact]
    public void A_curved_sensor_shows_in_the_residual()
    {
        var curve = new TransferCurve(1, 0, 2, 700);
        var fit = LoadSteps.Fit([.. True.Select(p => new LoadLevel(curve.Reads(p), 480 + p / 0.94))], null, out _)!;
        // Less than n itself: the line goes through the middle of the bow, and the levels span only a part of the scale.
        Assert.InRange(fit.ResidualWatts, 0.3, 2);
    }

    [Theory]
    [InlineData(new[] { 100.0, 300, 500 }, 1, "3 levels")]
    [InlineData(new[] { 100.0, 120, 140, 160 }, 1, "span 60 W")]
    [InlineData(new[] { 100.0, 200, 300, 400 }, -1, "does not rise")]
    [InlineData(new[] { 100.0, 200, double.NaN, 400 }, 1, "not known")]
    public void What_allows_no_statement_gives_none_and_says_why(double[] gpu, double slope, string why)
    {
        Assert.Null(LoadSteps.Fit([.. gpu.Select(p => new LoadLevel(p, 900 + slope * p))], new NodeBase(480, 2), out var reason));
        Assert.Contains(why, reason);
    }

    [Fact]
    public void An_update_of_a_sensor_that_sees_a_quarter_is_off_by_the_spread_of_the_phases()
    {
        Assert.Equal(0, PartTimeSampling.PerUpdate([300, 300, 300, 300]));
        Assert.Equal(Math.Sqrt(0.5), PartTimeSampling.PerUpdate([100, 200, 300, 200]) * 200 / 100, 1e-12);
        Assert.True(double.IsNaN(PartTimeSampling.PerUpdate([300])));
        Assert.True(double.IsNaN(PartTimeSampling.PerUpdate([300, double.NaN])));
        Assert.Equal(0.1, PartTimeSampling.OfWindow(1, 0.1), 1e-12);
    }

    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
