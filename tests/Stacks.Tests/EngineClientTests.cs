using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks.Tests;

/// <summary>What engines send, and what none should: every request comes to an end that is told.</summary>
public sealed class EngineClientTests
{
    private const string Role = """data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}]}""";
    private const string Done = "data: [DONE]";

    private static readonly GenerationRequest Ask = new("m", "Say something.", 8, GenerationApi.Chat, IgnoreEndOfSequence: true);

    [Fact]
    public async Task Llama_cpps_chat_has_its_first_token_after_the_role_and_its_tokens_from_usage()
    {
        var usage = """data: {"choices":[],"object":"chat.completion.chunk","usage":{"completion_tokens":3,"prompt_tokens":64,"total_tokens":67,"prompt_tokens_details":{"cached_tokens":5}},"timings":{"cache_n":0}}""";
        var record = await Generate([Role, Delta(" w673"), Delta(" waca"), Delta(" wc50"), Finish(), usage, Done]);
        Assert.Equal((RequestOutcome.Ended, "", "length", 200), (record.Outcome, record.Error, record.FinishReason, record.Status));
        Assert.Equal((3, 64, 5, TokenTiming.OnePerChunk), (record.Output.Tokens, record.PromptTokens, record.CachedTokens, record.Output.Timing));
        Assert.Equal([1.0, 1, 1], record.Output.Arrivals.Select(a => a.Tokens));
        // The role came before the first token, and usage after the last.
        Assert.True(record.Sent < record.Headers && record.Headers < record.Output.First);
        Assert.True(record.Output.Last < record.Closed);
        Assert.True(record.TimeToFirstToken(TimeProvider.System) > TimeSpan.Zero && record.TimePerOutputToken(TimeProvider.System) > TimeSpan.Zero);
        Assert.True(record.EndToEnd(TimeProvider.System) < TimeProvider.System.GetElapsedTime(record.Sent, record.Closed));
    }

    [Fact]
    public async Task Completions_have_usage_in_the_last_chunk_that_has_choices()
    {
        var record = await Generate(
        [
            """data: {"choices":[{"text":" w673","index":0,"finish_reason":null}],"object":"text_completion"}""",
            """data: {"choices":[{"text":" w311","index":0,"finish_reason":null}],"object":"text_completion"}""",
            """data: {"choices":[{"text":"","index":0,"finish_reason":"length"}],"object":"text_completion","usage":{"completion_tokens":2,"prompt_tokens":46,"total_tokens":48}}""",
            Done,
        ], Ask with { Api = GenerationApi.Completions });
        Assert.Equal((RequestOutcome.Ended, 2, 46, -1), (record.Outcome, record.Output.Tokens, record.PromptTokens, record.CachedTokens));
    }

    [Fact]
    public async Task Chunks_of_many_tokens_and_of_none_are_counted_as_the_engine_counts_them()
    {
        // vLLM and SGLang with continuous usage: the stream's interval and speculation put several tokens into a chunk.
        var record = await Generate([Counted("", 0), Counted("one two three", 3), Counted("", 3), Counted(" four", 4), Counted(" five six", 6), Finish(), Usage(6), Done], dialect: Dialect.Vllm);
        Assert.Equal((6, TokenTiming.Chunks), (record.Output.Tokens, record.Output.Timing));
        Assert.Equal([3.0, 1, 2], record.Output.Arrivals.Select(a => a.Tokens));
        // Without it only the total is known.
        record = await Generate([Delta("one two three"), Delta(" four"), Finish(), Usage(7), Done]);
        Assert.Equal((7, TokenTiming.ByText), (record.Output.Tokens, record.Output.Timing));
        Assert.Equal(7, record.Output.Arrivals.Sum(a => a.Tokens), 1e-9);
        Assert.Equal(7 * 13.0 / 18, record.Output.Arrivals[0].Tokens, 1e-9);
        // And without any usage nothing: chunks are not counted.
        record = await Generate([Delta("one"), Delta(" two"), Finish(), Done]);
        Assert.Equal((-1, TokenTiming.Unknown, RequestOutcome.Ended), (record.Output.Tokens, record.Output.Timing, record.Outcome));
        Assert.Null(record.TimePerOutputToken(TimeProvider.System));
    }

    [Fact]
    public async Task Ids_of_tokens_in_the_stream_are_a_count_that_usage_can_be_held_against()
    {
        var record = await Generate(
        [
            """data: {"choices":[{"delta":{"content":"ab"},"token_ids":[7,8],"finish_reason":null}]}""", """data: {"choices":[{"delta":{"content":"c"},"token_ids":[9],"finish_reason":"stop"}]}""", Usage(4), Done,
        ], dialect: Dialect.Vllm);
        Assert.Equal((4, 3), (record.Output.Tokens, record.TokenIds));
    }

    [Fact]
    public async Task Reasoning_and_tool_calls_are_output()
    {
        var record = await Generate(
        [
            Role, """data: {"choices":[{"delta":{"reasoning_content":"Let me see."},"finish_reason":null}]}""",
            """data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}""",
            """data: {"choices":[],"usage":{"completion_tokens":9,"prompt_tokens":1,"completion_tokens_details":{"reasoning_tokens":4}}}""", Done,
        ]);
        Assert.Equal((9, 4, 2), (record.Output.Tokens, record.ReasoningTokens, record.Output.Arrivals.Length));
    }

    [Fact]
    public async Task Usage_that_comes_twice_counts_once_and_lines_may_end_in_blanks()
    {
        var record = await Generate([Delta("a") + " ", Delta("b") + " ", Finish() + " ", Usage(2) + " ", Usage(2), Done + " "], dialect: Dialect.TensorRtLlm);
        Assert.Equal((RequestOutcome.Ended, 2), (record.Outcome, record.Output.Tokens));
    }

    [Fact]
    public async Task Half_a_character_in_each_piece_is_put_together()
    {
        var bytes = Encoding.UTF8.GetBytes(string.Concat(new[] { Delta("é漢🙂"), Finish(), Usage(3), Done }.Select(l => l + "\n\n")));
        await using var engine = ScriptedEngine.Stream([.. bytes.Chunk(1)]);
        using var client = Client(engine, Dialect.LlamaCpp);
        var record = await client.Generate("r", Ask, 0, CancellationToken.None);
        Assert.Equal((RequestOutcome.Ended, 3), (record.Outcome, record.Output.Tokens));
    }

    [Theory]
    [InlineData("""data: {"error":{"message":"out of memory","code":500}}""", "out of memory")]
    [InlineData("""data: {"error":"out of memory"}""", "out of memory")]
    [InlineData("""data: {"object":"error","message":"out of memory","code":500}""", "out of memory")]
    [InlineData("data: {\"choices\":[", "a line of its stream is no JSON of the protocol")]
    [InlineData("data: nonsense", "a line of its stream is no JSON of the protocol")]
    public async Task What_goes_wrong_in_mid_stream_is_a_failure_with_the_engines_reason(string line, string says)
    {
        var record = await Generate([Role, Delta("a"), line, Done]);
        Assert.Equal((RequestOutcome.Failed, says), (record.Outcome, record.Error));
    }

    [Theory]
    [InlineData("503 Service Unavailable", """{"error":{"message":"Loading model","type":"unavailable_error","code":503}}""", "status 503: Loading model")]
    [InlineData("429 Too Many Requests", "slow down", "status 429")]
    [InlineData("400 Bad Request", """{"object":"error","message":"maximum context length is 512\u001b[31m","code":400}""", "status 400: maximum context length is 512\uFFFD[31m")]
    [InlineData("302 Found", "", "status 302")]
    public async Task A_refusal_is_a_failure_with_its_status_and_its_words_made_harmless(string status, string body, string says)
    {
        await using var engine = ScriptedEngine.Answer(status, "application/json", body);
        using var client = Client(engine, Dialect.Endpoint);
        var record = await client.Generate("r", Ask with { IgnoreEndOfSequence = false }, 0, CancellationToken.None);
        Assert.Equal((RequestOutcome.Failed, says), (record.Outcome, record.Error));
    }

    [Fact]
    public async Task A_stream_that_breaks_off_stalls_never_ends_its_line_or_is_none_has_failed()
    {
        Assert.Contains("broke off", (await Generate([Role, Delta("a")])).Error);
        await using var stalled = new ScriptedEngine(async (to, stop) =>
        {
            await to.WriteAsync(Encoding.UTF8.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n{Delta("a")}\n\n"), stop);
            await Task.Delay(-1, stop);
        });
        using (var client = new EngineClient(stalled.Address, Dialect.LlamaCpp, new EngineClientOptions { StallPatience = TimeSpan.FromSeconds(2) }))
        {
            var record = await client.Generate("r", Ask, 0, CancellationToken.None);
            Assert.Equal((RequestOutcome.Failed, "it brought nothing for 2 s", 1), (record.Outcome, record.Error, record.Output.Arrivals.Length));
        }

        Assert.Equal("a line of more than 1048576 bytes", (await Generate([Role, "data: " + new string('x', 10 << 20)])).Error);
        await using var json = ScriptedEngine.Answer("200 OK", "application/json", "{}");
        using var other = Client(json, Dialect.LlamaCpp);
        Assert.Equal("it answered with application/json instead of a stream", (await other.Generate("r", Ask, 0, CancellationToken.None)).Error);
    }

    [Fact]
    public async Task A_connection_that_is_reset_or_refused_has_failed_and_one_that_is_given_up_is_cancelled()
    {
        await using var reset = new ScriptedEngine((to, _) =>
        {
            to.Socket.LingerState = new System.Net.Sockets.LingerOption(true, 0);
            to.Socket.Close();
            return Task.CompletedTask;
        });
        using (var client = Client(reset, Dialect.LlamaCpp)) Assert.Equal(RequestOutcome.Failed, (await client.Generate("r", Ask, 0, CancellationToken.None)).Outcome);
        Uri gone;
        await using (var engine = ScriptedEngine.Stream(Role)) gone = engine.Address;
        using (var client = new EngineClient(gone, Dialect.LlamaCpp)) Assert.Contains("refused", (await client.Generate("r", Ask, 0, CancellationToken.None)).Error);
        await using var endless = new ScriptedEngine((_, stop) => Task.Delay(-1, stop));
        using var patient = Client(endless, Dialect.LlamaCpp);
        using var stop = new CancellationTokenSource(200);
        Assert.Equal(RequestOutcome.Cancelled, (await patient.Generate("r", Ask, 0, stop.Token)).Outcome);
    }

    [Fact]
    public async Task Each_engine_is_sent_what_it_takes_and_no_token_in_an_address()
    {
        foreach (var (dialect, has, hasNot) in new (Dialect, string[], string[])[]
        {
            (Dialect.LlamaCpp, ["\"ignore_eos\":true", "\"include_usage\":true"], ["continuous_usage_stats", "min_tokens"]),
            (Dialect.Vllm, ["\"ignore_eos\":true", "\"min_tokens\":4", "\"continuous_usage_stats\":true"], ["cache_prompt"]),
            (Dialect.Endpoint, ["\"max_tokens\":8", "\"temperature\":0", "\"stream\":true"], ["ignore_eos", "min_tokens", "continuous_usage_stats"]),
        })
        {
            await using var engine = ScriptedEngine.Stream(Delta("a"), Finish(), Usage(1), Done);
            using var client = new EngineClient(engine.Address, dialect, new EngineClientOptions { Token = "secret" });
            var ask = Ask with { IgnoreEndOfSequence = dialect.IgnoresEndOfSequence, LeastTokens = dialect.HasLeastTokens ? 4 : 0 };
            Assert.Equal(RequestOutcome.Ended, (await client.Generate("r", ask, 0, CancellationToken.None)).Outcome);
            var request = Assert.Single(engine.Requests);
            Assert.Contains("Authorization: Bearer secret", request);
            Assert.All(has, h => Assert.Contains(h, request));
            Assert.All(hasNot, h => Assert.DoesNotContain(h, request));
        }

        Assert.Contains("min_tokens", Assert.Throws<ArgumentException>(() => (Ask with { LeastTokens = 4 }).ToJson(Dialect.LlamaCpp)).Message);
        Assert.Contains("ignore_eos", Assert.Throws<ArgumentException>(() => Ask.ToJson(Dialect.Endpoint)).Message);
        Assert.Contains("over https", Assert.Throws<ArgumentException>(() => new EngineClient(new Uri("http://192.0.2.1/"), Dialect.Vllm, new EngineClientOptions { Token = "secret" })).Message);
        Assert.Contains("name or a password", Assert.Throws<ArgumentException>(() => new EngineClient(new Uri("http://me:secret@127.0.0.1/"), Dialect.Vllm)).Message);
    }

    [Fact]
    public void A_windows_share_of_a_chunk_is_by_time_and_all_windows_together_have_all_tokens()
    {
        var timeline = TokenTimeline.Of([(100, 1, 2), (200, 1, 6), (200, 1, 7), (300, 1, 17)], 17);
        Assert.Equal([2.0, 4, 1, 10], timeline.Arrivals.Select(a => a.Tokens));
        Assert.Equal(2 + 2, timeline.TokensWithin(100, 150), 1e-9);
        Assert.Equal(2 + 1 + 5, timeline.TokensWithin(150, 250), 1e-9);
        Assert.Equal(0, timeline.TokensWithin(0, 100), 1e-9);
        Assert.Equal(17, Enumerable.Range(0, 40).Sum(i => timeline.TokensWithin(10 * i, 10 * i + 10)), 1e-9);
    }

    [Fact]
    public void Percentiles_are_of_all_that_was_added()
    {
        var figures = new LatencyFigures();
        Assert.Null(figures.Percentile(50));
        for (var i = 1; i <= 1000; i++) figures.Add(TimeSpan.FromMilliseconds(i));
        Assert.Equal(1000, figures.Count);
        Assert.Equal(500, figures.Percentile(50)!.Value.TotalMilliseconds, 1.0);
        Assert.Equal(990, figures.Percentile(99)!.Value.TotalMilliseconds, 2.0);
    }

    private static async Task<RequestRecord> Generate(string[] lines, GenerationRequest? request = null, Dialect? dialect = null)
    {
        await using var engine = ScriptedEngine.Stream(lines);
        using var client = Client(engine, dialect ?? Dialect.LlamaCpp);
        return await client.Generate("r", request ?? Ask, 0, CancellationToken.None);
    }

    private static EngineClient Client(ScriptedEngine engine, Dialect dialect) => new(engine.Address, dialect);

    private static string Delta(string text) => $$$"""data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"{{{text}}}"}}],"object":"chat.completion.chunk"}""";

    private static string Counted(string text, int tokens) => $$$"""data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"{{{text}}}"}}],"usage":{"prompt_tokens":5,"completion_tokens":{{{tokens}}},"total_tokens":{{{5 + tokens}}}}}""";

    private static string Finish() => """data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}],"object":"chat.completion.chunk"}""";

    private static string Usage(int tokens) => $$$"""data: {"choices":[],"usage":{"completion_tokens":{{{tokens}}},"prompt_tokens":64,"total_tokens":{{{64 + tokens}}}}}""";
}
