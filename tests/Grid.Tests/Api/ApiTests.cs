using System.Net;
using System.Text;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;
using EnergyGrid.Silo;

namespace EnergyGrid.Grid.Tests.Api;

public sealed class ApiTests : IAsyncLifetime
{
    private FakeGrid _grid = null!;

    public async Task InitializeAsync() => _grid = await FakeGrid.Start();

    public async Task DisposeAsync() => await _grid.DisposeAsync();

    private async Task<(HttpStatusCode Status, JsonElement Problem)> Ask(HttpMethod method, string path, string? body = null, string media = "application/yaml", params (string Name, string Value)[] headers)
    {
        using var http = _grid.Http();
        using var request = new HttpRequestMessage(method, path);
        if (body is not null) request.Content = new StringContent(body, Encoding.UTF8, media);
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        using var answer = await http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        if (!answer.IsSuccessStatusCode) Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        return (answer.StatusCode, text.StartsWith('{') ? JsonDocument.Parse(text).RootElement : default);
    }

    [Theory]
    [InlineData("/v1/sites/nowhere")]
    [InlineData("/v1/sites/lab/ratio?from=1&to=2")]
    [InlineData("/v1/devices/n1/none")]
    [InlineData("/v1/devices/n1/none/power")]
    [InlineData("/v1/sweeps/none")]
    [InlineData("/v1/sweeps/none/matrix")]
    [InlineData("/v1/sweeps/none/report")]
    [InlineData("/v1/sweeps/none/trials")]
    [InlineData("/v1/sweeps/none/files")]
    [InlineData("/v1/sweeps/none/events")]
    [InlineData("/v1/no/such/thing")]
    public async Task What_does_not_exist_is_404_and_says_what_does(string path)
    {
        var (status, problem) = await Ask(HttpMethod.Get, path, headers: ("Accept", "text/event-stream"));
        Assert.Equal(HttpStatusCode.NotFound, status);
        Assert.False(string.IsNullOrEmpty(problem.GetProperty("detail").GetString()));
    }

    [Fact]
    public async Task A_faulty_plan_is_400_with_file_line_column_and_key_and_nothing_is_submitted()
    {
        var (status, problem) = await Ask(HttpMethod.Post, "/v1/sweeps?id=x", "faulty");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        var fault = Assert.Single(problem.GetProperty("problems").EnumerateArray());
        Assert.Equal((3, 7, "trial.window_s"), (fault.GetProperty("line").GetInt32(), fault.GetProperty("column").GetInt32(), fault.GetProperty("key").GetString()));
        Assert.Empty(_grid.Sweeps);
    }

    [Fact]
    public async Task A_body_over_one_mebibyte_is_413()
    {
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await Ask(HttpMethod.Post, "/v1/sweeps", new string(' ', (1 << 20) + 1))).Status);
        Assert.Empty(_grid.Sweeps);
    }

    [Fact]
    public async Task Hardware_that_nobody_has_is_400_and_a_taken_id_is_409()
    {
        Assert.Equal(HttpStatusCode.BadRequest, (await Ask(HttpMethod.Post, "/v1/sweeps?id=a", "nobody-has")).Status);
        _grid.Add("taken");
        Assert.Equal(HttpStatusCode.Conflict, (await Ask(HttpMethod.Post, "/v1/sweeps?id=taken", "name: other")).Status);
    }

    [Theory]
    [InlineData("..")]
    [InlineData("a%20b")]
    [InlineData(".hidden")]
    public async Task An_id_that_is_no_plain_name_is_400(string id) => Assert.Equal(HttpStatusCode.BadRequest, (await Ask(HttpMethod.Post, $"/v1/sweeps?id={id}", "name: a")).Status);

    [Fact]
    public async Task Submitting_twice_under_one_id_changes_nothing_and_only_the_first_is_201()
    {
        using var http = _grid.Http();
        using var first = await http.PostAsync("/v1/sweeps?id=once", new StringContent("name: a", Encoding.UTF8, "application/yaml"));
        using var second = await http.PostAsync("/v1/sweeps?id=once", new StringContent("name: a", Encoding.UTF8, "application/yaml"));
        Assert.Equal((HttpStatusCode.Created, "/v1/sweeps/once"), (first.StatusCode, first.Headers.Location?.ToString()));
        Assert.Equal(HttpStatusCode.OK, second.StatusCode);
        Assert.Single(_grid.Sweeps);
    }

    [Fact]
    public async Task A_sweep_is_paused_resumed_and_cancelled_and_what_cannot_be_is_409()
    {
        using var client = _grid.Client();
        _grid.Add("s");
        Assert.Equal((SweepPhase.Paused, "lunch"), await client.Pause("s", "lunch") is var p ? (p.Phase, p.Reason) : default);
        Assert.Equal(SweepPhase.Running, (await client.Resume("s")).Phase);
        Assert.Equal(HttpStatusCode.Conflict, (await Assert.ThrowsAsync<GridProblemException>(() => client.Resume("s"))).Status);
        Assert.Equal(SweepPhase.Cancelled, (await client.Cancel("s")).Phase);
    }

    [Theory]
    [InlineData("..%2f..%2fetc%2fpasswd")]
    [InlineData("traces/%2e%2e%2f%2e%2e%2fsecret")]
    [InlineData("traces%5c..%5csecret")]
    public async Task A_file_name_that_leads_out_is_refused(string name)
    {
        _grid.Add("s");
        Assert.Equal(HttpStatusCode.BadRequest, (await Ask(HttpMethod.Get, $"/v1/sweeps/s/files/{name}")).Status);
    }

    [Fact]
    public async Task A_file_below_traces_is_served()
    {
        _grid.Add("s");
        _grid.Results.All[("s", "traces/a.csv")] = "seconds,watts\n"u8.ToArray();
        using var client = _grid.Client();
        using var content = new MemoryStream();
        await client.Download("s", "traces/a.csv", content);
        Assert.Equal("seconds,watts\n", Encoding.UTF8.GetString(content.ToArray()));
    }

    [Fact]
    public async Task A_grain_that_does_not_answer_is_503_with_the_time_to_come_back()
    {
        _grid.Add("s").Fault = new TimeoutException();
        using var http = _grid.Http();
        using var answer = await http.GetAsync("/v1/sweeps/s");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.NotNull(answer.Headers.RetryAfter);
        _grid.Add("t").Fault = new HostUnavailableException("n1 is down");
        Assert.Contains("n1 is down", (await Ask(HttpMethod.Get, "/v1/sweeps/t")).Problem.GetProperty("detail").GetString());
    }

    [Fact]
    public async Task A_foreign_host_name_and_a_foreign_page_are_refused_on_loopback()
    {
        Assert.Equal(HttpStatusCode.MisdirectedRequest, (await Ask(HttpMethod.Get, "/v1/version", headers: ("Host", "evil.example"))).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await Ask(HttpMethod.Post, "/v1/sweeps", "name: a", headers: ("Origin", "https://evil.example"))).Status);
        Assert.Equal(HttpStatusCode.OK, (await Ask(HttpMethod.Get, "/v1/version", headers: ("Host", "localhost"))).Status);
    }

    [Fact]
    public async Task A_hundred_viewers_cause_no_grain_call_for_sites_and_few_for_a_sweep()
    {
        _grid.Add("s");
        using var client = _grid.Client();
        await client.Sweep("s");
        var (views, statuses) = (_grid.Calls["view"], _grid.Calls["status"]);
        var began = System.Diagnostics.Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, 100).SelectMany(_ => new Task[] { client.Sites(), client.Sweep("s") }));
        // By the clock alone: one view a second, two statuses a second.
        Assert.InRange(_grid.Calls["view"] - views, 0, (int)began.Elapsed.TotalSeconds + 1);
        Assert.InRange(_grid.Calls["status"] - statuses, 0, (int)(2 * began.Elapsed.TotalSeconds) + 1);
    }

    [Fact]
    public async Task Events_are_resumed_after_the_last_one_seen_and_end_with_the_sweep()
    {
        var sweep = _grid.Add("s");
        foreach (var text in new[] { "zero", "one", "two" }) _grid.Results.Tell("s", "trial", text);
        using var client = _grid.Client();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var seen = new List<string>();
        await foreach (var news in client.Watch("s", 1, patience.Token))
        {
            if (news.Event is { } line) seen.Add(line.Text);
            if (line_is(news, "two"))
            {
                _grid.Results.Tell("s", "finished", "three");
                sweep.Phase = SweepPhase.Finished;
            }
        }
        Assert.Equal(["one", "two", "three"], seen);

        static bool line_is(SweepNews news, string text) => news.Event?.Text == text;
    }

    [Fact]
    public async Task Two_viewers_of_one_device_share_one_stream()
    {
        var step = new TaskCompletionSource<PowerSample>();
        _grid.PowerSteps.Enqueue(step);
        _grid.PowerSteps.Enqueue(new());
        using var client = _grid.Client();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        await using var first = client.Power("n1", "gpu-0", patience.Token).GetAsyncEnumerator();
        await using var second = client.Power("n1", "gpu-0", patience.Token).GetAsyncEnumerator();
        var both = Task.WhenAll(first.MoveNextAsync().AsTask(), second.MoveNextAsync().AsTask());
        while (!_grid.Calls.ContainsKey("watch")) await Task.Yield();
        // Both requests are headers-first: give the second time to join by asking the grid something through it.
        await client.Devices();
        await Task.Delay(200);
        step.SetResult(new(DateTimeOffset.UnixEpoch, 321, Provenance.Modelled));
        Assert.All(await both, Assert.True);
        Assert.Equal((321, 321, 1), (first.Current.Watts, second.Current.Watts, _grid.Calls["watch"]));
    }

    [Fact]
    public async Task Windows_are_streamed_as_they_close()
    {
        using var client = _grid.Client();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        await foreach (var view in client.Windows(patience.Token))
        {
            Assert.Equal(("lab", 5000), (view.Site, view.ItWatts));
            return;
        }
        Assert.Fail("the stream ended without a window");
    }

    [Fact]
    public async Task The_watchdog_pokes_what_has_not_ended_at_the_start_of_the_silo()
    {
        await using var grid = await FakeGrid.Start(before: g =>
        {
            g.Add("live");
            g.Add("over", SweepPhase.Finished);
        });
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!grid.Calls.ContainsKey("wake live")) await Task.Delay(10, patience.Token);
        Assert.False(grid.Calls.ContainsKey("wake over"));
    }

    [Fact]
    public async Task Metrics_have_help_type_units_and_no_line_that_is_no_sample()
    {
        using var http = _grid.Http();
        var lines = (await http.GetStringAsync("/metrics")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains("energygrid_site_it_watts{site=\"lab\"} 5000", lines);
        Assert.Contains("energygrid_site_provenance_info{site=\"lab\",provenance=\"modelled\"} 1", lines);
        Assert.Contains("# TYPE energygrid_site_it_joules_total counter", lines);
        Assert.All(lines, l => Assert.Matches("^(# (HELP|TYPE) energygrid_[a-z_]+ .+|energygrid_[a-z_]+(\\{[^}]*\\})? -?[0-9NaE.+-]+)$", l));
    }
}
