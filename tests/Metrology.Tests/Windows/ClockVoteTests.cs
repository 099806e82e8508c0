using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology.Tests;

/// <summary>Clocks that are wrong, that are set, and that stood still: one of many is not followed, most of them are.</summary>
public sealed class ClockVoteTests
{
    private const long W0 = 1_700_000_000;
    private const int Hour = 3600, Reach = 32;

    private static RackMerge Rack(int nodes)
    {
        var rack = new RackMerge("s/r", 3, Reach, incarnation: 7, aheadWindows: Reach);
        for (var n = 0; n < nodes; n++) rack.SetInventory(MergeTests.Node($"n{n}", "r", 1));
        return rack;
    }

    private static NodeReport Said(int node, long window) => new($"n{node}", 0,
    [
        new PowerWindow($"n{node}/gpu0", SourceKind.Gpu, window, 0, 500, 1, 0, 0, 0, 700, 10, 0, 0.001, Provenance.Measured),
        new PowerWindow($"n{node}/bmc", SourceKind.NodeInput, window, 0, 1800, 1, 0, 0, 0, 3000, 10, 0, 0.001, Provenance.Measured),
    ]);

    private static RackReport Told(int rack, long window) => new($"s/r{rack}",
        [new RackWindow($"s/r{rack}", window, 0, 20_000, 40_000, 40_000, 0, 0, new(double.NaN, double.NaN, 20_000, double.NaN), 4, [], 0, Provenance.Measured, 0)]);

    /// <summary>Every node says its windows in turn; what the rack stated of each window last.</summary>
    private static Dictionary<long, RackWindow> Run(RackMerge rack, int seconds, params Func<int, long?>[] clocks) => Run(rack, seconds, null, clocks);

    private static Dictionary<long, RackWindow> Run(RackMerge rack, int seconds, Func<int, long>? wall, Func<int, long?>[] clocks)
    {
        var stated = new Dictionary<long, RackWindow>();
        for (var t = 0; t < seconds; t++)
        {
            rack.WallWindow = wall?.Invoke(t);
            for (var n = 0; n < clocks.Length; n++) if (clocks[n](t) is { } window) rack.Apply(Said(n, window));
            foreach (var window in rack.TakeReport()?.Windows ?? []) stated[window.Window] = window;
        }
        return stated;
    }

    [Theory]
    [InlineData(Hour)]
    [InlineData(-Hour)]
    [InlineData(3 * Hour)]
    [InlineData(60)]
    public void One_node_whose_clock_was_moved_is_missing_and_costs_the_others_nothing(int step)
    {
        var rack = Rack(3);
        var stated = Run(rack, 60, t => W0 + t, t => W0 + t + (t >= 20 ? step : 0), t => W0 + t);
        Assert.Equal(7, rack.Incarnation);
        for (var t = 24; t < 56; t++)
        {
            var window = stated[W0 + t];
            Assert.Equal(3600, window.ItJoules);
            Assert.All(window.Missing, source => Assert.StartsWith("n1/", source));
            Assert.NotEmpty(window.Missing);
        }
        // Its clock is put right: it is there again.
        stated = Run(rack, 60, t => W0 + 60 + t, t => W0 + 60 + t, t => W0 + 60 + t);
        Assert.Equal(5400, stated[W0 + 100].ItJoules);
        Assert.Equal(7, rack.Incarnation);
    }

    [Theory]
    [InlineData(1, Hour)]
    [InlineData(1, -Hour)]
    [InlineData(3, -Hour)]
    [InlineData(3, 5 * Hour)]
    [InlineData(8, -Hour)]
    public void Where_all_clocks_were_moved_the_rack_follows_within_seconds_as_another_incarnation(int nodes, int step)
    {
        var rack = Rack(nodes);
        Run(rack, 20, [.. Enumerable.Repeat<Func<int, long?>>(t => W0 + t, nodes)]);
        var stated = Run(rack, 20, [.. Enumerable.Repeat<Func<int, long?>>(t => W0 + 20 + step + t, nodes)]);
        Assert.Equal(8, rack.Incarnation);
        for (var t = ClockVote.MinStreak; t < 15; t++) Assert.Equal((1800.0 * nodes, 8L, 0), (stated[W0 + 20 + step + t].ItJoules, stated[W0 + 20 + step + t].Incarnation, stated[W0 + 20 + step + t].Missing.Length));
    }

    [Fact]
    public void A_rack_that_began_with_a_wrong_clock_goes_over_to_the_others()
    {
        var rack = Rack(3);
        var stated = Run(rack, 30, t => W0 + Hour + t, t => W0 + t, t => W0 + t);
        Assert.Equal(8, rack.Incarnation);
        Assert.Equal(3600, stated[W0 + 20].ItJoules);
    }

    [Fact]
    public void Between_two_clocks_nobody_can_choose_and_between_three_that_all_differ_neither()
    {
        var two = Rack(2);
        Run(two, 60, t => W0 + t, t => W0 + Hour + t);
        Assert.Equal(7, two.Incarnation);
        var three = Rack(3);
        Run(three, 60, t => W0 + t, t => W0 + Hour + t, t => W0 - Hour + t);
        Assert.Equal(7, three.Incarnation);
    }

    [Fact]
    public void Between_two_clocks_the_own_one_decides_if_it_means_something()
    {
        var wrongFirst = Rack(2);
        var stated = Run(wrongFirst, 30, t => W0 + t, [t => W0 + Hour + t, t => W0 + t]);
        Assert.Equal((8, 1800.0), (wrongFirst.Incarnation, stated[W0 + 20].ItJoules));
        var rightFirst = Rack(2);
        Run(rightFirst, 30, t => W0 + t, [t => W0 + t, t => W0 + Hour + t]);
        Assert.Equal(7, rightFirst.Incarnation);
    }

    [Fact]
    public void While_the_others_are_away_for_a_moment_one_with_a_wrong_clock_does_not_take_the_rack_and_one_with_the_right_clock_does()
    {
        foreach (var (step, wall, incarnation) in new[] { (Hour, 0, 7L), (Hour, Hour, 8L) })
        {
            var rack = Rack(3);
            Run(rack, 20, t => W0 + t, [t => W0 + t, t => W0 + t, t => W0 + t]);
            Run(rack, 60, t => W0 + 20 + wall + t, [_ => null, t => W0 + 20 + step + t, _ => null]);
            Assert.Equal(incarnation, rack.Incarnation);
        }
    }

    [Fact]
    public void A_word_that_holds_an_older_window_beside_the_new_ones_moves_the_rack_to_the_new_ones()
    {
        var rack = Rack(1);
        Run(rack, 20, t => W0 + t);
        for (var t = 0; t < 10; t++)
        {
            var (old, now) = (Said(0, W0 + 19), Said(0, W0 + Hour + t));
            rack.Apply(now with { Windows = [.. old.Windows, .. now.Windows] });
        }
        Assert.Equal(8, rack.Incarnation);
        Assert.Contains(rack.TakeReport()!.Windows, w => w.Window == W0 + Hour + 5 && w.ItJoules == 1800);
    }

    [Fact]
    public void A_node_that_alone_came_back_after_all_were_away_for_hours_is_followed()
    {
        var rack = Rack(4);
        Run(rack, 20, [.. Enumerable.Repeat<Func<int, long?>>(t => W0 + t, 4)]);
        var stated = Run(rack, 40, t => W0 + 5 * Hour + t, _ => null, _ => null, _ => null);
        Assert.Equal(8, rack.Incarnation);
        Assert.Equal(1800, stated[W0 + 5 * Hour + 34].ItJoules);
    }

    [Fact]
    public void Words_that_come_late_in_any_number_move_nothing()
    {
        var rack = Rack(1);
        Run(rack, 100, t => W0 + t);
        for (var again = 0; again < 50; again++) rack.Apply(Said(0, W0));
        Run(rack, 50, t => t % 2 == 0 ? W0 + 100 + t : W0 + t / 2);
        Assert.Equal(7, rack.Incarnation);
    }

    [Theory]
    [InlineData(Hour)]
    [InlineData(-Hour)]
    [InlineData(3 * Hour)]
    public void A_site_follows_most_of_its_racks_and_not_one(int step)
    {
        SiteMerge Site() => new("s", 3, 5, 128, 128);
        var one = Site();
        for (var t = 0; t < 100; t++)
            for (var r = 0; r < 3; r++) one.Apply(Told(r, W0 + t + (r == 1 && t >= 20 ? step : 0)));
        Assert.Equal((0, 40_000.0), (one.Moves, one.View().ItWatts));
        Assert.Contains("s/r1", one.View().MissingMeters);

        var all = Site();
        for (var t = 0; t < 20; t++) for (var r = 0; r < 3; r++) all.Apply(Told(r, W0 + t));
        for (var t = 20; t < 60; t++) for (var r = 0; r < 3; r++) all.Apply(Told(r, W0 + step + t));
        var view = all.View();
        Assert.Equal((1, 60_000.0, W0 + step + 59L), (all.Moves, view.ItWatts, view.Window));
        // Forward the period goes on, with its gap; back it begins anew.
        Assert.Equal(step > 0, view.TotalItJoules > 50 * 60_000);
        Assert.Equal(step > 0, view.GapSeconds > 0);
    }

    [Fact]
    public void After_a_restart_the_first_word_of_a_rack_with_a_wrong_clock_does_not_take_the_site()
    {
        var before = new SiteMerge("s", 3, 5, 128, 128);
        for (var t = 0; t < 50; t++) for (var r = 0; r < 3; r++) before.Apply(Told(r, W0 + t));
        var site = new SiteMerge("s", 3, 5, 128, 128);
        site.Restore(before.Snapshot()!);
        for (var t = 0; t < 40; t++)
        {
            site.WallWindow = W0 + 600 + t;
            for (var r = 0; r < 3; r++) site.Apply(Told(r, W0 + 600 + t + (r == 0 ? 365 * 24 * Hour : 0)));
        }
        Assert.Equal((0, 40_000.0), (site.Moves, site.View().ItWatts));
        Assert.InRange(site.View().GapSeconds, 500, 600);
        Assert.True(site.View().TotalItJoules > 50 * 60_000);
    }

    [Fact]
    public void A_site_that_was_away_for_hours_goes_on_with_the_first_word()
    {
        var before = new SiteMerge("s", 3, 5, 128, 128);
        for (var t = 0; t < 50; t++) before.Apply(Told(0, W0 + t));
        var site = new SiteMerge("s", 3, 5, 128, 128);
        site.Restore(before.Snapshot()!);
        for (var t = 0; t < 10; t++) site.Apply(Told(0, W0 + 9 * Hour + t));
        var view = site.View();
        Assert.Equal((0L, 20_000.0), (site.RefusedAhead, view.ItWatts));
        Assert.InRange(view.GapSeconds, 9 * Hour - 60, 9 * Hour);
        Assert.Equal(60 * 20_000.0, view.TotalItJoules, 6);
    }
}
