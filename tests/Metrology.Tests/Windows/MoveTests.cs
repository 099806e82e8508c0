using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using EnergyGrid.Contracts;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Metrology.Tests;

/// <summary>Racks and sites that are killed at any point and begin again somewhere else.</summary>
public sealed class MoveTests
{
    private const long W0 = 1_700_000_000;
    private static readonly JsonSerializerOptions Json = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    private static void Near(double expected, double actual) =>
        Assert.True(Math.Abs(expected - actual) <= 1e-9 * Math.Max(1, Math.Abs(expected)), $"expected {expected:R}, got {actual:R}");

    private static RackWindow Window(int rack, long window, double joules, int revision = 0, double covered = 40_000, long incarnation = 0) => new(
        $"s/r{rack}", window, revision, joules, covered, 40_000, 0, 40_000 - covered, new(double.NaN, double.NaN, joules, double.NaN), 4, [], 0, Provenance.Measured, incarnation);

    private static PowerWindow Facility(long window, double joules) => new("s/main", SourceKind.FacilityInput, window, 0, joules, 1, 0, 0, 0, 0, 1, 0, 0, Provenance.Measured);

    private static SiteMerge Site() => new("s", 3, 5, 128);

    /// <summary>As it comes out of a file.</summary>
    private static SiteMerge Moved(SiteMerge site, SiteSnapshot? kept, bool mayGoBack = false)
    {
        var next = Site();
        if (kept is not null) next.Restore(JsonSerializer.Deserialize<SiteSnapshot>(JsonSerializer.Serialize(kept, Json), Json)!, mayGoBack);
        Assert.Equal(site.Site, next.Site);
        return next;
    }

    [Fact]
    public void A_site_killed_at_any_point_whose_racks_tell_again_has_the_sums_of_one_that_never_was()
    {
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(60), Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
        {
            var random = new Random(seed);
            const int racks = 3, windows = 400, remembered = 100;
            var (whole, killed) = (Site(), Site());
            SiteSnapshot? kept = null;
            var told = new List<RackWindow>[racks];
            var meter = new List<PowerWindow>();
            for (var r = 0; r < racks; r++) told[r] = [];
            MeterInfo[] meters = [new("s/main", SourceKind.FacilityInput, true, 200_000)];
            whole.SetFacilityMeters([.. meters]);
            killed.SetFacilityMeters([.. meters]);
            for (var w = 0; w < windows; w++)
            {
                for (var r = 0; r < racks; r++)
                {
                    var said = new List<RackWindow> { Window(r, W0 + w, 20_000 * random.NextDouble(), 0, 40_000 * random.NextDouble()) };
                    // Now and then an earlier window is revised.
                    if (w > 8 && random.Next(4) == 0)
                    {
                        var back = W0 + w - random.Next(1, 8);
                        var old = told[r].Where(x => x.Window == back).MaxBy(x => x.Revision)!;
                        said.Add(old with { Revision = old.Revision + 1, ItJoules = 20_000 * random.NextDouble() });
                    }
                    told[r].AddRange(said);
                    whole.Apply(new RackReport($"s/r{r}", [.. said]));
                    killed.Apply(new RackReport($"s/r{r}", [.. said]));
                }
                var part = Facility(W0 + w, 50_000 + 1000 * random.NextDouble());
                meter.Add(part);
                whole.Apply(new FacilityReport("s", [part]));
                killed.Apply(new FacilityReport("s", [part]));
                // Kept at most 60 windows ago.
                if (w % 60 == 0 || random.Next(40) == 0) kept = killed.Snapshot();
                if (random.Next(30) > 0) continue;
                killed = Moved(killed, kept);
                foreach (var r in Enumerable.Range(0, racks).OrderBy(_ => random.Next()))
                {
                    var again = told[r].Where(x => x.Window > W0 + w - remembered).GroupBy(x => x.Window).Select(g => g.MaxBy(x => x.Revision)!).ToArray();
                    if (random.Next(2) == 0) random.Shuffle(again);
                    killed.Apply(new RackReport($"s/r{r}", [.. again]));
                    if (random.Next(2) == 0) killed.Apply(new RackReport($"s/r{r}", [.. again]));
                }
                killed.SetFacilityMeters([.. meters]);
                killed.Apply(new FacilityReport("s", [.. meter.Where(m => m.Window > W0 + w - remembered)]));
            }
            var (expected, view) = (whole.View(), killed.View());
            Near(expected.TotalItJoules, view.TotalItJoules);
            for (var r = 0; r < racks; r++) Near(whole.RackTotalJoules($"s/r{r}"), killed.RackTotalJoules($"s/r{r}"));
            Assert.Equal((expected.Window, expected.Windows, expected.PeriodFromUtc, 0), (view.Window, view.Windows, view.PeriodFromUtc, (int)view.GapSeconds));
            Near(expected.Ipue!.ItKilowattHours, view.Ipue!.ItKilowattHours);
            Near(expected.Ipue.FacilityKilowattHours, view.Ipue.FacilityKilowattHours);
            Assert.Equal((expected.Ipue.TimeCoverage, expected.Ipue.FromWindow, expected.Ipue.ToWindow), (view.Ipue.TimeCoverage, view.Ipue.FromWindow, view.Ipue.ToWindow));
            Near(expected.Ipue.ItCoverage, view.Ipue.ItCoverage);
            Assert.Equal(string.Join("; ", expected.Ipue.Flags), string.Join("; ", view.Ipue.Flags));
            var (past, again2) = (whole.Ratio(W0 + 50, W0 + 200)!, killed.Ratio(W0 + 50, W0 + 200)!);
            Near(past.ItKilowattHours, again2.ItKilowattHours);
            Assert.Equal(past.TimeCoverage, again2.TimeCoverage);
        }));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(90)]
    [InlineData(128)]
    [InlineData(1000)]
    public void What_nobody_told_is_a_gap_of_the_period_uncovered_and_said(int gap)
    {
        var site = Site();
        site.SetFacilityMeters([new("s/main", SourceKind.FacilityInput, true, 100_000)]);
        void Drive(long from, int windows)
        {
            for (var w = from; w < from + windows; w++)
            {
                site.Apply(new RackReport("s/r0", [Window(0, w, 20_000)]));
                site.Apply(new FacilityReport("s", [Facility(w, 26_000)]));
            }
        }
        Drive(W0, 300);
        site = Moved(site, site.Snapshot());
        var still = site.View();
        // Of the present nothing is known until somebody tells; of the period everything is.
        Assert.Equal((0, double.NaN), (still.Window, still.ItWatts));
        Near(300 * 20_000.0, still.TotalItJoules);
        Drive(W0 + 300 + gap, 200);
        var view = site.View();
        Assert.Equal((gap, 500), ((int)view.GapSeconds, (int)view.Windows));
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(W0), view.PeriodFromUtc);
        Near(500 * 20_000.0, view.TotalItJoules);
        Near(1.3, view.Ipue!.Value);
        Near(500.0 / (500 + gap), view.Ipue.TimeCoverage);
        Assert.Equal(gap > 0, view.Ipue.Flags.Contains($"gap of {gap} s: the site was not driven"));
        Assert.Equal((W0, W0 + 500 + gap), (view.Ipue.FromWindow, view.Ipue.ToWindow));
        // A second move keeps what was said of the first.
        site = Moved(site, site.Snapshot());
        Drive(W0 + 500 + gap, 300);
        Assert.Equal(gap, site.View().GapSeconds);
        Near(800 * 20_000.0, site.View().TotalItJoules);
        // A period after the gap does not have it.
        Assert.DoesNotContain(site.Ratio(W0 + 310 + gap, W0 + 600 + gap)!.Flags, f => f.StartsWith("gap", StringComparison.Ordinal));
    }

    [Fact]
    public void A_rack_that_begins_again_and_was_told_less_does_not_replace_what_the_site_knows()
    {
        var site = Site();
        for (var w = 0; w < 20; w++) site.Apply(new RackReport("s/r0", [Window(0, W0 + w, 20_000, 0, 40_000, incarnation: 1)]));
        // A node died with the rack: its part is not told again, and the next activation has revised that window twice.
        for (var revision = 0; revision < 3; revision++) site.Apply(new RackReport("s/r0", [Window(0, W0 + 10, 9_000, revision, 20_000, incarnation: 2)]));
        Near(20 * 20_000.0, site.TotalItJoules);
        // Told as much and otherwise, the later activation is right.
        site.Apply(new RackReport("s/r0", [Window(0, W0 + 10, 21_000, 0, 40_000, incarnation: 2)]));
        site.Apply(new RackReport("s/r0", [Window(0, W0 + 10, 19_000, 7, 40_000, incarnation: 1)]));
        Near(20 * 20_000.0 + 1_000, site.TotalItJoules);
    }

    [Fact]
    public void A_clock_of_the_data_that_went_back_begins_a_new_period_at_once_where_that_was_to_be_expected_and_else_when_it_is_sure()
    {
        var site = Site();
        for (var w = 0; w < 300; w++) site.Apply(new RackReport("s/r0", [Window(0, W0 + 50_000 + w, 20_000)]));
        var (honest, stuck) = (Moved(site, site.Snapshot(), mayGoBack: true), Moved(site, site.Snapshot()));
        for (var w = 0; w < 10; w++)
        {
            honest.Apply(new RackReport("s/r0", [Window(0, W0 + w, 20_000)]));
            stuck.Apply(new RackReport("s/r0", [Window(0, W0 + w, 20_000)]));
        }
        Assert.Equal((10L, 0L), (honest.View().Windows, honest.View().GapSeconds));
        Near(10 * 20_000.0, honest.View().TotalItJoules);
        Assert.Equal((ClockVote.MinStreak, 1), (stuck.DroppedOld, stuck.Moves));
        Near((10 - ClockVote.MinStreak) * 20_000.0, stuck.View().TotalItJoules);
    }

    [Fact]
    public void A_moved_rack_whose_nodes_announce_late_and_tell_again_loses_no_window()
    {
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(60), Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
        {
            var random = new Random(seed);
            const int nodes = 4, windows = 150, remembered = 100;
            var site = new SiteMerge("s", 3, 8, 128);
            var rack = new RackMerge("s/r", 3, 128, 1);
            var inventories = Enumerable.Range(0, nodes).Select(n => MergeTests.Node($"n{n}", "r", 2)).ToArray();
            var told = new List<PowerWindow>[nodes];
            var heard = new long[nodes];
            var incarnation = 1L;
            var truth = 0.0;
            for (var n = 0; n < nodes; n++) told[n] = [];
            void Say(int n, IEnumerable<PowerWindow> parts)
            {
                // As a node agent does it: announce where that is asked for, and tell a new activation what was told before.
                var known = rack.Apply(new NodeReport($"n{n}", 0, [.. parts]));
                if (!known && random.Next(3) > 0) rack.SetInventory(inventories[n]);
                if (heard[n] == incarnation) return;
                heard[n] = incarnation;
                rack.Apply(new NodeReport($"n{n}", 0, [.. told[n].TakeLast(3 * remembered)]));
            }
            for (var w = 0; w < windows; w++)
            {
                for (var n = 0; n < nodes; n++)
                {
                    var joules = 10_000 * random.NextDouble();
                    truth += joules;
                    PowerWindow Part(string source, SourceKind kind, double j) => new(source, kind, W0 + w, 0, j, 1, 0, 0, 0, 700, 10, 0, 0.001, Provenance.Measured);
                    PowerWindow[] parts = [Part($"n{n}/gpu0", SourceKind.Gpu, 300), Part($"n{n}/gpu1", SourceKind.Gpu, 300), Part($"n{n}/bmc", SourceKind.NodeInput, joules)];
                    told[n].AddRange(parts);
                    Say(n, parts);
                }
                if (random.Next(3) == 0 && rack.TakeReport() is { } closed) site.Apply(closed);
                if (random.Next(40) == 0) rack = new RackMerge("s/r", 3, 128, ++incarnation);
            }
            foreach (var inventory in inventories) rack.SetInventory(inventory);
            for (var n = 0; n < nodes; n++) Say(n, []);
            rack.Advance(W0 + windows + 2);
            if (rack.TakeReport() is { } last) site.Apply(last);
            site.Advance(W0 + windows + 7);
            Near(truth, site.TotalItJoules);
            Assert.Equal(windows, site.View().Windows);
            Assert.Equal((0, 0), (rack.DroppedUnknown, rack.SkippedWindows));
        }));
    }

    [Fact]
    public void Windows_of_a_node_that_never_announces_itself_wait_within_bounds()
    {
        var rack = new RackMerge("s/r");
        var parts = Enumerable.Range(0, RackMerge.MostWaiting + 10).Select(i => new PowerWindow("x/bmc", SourceKind.NodeInput, W0 + i, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, Provenance.Measured));
        Assert.False(rack.Apply(new NodeReport("x", 0, [.. parts])));
        Assert.Equal((RackMerge.MostWaiting + 10, 10), (rack.UnknownSources, rack.DroppedUnknown));
        Assert.Null(rack.TakeReport());
    }
}
