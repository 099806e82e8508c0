using System.Collections.Immutable;
using EnergyGrid.Contracts;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Metrology.Tests;

public sealed class MergeTests
{
    private const long W0 = 1_700_000_000;

    private static void Near(double expected, double actual, double relative = 1e-9) =>
        Assert.True(Math.Abs(expected - actual) <= relative * Math.Max(1, Math.Abs(expected)), $"expected {expected:R}, got {actual:R}");

    internal static NodeInventory Node(string host, string rack, int gpus, bool hasNodeMeter = true) => new(
        host, "s", rack, [],
        [
            .. Enumerable.Range(0, gpus).Select(g => new MeterInfo($"{host}/gpu{g}", SourceKind.Gpu, !hasNodeMeter, 700)),
            .. hasNodeMeter ? (MeterInfo[])[new MeterInfo($"{host}/bmc", SourceKind.NodeInput, true, 10_200)] : [],
        ]);

    private static PowerWindow Part(string source, SourceKind kind, long window, double joules, int revision = 0, double covered = 1, Provenance provenance = Provenance.Measured) =>
        new(source, kind, window, revision, joules, covered, 0, (1 - covered) * 700, 0, 700, 10, 0, 0.001, provenance);

    private static NodeReport Report(string host, params PowerWindow[] parts) => new(host, 0, [.. parts]);

    private static PowerWindow[] Whole(string host, int gpus, long window, double gpuJoules, double nodeJoules) =>
    [
        .. Enumerable.Range(0, gpus).Select(g => Part($"{host}/gpu{g}", SourceKind.Gpu, window, gpuJoules)),
        Part($"{host}/bmc", SourceKind.NodeInput, window, nodeJoules),
    ];

    private static RackMerge Rack(int nodes = 2, int gpus = 2, int lateness = 3, int keep = 32)
    {
        var rack = new RackMerge("s/r", lateness, keep);
        for (var n = 0; n < nodes; n++) rack.SetInventory(Node($"n{n}", "r", gpus));
        return rack;
    }

    [Fact]
    public void A_window_closes_at_its_watermark_and_counts_only_the_accounting_meter_of_each_path()
    {
        var rack = Rack();
        rack.Apply(Report("n0", Whole("n0", 2, W0, 500, 1800)));
        Assert.Null(rack.TakeReport());
        rack.Apply(Report("n1", Whole("n1", 2, W0, 600, 2000)));
        var window = Assert.Single(rack.TakeReport()!.Windows);
        Assert.Equal((W0, 0, 3800.0, 6), (window.Window, window.Revision, window.ItJoules, window.Sources));
        Assert.Equal(window.ExpectedWeightSeconds, window.CoveredWeightSeconds);
        Assert.Equal(20_400, window.ExpectedWeightSeconds);
        Assert.Equal((2200.0, 3800.0), (window.ByKind.Gpu, window.ByKind.NodeInput));
        Assert.True(double.IsNaN(window.ByKind.CpuAndDram) && double.IsNaN(window.ByKind.RackInput));
        Assert.Empty(window.Missing);
        Assert.Equal(0.001, window.ClockErrorSeconds);
        // Summing every meter, as a naive aggregator does, counts the GPUs twice.
        Assert.Equal(6000, 2 * (500 + 600) + 1800 + 2000);
        Assert.Null(rack.TakeReport());
    }

    [Fact]
    public void A_silent_source_holds_a_window_for_the_lateness_and_is_then_missing_with_its_rated_bound()
    {
        var rack = Rack(lateness: 3);
        rack.Apply(Report("n1", Whole("n1", 2, W0, 600, 2000)));
        for (var w = 0; w <= 3; w++) rack.Apply(Report("n0", Whole("n0", 2, W0 + w, 500, 1800)));
        Assert.Equal(W0, Assert.Single(rack.TakeReport()!.Windows).Window);
        rack.Apply(Report("n0", Whole("n0", 2, W0 + 4, 500, 1800)));
        Assert.Equal(W0 + 1, rack.ClosedTo - 1);
        var window = Assert.Single(rack.TakeReport()!.Windows);
        Assert.Equal(["n1/bmc", "n1/gpu0", "n1/gpu1"], window.Missing.Order());
        Assert.Equal((1800.0, 10_200.0, 20_400.0), (window.ItJoules, window.CoveredWeightSeconds, window.ExpectedWeightSeconds));
        Assert.Equal((0.0, 10_200.0), (window.LowJoules, window.HighJoules));
        Assert.True(double.IsNaN(window.ByKind.Gpu), "an incomplete kind closes against nothing");
    }

    [Fact]
    public void Late_data_revises_and_replaces_and_duplicates_change_nothing()
    {
        var rack = Rack(nodes: 1);
        rack.Apply(Report("n0", Whole("n0", 2, W0, 500, 1800)));
        Assert.Equal(1800, rack.TakeReport()!.Windows[0].ItJoules);
        rack.Apply(Report("n0", Whole("n0", 2, W0, 500, 1800)));
        Assert.Null(rack.TakeReport());
        Assert.Equal(3, rack.Duplicates);
        rack.Apply(Report("n0", Part("n0/bmc", SourceKind.NodeInput, W0, 1900, revision: 1)));
        var revised = Assert.Single(rack.TakeReport()!.Windows);
        Assert.Equal((1, 1900.0), (revised.Revision, revised.ItJoules));
        rack.Apply(Report("n0", Part("n0/bmc", SourceKind.NodeInput, W0, 1800, revision: 0)));
        Assert.Null(rack.TakeReport());
    }

    [Fact]
    public void When_reports_stop_time_still_closes_windows_and_says_who_is_missing()
    {
        var rack = Rack(nodes: 1, lateness: 2);
        rack.Apply(Report("n0", Whole("n0", 2, W0, 500, 1800)));
        rack.TakeReport();
        rack.Advance(W0 + 4);
        var windows = rack.TakeReport()!.Windows;
        Assert.Equal([W0 + 1, W0 + 2], windows.Select(w => w.Window));
        Assert.All(windows, w => Assert.Equal((0.0, 0.0, 3), (w.ItJoules, w.CoveredWeightSeconds, w.Missing.Length)));
        rack.Apply(Report("n0", Whole("n0", 2, W0 + 1, 500, 1700)));
        Assert.Equal((1, 1700.0), (rack.TakeReport()!.Windows[0].Revision, 1700.0));
    }

    [Fact]
    public void What_is_too_old_unknown_invalid_or_absurdly_ahead_is_counted_and_not_taken()
    {
        var rack = Rack(nodes: 1, lateness: 2, keep: 8);
        rack.Apply(Report("n0", Whole("n0", 2, W0 + 20, 500, 1800)));
        rack.TakeReport();
        rack.Apply(Report("n0",
            Part("n0/bmc", SourceKind.NodeInput, W0 + 12, 1),
            Part("n9/bmc", SourceKind.NodeInput, W0 + 20, 1),
            Part("n0/bmc", SourceKind.NodeInput, W0 + 20, double.NaN, 1),
            Part("n0/bmc", SourceKind.NodeInput, W0 + 20, 1, 1, covered: 1.5),
            Part("n0/bmc", SourceKind.NodeInput, W0 + 100_000, 1)));
        Assert.Equal((1, 1, 2, 1), (rack.DroppedOld, rack.UnknownSources, rack.RefusedInvalid, rack.RefusedAhead));
        Assert.Null(rack.TakeReport());
        rack.Advance(W0 + 100_000);
        rack.Apply(Report("n0", Whole("n0", 2, W0 + 100_000, 500, 1800)));
        Assert.Contains(rack.TakeReport()!.Windows, w => w.Window == W0 + 100_000 && w.ItJoules == 1800);
        Assert.True(rack.SkippedWindows > 0);
    }

    [Fact]
    public void Feeds_A_and_B_add_and_two_accounting_levels_of_one_path_are_a_fault_counted_once()
    {
        var rack = new RackMerge("s/r");
        rack.SetInventory(new NodeInventory("pdu", "s", "r", [], [new("r/a", SourceKind.RackInput, true, 20_000), new("r/b", SourceKind.RackInput, true, 20_000)]));
        rack.SetInventory(Node("n0", "r", 1));
        Assert.Contains("n0/bmc", Assert.Single(rack.TreeFaults));
        rack.Apply(Report("pdu", Part("r/a", SourceKind.RackInput, W0, 1000), Part("r/b", SourceKind.RackInput, W0, 900)));
        rack.Apply(Report("n0", Whole("n0", 1, W0, 500, 1800)));
        var window = rack.TakeReport()!.Windows[0];
        Assert.Equal((1900.0, 40_000.0), (window.ItJoules, window.ExpectedWeightSeconds));
        Assert.Equal((1900.0, 1800.0), (window.ByKind.RackInput, window.ByKind.NodeInput));
    }

    [Fact]
    public void A_node_without_an_accounting_meter_is_expected_and_never_covered()
    {
        var rack = new RackMerge("s/r");
        rack.SetInventory(new NodeInventory("n0", "s", "r", [], [new("n0/gpu0", SourceKind.Gpu, false, 700)]));
        rack.SetInventory(Node("n1", "r", 1));
        Assert.Contains("n0", Assert.Single(rack.TreeFaults));
        rack.Apply(Report("n0", Part("n0/gpu0", SourceKind.Gpu, W0, 500)));
        rack.Apply(Report("n1", Whole("n1", 1, W0, 500, 1800)));
        var window = rack.TakeReport()!.Windows[0];
        Assert.Equal((10_200.0, 10_900.0, 700.0), (window.CoveredWeightSeconds, window.ExpectedWeightSeconds, window.HighJoules));
    }

    [Fact]
    public void Devices_account_for_themselves_where_no_meter_stands_above_them()
    {
        var device = new DeviceInfo("n0", "u0", "H100", DeviceKind.Simulated, "s", "r", 0, 8e10, 3e12, Provenance.Declared, 1e15, 700, 700, "d", "counter", Provenance.Modelled);
        var bare = MeterTree.Of([new NodeInventory("n0", "s", "r", [device], [])]);
        Assert.Equal(new MeterInfo("n0/u0", SourceKind.Gpu, true, 700), Assert.Single(bare.Meters));
        var metered = MeterTree.Of([new NodeInventory("n0", "s", "r", [device], [new("n0/bmc", SourceKind.NodeInput, true, 1000)])]);
        Assert.Equal("n0/bmc", Assert.Single(metered.Meters, m => m.Accounting).Source);
        Assert.Empty(metered.Faults);
    }

    [Fact]
    public void Inventory_may_change_and_closed_windows_keep_theirs()
    {
        var rack = Rack(nodes: 1);
        rack.Apply(Report("n0", Whole("n0", 2, W0, 500, 1800)));
        Assert.Equal(10_200, rack.TakeReport()!.Windows[0].ExpectedWeightSeconds);
        rack.SetInventory(Node("n1", "r", 2));
        rack.Apply(Report("n0", Part("n0/bmc", SourceKind.NodeInput, W0, 1900, 1)));
        Assert.Equal(10_200, rack.TakeReport()!.Windows[0].ExpectedWeightSeconds);
        rack.Apply(Report("n0", Whole("n0", 2, W0 + 1, 500, 1800)));
        rack.Apply(Report("n1", Whole("n1", 2, W0 + 1, 500, 1800)));
        Assert.Equal((20_400.0, 3600.0), (rack.TakeReport()!.Windows[0].ExpectedWeightSeconds, 3600.0));
        Assert.True(rack.RemoveNode("n1"));
        rack.Apply(Report("n0", Whole("n0", 2, W0 + 2, 500, 1800)));
        Assert.Equal(10_200, rack.TakeReport()!.Windows[0].ExpectedWeightSeconds);
    }

    [Fact]
    public void Provenance_is_the_worst_of_the_accounting_parts()
    {
        var rack = Rack(nodes: 2, gpus: 0);
        rack.Apply(Report("n0", Part("n0/bmc", SourceKind.NodeInput, W0, 1800)));
        rack.Apply(Report("n1", Part("n1/bmc", SourceKind.NodeInput, W0, 1800, provenance: Provenance.Modelled)));
        Assert.Equal(Provenance.Modelled, rack.TakeReport()!.Windows[0].Provenance);
    }

    [Fact]
    public void The_site_is_the_sum_of_its_racks_under_shuffled_duplicated_and_late_revisions()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
        {
            var random = new Random(seed);
            const int racks = 3, nodes = 3, gpus = 2, windows = 14;
            var merges = Enumerable.Range(0, racks).Select(r => new RackMerge($"s/r{r}", 3, 64)).ToArray();
            var site = new SiteMerge("s", 3, 5, 64);
            var truth = new Dictionary<(int Rack, long Window), Dictionary<string, PowerWindow>>();
            var reports = new List<(int Rack, NodeReport Report)>();
            for (var r = 0; r < racks; r++)
            {
                site.ExpectRack($"s/r{r}");
                for (var n = 0; n < nodes; n++)
                {
                    var host = $"r{r}n{n}";
                    merges[r].SetInventory(Node(host, $"r{r}", gpus));
                    for (var w = 0; w < windows; w++)
                    {
                        var parts = Whole(host, gpus, W0 + w, 700 * random.NextDouble(), 10_000 * random.NextDouble());
                        var last = random.Next(3);
                        for (var revision = 0; revision <= last; revision++)
                        {
                            parts = [.. parts.Select(p => p with { Revision = revision, Joules = p.Joules * (0.5 + random.NextDouble()), CoveredSeconds = random.NextDouble() })];
                            reports.Add((r, Report(host, parts)));
                        }
                        truth.TryAdd((r, W0 + w), []);
                        foreach (var part in parts) truth[(r, W0 + w)][part.Source] = part;
                    }
                }
            }
            reports.AddRange([.. reports.Where(_ => random.Next(4) == 0)]);
            var order = reports.ToArray();
            random.Shuffle(order);
            var wire = new List<RackReport>();
            void Deliver(bool all)
            {
                while (wire.Count > 0 && (all || random.Next(3) > 0))
                {
                    var at = random.Next(wire.Count);
                    site.Apply(wire[at]);
                    if (random.Next(4) > 0) wire.RemoveAt(at);
                }
            }
            foreach (var (r, report) in order)
            {
                merges[r].Apply(report);
                if (random.Next(3) == 0 && merges[r].TakeReport() is { } said) wire.Add(said);
                Deliver(false);
            }
            foreach (var merge in merges)
            {
                merge.Advance(W0 + windows + 2);
                if (merge.TakeReport() is { } said) wire.Add(said);
                Assert.Equal((0, 0), (merge.DroppedOld, merge.SkippedWindows));
            }
            Deliver(true);
            site.Advance(W0 + windows + 4);
            var expected = truth.Sum(t => t.Value.Values.Where(p => p.Kind == SourceKind.NodeInput).Sum(p => p.Joules));
            Near(expected, site.TotalItJoules);
            for (var r = 0; r < racks; r++) Near(truth.Where(t => t.Key.Rack == r).Sum(t => t.Value.Values.Where(p => p.Kind == SourceKind.NodeInput).Sum(p => p.Joules)), site.RackTotalJoules($"s/r{r}"));
            var view = site.View();
            Assert.Equal(windows, view.Windows);
            Assert.Equal(W0 + windows - 1, view.Window);
            Near(view.ItWatts, view.Racks.Sum(l => l.ItWatts));
            Assert.InRange(view.Coverage, 0, 1);
            Assert.All(view.Racks, l => Assert.InRange(l.Coverage, 0, 1));
        }));
    }

    [Fact]
    public void Totals_hold_over_windows_that_are_long_settled()
    {
        var random = new Random(7);
        var site = new SiteMerge("s", 3, 5, 16);
        var truth = 0.0;
        for (var w = 0; w < 2000; w++)
        {
            for (var r = 0; r < 4; r++)
            {
                var joules = 10_000 * random.NextDouble();
                site.Apply(RackSaid(r, W0 + w, joules * 2, 0));
                site.Apply(RackSaid(r, W0 + w, joules, 1));
                truth += joules;
                if (w >= 4) site.Apply(RackSaid(r, W0 + w - 4, joules, 0));
            }
        }
        Near(truth, site.TotalItJoules);
        Near(site.TotalItJoules, Enumerable.Range(0, 4).Sum(r => site.RackTotalJoules($"s/r{r}")));
        Assert.Equal(2000, site.View().Windows);
        site.Apply(RackSaid(0, W0, 1e9, 9));
        Assert.Equal(1, site.DroppedOld);
        Near(truth, site.TotalItJoules);
    }

    private static RackReport RackSaid(int rack, long window, double joules, int revision, double covered = 40_000, EnergyByKind? kinds = null) => new(
        $"s/r{rack}",
        [new RackWindow($"s/r{rack}", window, revision, joules, covered, 40_000, 0, 40_000 - covered, kinds ?? new(double.NaN, double.NaN, joules, double.NaN), 4, [], 0, Provenance.Measured)]);

    [Fact]
    public void A_site_of_which_nothing_was_read_claims_nothing()
    {
        var site = new SiteMerge("s", 3, 5, 16);
        Assert.Null(site.View().Provenance);
        RackReport Silent(long window) => new("s/r0", [new RackWindow("s/r0", window, 0, 0, 0, 40_000, 0, 40_000, new(double.NaN, double.NaN, double.NaN, double.NaN), 0, ["s/r0/gpu"], 0, Provenance.Measured)]);
        for (var w = 0; w < 8; w++) site.Apply(Silent(W0 + w));
        Assert.True(site.View().Window >= W0);
        Assert.Null(site.View().Provenance);
        for (var w = 8; w < 16; w++) site.Apply(RackSaid(0, W0 + w, 20_000, 0));
        Assert.Equal(Provenance.Measured, site.View().Provenance);
    }

    [Fact]
    public void Power_of_which_nothing_was_covered_is_unknown_and_of_a_part_it_is_what_was_read()
    {
        var site = new SiteMerge("s", 3, 5, 16);
        void Tell(int first, double covered0, double joules0, double? covered1)
        {
            for (var w = first; w < first + 8; w++)
            {
                // Somebody speaks, and has read nothing.
                site.Apply(RackSaid(0, W0 + w, joules0, 0, covered0));
                if (covered1 is { } covered) site.Apply(RackSaid(1, W0 + w, 20_000, 0, covered));
            }
        }
        Tell(0, 0, 0, null);
        var dark = site.View();
        Assert.Equal((double.NaN, 0.0, null), (dark.ItWatts, dark.Coverage, dark.Provenance));
        Assert.True(double.IsNaN(Assert.Single(dark.Racks).ItWatts));
        Tell(8, 0, 0, 40_000);
        var half = site.View();
        Assert.Equal((20_000.0, Provenance.Measured), (half.ItWatts, half.Provenance));
        Assert.InRange(half.Coverage, 0.3, 0.4);
        Assert.Equal((double.NaN, 20_000.0), (half.Racks[0].ItWatts, half.Racks[1].ItWatts));
        Tell(16, 40_000, 0, 40_000);
        // Read and zero is zero.
        Assert.Equal((20_000.0, 0.0), (site.View().ItWatts, site.View().Racks[0].ItWatts));
        Assert.Equal(16 * 20_000.0, site.TotalItJoules);
    }

    [Fact]
    public void The_site_shows_facility_power_ipue_and_closure_of_one_period()
    {
        var site = new SiteMerge("s");
        site.SetFacilityMeters([new("s/main-a", SourceKind.FacilityInput, true, 100_000), new("s/main-b", SourceKind.FacilityInput, true, 100_000), new("s/chiller", SourceKind.FacilityInput, false, 20_000)]);
        for (var w = 0; w < 10; w++)
        {
            for (var r = 0; r < 2; r++) site.Apply(RackSaid(r, W0 + w, 20_000, 0, kinds: new(12_000, 4_000, 18_000, 20_000)));
            site.Apply(new FacilityReport("s", [Meter("s/main-a", W0 + w, 30_000), Meter("s/main-b", W0 + w, 18_000), Meter("s/chiller", W0 + w, 5_000)]));
        }
        var view = site.View();
        Assert.Equal((W0 + 9, 40_000.0, 48_000.0, 1.2), (view.Window, view.ItWatts, view.FacilityWatts, Math.Round(view.PowerRatio!.Value, 12)));
        Assert.Equal(("ipue", 1.2, 1.0, 1.0), (view.Ipue!.Name, Math.Round(view.Ipue.Value, 12), view.Ipue.TimeCoverage, view.Ipue.ItCoverage));
        Assert.Equal((W0, W0 + 10), (view.Ipue.FromWindow, view.Ipue.ToWindow));
        Assert.Equal((null, null), (view.Ipue.Low, view.Ipue.High));
        Assert.Equal(
            [("node input − (gpu + cpu + dram)", 2.0 / 18), ("rack input − node inputs", 0.1), ("facility input − IT (accounting meters)", 1.0 / 6)],
            view.Closure.Select(c => (c.Level, Math.Round(c.Fraction, 15))).Select(c => (c.Level, c.Item2)).ToArray(),
            (a, b) => a.Item1 == b.Item1 && Math.Abs(a.Item2 - b.Item2) < 1e-12);
    }

    private static PowerWindow Meter(string source, long window, double joules, double covered = 1) =>
        new(source, SourceKind.FacilityInput, window, 0, joules, covered, 0, (1 - covered) * 100_000, 0, 0, 1, 0, 0, Provenance.Measured);

    [Fact]
    public void A_silent_facility_meter_is_missing_and_its_windows_stay_out_of_both_sides()
    {
        var site = new SiteMerge("s", 3, 2);
        site.SetFacilityMeters([new("s/main", SourceKind.FacilityInput, true, 100_000)]);
        for (var w = 0; w < 10; w++)
        {
            site.Apply(RackSaid(0, W0 + w, w < 5 ? 20_000 : 10_000, 0));
            if (w < 5) site.Apply(new FacilityReport("s", [Meter("s/main", W0 + w, 26_000)]));
        }
        var view = site.View();
        Assert.Equal(W0 + 7, view.Window);
        Assert.Equal((null, null), (view.FacilityWatts, view.PowerRatio));
        Assert.Equal("s/main", Assert.Single(view.MissingMeters));
        Near(1.3, view.Ipue!.Value);
        Near(5.0 / 8, view.Ipue.TimeCoverage);
        Assert.Contains("time coverage below 95 %", view.Ipue.Flags);
        // Dividing the facility energy that was seen by all IT energy would say less than 1.
        Assert.True(5 * 26_000 / (5 * 20_000 + 3 * 10_000.0) < 1.3);
    }

    [Fact]
    public void One_of_two_facility_feeds_never_seen_gives_bounds_and_no_value()
    {
        var site = new SiteMerge("s", 3, 1);
        site.SetFacilityMeters([new("s/a", SourceKind.FacilityInput, true, 50_000), new("s/b", SourceKind.FacilityInput, true, 50_000)]);
        for (var w = 0; w < 6; w++)
        {
            site.Apply(RackSaid(0, W0 + w, 20_000, 0));
            site.Apply(new FacilityReport("s", [Meter("s/a", W0 + w, 13_000)]));
        }
        var ipue = site.View().Ipue!;
        Assert.True(double.IsNaN(ipue.Value));
        Near(0.65, ipue.Low!.Value);
        Near((13_000 + 50_000) / 20_000.0, ipue.High!.Value);
        Assert.Contains(ipue.Flags, f => f.StartsWith("facility meters missing", StringComparison.Ordinal));
        Assert.DoesNotContain(FacilityRatios.BelowOne, ipue.Flags);
    }

    [Fact]
    public void A_silent_rack_lowers_the_coverage_and_is_named()
    {
        var site = new SiteMerge("s", 3, 2);
        for (var w = 0; w < 2; w++)
            for (var r = 0; r < 2; r++) site.Apply(RackSaid(r, W0 + w, 20_000, 0));
        Assert.Equal(1, site.View().Coverage);
        for (var w = 2; w < 6; w++) site.Apply(RackSaid(0, W0 + w, 20_000, 0));
        var view = site.View();
        Assert.Equal(W0 + 3, view.Window);
        Near(20_000 / 60_000.0, view.Coverage);
        Assert.Equal("s/r1", Assert.Single(view.MissingMeters));
        site.ForgetRack("s/r1");
        site.Apply(RackSaid(0, W0 + 6, 20_000, 0));
        Assert.Equal((W0 + 6, 1.0), (site.View().Window, site.View().Coverage));
        Near(7 * 20_000 + 2 * 20_000, site.TotalItJoules);
    }

    [Fact]
    public void The_ratio_of_a_past_period_is_of_that_period_alone()
    {
        var site = new SiteMerge("s", 3, 1, keepWindows: 16);
        site.SetFacilityMeters([new("s/main", SourceKind.FacilityInput, true, 100_000)]);
        var start = (W0 + 9) / 10 * 10;
        for (var w = 0; w < 200; w++)
        {
            site.Apply(RackSaid(0, start + w, 20_000, 0));
            site.Apply(new FacilityReport("s", [Meter("s/main", start + w, w < 100 ? 26_000 : 30_000)]));
        }
        var (first, second, both) = (site.Ratio(start, start + 100)!, site.Ratio(start + 100, start + 190)!, site.Ratio(start, start + 190)!);
        Near(1.3, first.Value);
        Near(1.5, second.Value);
        Near((100 * 26_000 + 90 * 30_000) / (190 * 20_000.0), both.Value);
        Assert.Equal((start, start + 100, 1.0), (first.FromWindow, first.ToWindow, first.TimeCoverage));
        Assert.Empty(first.MissingMeters);
        // Edges inside a bucket are rounded inward, and the answer says so.
        var inner = site.Ratio(start + 3, start + 99)!;
        Assert.Equal((start + 10, start + 90), (inner.FromWindow, inner.ToWindow));
        Assert.Null(site.Ratio(start + 1, start + 9));
        Assert.Null(site.Ratio(start - 500, start - 400));
    }

    [Fact]
    public void A_site_that_heard_nothing_says_so()
    {
        var site = new SiteMerge("s");
        site.ExpectRack("s/r0");
        site.Advance(W0);
        var view = site.View();
        Assert.Equal((0, 0.0, 0L, 1), (view.Window, view.TotalItJoules, view.Windows, view.Racks.Length));
        Assert.Null(view.Ipue);
    }
}
