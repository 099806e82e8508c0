using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grid.Tests.Api;

/// <summary>The page at /.</summary>
public sealed class HomeTests
{
    private static async Task<(HttpResponseMessage Answer, string Page)> Open(FakeGrid grid, string? token = null, string accept = "text/html,*/*;q=0.8")
    {
        using var http = grid.Http(token);
        http.DefaultRequestHeaders.TryAddWithoutValidation("Accept", accept);
        var answer = await http.GetAsync("/");
        return (answer, await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task It_lists_sweeps_with_their_results_devices_by_host_and_sites_with_their_provenance()
    {
        await using var grid = await FakeGrid.Start(before: g =>
        {
            g.Nodes = g.Nodes.Add(new(new("n2", "lab", "r1", [FakeGrid.Device with { Host = "n2" }], []), false, DateTimeOffset.UnixEpoch));
            g.Add("first");
            g.Add("over", SweepPhase.Finished);
            g.Sweeps["first"].Reason = "lunch";
            g.Sweeps["first"].Phase = SweepPhase.Paused;
            g.Add("mute").Fault = new TimeoutException();
            g.Add("busy");
            g.Add("last").Waiting = "1 of 1 device group waits for devices, n1: busy/0 holds them for small/b0/p3";
        });
        var (answer, page) = await Open(grid);
        Assert.Equal((HttpStatusCode.OK, "text/html"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
        Assert.Contains("5 sweeps, 1 running, 1 waiting, 1 paused, 1 more live · ", page);
        Assert.Matches("last</span>.*waiting<span class=\"small\">devices of sweep busy</span>.*4 of 10 trials, 1 invalid</div>", page);
        Assert.Contains("2 devices on 2 hosts, 1 host down", page);
        foreach (var file in (string[])["report.html", "matrix.json", "cells.csv"]) Assert.Contains($"<a href=\"v1/sweeps/over/files/{file}\">{file}</a>", page);
        Assert.Matches("first</span>.*paused</span><span class=\"small\">lunch</span>.*<progress max=\"10\" value=\"4\".*4 of 10 trials, 1 invalid, about 12 s left", page);
        Assert.Matches("mute</span>.*it does not say how it stands just now", page);
        Assert.Matches("n1 <span>rack r1 at lab</span>", page);
        Assert.Matches("n2 <span>rack r1 at lab</span> <em class=\"chip bad\">down since 1970-01-01 00:00 UTC</em>", page);
        Assert.Matches("gpu-0</th><td data-label=\"model\"><div>H100-SXM-80GB</div></td><td class=\"n\" data-label=\"power\">—</td><td class=\"n\" data-label=\"limit\">700 W</td>.*modelled</span>", page);
        Assert.Matches("lab</th><td class=\"n\" data-label=\"P_IT\">5000 W</td><td class=\"n\" data-label=\"P_facility\">6000 W</td>.*1.200<span class=\"small\">of powers in one window: neither PUE nor iPUE</span>.*<span class=\"chip modelled\">modelled</span>", page);
        Assert.Contains("<a href=\"openapi/v1.json\">", page);
        Assert.Contains("<meta http-equiv=\"refresh\" content=\"10\">", page);
    }

    [Fact]
    public async Task Whatever_a_plan_or_a_person_wrote_is_text_in_it()
    {
        const string Hostile = "<script>alert(1)</script>\"'&\u001b[2J\u202E";
        await using var grid = await FakeGrid.Start(before: g =>
        {
            g.Add("s").Reason = Hostile;
            g.Nodes = [new(new(Hostile, "lab", Hostile, [FakeGrid.Device with { Host = Hostile, Rack = Hostile, Model = Hostile, Uuid = Hostile }], []), true, DateTimeOffset.UnixEpoch)];
        });
        var (_, page) = await Open(grid);
        Assert.DoesNotContain("<script", page);
        Assert.True(Regex.Count(page, Regex.Escape("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\uFFFD[2J\uFFFD")) >= 5);
        Assert.DoesNotContain(page, c => Unprintable.Is(c) && c != '\n');
    }

    [Fact]
    public async Task Its_policy_allows_its_own_style_and_nothing_else_and_it_needs_nothing_else()
    {
        await using var grid = await FakeGrid.Start();
        var (answer, page) = await Open(grid);
        var style = Regex.Match(page, "<style>(.*)</style>", RegexOptions.Singleline).Groups[1].Value;
        var hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(style)));
        Assert.Equal($"default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", answer.Headers.GetValues("Content-Security-Policy").Single());
        Assert.DoesNotMatch(@" (style|on\w+)=|<(script|img|iframe|form|object)|@import|url\(|https?://", page);
        Assert.Contains("prefers-color-scheme: dark", style);
        Assert.Contains("--paper: #14161a", style);
    }

    [Fact]
    public async Task Without_a_token_it_says_how_to_get_in_and_nothing_of_what_is_inside()
    {
        await using var grid = await FakeGrid.Start(withTokens: true, before: g => g.Add("hidden-sweep"));
        foreach (var token in (string?[])[null, "wrong"])
        {
            var (answer, page) = await Open(grid, token);
            Assert.Equal((HttpStatusCode.Unauthorized, "text/html", "Bearer"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType, answer.Headers.WwwAuthenticate.Single().Scheme));
            Assert.Contains("--token-file FILE", page);
            Assert.DoesNotMatch("hidden|n1|gpu|lab|H100|test", Regex.Replace(page, "<style>.*</style>", "", RegexOptions.Singleline));
        }
        Assert.Equal("application/problem+json", (await Open(grid, accept: "*/*")).Answer.Content.Headers.ContentType?.MediaType);
        Assert.Contains("hidden-sweep", (await Open(grid, FakeGrid.ViewerToken)).Page);
    }

    [Fact]
    public async Task Of_a_big_grid_it_shows_a_part_and_where_the_rest_is()
    {
        await using var grid = await FakeGrid.Start(before: g =>
        {
            g.Nodes = [.. Enumerable.Range(0, 40).Select(n => new NodeStanding(new($"n{n:00}", "lab", "r1", [.. Enumerable.Range(0, 8).Select(i => FakeGrid.Device with { Host = $"n{n:00}", Uuid = $"g{i}", Index = i })], []), true, DateTimeOffset.UnixEpoch))];
            for (var i = 0; i < 30; i++) g.Add($"sweep-{i}", SweepPhase.Finished);
        });
        var (_, page) = await Open(grid);
        Assert.Equal(256, Regex.Count(page, "<th scope=\"row\">g\\d</th>"));
        Assert.Contains("256 of 320; <a href=\"v1/devices\">", page);
        Assert.Contains("The newest 25 of 30; <a href=\"v1/sweeps\">", page);
        Assert.InRange(grid.Calls["status"], 25, 26);
    }
}
