using System.Collections.Immutable;

namespace EnergyGrid.Stacks.Tests;

/// <summary>The same streams, told by others: each difference, and that it is the one that is explained. A timestamp is a millisecond.</summary>
public sealed class PeerFiguresTests
{
    private static readonly Milliseconds Time = new();

    [Fact]
    public void The_role_is_vllms_first_token_and_the_reason_to_finish_its_last_chunk()
    {
        // The role at 20 ms, four tokens from 100 ms on, 10 ms apart, and the reason to finish 5 ms after the last.
        var record = Stream(sent: 0, silent: [20, 135], chunks: [(100, 1), (110, 2), (120, 3), (130, 4)], usage: 4, usageAt: 136, closed: 140);
        Assert.Equal((100.0, 10.0, 130.0), Ours(record));
        var vllm = PeerFigures.OfVllm([record], Time);
        Assert.Equal((20.0, (135 - 20) / 3.0, 135.0), Theirs(vllm), Near);
        // The role's gap to the first token is taken for one between tokens.
        Assert.Equal([5.0, 10, 10, 10, 80], vllm.BetweenChunks.Sorted.Select(t => t.TotalMilliseconds));
        var aiperf = PeerFigures.OfAiPerf([record], Time);
        Assert.Equal((100.0, 10.0, 130.0), Theirs(aiperf), Near);
        Assert.Equal([10.0, 10, 10], aiperf.BetweenChunks.Sorted.Select(t => t.TotalMilliseconds));
    }

    [Fact]
    public void Four_tokens_a_chunk_are_one_gap_to_both_and_four_tokens_to_us()
    {
        var record = Stream(0, [], [(100, 4), (140, 8), (180, 12)], usage: 12, usageAt: 181, closed: 182);
        foreach (var peer in new[] { PeerFigures.OfVllm([record], Time), PeerFigures.OfAiPerf([record], Time) })
        {
            // A gap of 40 ms that had four tokens in it: 10 ms a token.
            Assert.Equal([40.0, 40], peer.BetweenChunks.Sorted.Select(t => t.TotalMilliseconds));
            Assert.Equal(80 / 11.0, peer.TimePerOutputToken.Mean!.Value.TotalMilliseconds, 1e-3);
            Assert.Equal(12, peer.OutputTokens);
        }

        Assert.Equal([4.0, 4, 4], record.Output.Arrivals.Select(a => a.Tokens));
        Assert.Equal(80 / 11.0, Ours(record).PerToken!.Value, 1e-3);
        Assert.Equal(8, record.Output.TokensWithin(101, 181), 0.2);
    }

    [Fact]
    public void A_trailing_usage_chunk_prolonged_an_answer_in_earlier_versions_and_only_there()
    {
        var record = Stream(0, [], [(100, 1), (110, 2), (120, 3)], usage: 3, usageAt: 170, closed: 171);
        Assert.Equal((100.0, 10.0, 120.0), Ours(record));
        Assert.Equal((100.0, 10.0, 120.0), Theirs(PeerFigures.OfVllm([record], Time)), Near);
        Assert.Equal((100.0, 10.0, 120.0), Theirs(PeerFigures.OfAiPerf([record], Time)), Near);
        var earlier = PeerFigures.OfVllm([record], Time, endsAtUsage: true);
        Assert.Equal((100.0, 35.0, 170.0), Theirs(earlier), Near);
        // The gaps are the same: it was no token.
        Assert.Equal(PeerFigures.OfVllm([record], Time).BetweenChunks.Sorted.AsEnumerable(), earlier.BetweenChunks.Sorted);
    }

    [Fact]
    public void Usage_beside_a_choice_is_not_seen_by_vllm_which_tokenises_the_text_again()
    {
        // llama.cpp's completions: usage in the chunk that has the reason to finish.
        var record = Stream(0, [131], [(100, 1), (110, 2), (130, 3)], usage: 3, usageAt: 0, closed: 132);
        var vllm = PeerFigures.OfVllm([record], Time);
        Assert.Equal((1, 0, 3), (vllm.Retokenised, vllm.Uncounted, vllm.OutputTokens));
        Assert.Equal((0, 0, 3), (PeerFigures.OfAiPerf([record], Time).Retokenised, PeerFigures.OfAiPerf([record], Time).Uncounted, (int)PeerFigures.OfAiPerf([record], Time).OutputTokens));
        // Without any usage nobody here can say what their tokenisers would: the figure leaves it out and says so.
        var silent = Stream(0, [131], [(100, 0), (110, 0)], usage: -1, usageAt: 0, closed: 132);
        vllm = PeerFigures.OfVllm([record, silent], Time);
        Assert.Equal((2, 2, 1, 3), (vllm.Completed, vllm.Retokenised, vllm.Uncounted, vllm.OutputTokens));
        Assert.Equal(1, vllm.TimePerOutputToken.Count);
    }

    [Fact]
    public void Reasoning_is_output_to_all_three()
    {
        // Ours does not tell reasoning from text in a timeline, so its first chunk is the first token; vLLM takes any choice, AIPerf counts reasoning for its time to first token, too.
        var record = Stream(0, [], [(50, 1), (60, 2), (200, 3), (210, 4)], usage: 4, usageAt: 211, closed: 212) with { ReasoningTokens = 2 };
        Assert.Equal(50, Ours(record).First);
        Assert.Equal((50.0, 160 / 3.0, 210.0), Theirs(PeerFigures.OfVllm([record], Time)), Near);
        Assert.Equal((50.0, 160 / 3.0, 210.0), Theirs(PeerFigures.OfAiPerf([record], Time)), Near);
        Assert.Equal(4, PeerFigures.OfAiPerf([record], Time).OutputTokens);
    }

    [Fact]
    public void Of_answers_of_one_token_vllm_prints_zero_per_token_and_we_and_aiperf_nothing()
    {
        var record = Stream(0, [101], [(100, 1)], usage: 1, usageAt: 102, closed: 103);
        Assert.Null(Ours(record).PerToken);
        var (vllm, aiperf) = (PeerFigures.OfVllm([record], Time), PeerFigures.OfAiPerf([record], Time));
        Assert.Equal((0, TimeSpan.Zero, TimeSpan.Zero), (vllm.TimePerOutputToken.Count, vllm.TimePerOutputToken.Mean, vllm.TimePerOutputToken.Percentile(99)));
        Assert.Null(aiperf.TimePerOutputToken.Percentile(99));
        // The gap to the reason to finish is there all the same.
        Assert.Equal([1.0], vllm.BetweenChunks.Sorted.Select(t => t.TotalMilliseconds));
        Assert.Empty(aiperf.BetweenChunks.Sorted);
    }

    [Fact]
    public void A_lost_response_and_an_error_in_mid_stream_are_successes_to_both_and_failures_to_us()
    {
        var whole = Stream(0, [], [(100, 1), (110, 2)], usage: 2, usageAt: 111, closed: 112);
        // Half an answer, an end in good order, no reason to finish, no usage: our client says that it broke off.
        var lost = Stream(0, [], [(100, 0), (110, 0)], usage: -1, usageAt: 0, closed: 120) with { Outcome = RequestOutcome.Failed, FinishReason = "" };
        // The connection broke: all three say so.
        var broken = lost with { Facts = lost.Facts with { IsWhole = false } };
        var refused = lost with { Status = 503, Output = TokenTimeline.Empty, Facts = StreamFacts.None };
        // The engine said in the stream what went wrong; lines without choices are passed over.
        var wrong = lost with { Error = "out of memory" };
        RequestRecord[] all = [whole, lost, broken, refused, wrong];
        foreach (var peer in new[] { PeerFigures.OfVllm(all, Time), PeerFigures.OfAiPerf(all, Time) })
        {
            Assert.Equal((3, 2, 2), (peer.Completed, peer.Failed, peer.Uncounted));
            Assert.Equal(3, peer.TimeToFirstToken.Count);
        }

        Assert.Single(all, r => r.Outcome == RequestOutcome.Ended);
    }

    [Fact]
    public void Ramp_and_drain_are_in_their_durations_and_not_in_our_window()
    {
        // Two slots of a token a millisecond each; one begins 500 ms late, one has a last answer that goes on alone for 500 ms.
        var records = new[] { Steady(0, 1000), Steady(500, 1000) };
        var window = records.Sum(r => r.Output.TokensWithin(501, 1001)) / 0.5;
        Assert.Equal(2000, window, 1e-6);
        var vllm = PeerFigures.OfVllm(records, Time);
        Assert.Equal((1.501, 2000L), (vllm.Duration.TotalSeconds, vllm.OutputTokens));
        Assert.Equal(2000 / 1.501, vllm.OutputTokensPerSecond, 1e-6);
        Assert.Equal(2 / 1.501, vllm.RequestsPerSecond, 1e-6);
        // AIPerf ends with the last chunk, and a failure that came late is not waited for.
        var late = Stream(0, [], [], -1, 0, closed: 4000) with { Status = 0, Outcome = RequestOutcome.Failed, Facts = StreamFacts.None };
        Assert.Equal(1.5, PeerFigures.OfAiPerf([.. records, late], Time).Duration.TotalSeconds);
        Assert.Equal(4.0, PeerFigures.OfVllm([.. records, late], Time).Duration.TotalSeconds);
        Assert.Equal(0, PeerFigures.OfVllm([], Time).OutputTokensPerSecond);

        static RequestRecord Steady(long from, int tokens) => Stream(from, [], [.. Enumerable.Range(1, tokens).Select(i => (from + i, i))], tokens, from + tokens, closed: from + tokens + 1);
    }

    [Fact]
    public void Percentiles_lie_between_neighbours_as_numpys_do()
    {
        // numpy.percentile([1, 2, 3, 4], [0, 25, 50, 90, 99, 100]) = 1, 1.75, 2.5, 3.7, 3.97, 4
        var times = new PeerTimes([.. new[] { 1, 2, 3, 4 }.Select(i => TimeSpan.FromSeconds(i))], null);
        Assert.Equal([1, 1.75, 2.5, 3.7, 3.97, 4], new double[] { 0, 25, 50, 90, 99, 100 }.Select(p => Math.Round(times.Percentile(p)!.Value.TotalSeconds, 6)));
        // Ours gives one that there was.
        var figures = new LatencyFigures();
        foreach (var time in times.Sorted) figures.Add(time);
        Assert.Equal(2, figures.Percentile(50)!.Value.TotalSeconds, 0.01);
    }

    [Fact]
    public async Task The_facts_are_those_of_a_real_stream()
    {
        await using var engine = await HostileProcess.Start("--tokens-per-second", "100", "--first-token-ms", "100");
        using var client = new EngineClient(engine.Address, Dialect.LlamaCpp);
        // The first one also waits for code to be compiled, and its first chunks may be read at once.
        var ask = new GenerationRequest(HostileProcess.Model, "one two", 5, Contracts.GenerationApi.Chat);
        await client.Generate("warm", ask, 0, CancellationToken.None);
        var chat = await client.Generate("chat", ask, 0, CancellationToken.None);
        // The role before, the reason to finish after, then usage alone.
        Assert.Equal((2, 5, true), (chat.Facts.Silent.Length, chat.Facts.LoneUsage, chat.Facts.IsWhole));
        Assert.True(chat.Facts.Silent[0] < chat.Output.First && chat.Facts.Silent[1] >= chat.Output.Last && chat.Facts.LoneUsageAt >= chat.Facts.Silent[1]);
        var (vllm, aiperf) = (PeerFigures.OfVllm([chat], TimeProvider.System), PeerFigures.OfAiPerf([chat], TimeProvider.System));
        Assert.Equal(chat.TimeToFirstToken(TimeProvider.System), aiperf.TimeToFirstToken.Mean);
        // The role comes at once, the token after 100 ms.
        Assert.True(vllm.TimeToFirstToken.Mean < aiperf.TimeToFirstToken.Mean);
        Assert.Equal((6, 4), (vllm.BetweenChunks.Count, aiperf.BetweenChunks.Count));
        await using var losing = await HostileProcess.Start("--tokens-per-second", "200", "--fault", "lost-response");
        using var other = new EngineClient(losing.Address, Dialect.LlamaCpp);
        var lost = await other.Generate("lost", new GenerationRequest(HostileProcess.Model, "one two", 8, Contracts.GenerationApi.Chat), 0, CancellationToken.None);
        Assert.Equal((RequestOutcome.Failed, 1, 1), (lost.Outcome, PeerFigures.OfVllm([lost], TimeProvider.System).Completed, PeerFigures.OfAiPerf([lost], TimeProvider.System).Completed));
    }

    private static (double? First, double? PerToken, double? End) Ours(RequestRecord record) =>
        (record.TimeToFirstToken(Time)?.TotalMilliseconds, record.TimePerOutputToken(Time)?.TotalMilliseconds, record.EndToEnd(Time)?.TotalMilliseconds);

    private static (double? First, double? PerToken, double? End) Theirs(PeerFigures figures) =>
        (figures.TimeToFirstToken.Mean?.TotalMilliseconds, figures.TimePerOutputToken.Mean?.TotalMilliseconds, figures.EndToEnd.Mean?.TotalMilliseconds);

    private static bool Near((double? First, double? PerToken, double? End) a, (double? First, double? PerToken, double? End) b) => a.First == b.First && a.End == b.End && Math.Abs((double)(a.PerToken - b.PerToken)!) < 1e-3;

    /// <summary>A stream that ended well.</summary>
    /// <param name="usage">Output tokens that the engine says; in a chunk of its own if <paramref name="usageAt"/> says when.</param>
    private static RequestRecord Stream(long sent, long[] silent, (long At, int TokensSoFar)[] chunks, int usage, long usageAt, long closed) => new(
        "r", RequestOutcome.Ended, "", 200, sent, sent, sent, closed, TokenTimeline.Of([.. chunks.Select(c => (c.At, 1, usage < 0 ? -1 : c.TokensSoFar))], usage), 1, -1, -1, -1, "length")
    {
        Facts = new StreamFacts([.. silent], usageAt > 0 ? usage : -1, usageAt, true),
    };

    /// <summary>A clock whose timestamps are milliseconds.</summary>
    private sealed class Milliseconds : TimeProvider
    {
        public override long TimestampFrequency => 1000;
    }
}
