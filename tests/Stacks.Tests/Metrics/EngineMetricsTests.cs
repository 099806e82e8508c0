using System.Text;

namespace EnergyGrid.Stacks.Tests;

/// <summary>Counters of engines as they send them, and texts that no engine should.</summary>
public sealed class EngineMetricsTests
{
    private const string Llama = """
        # HELP llamacpp:prompt_tokens_total Number of prompt tokens processed, excluding cached tokens
        # TYPE llamacpp:prompt_tokens_total counter
        llamacpp:prompt_tokens_total 2327
        # HELP llamacpp:prompt_tokens_cached_total Number of prompt tokens reused from the cache
        # TYPE llamacpp:prompt_tokens_cached_total counter
        llamacpp:prompt_tokens_cached_total 1160
        llamacpp:tokens_predicted_total 1899
        llamacpp:tokens_predicted_seconds_total 21.813
        llamacpp:n_decode_total 805
        llamacpp:requests_processing 0
        llamacpp:requests_deferred 0
        llamacpp:n_busy_slots_per_decode 2.35901
        """;

    [Fact]
    public void Llama_cpps_counters_are_found_and_what_it_has_not_is_null()
    {
        var counters = Read(Dialect.LlamaCpp, Llama);
        Assert.Equal((1899, 2327, 1160, 0, 0, 805), (counters.GeneratedTokens, counters.PromptTokens, counters.CachedTokens, counters.Running, counters.Waiting, counters.DecodeCalls));
        Assert.Equal((null, null, null), (counters.KvUse, counters.CacheQueries, counters.LiveTokens));
        Assert.Equal("llamacpp:n_decode_total", counters.Sources[nameof(EngineCounters.DecodeCalls)]);
        Assert.DoesNotContain(nameof(EngineCounters.KvUse), counters.Sources.Keys);
    }

    [Fact]
    public void Label_sets_of_a_counter_are_summed_and_shares_are_averaged()
    {
        var counters = Read(Dialect.Vllm, """
            vllm:generation_tokens_total{engine="0",model_name="m"} 100.0
            vllm:generation_tokens_total{engine="1",model_name="m"} 1.5e+02
            vllm:generation_tokens_created{engine="0",model_name="m"} 1.7e+09
            vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
            vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.75
            vllm:gpu_prefix_cache_hits_total{engine="0",model_name="m"} 7
            vllm:num_requests_running{engine="0",model_name="m"} 3 1712345678901
            vllm:iteration_tokens_total_bucket{engine="0",le="+Inf",model_name="m"} 12
            vllm:iteration_tokens_total_count{engine="0",model_name="m"} 12
            """);
        Assert.Equal((250, 0.5, 7, 3, 12), (counters.GeneratedTokens, counters.KvUse, counters.CachedTokens, counters.Running, counters.DecodeCalls));
        // An older release: the name that was there is told.
        Assert.Equal("vllm:gpu_prefix_cache_hits_total", counters.Sources[nameof(EngineCounters.CachedTokens)]);
        Assert.Null(counters.Waiting);
    }

    [Fact]
    public void Sglangs_live_tokens_are_those_of_decoding_alone()
    {
        var counters = Read(Dialect.Sglang, """
            sglang:realtime_tokens_total{mode="prefill_compute",model_name="a,b}\"mode=\\"} 1000
            sglang:realtime_tokens_total{model_name="m", mode="decode",} 40
            sglang:generation_tokens_total{model_name="m"} 32
            sglang:token_usage{model_name="m"} 0.125
            """);
        Assert.Equal((40, 32, 0.125), (counters.LiveTokens, counters.GeneratedTokens, counters.KvUse));
        Assert.Equal("sglang:realtime_tokens_total mode=\"decode\"", counters.Sources[nameof(EngineCounters.LiveTokens)]);
    }

    [Fact]
    public void Tensorrts_counters_are_found()
    {
        var counters = Read(Dialect.TensorRtLlm, "trtllm_generation_tokens_total{engine_type=\"trtllm\",model_name=\"m\"} 12\r\ntrtllm_kv_cache_utilization{engine_type=\"trtllm\",model_name=\"m\"} 0.5\r\n");
        Assert.Equal((12, 0.5), (counters.GeneratedTokens, counters.KvUse));
    }

    [Theory]
    [InlineData("NaN")]
    [InlineData("+Inf")]
    [InlineData("-1")]
    public void A_counter_that_is_no_count_is_none(string value)
    {
        var counters = Read(Dialect.LlamaCpp, $"llamacpp:tokens_predicted_total {value}\nllamacpp:n_decode_total 1\n");
        Assert.Equal((null, 1), (counters.GeneratedTokens, counters.DecodeCalls));
    }

    [Theory]
    [InlineData("a 1\nb", "line 2 of its metrics has no value")]
    [InlineData("a one", "has no number where its value belongs")]
    [InlineData("a 1,5", "has no number where its value belongs")]
    [InlineData("a 1e999", "has no number where its value belongs")]
    [InlineData("a 1 soon", "goes on after its value")]
    [InlineData("9a 1", "has no name where one belongs")]
    [InlineData("{\"a\"} 1", "has no name where one belongs")]
    [InlineData("a{b=\"c\" 1", "has labels that do not end")]
    [InlineData("a{b=\"c} 1", "has a label's value that does not end")]
    [InlineData("a{b=c} 1", "has a label's value without quotes")]
    [InlineData("a{b=\"\\x\"} 1", "has an escape that nobody knows")]
    [InlineData("a{b=\"\\", "has an escape that nobody knows")]
    [InlineData("a{b=\"1\",b=\"1\"} 1", "has a label twice")]
    [InlineData("a{b=\"1\"c=\"2\"} 1", "has labels that do not end")]
    [InlineData("a 1\na 1", "line 2 of its metrics tells a series a second time")]
    [InlineData("a{b=\"1\",c=\"2\"} 1\na{c=\"2\",b=\"1\"} 1", "tells a series a second time")]
    [InlineData("{\"generation\": 1}", "has no name where one belongs")]
    public void A_text_that_is_none_is_not_believed(string text, string says) => Assert.Contains(says, Assert.Throws<InvalidDataException>(() => Read(Dialect.LlamaCpp, text)).Message);

    [Fact]
    public void A_line_of_ten_megabytes_is_refused_at_once() =>
        Assert.Contains("line 2 of its metrics has more than 65536 bytes", Assert.Throws<InvalidDataException>(() => Read(Dialect.LlamaCpp, "a 1\nb " + new string('9', 10 << 20))).Message);

    [Fact]
    public async Task An_engine_that_answers_too_much_or_something_else_is_told()
    {
        foreach (var (status, body, says) in new[]
        {
            ("200 OK", string.Concat(Enumerable.Range(0, 600_000).Select(i => $"a{{i=\"{i}\"}} 1\n")), "/metrics answers with more than 8 MiB"),
            ("404 Not Found", "no", "/metrics answers with status 404"),
            ("200 OK", "<html>", "has no name where one belongs"),
        })
        {
            await using var engine = ScriptedEngine.Answer(status, "text/plain", body);
            using var metrics = EngineMetrics.Of(engine.Address, Dialect.LlamaCpp, "secret", TimeProvider.System)!;
            Assert.Contains(says, (await Assert.ThrowsAsync<InvalidDataException>(() => metrics.Read(CancellationToken.None))).Message);
            Assert.Contains("Authorization: Bearer secret", Assert.Single(engine.Requests));
        }

        Assert.Null(EngineMetrics.Of(new Uri("http://127.0.0.1:1/"), Dialect.Endpoint, null, TimeProvider.System));
        using var gone = EngineMetrics.Of(new Uri("http://127.0.0.1:1/"), Dialect.Vllm, null, TimeProvider.System)!;
        Assert.Contains("refused", (await Assert.ThrowsAsync<InvalidDataException>(() => gone.Read(CancellationToken.None))).Message);
    }

    private static EngineCounters Read(Dialect dialect, string text) => EngineMetrics.Counters(dialect, Encoding.UTF8.GetBytes(text), 0);
}
