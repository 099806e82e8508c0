using System.Collections.Immutable;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using EnergyGrid.Console;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;
using StackExchange.Redis;

namespace EnergyGrid.Grid.Tests.Api;

/// <summary>Answers as HTTP has them, whatever is asked and whatever goes wrong inside.</summary>
public sealed class AnswerTests : IAsyncLifetime
{
    private FakeGrid _grid = null!;

    public async Task InitializeAsync()
    {
        _grid = await FakeGrid.Start(withLog: true);
        _grid.Add("s");
        _grid.Results.All[("s", "traces/a.csv")] = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("seconds,watts\n", 100)));
    }

    public async Task DisposeAsync() => await _grid.DisposeAsync();

    private async Task<HttpResponseMessage> Ask(string method, string path, params (string Name, string Value)[] headers)
    {
        using var http = _grid.Http();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    private static async Task<GridProblem> ProblemOf(HttpResponseMessage answer)
    {
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        var problem = JsonSerializer.Deserialize<GridProblem>(await answer.Content.ReadAsStringAsync(), DocumentJson.Compact)!;
        Assert.Equal((int)answer.StatusCode, problem.Status);
        return problem;
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("+3")]
    [InlineData("1.5")]
    [InlineData("soon")]
    [InlineData("1, 2")]
    [InlineData("2147483647")]
    [InlineData("9223372036854775807")]
    [InlineData("99999999999999999999999999")]
    public async Task A_last_event_id_that_no_event_can_have_is_400(string id)
    {
        using var answer = await Ask("GET", "/v1/sweeps/s/events", ("Last-Event-ID", id));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("one whole number from 0 on", (await ProblemOf(answer)).Detail);
    }

    [Fact]
    public async Task Several_last_event_ids_are_400_and_one_beyond_the_last_event_waits_for_the_end()
    {
        using var several = await Ask("GET", "/v1/sweeps/s/events", ("Last-Event-ID", "1"), ("Last-Event-ID", "2"));
        Assert.Equal(HttpStatusCode.BadRequest, several.StatusCode);
        _grid.Results.Tell("s", "trial", "zero");
        _grid.Sweeps["s"].Phase = SweepPhase.Finished;
        using var beyond = await Ask("GET", "/v1/sweeps/s/events", ("Last-Event-ID", "2147483646"));
        var text = await beyond.Content.ReadAsStringAsync();
        Assert.Contains("event: status", text);
        Assert.DoesNotContain("event: event", text);
    }

    [Theory]
    [InlineData("/", 200)]
    [InlineData("/livez", 200)]
    [InlineData("/readyz", 200)]
    [InlineData("/metrics", 200)]
    [InlineData("/openapi/v1.json", 200)]
    [InlineData("/v1/version", 200)]
    [InlineData("/v1/sites", 200)]
    [InlineData("/v1/devices/n1/gpu-0", 200)]
    [InlineData("/v1/sweeps/s", 200)]
    [InlineData("/v1/sweeps/s/files/traces/a.csv", 200)]
    [InlineData("/v1/sweeps/none", 404)]
    [InlineData("/v1/plans/validate", 405)]
    public async Task HEAD_has_the_head_of_GET_and_no_body(string path, int status)
    {
        using var get = await Ask("GET", path);
        using var head = await Ask("HEAD", path);
        Assert.Equal((status, status), ((int)get.StatusCode, (int)head.StatusCode));
        Assert.Equal(get.Content.Headers.ContentType, head.Content.Headers.ContentType);
        Assert.Empty(await head.Content.ReadAsByteArrayAsync());
        if (path.EndsWith(".csv", StringComparison.Ordinal)) Assert.Equal((1400, 1400), (get.Content.Headers.ContentLength, head.Content.Headers.ContentLength));
    }

    [Theory]
    [InlineData("/v1/sweeps/s/events")]
    [InlineData("/v1/events/windows")]
    [InlineData("/v1/devices/n1/gpu-0/power")]
    public async Task HEAD_of_a_stream_ends(string path)
    {
        using var head = await Ask("HEAD", path);
        Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (head.StatusCode, head.Content.Headers.ContentType?.MediaType));
        // The connection is free again: the server has let go of the request.
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _grid.Address.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        using var reader = new StreamReader(client.GetStream());
        Assert.StartsWith("HTTP/1.1 200 OK", await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(20)));
    }

    [Theory]
    [InlineData("PUT", "/v1/sites", "GET, HEAD")]
    [InlineData("BREW", "/v1/sweeps", "GET, HEAD, POST")]
    [InlineData("GET", "/v1/sweeps/s/pause", "POST")]
    [InlineData("PATCH", "/v1/nodes/n1", "DELETE")]
    public async Task A_method_that_is_not_taken_is_405_with_those_that_are(string method, string path, string allow)
    {
        using var answer = await Ask(method, path);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
        Assert.Equal(allow.Split(", "), answer.Content.Headers.Allow.Order(StringComparer.Ordinal));
        Assert.Contains($"does not take {method}", (await ProblemOf(answer)).Detail);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    public async Task Answers_are_packed_for_whoever_takes_it_and_streams_are_not(string encoding)
    {
        var plain = await (await Ask("GET", "/v1/sweeps/s/files/traces/a.csv")).Content.ReadAsByteArrayAsync();
        using var packed = await Ask("GET", "/v1/sweeps/s/files/traces/a.csv", ("Accept-Encoding", encoding));
        Assert.Equal([encoding], packed.Content.Headers.ContentEncoding);
        Assert.Contains("Accept-Encoding", packed.Headers.Vary);
        await using var body = await packed.Content.ReadAsStreamAsync();
        await using Stream opened = encoding == "gzip" ? new GZipStream(body, CompressionMode.Decompress) : new BrotliStream(body, CompressionMode.Decompress);
        using var read = new MemoryStream();
        await opened.CopyToAsync(read);
        Assert.Equal(plain, read.ToArray());
        using var stream = await Ask("GET", "/v1/events/windows", ("Accept-Encoding", encoding));
        Assert.Empty(stream.Content.Headers.ContentEncoding);
    }

    [Theory]
    [InlineData("image/png")]
    [InlineData("application/xml;q=1, */*;q=0")]
    [InlineData("no media type at all")]
    public async Task Each_thing_has_one_form_and_is_given_in_it_whatever_is_accepted(string accept)
    {
        using var answer = await Ask("GET", "/v1/sites", ("Accept", accept));
        Assert.Equal((HttpStatusCode.OK, "application/json"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
    }

    [Fact]
    public async Task A_number_that_is_not_there_is_null_in_every_answer_and_in_streams()
    {
        var ratio = new FacilityRatio("ipue", double.NaN, 1.1, double.PositiveInfinity, 3, 1, 2, double.NaN, double.NegativeInfinity, 1, 1, [], [], Provenance.Modelled, "ISO/IEC 30134-2:2016");
        _grid.SiteView = FakeGrid.View with { Window = FakeGrid.View.Window + 1, ItWatts = double.NaN, FacilityWatts = double.PositiveInfinity, Coverage = double.NaN, Ipue = ratio, Closure = [new("rack", 0, 0)], Racks = [new("lab/r1", double.NaN, 0, 1, 0)] };
        using var http = _grid.Http();
        JsonElement site = default;
        await Sweeps.SimulatedGrid.Until(async () => (site = JsonDocument.Parse(await http.GetStringAsync("/v1/sites/lab")).RootElement).GetProperty("window").GetInt64() > FakeGrid.View.Window, "the new view is seen");
        foreach (var name in (string[])["itWatts", "facilityWatts", "coverage"]) Assert.Equal(JsonValueKind.Null, site.GetProperty(name).ValueKind);
        foreach (var name in (string[])["value", "high", "facilityKilowattHours", "itKilowattHours"]) Assert.Equal(JsonValueKind.Null, site.GetProperty("ipue").GetProperty(name).ValueKind);
        Assert.Equal(JsonValueKind.Null, site.GetProperty("closure")[0].GetProperty("fraction").ValueKind);
        using var client = _grid.Client();
        await foreach (var view in client.Windows())
        {
            Assert.True(double.IsNaN(view.ItWatts));
            break;
        }
        Assert.Equal(JsonValueKind.Null, site.GetProperty("racks")[0].GetProperty("itWatts").ValueKind);
        using var page = await Ask("GET", "/");
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        Assert.Contains("data-label=\"P_IT\">—<", await page.Content.ReadAsStringAsync());
        var samples = (await http.GetStringAsync("/metrics")).Split('\n').Where(l => !l.StartsWith('#')).ToArray();
        Assert.DoesNotContain(samples, l => l.StartsWith("energygrid_site_it_watts", StringComparison.Ordinal) || l.StartsWith("energygrid_rack_it_watts", StringComparison.Ordinal));
        Assert.Contains(samples, l => l.StartsWith("energygrid_site_it_joules_total", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Of_racing_submissions_under_one_id_all_of_one_text_succeed_and_of_different_texts_one()
    {
        using var http = _grid.Http();
        for (var round = 0; round < 5; round++)
        {
            var same = await Race(i => "name: same", $"same-{round}");
            Assert.All(same, a => Assert.Contains(a.Status, (HttpStatusCode[])[HttpStatusCode.Created, HttpStatusCode.OK]));
            Assert.Single(same.Select(a => a.Text).Distinct());
            var different = await Race(i => $"name: plan-{i}", $"different-{round}");
            Assert.Single(different, a => a.Status == HttpStatusCode.Created);
            Assert.Equal(9, different.Count(a => a.Status == HttpStatusCode.Conflict && a.Text.Contains("exists with another plan", StringComparison.Ordinal)));
        }

        async Task<(HttpStatusCode Status, string Text)[]> Race(Func<int, string> plan, string id) => await Task.WhenAll(Enumerable.Range(0, 10).Select(async i =>
        {
            using var answer = await http.PostAsync($"/v1/sweeps?id={id}", new StringContent(plan(i), Encoding.UTF8, "application/yaml"));
            return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }));
    }

    [Fact]
    public async Task A_file_of_an_ended_sweep_is_asked_for_again_by_its_checksum()
    {
        var bytes = _grid.Results.All[("s", "traces/a.csv")];
        var sha = FakeGrid.Hash(Encoding.UTF8.GetString(bytes));
        var manifest = new Manifest(2, "s", "s", "", "1", ".NET", SweepPhase.Finished, "otto", default, DateTimeOffset.UnixEpoch, [], null!, [], [new("traces/a.csv", bytes.Length, sha)]);
        _grid.Results.Manifests["s"] = manifest with { EndedUtc = null };
        using (var running = await Ask("GET", "/v1/sweeps/s/files/traces/a.csv")) Assert.Null(running.Headers.ETag);
        _grid.Results.Manifests["s"] = manifest;
        using var first = await Ask("GET", "/v1/sweeps/s/files/traces/a.csv");
        Assert.Equal($"W/\"{sha}\"", first.Headers.ETag?.ToString());
        foreach (var (known, status) in ((string, int)[])[($"W/\"{sha}\"", 304), ($"\"{sha}\"", 304), ($"\"x\", W/\"{sha}\"", 304), ("*", 304), ("\"x\"", 200), ("nonsense", 200)])
        {
            using var again = await Ask("GET", "/v1/sweeps/s/files/traces/a.csv", ("If-None-Match", known));
            Assert.Equal((known, status, status == 304 ? 0 : bytes.Length), (known, (int)again.StatusCode, (await again.Content.ReadAsByteArrayAsync()).Length));
        }
    }

    [Theory]
    [InlineData("/v1/sites/lab/ratio?from=abc&to=2", "from=abc is no whole number")]
    [InlineData("/v1/sites/lab/ratio?from=1", "to= is missing")]
    [InlineData("/v1/sites/lab/ratio?from=99999999999999999999&to=2", "from=99999999999999999999 is no whole number")]
    [InlineData("/v1/sites/lab/ratio?from=2&to=1", "from=2 is not before to=1")]
    public async Task A_parameter_that_cannot_be_is_400_and_named(string path, string says)
    {
        using var answer = await Ask("GET", path);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains(says, (await ProblemOf(answer)).Detail);
    }

    public static TheoryData<string, int> Faults => new()
    {
        { nameof(InvalidOperationException), 500 }, { nameof(NullReferenceException), 500 }, { nameof(JsonException), 500 }, { nameof(TimeoutException), 503 }, { nameof(IOException), 503 },
        { nameof(UnauthorizedAccessException), 503 }, { nameof(RedisConnectionException), 503 }, { nameof(RedisTimeoutException), 503 }, { nameof(OperationCanceledException), 503 }, { nameof(SupersededException), 503 },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task What_fails_inside_is_told_in_a_sentence_of_ours_and_in_the_log(string kind, int status)
    {
        const string Inside = "/secret/path:17 of Some.Framework.Type";
        _grid.Results.Fault = kind switch
        {
            nameof(InvalidOperationException) => new InvalidOperationException(Inside),
            nameof(NullReferenceException) => new NullReferenceException(Inside),
            nameof(JsonException) => new JsonException(Inside),
            nameof(TimeoutException) => new TimeoutException(Inside),
            nameof(IOException) => new IOException(Inside),
            nameof(UnauthorizedAccessException) => new UnauthorizedAccessException(Inside),
            nameof(RedisConnectionException) => new RedisConnectionException(ConnectionFailureType.SocketFailure, CommandFlags.None, Inside, null, CommandStatus.Unknown),
            nameof(RedisTimeoutException) => new RedisTimeoutException(CommandFlags.None, Inside, CommandStatus.Unknown),
            nameof(OperationCanceledException) => new OperationCanceledException(Inside),
            _ => new SupersededException(Inside),
        };
        using var answer = await Ask("GET", "/v1/sweeps/s/report");
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal(status == 503, answer.Headers.RetryAfter is not null);
        var detail = (await ProblemOf(answer)).Detail!;
        Assert.DoesNotContain("secret", detail);
        Assert.DoesNotContain("Exception", detail);
        Assert.Matches(@"^[A-Z].*[a-z]\.$", detail.ReplaceLineEndings(""));
        Assert.Contains(_grid.Log, line => line.Contains(Inside, StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_outage_of_the_storage_is_503_and_says_what_is_away_and_what_goes_on()
    {
        _grid.SubmitFault = new StorageTroubleException("Redis at 10.0.0.1:6379 does not answer: the connection is gone; whether what was asked took place is not known. It goes on when Redis does.");
        using var client = _grid.Client();
        var problem = await Assert.ThrowsAsync<GridProblemException>(() => client.Submit("name: a", "a"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, problem.Status);
        Assert.Contains("Redis at 10.0.0.1:6379 does not answer", problem.Message);
        Assert.Contains("sweeps go on by themselves", problem.Message);
    }

    [Theory]
    [InlineData(500, ExitCodes.Failed)]
    [InlineData(503, ExitCodes.Unreachable)]
    [InlineData(409, ExitCodes.Usage)]
    public async Task A_submission_that_fails_inside_is_no_wrong_usage(int status, int code)
    {
        _grid.SubmitFault = status switch
        {
            500 => new InvalidOperationException("inside"),
            503 => new TimeoutException(),
            _ => new RefusedException("Sweep 's' exists with another plan: submit under another id."),
        };
        var plan = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(plan, Sweeps.SmallPlan.Of(devices: 1));
            Assert.Equal(code, await GridCommand.Run(["submit", plan, "--id", "s", "--url", _grid.Address.ToString()]));
        }
        finally
        {
            File.Delete(plan);
        }
    }

    [Fact]
    public async Task A_caller_that_goes_is_no_failure_in_the_log()
    {
        // In the middle of a body.
        using (var client = new TcpClient())
        {
            await client.ConnectAsync(IPAddress.Loopback, _grid.Address.Port);
            var stream = client.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes("POST /v1/sweeps HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/yaml\r\nContent-Length: 1000\r\n\r\nname:"));
            client.Client.Shutdown(SocketShutdown.Send);
            using var reader = new StreamReader(stream);
            try { await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(20)); }
            catch (IOException)
            {
                // Answered or cut off: either way the silo has let go of it.
            }
        }
        // In the middle of a stream.
        _grid.PowerSteps.Enqueue(new());
        using (var client = new TcpClient { LingerState = new(true, 0) })
        {
            await client.ConnectAsync(IPAddress.Loopback, _grid.Address.Port);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes("GET /v1/devices/n1/gpu-0/power HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            await Sweeps.SimulatedGrid.Until(() => Task.FromResult(_grid.Calls.ContainsKey("watch")), "the stream is open");
        }
        await Sweeps.SimulatedGrid.Until(() => Task.FromResult(_grid.Calls.ContainsKey("unwatch")), "the silo has seen that the caller is gone");
        using var after = await Ask("GET", "/v1/sites");
        Assert.Empty(_grid.Log);
    }

    [Fact]
    public async Task A_stream_that_breaks_inside_is_cut_off_and_does_not_look_complete()
    {
        var step = new TaskCompletionSource<PowerSample>();
        _grid.PowerSteps.Enqueue(step);
        using var answer = await Ask("GET", "/v1/devices/n1/gpu-0/power");
        await Sweeps.SimulatedGrid.Until(() => Task.FromResult(_grid.Calls.ContainsKey("watch")), "the stream is open");
        step.SetException(new InvalidOperationException("the sensor is gone"));
        await Assert.ThrowsAnyAsync<Exception>(() => answer.Content.ReadAsStringAsync());
        Assert.DoesNotContain(_grid.Log, line => line.Contains("unhandled", StringComparison.OrdinalIgnoreCase));
    }
}
