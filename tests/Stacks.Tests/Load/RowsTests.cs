using System.Collections.Immutable;
using System.Text;
using EnergyGrid.Contracts;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Stacks.Tests;

/// <summary>Rows of requests, and what is computed of them.</summary>
public sealed class RowsTests
{
    private static readonly Generation Forced = new(GenerationApi.Completions, true, 0, 0, null);

    // A run as it might be: requests of all outcomes and timings, streams that overlap.
    private static ImmutableArray<RequestRow> Rows(int seed)
    {
        var random = new Random(seed);
        var rows = new List<RequestRow>();
        for (var id = 0; id < random.Next(0, 30); id++)
        {
            var sent = random.NextInt64(0, 3_000_000);
            var outcome = (RequestOutcome)random.Next(3);
            var timing = (TokenTiming)random.Next(4);
            var at = sent + random.NextInt64(0, 400_000);
            var arrivals = Enumerable.Range(0, random.Next(0, 40)).Select(_ =>
            {
                at += random.Next(4) == 0 ? 0 : random.NextInt64(0, 60_000);
                return new TokenArrival(at, timing switch { TokenTiming.Unknown => 0, TokenTiming.Chunks => random.Next(0, 5), TokenTiming.OnePerChunk => 1, _ => random.NextDouble() * 5 });
            }).ToImmutableArray();
            if (arrivals.IsEmpty) timing = TokenTiming.Unknown;
            var tokens = timing is TokenTiming.Unknown ? -1 : (int)Math.Round(arrivals.Sum(a => a.Tokens));
            rows.Add(new RequestRow(id, sent - random.Next(0, 3000), sent, random.Next(2) == 0 ? null : sent + random.Next(0, 1000), at + random.Next(0, 5000), outcome, random.Next(3) == 0 ? null : 200,
                outcome is RequestOutcome.Failed ? "it \"broke\" off é\uFFFD" : "", 1 + random.Next(0, 300), new TokenTimeline(arrivals, tokens, timing), Maybe(), Maybe(), Maybe(), Maybe(), random.Next(2) == 0 ? "" : "length"));
        }

        return [.. rows.OrderBy(r => r.Sent).ThenBy(r => r.Id)];

        int? Maybe() => random.Next(8) == 0 ? null : random.Next(0, 1000);
    }

    private static byte[] Written(IEnumerable<RequestRow> rows)
    {
        using var file = new MemoryStream();
        RequestRows.Write(file, rows);
        return file.ToArray();
    }

    [Fact]
    public void What_is_written_is_read_and_written_the_same_and_every_figure_with_it() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(200), Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
        {
            var rows = Rows(seed);
            var bytes = Written(rows.Reverse());
            var read = RequestRows.Read(new MemoryStream(bytes));
            var isSame = rows.Length == read.Length && rows.Zip(read).All(p =>
                p.First with { Output = TokenTimeline.Empty } == p.Second with { Output = TokenTimeline.Empty }
                && p.First.Output.Arrivals.SequenceEqual(p.Second.Output.Arrivals) && (p.First.Output.Tokens, p.First.Output.Timing) == (p.Second.Output.Tokens, p.Second.Output.Timing));
            return isSame && bytes.AsSpan().SequenceEqual(Written(read)) && Figures(ServedWindow.Of(rows, 500_000, 2_000_000)) == Figures(ServedWindow.Of(read, 500_000, 2_000_000));
        }));

    private static string Figures(ServedWindow w) => string.Join(' ', w.OutputTokens.ToString("R", null), w.PromptTokens, w.CachedTokens, w.EndedRequests, w.FirstToken.Mean, w.PerToken.Percentile(99), w.BetweenTokens.Mean, w.EndToEnd.Most, w.UntoldRequests);

    [Fact]
    public void Windows_side_by_side_have_together_what_the_run_has() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(200), Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
        {
            var rows = Rows(seed);
            var random = new Random(seed);
            var limits = new RequestLimits(TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(20));
            long[] edges = [-1_000_000, .. Enumerable.Range(0, 9).Select(_ => random.NextInt64(0, 5_000_000)).Order(), 20_000_000];
            var parts = edges.Zip(edges.Skip(1), (from, to) => ServedWindow.Of(rows, from, to, limits)).ToArray();
            var whole = ServedWindow.Of(rows, edges[0], edges[^1], limits);
            return Math.Abs(parts.Sum(p => p.OutputTokens) - whole.OutputTokens) < 1e-6
                && Math.Abs(whole.OutputTokens - rows.Sum(r => r.Output.Arrivals.Sum(a => a.Tokens))) < 1e-6
                && Counts(whole).SequenceEqual(Enumerable.Range(0, Counts(whole).Length).Select(i => parts.Sum(p => Counts(p)[i])))
                && whole.SentRequests == rows.Length && whole.FailedRequests == rows.Count(r => r.Outcome is RequestOutcome.Failed)
                && (whole.PromptTokens is null || whole.PromptTokens == parts.Sum(p => p.PromptTokens));

            static long[] Counts(ServedWindow w) =>
            [
                w.FirstTokens, w.SentRequests, w.SentWithoutOutput, w.EndedRequests, w.GoodRequests!.Value, w.FailedRequests, w.FirstToken.Count, w.FirstTokenOfSent.Count, w.FirstTokenAsScheduled.Count, w.PerToken.Count,
                w.EndToEnd.Count, w.BetweenTokens.Count,
            ];
        }));

    [Fact]
    public void A_windows_figures_are_those_of_what_happened_within_it()
    {
        var rows = new[]
        {
            // Began before the window, ended within: 3 tokens of its chunk of 4 lie within.
            Row(0, 0, [(90, 1), (130, 4), (150, 1)], prompt: 10, cached: 2),
            // Wholly within.
            Row(1, 100, [(120, 1), (140, 1), (160, 2)], prompt: 20, cached: 5),
            // Ends after it.
            Row(2, 110, [(150, 1), (250, 2)], prompt: 40, cached: 0),
            // Sent within and cut off without output.
            Row(3, 190, [], outcome: RequestOutcome.Cancelled),
            // Failed within, with output of which nobody told.
            Row(4, 100, [(110, 0)], outcome: RequestOutcome.Failed, tokens: -1),
        };
        var window = ServedWindow.Of(rows, 100_000, 200_000, new RequestLimits(TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(14)));
        Assert.Equal(3 + 1 + 4 + 1 + 1, window.OutputTokens, 1e-9);
        Assert.Equal((3, 4, 1, 2, 1, 1, 1), (window.FirstTokens, window.SentRequests, window.SentWithoutOutput, window.EndedRequests, window.GoodRequests!.Value, window.FailedRequests, window.UntoldRequests));
        // The failed one's first output is within as well, and tells no prompt: so the window does not.
        Assert.Null(window.PromptTokens);
        var told = ServedWindow.Of(rows[..4], 100_000, 200_000);
        Assert.Equal((60, 5), (told.PromptTokens, told.CachedTokens));
        Assert.Equal(5.0 / 60, told.CachedShare);
        Assert.Null(told.GoodRequests);
        Assert.Equal(30, told.FirstToken.Mean!.Value.TotalMilliseconds);
        Assert.Equal(150, told.EndToEnd.Most!.Value.TotalMilliseconds);
        // 60 ms over 5, 40 ms over 3.
        Assert.Equal((12 + 40.0 / 3) / 2, told.PerToken.Mean!.Value.TotalMilliseconds, 1e-3);
        // 4 gaps of 10, one of 20; one of 20, two of 10.
        Assert.Equal(8, told.BetweenTokens.Count);
        Assert.Equal((4 * 10 + 20 + 20 + 2 * 10) / 8.0, told.BetweenTokens.Mean!.Value.TotalMilliseconds, 1e-3);
        Assert.Equal([TokenTiming.Unknown, TokenTiming.Chunks], window.Timings.AsEnumerable());
    }

    [Fact]
    public void Percentiles_are_the_least_value_that_so_many_lie_at_or_below()
    {
        for (var count = 1; count <= 60; count++)
        {
            var figures = new LatencyFigures();
            foreach (var i in Enumerable.Range(1, count).Reverse()) figures.Add(TimeSpan.FromMicroseconds(i * 10));
            foreach (var percent in new[] { 50.0, 90, 99, 100 })
            {
                var rank = (int)Math.Ceiling(percent / 100 * count - 1e-9);
                Assert.Equal(rank * 10, figures.Percentile(percent)!.Value.TotalMicroseconds, 1e-9);
            }

            Assert.Equal((5.0 * (count + 1), 10.0 * count), (figures.Mean!.Value.TotalMicroseconds, figures.Most!.Value.TotalMicroseconds));
        }
    }

    [Fact]
    public void A_timestamp_is_its_whole_microseconds_since_the_origin_and_order_is_kept()
    {
        var clock = Microseconds.Since(1_000_000_000_123, TimeProvider.System);
        Assert.Equal((0, 0, 1, -1, 3600_000_000), (clock(1_000_000_000_123), clock(1_000_000_001_122), clock(1_000_000_001_123), clock(1_000_000_000_122), clock(4_600_000_000_123)));
        var record = new RequestRecord("7", RequestOutcome.Ended, "", 200, 1_000_000_000_123, 1_000_000_500_999, 0, 1_000_009_000_123, TokenTimeline.Of([(1_000_001_000_122, 3, -1), (1_000_002_000_123, 3, -1)], 2), 5, -1, -1, -1, "stop\u001b");
        var row = RequestRow.Of(new SentRequest(7, 9, record), clock);
        Assert.Equal((7, 0, 500, null, 9000, 9, 5, null, "stop\uFFFD"), (row.Id, row.Scheduled, row.Sent, row.Headers, row.End, row.AskedTokens, row.PromptTokens, row.CachedTokens, row.FinishReason));
        Assert.Equal([new TokenArrival(999, 1), new(2000, 1)], row.Output.Arrivals.AsEnumerable());
        Assert.Equal((499, 1001, 1500), (row.FirstToken, row.PerToken, row.EndToEnd));
        Assert.Equal("""{"id":7,"scheduledMicroseconds":0,"sentMicroseconds":500,"headersMicroseconds":null,"endMicroseconds":9000,"outcome":"ended","status":200,"error":null,"askedTokens":9,"outputTokens":2,"promptTokens":5,"cachedTokens":null,"reasoningTokens":null,"tokenIds":null,"finishReason":"stop\uFFFD","timing":"onePerChunk","arrivals":[[499,1],[1500,1]]}""" + "\n",
            Encoding.UTF8.GetString(Written([row])));
    }

    [Theory]
    [InlineData("\"id\":1", "\"id\":-1", "'id'")]
    [InlineData("\"id\":1", "\"id\":1.5", "'id'")]
    [InlineData("\"id\":1", "\"id\":null", "'id' is null")]
    [InlineData("\"id\":1", "\"id\":1,\"id\":1", "twice")]
    [InlineData("\"id\":1", "\"name\":1", "'name' is no member")]
    [InlineData("\"id\":1,", "", "'id' is missing")]
    [InlineData("\"ended\"", "\"won\"", "'outcome' is none of ended, failed, cancelled")]
    [InlineData("\"chunks\"", "\"1\"", "'timing' is none of")]
    [InlineData("\"length\"", "\"\\ud800\"", "no Unicode")]
    [InlineData("\"length\"", "\"a\\u001b\"", "'finishReason'")]
    [InlineData("\"endMicroseconds\":115000", "\"endMicroseconds\":99999", "'endMicroseconds'")]
    [InlineData("[10000,2]", "[10000]", "arrival 2 is no pair")]
    [InlineData("[10000,2]", "[10000,-2]", "arrival 2 is no pair")]
    [InlineData("[10000,2]", "[4000,2]", "arrival 2 comes before")]
    [InlineData("[10000,2]", "[10000,1e999]", "arrival 2 is no pair")]
    [InlineData("{\"id\"", "[\"id\"", "no JSON")]
    public void A_malformed_row_is_refused_by_its_number(string what, string by, string says)
    {
        var text = Encoding.UTF8.GetString(Written([Row(0, 99, [(105, 1)]), Row(1, 100, [(105, 1), (110, 2)])]));
        var at = text.LastIndexOf(what, StringComparison.Ordinal);
        var error = Assert.Throws<InvalidDataException>(() => RequestRows.Read(new MemoryStream(Encoding.UTF8.GetBytes(text[..at] + by + text[(at + what.Length)..])))).Message;
        Assert.StartsWith("line 2", error);
        Assert.Contains(says, error);
    }

    [Fact]
    public void A_file_that_is_cut_off_or_out_of_order_is_refused()
    {
        var text = Encoding.UTF8.GetString(Written([Row(0, 99, []), Row(1, 100, [])]));
        Assert.Equal("line 2 is cut off: no LF ends it", Assert.Throws<InvalidDataException>(() => RequestRows.Read(new MemoryStream(Encoding.UTF8.GetBytes(text[..^1])))).Message);
        var lines = text.Split('\n');
        Assert.Contains("line 2: it was sent before", Assert.Throws<InvalidDataException>(() => RequestRows.Read(new MemoryStream(Encoding.UTF8.GetBytes($"{lines[1]}\n{lines[0]}\n")))).Message);
        Assert.Empty(RequestRows.Read(new MemoryStream()));
    }

    [Fact]
    public void Answers_that_are_shorter_than_was_asked_are_found()
    {
        var right = new[] { Row(0, 0, [(5, 300)], asked: 300), Row(1, 0, [(5, 1)], asked: 300, outcome: RequestOutcome.Cancelled) };
        Assert.Equal((null, 1L, 1L), (OutputLengths.Of(right, Forced).Refusal, OutputLengths.Of(right, Forced).Ended, OutputLengths.Of(right, Forced).AsAsked));
        RequestRow[] wrong = [.. right, Row(2, 0, [(5, 1)], asked: 300), Row(3, 0, [(5, 0)], asked: 300, tokens: -1)];
        var found = OutputLengths.Of(wrong, Forced);
        Assert.Equal((3, 1, 1, 0, 1), (found.Ended, found.AsAsked, found.Shorter, found.Longer, found.Untold));
        Assert.Contains("request 2 has 1 tokens of 300", found.Refusal);
        // Where the model may end, shorter is no wrong, but for the least; longer always is.
        Assert.Null(OutputLengths.Of(wrong, Forced with { IgnoreEndOfSequence = false }).Refusal);
        Assert.NotNull(OutputLengths.Of(wrong, Forced with { IgnoreEndOfSequence = false, LeastTokens = 2 }).Refusal);
        Assert.NotNull(OutputLengths.Of([Row(0, 0, [(5, 301)], asked: 300)], Forced with { IgnoreEndOfSequence = false }).Refusal);
    }

    [Fact]
    public void The_clients_tokens_are_the_engines_or_both_numbers_are_told()
    {
        RequestRow[] ended = [Row(0, 0, [(5, 600)], asked: 600), Row(1, 0, [(5, 400)], asked: 400)];
        var exact = Reconciliation.Of(ended, (500, 1500), "engine:tokens");
        Assert.Equal((true, 1000.0, 0.0, 1000.0, "the client has 1000 output tokens; engine:tokens rose by 1000"), (exact.Agrees, exact.OutputTokens, exact.CutOffMost, exact.EngineTokens, exact.Words));
        Assert.True(Reconciliation.Of(ended, (0, 999.1), "c").Agrees);
        Assert.True(Reconciliation.Of(ended, (0, 1000.9), "c").Agrees);
        foreach (var after in new[] { 998, 1002, 1750, 0 }) Assert.False(Reconciliation.Of(ended, (0, after), "c").Agrees);
        Assert.Equal("the client has 1000 output tokens; c rose by 1750, which is not within 0.1 %", Reconciliation.Of(ended, (0, 1750), "c").Words);
        Assert.Contains("c fell by 7: the engine began anew", Reconciliation.Of(ended, (7, 0), "c").Words);
        // One cut off at 30 of 100, one failed of which nobody told.
        RequestRow[] some = [.. ended, Row(2, 0, [(5, 30)], asked: 100, outcome: RequestOutcome.Cancelled), Row(3, 0, [(5, 0)], asked: 50, tokens: -1, outcome: RequestOutcome.Failed)];
        foreach (var (after, agrees) in new[] { (1028, false), (1029, true), (1030, true), (1100, true), (1151, true), (1152, false) })
        {
            Assert.Equal((after, agrees), (after, Reconciliation.Of(some, (0, after), "c").Agrees));
        }

        var interval = Reconciliation.Of(some, (0, 1100), "c");
        Assert.Equal((4, 2, 1, 1, 1030.0, 120.0), (interval.Sent, interval.Ended, interval.Failed, interval.CutOff, interval.OutputTokens, interval.CutOffMost));
        // No counter: only what streams themselves held is another witness.
        var alone = Reconciliation.Of(ended, null, "");
        Assert.Null(alone.Agrees);
        Assert.Contains("usage against usage proves nothing", alone.Words);
        Assert.True(Reconciliation.Of([.. ended.Select(r => r with { TokenIds = r.OutputTokens })], null, "").Agrees);
        var fewer = Reconciliation.Of([.. ended.Select(r => r with { TokenIds = 300 })], null, "");
        Assert.False(fewer.Agrees);
        Assert.Contains("streams held 600 ids of 1000 tokens", fewer.Words);
    }

    private static RequestRow Row(long id, long sent, (long At, double Tokens)[] arrivals, int? tokens = null, RequestOutcome outcome = RequestOutcome.Ended, int asked = 100, int? prompt = null, int? cached = null) => new(
        id, sent * 1000, sent * 1000, null, (arrivals.Length > 0 ? arrivals[^1].At + 5 : sent + 5) * 1000, outcome, 200, outcome is RequestOutcome.Failed ? "it broke" : "", asked,
        new TokenTimeline([.. arrivals.Select(a => new TokenArrival(a.At * 1000, a.Tokens))], tokens ?? (int)arrivals.Sum(a => a.Tokens), tokens is -1 ? TokenTiming.Unknown : TokenTiming.Chunks), prompt, cached, null, null, "length");
}
