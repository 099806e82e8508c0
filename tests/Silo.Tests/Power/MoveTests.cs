using EnergyGrid.Contracts;

namespace EnergyGrid.Silo.Tests;

/// <summary>Racks and sites whose activation ends while nodes report: nothing that anybody can still tell is lost, nothing is counted twice.</summary>
public sealed class MoveTests
{
    private const long W0 = 1_700_000_000;

    private static NodeInventory Node(int n) => new($"n{n}", "lab", "r1", [], [new($"n{n}/bmc", SourceKind.NodeInput, true, 10_000)]);

    private static NodeReport Report(int n, params long[] windows) => new(
        $"n{n}", 0, [.. windows.Select(w => new PowerWindow($"n{n}/bmc", SourceKind.NodeInput, w, 0, 1000 + n, 1, 0, 0, 1000, 1000, 10, 0, 0.001, Provenance.Measured))]);

    private static FacilityReport Facility(params long[] windows) => new(
        "lab", [.. windows.Select(w => new PowerWindow("lab/main", SourceKind.FacilityInput, w, 0, 2600, 1, 0, 0, 2600, 2600, 10, 0, 0.001, Provenance.Measured))]);

    private static ValueTask End(IGrain grain) => grain.AsReference<Orleans.Core.Internal.IGrainManagementExtension>().DeactivateOnIdle();

    [Fact]
    public async Task A_rack_and_its_site_end_in_the_middle_and_the_sites_period_is_that_of_a_run_without_it()
    {
        await using var cluster = await PowerCluster.Start(1);
        var (rack, site, inventory) = (cluster.Grains.GetGrain<IRackGrain>("lab/r1"), cluster.Grains.GetGrain<ISiteGrain>("lab"), cluster.Grains.GetGrain<IInventoryGrain>("grid"));
        // One of the two nodes is in the inventory; of the other the rack will hear when it reports.
        await inventory.Announce(Node(0));
        for (var n = 0; n < 2; n++) await rack.Announce(Node(n));
        await site.AnnounceFacility([new("lab/main", SourceKind.FacilityInput, true, 10_000)]);
        for (var w = W0; w < W0 + 40; w++)
        {
            for (var n = 0; n < 2; n++) Assert.False((await rack.Report(Report(n, w))).WantsInventory);
            await site.ReportFacility(Facility(w));
        }
        var before = (await rack.Report(Report(0))).Incarnation;
        Assert.Equal(40, (await site.View()).Windows);

        await cluster.Restart(0);
        (rack, site) = (cluster.Grains.GetGrain<IRackGrain>("lab/r1"), cluster.Grains.GetGrain<ISiteGrain>("lab"));
        // What was summed is there before anybody has told anything; of the present nothing is.
        var kept = await site.View();
        Assert.Equal((0, 40, 40 * 2001.0), (kept.Window, (int)kept.Windows, Math.Round(kept.TotalItJoules, 6)));
        var answer = await rack.Report(Report(0, W0 + 40));
        Assert.False(answer.WantsInventory);
        Assert.NotEqual(before, answer.Incarnation);
        Assert.True((await rack.Report(Report(1, W0 + 40))).WantsInventory);
        await rack.Announce(Node(1));
        // Told again, as node agents do; a part of it twice.
        var again = Enumerable.Range(0, 41).Select(w => W0 + w).ToArray();
        for (var n = 0; n < 2; n++) await rack.Report(Report(n, again));
        await rack.Report(Report(1, again[20..]));
        Assert.False((await site.ReportFacility(Facility(W0 + 40))).WantsInventory);
        for (var w = W0 + 41; w < W0 + 50; w++)
        {
            for (var n = 0; n < 2; n++) await rack.Report(Report(n, w));
            await site.ReportFacility(Facility(w));
        }
        var view = await site.View();
        Assert.Equal((50, 50 * 2001.0, 0), ((int)view.Windows, Math.Round(view.TotalItJoules, 6), (int)view.GapSeconds));
        Assert.Equal((DateTimeOffset.FromUnixTimeSeconds(W0), 1.0), (view.PeriodFromUtc, view.Ipue!.TimeCoverage));
        Assert.Equal(2600.0 / 2001, view.Ipue.Value, 1e-9);
        Assert.Equal(1, view.Coverage);
    }

    [Fact]
    public async Task A_rack_alone_ends_and_begins_again_and_no_window_is_lost_at_the_site()
    {
        await using var cluster = await PowerCluster.Start(1);
        var (rack, site) = (cluster.Grains.GetGrain<IRackGrain>("lab/r1"), cluster.Grains.GetGrain<ISiteGrain>("lab"));
        for (var n = 0; n < 2; n++) await rack.Announce(Node(n));
        // The second node's windows had not come when the rack ended.
        for (var w = W0; w < W0 + 5; w++) await rack.Report(Report(0, w));
        var first = (await rack.Report(Report(0))).Incarnation;
        await End(rack);
        ReportAnswer answer = default;
        await PowerCluster.Until(async () => (answer = await rack.Report(Report(0, W0 + 5))).Incarnation != first, "another activation answers");
        Assert.True(answer.WantsInventory);
        Assert.True((await rack.Report(Report(1, [.. Enumerable.Range(0, 6).Select(w => W0 + w)]))).WantsInventory);
        for (var n = 0; n < 2; n++) await rack.Announce(Node(n));
        await rack.Report(Report(0, [.. Enumerable.Range(0, 6).Select(w => W0 + w)]));
        var view = await site.View();
        Assert.Equal((6, 6 * 2001.0), ((int)view.Windows, Math.Round(view.TotalItJoules, 6)));
        Assert.Equal(1, view.Coverage);
    }
}
