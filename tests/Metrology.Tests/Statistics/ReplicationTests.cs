using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology.Tests;

public class ReplicationTests
{
    private static readonly Replication Rule = new(5, 40, 0.004);

    [Fact]
    public void One_device_needs_the_square_of_t_s0_over_h_passes()
    {
        // Log ratios 0, ±0.005, ±0.01: s0 = √(2.5e-4/4) = 0.0079057; t(0.975, 4) = 2.7764; (2.7764·0.0079057/0.004)² = 30.1.
        var plan = SteinReplication.Plan(OneDevice([0, 0.005, -0.005, 0.01, -0.01]), "A", Rule);
        var cell = Assert.Single(plan.Cells);
        Assert.Equal(0.0079057, cell.FirstStageDeviation, 1e-6);
        Assert.Equal((5, 31, 31, 31), (cell.FirstStageUnits, cell.RequiredUnits, cell.Passes, plan.Passes));
        Assert.True(plan.FirstStageComplete);
        Assert.False(plan.MoreDevicesNeeded);
    }

    [Theory]
    [InlineData(0.1, 5)] // already narrow: the first stage suffices
    [InlineData(0.001, 40)] // never more than max
    public void Passes_are_clamped_between_the_first_stage_and_max(double halfWidth, int expected)
    {
        Assert.Equal(expected, SteinReplication.Plan(OneDevice([0, 0.005, -0.005, 0.01, -0.01]), "A", Rule with { HalfWidth = halfWidth }).Passes);
    }

    [Fact]
    public void The_plan_is_fixed_once_later_passes_do_not_change_it()
    {
        double[] first = [0, 0.005, -0.005, 0.01, -0.01];
        Assert.Equal(
            SteinReplication.Plan(OneDevice(first), "A", Rule).Passes,
            SteinReplication.Plan(OneDevice([.. first, 0.3, -0.4, 0.5]), "A", Rule).Passes);
    }

    [Fact]
    public void The_interval_after_the_second_stage_is_at_most_h_wide()
    {
        double[] first = [0, 0.005, -0.005, 0.01, -0.01];
        var values = first.Concat(Enumerable.Repeat(0.002, 26)).ToArray();
        var log = NestedSample.Of(LogValues.OfRatio(OneDevice(values), "C", "A")).Summarise(5)!;
        Assert.Equal(31, log.Units);
        Assert.InRange(log.Interval(0.95)!.HalfWidth, 0.0038, 0.004);
        Assert.Equal("", SteinReplication.Verdict(log, 0.004));
        Assert.Equal("stopped at max", SteinReplication.Verdict(log, 0.003));
    }

    [Fact]
    public void A_single_device_starts_with_at_least_five_passes_several_with_min()
    {
        Assert.Equal(5, SteinReplication.FirstStagePasses(new Replication(2, 9, 0.01), 1));
        Assert.Equal(2, SteinReplication.FirstStagePasses(new Replication(2, 9, 0.01), 4));
        Assert.Equal(3, SteinReplication.FirstStagePasses(new Replication(2, 3, 0.01), 1));
    }

    [Fact]
    public void Lost_passes_of_the_first_stage_are_run_again_before_the_plan_is_fixed()
    {
        var observations = OneDevice([0, 0.005, -0.005, 0.01, -0.01])
            .Select(o => o is { Cell: "C", Pass: 1 or 2 } ? o with { Valid = false, Reason = "thermal" } : o).ToArray();
        var plan = SteinReplication.Plan(observations, "A", new Replication(5, 40, 0.1));
        Assert.False(plan.FirstStageComplete);
        Assert.Equal(7, plan.Passes);
        Assert.Contains("3 of 5", Assert.Single(plan.Cells).Note);

        // Passes 5 and 6 come, 6 is lost too: one more; and no more than max.
        Observation[] later = [.. observations, .. OneDevice([0, 0, 0, 0, 0, 0.001, 0])
            .Where(o => o.Pass >= 5)
            .Select(o => o is { Cell: "C", Pass: 6 } ? o with { Valid = false, Reason = "thermal" } : o)];
        Assert.Equal(8, SteinReplication.Plan(later, "A", new Replication(5, 40, 0.1)).Passes);
        var stopped = SteinReplication.Plan(later, "A", new Replication(5, 7, 0.1));
        Assert.Equal(7, stopped.Passes);
        Assert.True(stopped.FirstStageComplete);
    }

    [Fact]
    public void A_trial_lost_in_the_second_stage_is_run_again()
    {
        double[] values = [0, 0.005, -0.005, 0.01, -0.01, .. Enumerable.Repeat(0.0, 26)];
        var observations = OneDevice(values).Select(o => o is { Cell: "C", Pass: 20 } ? o with { Valid = false } : o).ToArray();
        Assert.Equal(32, SteinReplication.Plan(observations, "A", Rule).Passes);
    }

    [Fact]
    public void A_cell_that_never_works_does_not_drive_the_group_to_max()
    {
        var observations = OneDevice([0, 1e-5, -1e-5, 0, 0])
            .Concat(Enumerable.Range(0, 5).Select(pass => new Observation("n", "d0", pass, "F", double.NaN, false, "out of memory"))).ToArray();
        var plan = SteinReplication.Plan(observations, "A", Rule);
        Assert.Equal(5, plan.Passes);
        Assert.True(plan.FirstStageComplete);
        Assert.Equal(0, plan.Cells.Single(cell => cell.Cell == "F").FirstStageUnits);
    }

    [Fact]
    public void The_most_demanding_cell_sets_the_passes_of_the_whole_group()
    {
        double[] quiet = [0, 1e-5, -1e-5, 0, 0];
        var observations = OneDevice([0, 0.005, -0.005, 0.01, -0.01])
            .Concat(quiet.Select((x, pass) => new Observation("n", "d0", pass, "B", 2 * Math.Exp(x), true))).ToArray();
        var plan = SteinReplication.Plan(observations, "A", Rule);
        Assert.Equal([5, 31], plan.Cells.Select(cell => cell.Passes));
        Assert.Equal(31, plan.Passes);
    }

    [Fact]
    public void Scatter_between_devices_asks_for_more_devices_and_scatter_within_for_more_passes()
    {
        // Device means ±0.02 apart, passes within agree.
        var between = Devices([0.02, -0.02, 0.02, -0.02], [0, 0, 0, 0, 0]);
        var plan = SteinReplication.Plan(between, "A", Rule);
        Assert.True(plan.MoreDevicesNeeded);
        Assert.Equal(5, plan.Passes);
        Assert.Equal((IntervalScope.ThisNode, 4), (plan.Cells[0].Scope, plan.Cells[0].FirstStageUnits));
        Assert.Equal("more devices needed", SteinReplication.Verdict(NestedSample.Of(LogValues.OfRatio(between, "C", "A")).Summarise(), 0.004));

        // Device means agree, passes scatter: s² = 2.5e-4/4 each; (3.1824)²·s²/(4·0.004²) = 9.9.
        var within = SteinReplication.Plan(Devices([0, 0, 0, 0], [0, 0.005, -0.005, 0.01, -0.01]), "A", Rule);
        Assert.False(within.MoreDevicesNeeded);
        Assert.Equal(10, within.Passes);
    }

    [Fact]
    public void The_passes_of_several_devices_do_not_depend_on_how_their_means_scatter()
    {
        double[] passes = [0, 0.005, -0.005, 0.01, -0.01];
        Assert.Equal(
            SteinReplication.Plan(Devices([0, 0, 0, 0], passes), "A", Rule).Passes,
            SteinReplication.Plan(Devices([0.1, -0.3, 0.2, 0.05], passes), "A", Rule).Passes);
    }

    [Fact]
    public void A_rule_that_cannot_be_followed_is_refused()
    {
        Assert.Throws<ArgumentException>(() => SteinReplication.FirstStagePasses(new Replication(0, 5, 0.01), 1));
        Assert.Throws<ArgumentException>(() => SteinReplication.FirstStagePasses(new Replication(6, 5, 0.01), 1));
        Assert.Throws<ArgumentException>(() => SteinReplication.FirstStagePasses(new Replication(5, 6, double.NaN), 1));
    }

    private static Observation[] OneDevice(double[] logRatios) => Devices([0], logRatios);

    private static Observation[] Devices(double[] devices, double[] passes) =>
        [.. devices.SelectMany((device, d) => passes.SelectMany((pass, p) => new Observation[]
        {
            new("n", $"d{d}", p, "A", 2, true),
            new("n", $"d{d}", p, "C", 2 * Math.Exp(device + pass), true),
        }))];
}
