using System.Net;
using System.Text;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;
using EnergyGrid.Silo;

namespace EnergyGrid.Grid.Tests.Api;

/// <summary>Text from users is text: what would steer a terminal, end a line or turn the direction of writing is refused where it comes in, and cleaned where it is shown.</summary>
public sealed class TextTests : IAsyncLifetime
{
    private FakeGrid _grid = null!;

    public async Task InitializeAsync()
    {
        _grid = await FakeGrid.Start(desk: new PlanDesk());
        _grid.Add("s");
    }

    public async Task DisposeAsync() => await _grid.DisposeAsync();

    public static TheoryData<string> Hostile => ["\u001b[2Jx", "\u001b]0;title\u0007", "\u0007", "\u009b31m", "a\nb", "a\rb", "\u007f", "a\u202Eb", "\u2066a\u2069", "\u200Ea\u200F", "\u061C", "a\u2028b", "\0"];

    [Theory]
    [MemberData(nameof(Hostile))]
    public async Task A_reason_that_is_no_printable_line_is_400_and_is_told_to_nobody(string reason)
    {
        using var client = _grid.Client();
        foreach (var act in (Func<Task>[])[() => client.Pause("s", reason), () => client.Cancel("s", reason)])
        {
            var refused = await Assert.ThrowsAsync<GridProblemException>(act);
            Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
            Assert.Contains("The reason holds the ", refused.Message);
            Assert.DoesNotContain(refused.Message, Unprintable.Is);
        }
        Assert.Equal((SweepPhase.Running, ""), (_grid.Sweeps["s"].Phase, _grid.Sweeps["s"].Reason));
    }

    [Theory]
    [InlineData("Mittagspause, 10 % später 😀")]
    [InlineData("[red]no markup[/] <b>&amp;</b> ; rm -rf /")]
    public async Task A_reason_that_is_only_unusual_is_kept_as_it_is(string reason)
    {
        using var client = _grid.Client();
        Assert.Equal(reason, (await client.Pause("s", reason)).Reason);
    }

    [Theory]
    [MemberData(nameof(Hostile))]
    public async Task A_plan_with_such_a_name_is_400_and_nothing_is_kept(string name)
    {
        using var client = _grid.Client();
        var plan = "{\"name\":" + JsonSerializer.Serialize(name) + ",\"description\":" + JsonSerializer.Serialize(name) + "}";
        var refused = await Assert.ThrowsAsync<GridProblemException>(() => client.Submit(plan, "fresh"));
        Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
        Assert.Contains(refused.Faults, f => f.Key == "name" && f.Wrong.StartsWith("holds the ", StringComparison.Ordinal));
        Assert.False(_grid.Sweeps.ContainsKey("fresh"));
    }

    [Theory]
    [InlineData("a%0A")]
    [InlineData("a%1B%5B2J")]
    [InlineData("a%E2%80%AE")]
    [InlineData("%00")]
    public async Task An_id_that_is_no_plain_name_to_its_last_character_is_400(string id)
    {
        using var http = _grid.Http();
        using var answer = await http.PostAsync($"/v1/sweeps?id={id}", new StringContent("name: a", Encoding.UTF8, "application/yaml"));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("is no sweep id", await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("/v1/sweeps/%1B%5B2J%E2%80%AE")]
    [InlineData("/v1/sites/%1B%5B2J%E2%80%AE")]
    [InlineData("/v1/devices/%1B%5B2J/%E2%80%AE")]
    [InlineData("/v1/sweeps/s/files/%1B%5B2J%E2%80%AE")]
    public async Task A_refusal_that_quotes_the_request_quotes_it_cleaned(string path)
    {
        using var http = _grid.Http();
        using var answer = await http.GetAsync(path);
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        var detail = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("detail").GetString()!;
        Assert.Contains("\uFFFD[2J", detail);
        Assert.DoesNotContain(detail, Unprintable.Is);
    }

    [Fact]
    public async Task What_an_older_grid_has_kept_is_read_cleaned_by_every_client()
    {
        _grid.Sweeps["s"].Reason = "\u001b[2Jx\u202E";
        _grid.Results.Tell("s", "paused", "by \u0007me");
        _grid.Nodes = [new(new("n\u001b1", "lab", "r1", [FakeGrid.Device with { Host = "n\u001b1" }], []), true, DateTimeOffset.UnixEpoch)];
        using var client = _grid.Client();
        Assert.Equal("\uFFFD[2Jx\uFFFD", (await client.Sweep("s")).Reason);
        await foreach (var news in client.Watch("s"))
        {
            if (news.Event is not { } line) continue;
            Assert.Equal("by \uFFFDme", line.Text);
            break;
        }
        await Sweeps.SimulatedGrid.Until(async () => (await client.Devices())[0].Device.Host == "n\uFFFD1", "the host is seen under its cleaned name");
    }

    [Theory]
    [MemberData(nameof(Hostile))]
    public void A_holder_of_a_token_has_a_printable_name(string name)
    {
        var line = "{\"tokenSha256\":\"" + FakeGrid.Hash("t") + "\",\"role\":\"viewer\",\"name\":" + JsonSerializer.Serialize("vera" + name + "x") + "}";
        Assert.Contains("the name holds the ", Assert.Throws<SiloRefusedException>(() => TokenFile.Parse([line], "t")).Message);
    }
}
