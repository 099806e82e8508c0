using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Grains;

namespace EnergyGrid.Grid.Tests.Sweeps;

/// <summary>How long a sweep still takes: told from what ran, and not told where nothing is known.</summary>
public sealed class TimeLeftTests
{
    [Fact]
    public void Only_time_in_which_trials_ran_counts_and_it_runs_down_between_two_results()
    {
        var clock = new Hand();
        var pace = new TrialPace(clock);
        pace.Hear(Report(0, left: 10, waits: true));
        clock.Seconds = 1000;
        Assert.Equal(double.NaN, pace.SecondsLeft());
        pace.Hear(Report(0, left: 10, trial: "a"));
        clock.Seconds += 9;
        Assert.Equal(double.NaN, pace.SecondsLeft()); // nothing was seen to its end
        pace.Hear(Report(1, left: 9, trial: "b"));
        Assert.Equal(81, pace.SecondsLeft(), 6);
        clock.Seconds += 4;
        Assert.Equal(77, pace.SecondsLeft(), 6);
        clock.Seconds += 50; // a trial that takes longer than those before takes nothing from the next ones
        Assert.Equal(72, pace.SecondsLeft(), 6);
    }

    [Fact]
    public void Who_waits_or_is_paused_or_cannot_keep_its_results_tells_nothing_and_learns_nothing()
    {
        var clock = new Hand();
        var pace = new TrialPace(clock);
        pace.Hear(Report(0, left: 4, trial: "a"));
        clock.Seconds = 10;
        pace.Hear(Report(1, left: 3, waits: true));
        clock.Seconds = 5000;
        Assert.Equal(double.NaN, pace.SecondsLeft());
        pace.Hear(Report(1, left: 3, trial: "b"));
        clock.Seconds += 6;
        pace.Hear(Report(1, left: 3, trial: "b") with { Trouble = "the disk is full" });
        clock.Seconds += 3000;
        pace.Hear(Report(1, left: 3, trial: "b"));
        clock.Seconds += 4;
        pace.Hear(Report(2, left: 2, trial: "c"));
        Assert.Equal(20, pace.SecondsLeft(), 6);
    }

    [Fact]
    public void What_ran_before_this_activation_is_not_invented()
    {
        var clock = new Hand();
        var pace = new TrialPace(clock);
        pace.Hear(Report(0, left: 0) with { Version = 0 }); // activated anew: it has read nothing yet
        pace.Hear(Report(40, left: 5, trial: "begun by another", fraction: 0.7));
        clock.Seconds += 3;
        pace.Hear(Report(41, left: 4, trial: "next"));
        Assert.Equal(double.NaN, pace.SecondsLeft());
        clock.Seconds += 9;
        pace.Hear(Report(42, left: 3, trial: "and next"));
        Assert.Equal(27, pace.SecondsLeft(), 6);
    }

    [Fact]
    public void Device_groups_that_run_side_by_side_take_as_long_as_the_last_of_them()
    {
        var clock = new Hand();
        var pace = new TrialPace(clock);
        for (var group = 0; group < 8; group++) pace.Hear(Report(0, left: 5, trial: "a", group: group));
        clock.Seconds = 10;
        for (var group = 0; group < 8; group++) pace.Hear(Report(1, left: group == 3 ? 6 : 4, trial: "b", group: group));
        Assert.Equal(60, pace.SecondsLeft(), 6);
    }

    [Fact]
    public async Task A_sweep_that_waited_for_its_devices_tells_the_time_that_its_trials_take()
    {
        await using var grid = await SimulatedGrid.Start(new SimulatedSiteOptions { Racks = 1, NodesPerRack = 1, GpusPerNode = 1 }, scale: 500);
        var device = (await grid.Nodes())[0].Devices[0];
        var node = grid.Grains.GetGrain<INodeGrain>(device.Host);
        var other = await node.Lease(new("other/0", 1, "p0", [device.Uuid], 0, DateTimeOffset.UnixEpoch, 60));
        var sweep = grid.Sweep("s");
        await sweep.Submit(SmallPlan.Of(workloads: "A, C", devices: 1, min: 8, max: 8), "tests");
        await SimulatedGrid.Until(async () => (await sweep.Status()).Waiting.Length > 0, "it waits");
        await Task.Delay(6000);
        var waiting = await sweep.Status();
        Assert.Equal((true, 24), (double.IsNaN(waiting.SecondsLeft), waiting.PlannedTrials));
        await node.Release("other/0", other.Epoch);
        SweepStatus? status = null;
        await SimulatedGrid.Until(async () => (status = await sweep.Status()).CommittedTrials >= 2 && double.IsFinite(status.SecondsLeft), "it tells what is left", now: () => $"{status}");
        // A trial takes a quarter of a second here; with the wait in it, what is left would be more than a minute.
        Assert.InRange(status!.SecondsLeft, 0.5, 30);
        await sweep.Cancel("seen");
    }

    private static GroupReport Report(int committed, int left, string? trial = null, bool waits = false, int group = 0, double fraction = 0) => new(
        group, 1, committed, 1, 1, GroupPhase.Running, "", 0, false, waits ? "another holds them" : "", "", committed, committed, committed + left, [],
        trial is null ? [] : ImmutableArray.Create(new RunningTrial("h/d", trial, TrialPhase.Measuring, fraction, 100, 50)));

    private sealed class Hand : TimeProvider
    {
        public double Seconds { get; set; }

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => (long)(Seconds * 1000);
    }
}
