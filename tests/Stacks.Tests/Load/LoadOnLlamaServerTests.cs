using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.LlamaCpp.Gguf;
using Xunit.Abstractions;

namespace EnergyGrid.Stacks.Tests;

/// <summary>Load on a server that nobody here wrote.</summary>
public sealed class LoadOnLlamaServerTests(ITestOutputHelper output)
{
    private const string Counter = "llamacpp:tokens_predicted_total";

    [LlamaServerFact]
    public async Task Tokens_of_a_closed_loop_are_the_servers_own_and_salted_prompts_are_new_to_its_cache()
    {
        await using var server = await LlamaServer.Start(new ServedModel(), "--parallel", "2", "-c", "4096");
        using var client = new EngineClient(server.Address, Dialect.LlamaCpp);
        var closed = new ServeLoad(ArrivalProcess.Closed, 2);
        var rows = new List<RequestRow>();
        foreach (var (salt, pass) in new[] { ("one", 0), ("two", 0), ("three", 1) })
        {
            var before = await server.Counter(Counter);
            var origin = TimeProvider.System.GetTimestamp();
            var outcome = await Run(client, closed, pass, salt, run => run.Ended >= 24, TimeSpan.FromSeconds(60));
            rows = Rows(outcome, origin);
            Assert.Equal((outcome.Sent, 0L, 0L), (outcome.Ended, outcome.Failed, outcome.Cancelled));
            Assert.Null(OutputLengths.Of(rows, Forced).Refusal);
            var sum = Reconciliation.Of(rows, (before, await server.Counter(Counter)), Counter);
            // To the token.
            Assert.True(sum.Agrees, sum.Words);
            Assert.Equal(sum.EngineTokens, sum.OutputTokens);
            // Its tokenizer knows bytes: the beginning of a sequence, the bracket, and a digit or two of the number may be the same. Nothing more is.
            Assert.All(rows, r => Assert.True(r.CachedTokens is >= 0 and <= 4, $"{r.CachedTokens} of {r.PromptTokens}"));
            var (from, to) = (rows[4].End, rows[^4].Sent);
            var window = ServedWindow.Of(rows, from, to);
            Assert.Equal((0L, rows.Count - 0L), (window.UntoldRequests, ServedWindow.Of(rows, 0, long.MaxValue).EndedRequests));
            Assert.Equal([TokenTiming.OnePerChunk], window.Timings.AsEnumerable());
            Assert.True(window.CachedShare < 0.03 && window.OutputTokens > 0 && window.BetweenTokens.Count > 50);
            // Who has only the file has the same figures.
            using var file = new MemoryStream();
            RequestRows.Write(file, rows);
            file.Position = 0;
            var read = ServedWindow.Of(RequestRows.Read(file), from, to);
            Assert.Equal((window.OutputTokens, window.PromptTokens, window.EndedRequests, window.FirstToken.Mean, window.BetweenTokens.Percentile(99)), (read.OutputTokens, read.PromptTokens, read.EndedRequests, read.FirstToken.Mean, read.BetweenTokens.Percentile(99)));
            var parts = Enumerable.Range(0, 7).Select(i => ServedWindow.Of(rows, i * to / 7, i == 6 ? long.MaxValue : (i + 1) * to / 7)).ToArray();
            Assert.Equal(sum.OutputTokens, parts.Sum(p => p.OutputTokens), 1e-6);
            // A slot sends its next one when its last one is over: never more than two at a time.
            Assert.All(rows, r => Assert.InRange(rows.Count(o => o.Sent <= r.Sent && o.End > r.Sent), 1, 2));
        }
    }

    [LlamaServerFact]
    public async Task Without_salts_what_was_asked_before_comes_from_the_cache()
    {
        await using var server = await LlamaServer.Start(new ServedModel(), "--parallel", "1", "-c", "4096");
        using var client = new EngineClient(server.Address, Dialect.LlamaCpp);
        var shared = new ServeLoad(ArrivalProcess.Closed, 1);
        // One prompt for all: the same share of every request is found again.
        var outcome = await Run(client, shared, 0, "", run => run.Ended >= 6, TimeSpan.FromSeconds(60), share: 1);
        var rows = Rows(outcome, 0);
        Assert.All(rows.Skip(1), r => Assert.True(r.CachedTokens >= r.PromptTokens - 1, $"{r.CachedTokens} of {r.PromptTokens}"));
        // The same prompts again in another run of the pass, as another arm would ask them: the first is what the server read last.
        var again = await Run(client, shared, 0, "", run => run.Ended >= 1, TimeSpan.FromSeconds(60), share: 1);
        Assert.True(again.Requests[0].Record.CachedTokens > 0.9 * again.Requests[0].Record.PromptTokens);
        // And salted it is not.
        var salted = await Run(client, shared, 0, "new", run => run.Ended >= 1, TimeSpan.FromSeconds(60), share: 1);
        Assert.InRange(salted.Requests[0].Record.CachedTokens, 0, 2);
    }

    [LlamaServerFact]
    public async Task Requests_that_are_cut_off_leave_an_interval_that_the_servers_counter_lies_in()
    {
        await using var server = await LlamaServer.Start(new ServedModel(Layers: 4, Width: 512, FeedForward: 1408), "--parallel", "2", "-c", "8192");
        using var client = new EngineClient(server.Address, Dialect.LlamaCpp);
        var before = await server.Counter(Counter);
        var outcome = await Run(client, new ServeLoad(ArrivalProcess.Closed, 4), 0, "cut", run => run.Ended >= 6, TimeSpan.Zero, tokens: 400);
        Assert.True(outcome.Cancelled > 0);
        Assert.Equal(outcome.Sent, outcome.Ended + outcome.Failed + outcome.Cancelled);
        var after = await Quiet(server);
        var rows = Rows(outcome, 0);
        var sum = Reconciliation.Of(rows, (before, after), Counter);
        Assert.True(sum.Agrees, sum.Words);
        Assert.True(sum.CutOffMost > 0);
        // Cut off in mid-stream: the server never told how many, so a window that reaches into them says so.
        Assert.True(ServedWindow.Of(rows, 0, long.MaxValue).UntoldRequests > 0);
    }

    [LlamaServerFact]
    public async Task All_that_was_sent_is_accounted_for_when_the_server_is_killed_under_load()
    {
        await using var server = await LlamaServer.Start(new ServedModel(), "--parallel", "4", "-c", "4096");
        using var client = new EngineClient(server.Address, Dialect.LlamaCpp);
        await using var run = LoadRun.Start(client, Order(new ServeLoad(ArrivalProcess.Closed, 6), 0, "killed", 0, 200), TimeProvider.System);
        await Until(() => run.Ended >= 8 && run.InFlight == 6);
        server.Kill();
        // Each slot that was busy tells that, and finds nobody when it tries again.
        await Until(() => run.Failed >= 12);
        var outcome = await run.Stop(TimeSpan.Zero);
        Assert.Equal((outcome.Sent, outcome.Sent), (outcome.Ended + outcome.Failed + outcome.Cancelled, outcome.Requests.Length));
        Assert.Contains("refused", run.LatestError);
        Assert.Contains(outcome.Requests, r => r.Record is { Outcome: RequestOutcome.Failed, Output.Arrivals.Length: > 0 });
        Assert.True(ServedWindow.Of(Rows(outcome, 0), 0, long.MaxValue).FailedRequests == outcome.Failed);
    }

    [LlamaServerFact]
    public async Task An_open_loop_sends_at_the_drawn_instants_while_the_canary_watches_the_client()
    {
        await using var server = await LlamaServer.Start(new ServedModel(), "--parallel", "2", "-c", "4096");
        using var client = new EngineClient(server.Address, Dialect.LlamaCpp);
        await using var canary = Canary.Start(TimeProvider.System);
        var load = new ServeLoad(ArrivalProcess.Poisson, 0, 15);
        var origin = TimeProvider.System.GetTimestamp();
        var outcome = await Run(client, load, 3, "open", run => run.Sent >= 60, TimeSpan.FromSeconds(60));
        var rows = Rows(outcome, origin);
        Assert.Equal(outcome.Sent, outcome.Ended);
        var drawn = ArrivalInstants.Of(load, 9, 3).Take(rows.Count).ToArray();
        // Scheduled as drawn, to the microsecond, and sent in that order.
        Assert.All(rows.Zip(drawn), p => Assert.Equal(p.Second - drawn[0], (p.First.Scheduled - rows[0].Scheduled) / 1e6, 2e-6));
        Assert.Equal(Enumerable.Range(0, rows.Count).Select(n => (long)n), rows.Select(r => r.Id));
        Assert.All(rows, r => Assert.True(r.Sent >= r.Scheduled));
        var figures = ClientFigures.Of(rows, canary.Added(origin, TimeProvider.System.GetTimestamp()), 0, long.MaxValue);
        output.WriteLine($"added {figures.Added.Percentile(50)} {figures.Added.Percentile(99)} of {figures.Added.Count}, late {figures.Lateness.Percentile(50)} {figures.Lateness.Percentile(99)}: {figures.Refusal() ?? "fit"}");
        // On a machine of few processors that does other things besides, no more than this can be said.
        Assert.True(figures.Lateness.Percentile(50) < TimeSpan.FromMilliseconds(50), $"{figures.Lateness.Percentile(50)}");
        Assert.True(figures.Added.Count > 100 && figures.Added.Percentile(50) < TimeSpan.FromMilliseconds(50), $"{figures.Added.Count}: {figures.Added.Percentile(50)}");
        Assert.Equal(rows.Count, figures.Lateness.Count);
    }

    private static readonly Generation Forced = new(GenerationApi.Completions, true, 0, 0, null);

    private static LoadOrder Order(ServeLoad load, int pass, string salt, double share, int tokens)
    {
        var input = share > 0 ? LengthSpread.Constant(60) : new LengthSpread(LengthKind.Uniform, 30, 60, 45, 0);
        var mix = new PromptMix(input, tokens > 0 ? LengthSpread.Constant(tokens) : new LengthSpread(LengthKind.Uniform, 4, 24, 14, 0), share);
        return new LoadOrder(new ServeConfiguration("m", ImmutableSortedDictionary<string, string>.Empty, load, mix, Forced), "m", 4, 9, pass, salt);
    }

    private static async Task<LoadOutcome> Run(EngineClient client, ServeLoad load, int pass, string salt, Func<LoadRun, bool> isEnough, TimeSpan grace, double share = 0, int tokens = 0)
    {
        await using var run = LoadRun.Start(client, Order(load, pass, salt, share, tokens), TimeProvider.System);
        await Until(() =>
        {
            Assert.True(run.Failed == 0, $"{run.Ended} ended, {run.Failed} failed: {run.LatestError}");
            return isEnough(run);
        });
        return await run.Stop(grace);
    }

    private static async Task Until(Func<bool> isSo)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!isSo())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(90), "It never came to be.");
            await Task.Delay(5);
        }
    }

    private static List<RequestRow> Rows(LoadOutcome outcome, long origin) => [.. outcome.Requests.Select(r => RequestRow.Of(r, Microseconds.Since(origin, TimeProvider.System)))];

    // Until nothing is in work any more: only then has its counter all of it.
    private static async Task<double> Quiet(LlamaServer server)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (await server.Counter("llamacpp:requests_processing") > 0 || await server.Counter("llamacpp:requests_deferred") > 0)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(60));
            await Task.Delay(20);
        }

        return await server.Counter(Counter);
    }
}
