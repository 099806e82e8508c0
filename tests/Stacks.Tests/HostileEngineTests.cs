using System.Globalization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks.Tests;

/// <summary>A whole engine as a process, wrong in one way after the other: what becomes of a request, and in which words.</summary>
public sealed class HostileEngineTests
{
    private const int Tokens = 30;

    private static readonly GenerationRequest Ask = new(HostileProcess.Model, "one two three four five", Tokens, GenerationApi.Chat, IgnoreEndOfSequence: true);

    [Fact]
    public async Task Without_a_fault_every_token_is_counted_on_both_sides_and_comes_when_it_should()
    {
        await using var engine = await HostileProcess.Start("--tokens-per-second", "100", "--first-token-ms", "60", "--parallel", "6");
        Assert.Equal((200, HostileProcess.Model), (await engine.Health(), await engine.ServedModel()));
        using var client = Client(engine);
        var records = await Task.WhenAll(Enumerable.Range(1, 12).Select(i =>
            client.Generate($"{i}", Ask with { MostTokens = 2 * i, Api = i % 2 == 0 ? GenerationApi.Chat : GenerationApi.Completions }, TimeProvider.System.GetTimestamp(), CancellationToken.None)));
        Assert.All(records, r => Assert.True(r.Outcome == RequestOutcome.Ended, r.Error));
        Assert.Equal(Enumerable.Range(1, 12).Select(i => 2 * i), records.Select(r => r.Output.Tokens));
        Assert.All(records, r => Assert.Equal((TokenTiming.OnePerChunk, "length", 5, 0), (r.Output.Timing, r.FinishReason, r.PromptTokens, r.CachedTokens)));
        Assert.All(records, r => Assert.True(r.TimeToFirstToken(TimeProvider.System) >= TimeSpan.FromMilliseconds(59)));
        // Ten milliseconds a token, however late some were.
        Assert.All(records, r => Assert.True(r.EndToEnd(TimeProvider.System) >= TimeSpan.FromMilliseconds(59 + 10 * (r.Output.Tokens - 1))));
        await Quiet(engine);
        Assert.Equal((records.Sum(r => (double)r.Output.Tokens), 12 * 5.0), (await engine.Counter("llamacpp:tokens_predicted_total"), await engine.Counter("llamacpp:prompt_tokens_total")));
        // Six had slots at once, so the others' first tokens were late.
        Assert.True(records.Count(r => r.TimeToFirstToken(TimeProvider.System) > TimeSpan.FromMilliseconds(110)) >= 5);
    }

    [Theory]
    [InlineData("never-healthy", 503, "status 503: Loading model")]
    [InlineData("http-503", 503, "status 503: Loading model")]
    [InlineData("http-429", 429, "status 429: Too many requests: wait a second")]
    [InlineData("wrong-model", 404, "status 404: The model `m` does not exist.")]
    public async Task What_refuses_is_told_in_its_words(string fault, int status, string says)
    {
        await using var engine = await HostileProcess.Start("--fault", fault);
        Assert.Equal(fault == "never-healthy" ? 503 : 200, await engine.Health());
        Assert.Equal(fault == "wrong-model" ? "another-m" : "m", await engine.ServedModel());
        using var client = Client(engine);
        var record = await client.Generate("r", Ask, 0, CancellationToken.None);
        Assert.Equal((RequestOutcome.Failed, says, status, 0), (record.Outcome, record.Error, record.Status, record.Output.Arrivals.Length));
    }

    [Theory]
    [InlineData("stalled-streams", "it brought nothing for 2 s", Tokens / 2)]
    [InlineData("slow-loris", "it brought nothing for 2 s", 0)]
    [InlineData("lost-response", "the stream broke off: no reason to finish came", Tokens / 2)]
    [InlineData("long-line", "a line of more than 1048576 bytes", 0)]
    [InlineData("connection-reset", "reset by peer", Tokens / 2)]
    public async Task What_breaks_off_has_failed_with_the_reason_and_with_what_had_come(string fault, string says, int arrivals)
    {
        await using var engine = await HostileProcess.Start("--tokens-per-second", "200", "--fault", fault);
        using var client = Client(engine, says.Contains("nothing", StringComparison.Ordinal) ? 2 : 30);
        var records = await Task.WhenAll(Enumerable.Range(0, 5).Select(i => client.Generate($"{i}", Ask, 0, CancellationToken.None)));
        Assert.All(records, r => Assert.Equal((RequestOutcome.Failed, 200), (r.Outcome, r.Status)));
        Assert.All(records, r => Assert.Contains(says, r.Error));
        // A reset may throw away what was on its way.
        Assert.All(records, r => Assert.InRange(r.Output.Arrivals.Length, fault == "connection-reset" ? arrivals - 5 : arrivals, arrivals));
        // Nobody said how many tokens they were, and nothing is made up.
        Assert.All(records, r => Assert.Equal((arrivals > 0 ? -1 : r.Output.Tokens, TokenTiming.Unknown), (r.Output.Tokens, r.Output.Timing)));
        if (fault == "slow-loris") return;
        await Quiet(engine);
        Assert.Equal(5.0 * arrivals, await engine.Counter("llamacpp:tokens_predicted_total"));
    }

    [Theory]
    [InlineData("one-token-answers", 1, "stop", TokenTiming.OnePerChunk)]
    [InlineData("split-utf8", Tokens, "length", TokenTiming.OnePerChunk)]
    [InlineData("usage-twice", Tokens, "length", TokenTiming.OnePerChunk)]
    [InlineData("no-usage", -1, "length", TokenTiming.Unknown)]
    // More tokens than chunks: no longer known when each came.
    [InlineData("wrong-usage", 33, "length", TokenTiming.ByText)]
    [InlineData("cached-answers", Tokens, "length", TokenTiming.OnePerChunk)]
    [InlineData("ignores-max-tokens", 2 * Tokens, "length", TokenTiming.OnePerChunk)]
    [InlineData("counter-off", Tokens, "length", TokenTiming.OnePerChunk)]
    [InlineData("fork-children", Tokens, "length", TokenTiming.OnePerChunk)]
    public async Task What_ends_well_is_recorded_as_it_was_said_for_others_to_hold_against_plan_and_counters(string fault, int tokens, string finish, TokenTiming timing)
    {
        await using var engine = await HostileProcess.Start("--tokens-per-second", "300", "--fault", fault);
        using var client = Client(engine);
        var records = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => client.Generate($"{i}", i % 2 == 0 ? Ask : Ask with { Api = GenerationApi.Completions }, 0, CancellationToken.None)));
        Assert.All(records, r => Assert.Equal((RequestOutcome.Ended, "", finish, timing), (r.Outcome, r.Error, r.FinishReason, r.Output.Timing)));
        Assert.All(records, r => Assert.Equal((tokens, fault == "no-usage" ? -1 : 5, fault switch { "no-usage" => -1, "cached-answers" => 5, _ => 0 }), (r.Output.Tokens, r.PromptTokens, r.CachedTokens)));
        await Quiet(engine);
        var (sent, counted) = (records.Sum(r => (double)r.Output.Arrivals.Length), await engine.Counter("llamacpp:tokens_predicted_total"));
        Assert.Equal(fault == "counter-off" ? 0.9 * sent : sent, counted);
        Assert.Equal(fault == "cached-answers" ? 0 : 20, await engine.Counter("llamacpp:prompt_tokens_total"));
        if (fault == "fork-children")
        {
            var children = engine.Said.Where(l => l.StartsWith("child ", StringComparison.Ordinal)).Select(l => int.Parse(l.Split(' ')[1], CultureInfo.InvariantCulture)).ToArray();
            Assert.Equal(3, children.Length);
            // They take no SIGTERM, which is signal 15.
            Assert.All(children, c => Assert.Equal(1ul, (Convert.ToUInt64(File.ReadLines($"/proc/{c}/status").Single(l => l.StartsWith("SigIgn:", StringComparison.Ordinal)).Split('\t')[1], 16) >> 14) & 1));
        }
    }

    [Fact]
    public async Task What_dies_in_mid_stream_takes_all_that_ran_with_it_and_each_is_told()
    {
        await using var engine = await HostileProcess.Start("--tokens-per-second", "100", "--fault", "dies-after-3-requests");
        using var client = Client(engine);
        foreach (var i in new[] { 1, 2 }) Assert.Equal(RequestOutcome.Ended, (await client.Generate($"{i}", Ask, 0, CancellationToken.None)).Outcome);
        var records = await Task.WhenAll(Enumerable.Range(3, 3).Select(i => client.Generate($"{i}", Ask, 0, CancellationToken.None)));
        Assert.All(records, r => Assert.Equal((RequestOutcome.Failed, -1), (r.Outcome, r.Output.Tokens)));
        Assert.All(records, r => Assert.Matches("ended prematurely|reset by peer", r.Error));
        Assert.All(records, r => Assert.InRange(r.Output.Arrivals.Length, 1, Tokens - 1));
        Assert.Equal(134, await engine.Ended());
        Assert.Contains(engine.Said, l => l.Contains("illegal memory access", StringComparison.Ordinal));
        Assert.Contains("refused", (await client.Generate("after", Ask, 0, CancellationToken.None)).Error);
    }

    [Fact]
    public async Task What_dies_at_its_start_or_is_asked_for_a_fault_that_it_has_not_says_so()
    {
        var (code, said) = await HostileProcess.Run("--fault", "dies-at-start");
        Assert.Equal(1, code);
        Assert.Contains("CUDA out of memory", said);
        (code, said) = await HostileProcess.Run("--fault", "http-429,kindness");
        Assert.Equal(2, code);
        Assert.Contains("no fault 'kindness'; there are never-healthy, dies-at-start, dies-after-N-requests, wrong-model", said);
    }

    private static EngineClient Client(HostileProcess engine, int patience = 30) => new(engine.Address, Dialect.LlamaCpp, new EngineClientOptions { StallPatience = TimeSpan.FromSeconds(patience) });

    /// <summary>Until nothing runs any more: counters move at a request's end, which is a little after the client's.</summary>
    private static async Task Quiet(HostileProcess engine)
    {
        var left = 200;
        while (await engine.Counter("llamacpp:requests_processing") > 0 && left-- > 0) await Task.Delay(10);
        Assert.Equal((0.0, 0.0), (await engine.Counter("llamacpp:requests_processing"), await engine.Counter("llamacpp:requests_deferred")));
    }
}
