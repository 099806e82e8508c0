using System.Net;
using EnergyGrid.Contracts;
using EnergyGrid.Grid.Tests.Sweeps;
using EnergyGrid.Sdk;

namespace EnergyGrid.Grid.Tests.Api;

/// <summary>What the API says of itself, of its storage and of hosts that are down.</summary>
public sealed class HealthTests
{
    private static async Task<(HttpStatusCode Status, string Text)> Get(HttpClient http, string path)
    {
        using var answer = await http.GetAsync(path);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_silo_that_cannot_see_a_site_is_alive_and_not_ready_and_says_which_site_and_nobody_is_shown_an_empty_grid()
    {
        await using var grid = await FakeGrid.Start();
        using var http = grid.Http();
        Assert.Equal(HttpStatusCode.OK, (await Get(http, "/readyz")).Status);
        // The inventory moved and has forgotten everything; or the site does not answer: neither is a fresh view.
        grid.SiteFault = new TimeoutException("it took too long");
        await SimulatedGrid.Until(async () => (await Get(http, "/v1/sites")).Status == HttpStatusCode.ServiceUnavailable, "the view is too old", 40);
        var (status, text) = await Get(http, "/readyz");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains("site 'lab' does not answer: it took too long", text, StringComparison.Ordinal);
        Assert.Matches("is 1[0-9] s old", text.Replace("\\u0027", "'"));
        foreach (var path in (string[])["/v1/devices", "/v1/nodes", "/v1/sites", "/"]) Assert.Equal(HttpStatusCode.ServiceUnavailable, (await Get(http, path)).Status);
        foreach (var path in (string[])["/livez", "/healthz"]) Assert.Equal((HttpStatusCode.OK, "ok\n"), await Get(http, path));
        grid.SiteFault = null;
        await SimulatedGrid.Until(async () => (await Get(http, "/readyz")).Status == HttpStatusCode.OK, "it is ready again");
    }

    [Fact]
    public async Task A_site_that_has_moved_and_was_told_nothing_yet_is_waited_for_and_then_shown_as_it_is()
    {
        var began = TimeProvider.System.GetTimestamp();
        await using var grid = await FakeGrid.Start(before: g => g.SiteView = FakeGrid.View with { Window = 0, ItWatts = 0 });
        using var client = grid.Client();
        await SimulatedGrid.Until(async () =>
        {
            try { return (await client.Sites()).Single().Window == 0; }
            catch (GridProblemException e)
            {
                Assert.Contains("has not been told anything", e.Message);
                return false;
            }
        }, "the dumb site is shown");
        Assert.InRange(TimeProvider.System.GetElapsedTime(began).TotalSeconds, 4, 30);
    }

    [Fact]
    public async Task A_host_that_is_down_is_shown_so_and_can_be_forgotten_and_one_that_is_up_cannot()
    {
        var since = new DateTimeOffset(2026, 11, 29, 12, 0, 0, TimeSpan.Zero);
        await using var grid = await FakeGrid.Start(before: g => g.Nodes = g.Nodes.Add(new(new("n2", "lab", "r1", [FakeGrid.Device with { Host = "n2" }], []), false, since)));
        using var client = grid.Client();
        var devices = await client.Devices();
        Assert.Equal([("n1", true, null), ("n2", false, (DateTimeOffset?)since)], devices.Select(d => (d.Device.Host, d.Up, d.DownSinceUtc)));
        Assert.Equal((false, 1), (await client.Nodes()).Single(n => n.Host == "n2") is var line ? (line.Up, line.Devices) : default);
        Assert.False((await client.Device("n2", "gpu-0")).Up);
        Assert.Equal(HttpStatusCode.Conflict, (await Assert.ThrowsAsync<GridProblemException>(() => client.ForgetNode("n1"))).Status);
        await client.ForgetNode("n2");
        Assert.Equal(HttpStatusCode.NotFound, (await Assert.ThrowsAsync<GridProblemException>(() => client.ForgetNode("n2"))).Status);
        await SimulatedGrid.Until(async () => (await client.Nodes()).Length == 1, "it is gone from the list");
        using var http = grid.Http();
        Assert.Contains("energygrid_nodes{site=\"lab\",state=\"up\"} 1", await http.GetStringAsync("/metrics"));
    }

    [Fact]
    public async Task The_version_says_that_the_storage_answers_and_a_viewer_may_not_forget_a_host()
    {
        await using var grid = await FakeGrid.Start(withTokens: true);
        using var client = grid.Client(FakeGrid.ViewerToken);
        var storage = (await client.Version()).Storage!;
        Assert.Equal(("files", true), (storage.Kind, storage.Answers));
        Assert.Equal(HttpStatusCode.Forbidden, (await Assert.ThrowsAsync<GridProblemException>(() => client.ForgetNode("n1"))).Status);
    }
}
