using EnergyGrid.Contracts;
using EnergyGrid.LlamaCpp.Gguf;

namespace EnergyGrid.Stacks.Tests;

/// <summary>The client against a server that nobody here wrote: what it counts must be what that server counts.</summary>
public sealed class LlamaServerTests
{
    [LlamaServerFact]
    public async Task Tokens_of_concurrent_streams_are_those_of_the_servers_own_counters()
    {
        foreach (var (api, weights) in new[] { (GenerationApi.Completions, "FP16"), (GenerationApi.Chat, "Q8_0"), (GenerationApi.Completions, "Q4_0") })
        {
            await using var server = await LlamaServer.Start(new ServedModel(Weights: weights), "--parallel", "4", "-c", "4096");
            using var client = new EngineClient(server.Address, Dialect.LlamaCpp);
            var (predicted, prompted) = (await server.Counter("llamacpp:tokens_predicted_total"), await server.Counter("llamacpp:prompt_tokens_total"));
            var records = await Task.WhenAll(Enumerable.Range(0, 12).Select(i =>
                client.Generate($"{i}", new GenerationRequest("m", $"salt {i}: the quick brown fox jumps over the lazy dog", 16 + i, api, IgnoreEndOfSequence: true), TimeProvider.System.GetTimestamp(), CancellationToken.None)));
            Assert.All(records, r => Assert.True(r.Outcome == RequestOutcome.Ended, r.Error));
            // Every one as long as it was asked to be, a token a chunk, in order.
            Assert.Equal(Enumerable.Range(16, 12), records.Select(r => r.Output.Tokens));
            Assert.All(records, r => Assert.Equal(("length", TokenTiming.OnePerChunk), (r.FinishReason, r.Output.Timing)));
            Assert.All(records, r => Assert.True(r.Output.Arrivals.Zip(r.Output.Arrivals.Skip(1)).All(p => p.First.Timestamp <= p.Second.Timestamp)));
            Assert.All(records, r => Assert.True(r.Sent < r.Output.First && r.Output.Last <= r.Closed));
            Assert.Equal(await server.Counter("llamacpp:tokens_predicted_total") - predicted, records.Sum(r => (double)r.Output.Tokens));
            // What came out of a cache was not computed.
            Assert.Equal(await server.Counter("llamacpp:prompt_tokens_total") - prompted, records.Sum(r => (double)(r.PromptTokens - r.CachedTokens)));
            // All windows together hold all tokens.
            var (from, to) = (records.Min(r => r.Sent), records.Max(r => r.Closed) + 1);
            var middle = from + (to - from) / 2;
            Assert.Equal(records.Sum(r => (double)r.Output.Tokens), records.Sum(r => r.Output.TokensWithin(from, middle) + r.Output.TokensWithin(middle, to)), 1e-6);
        }
    }

    [LlamaServerFact]
    public async Task Greedy_text_repeats_itself_and_what_the_server_refuses_is_told_in_its_words()
    {
        await using var server = await LlamaServer.Start(new ServedModel(), "--parallel", "1", "-c", "512");
        using var client = new EngineClient(server.Address, Dialect.LlamaCpp);
        var long_ = await client.Generate("long", new GenerationRequest("m", string.Concat(Enumerable.Repeat("word ", 4000)), 8), 0, CancellationToken.None);
        Assert.Equal((RequestOutcome.Failed, 400), (long_.Outcome, long_.Status));
        Assert.Contains("exceeds the available context size", long_.Error);
        // The first token is a word, never one of the bytes whose output rows are zero: so nothing ends early though the end is not ignored.
        var free = await client.Generate("free", new GenerationRequest("m", "Say something.", 40), 0, CancellationToken.None);
        Assert.Equal((RequestOutcome.Ended, 40, "length"), (free.Outcome, free.Output.Tokens, free.FinishReason));
    }

    [LlamaServerFact]
    public async Task A_server_that_is_killed_in_mid_stream_leaves_requests_that_failed_with_what_had_come()
    {
        await using var server = await LlamaServer.Start(new ServedModel(Layers: 4, Width: 512, FeedForward: 1408), "--parallel", "2", "-c", "16384");
        using var client = new EngineClient(server.Address, Dialect.LlamaCpp);
        var running = Enumerable.Range(0, 4).Select(i => client.Generate($"{i}", new GenerationRequest("m", $"salt {i}", 8000, IgnoreEndOfSequence: true), 0, CancellationToken.None)).ToArray();
        await Task.Delay(700);
        server.Kill();
        var records = await Task.WhenAll(running);
        Assert.All(records, r => Assert.True(r.Outcome == RequestOutcome.Failed && r.Error.Length > 0, $"{r.Outcome}: {r.Error}"));
        // Two had slots and had begun; nobody says how many tokens they had, and nothing is made up.
        Assert.Contains(records, r => r.Output.Arrivals.Length > 1);
        Assert.All(records, r => Assert.Equal(-1, r.Output.Tokens));
    }
}
