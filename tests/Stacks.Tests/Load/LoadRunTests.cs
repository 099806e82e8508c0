using System.Text;
using System.Text.RegularExpressions;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks.Tests;

/// <summary>Load on engines that misbehave: whatever they do, all that was sent is accounted for.</summary>
public sealed partial class LoadRunTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Whatever_an_engine_does_sent_is_ended_and_failed_and_cancelled()
    {
        // By the request's number: an answer, a refusal, a reset, an error in mid-stream, silence after output, silence from the first.
        var asked = -1;
        ScriptedEngine? itself = null;
        // Each looks at a request that no other has looked at.
        await using var engine = itself = new ScriptedEngine((to, stop) => Answer(to, Number(itself!.Requests[Interlocked.Increment(ref asked)]), stop));
        foreach (var seed in Enumerable.Range(0, 4))
        {
            using var client = new EngineClient(engine.Address, Dialect.Vllm, new EngineClientOptions { StallPatience = TimeSpan.FromMilliseconds(300) });
            await using var run = LoadRun.Start(client, Order(new ServeLoad(seed % 2 == 0 ? ArrivalProcess.Closed : ArrivalProcess.Poisson, seed % 2 == 0 ? 12 : 0, 120), seed), TimeProvider.System);
            await Until(() => run.Ended >= 20 && run.Failed >= 12);
            var outcome = await run.Stop(TimeSpan.FromMilliseconds(seed < 2 ? 0 : 150));
            Assert.Equal(outcome.Sent, outcome.Ended + outcome.Failed + outcome.Cancelled);
            Assert.Equal(outcome.Sent, outcome.Requests.Length);
            // Each number once, none left out.
            Assert.Equal(Enumerable.Range(0, outcome.Requests.Length).Select(n => (long)n), outcome.Requests.Select(r => r.Number).Order());
            Assert.Equal((outcome.Ended, outcome.Failed, outcome.Cancelled), (Count(RequestOutcome.Ended), Count(RequestOutcome.Failed), Count(RequestOutcome.Cancelled)));
            Assert.Equal(outcome.Requests.Select(r => r.Record.Sent).Order(), outcome.Requests.Select(r => r.Record.Sent));
            Assert.Equal((0, outcome.Sent), (run.InFlight, run.Sent));
            Assert.Matches("^request [0-9]+: ", run.LatestError);
            Assert.Null(outcome.Halted);
            // The rows say the same.
            var rows = outcome.Requests.Select(r => RequestRow.Of(r, Microseconds.Since(outcome.Requests[0].Record.Sent, TimeProvider.System))).ToArray();
            var sum = Reconciliation.Of(rows, null, "");
            Assert.Equal((outcome.Sent, outcome.Ended, outcome.Failed, outcome.Cancelled), (sum.Sent, sum.Ended, sum.Failed, sum.CutOff));
            Assert.Same(outcome, await run.Stop(Patience));

            long Count(RequestOutcome of) => outcome.Requests.LongCount(r => r.Record.Outcome == of);
        }
    }

    private static async Task Answer(Stream to, int number, CancellationToken stop)
    {
        switch (number % 8)
        {
            case 1:
                await Write("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy");
                return;
            case 2:
                await to.DisposeAsync();
                return;
            case 3:
                await Write(Head + Chunk(1) + "data: {\"error\":{\"message\":\"out of memory\"}}\n\n");
                return;
            case 4:
                await Write(Head + Chunk(1) + Chunk(2));
                await Task.Delay(-1, stop);
                return;
            case 5:
                await Task.Delay(-1, stop);
                return;
            default:
                await Write(Head);
                for (var i = 1; i <= 4; i++) await Write(Chunk(i));
                await Write(Finish(4));
                return;
        }

        async Task Write(string text) => await to.WriteAsync(Encoding.UTF8.GetBytes(text), stop);
    }

    [Fact]
    public async Task A_dead_engine_is_not_hammered_and_one_that_comes_back_is_found()
    {
        var isUp = false;
        await using var engine = new ScriptedEngine(async (to, stop) => await to.WriteAsync(Encoding.UTF8.GetBytes(Volatile.Read(ref isUp) ? Head + Chunk(1) + Finish(1) : "HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), stop));
        using var client = new EngineClient(engine.Address, Dialect.Vllm);
        await using var run = LoadRun.Start(client, Order(new ServeLoad(ArrivalProcess.Closed, 2), 1), TimeProvider.System);
        await Task.Delay(1000);
        // 0, 100, 300 and 700 ms of each slot.
        Assert.InRange(run.Sent, 3, 10);
        Assert.Equal(0, run.Ended);
        Volatile.Write(ref isUp, true);
        await Until(() => run.Ended > 50);
        Assert.Equal(2, run.Slots);
    }

    [Fact]
    public async Task Slots_begin_one_after_the_other_as_the_first_answer_grows_and_then_are_all_busy()
    {
        using var next = new SemaphoreSlim(0);
        await using var engine = new ScriptedEngine(async (to, stop) =>
        {
            await to.WriteAsync(Encoding.UTF8.GetBytes(Head), stop);
            for (var i = 1; i <= 8; i++)
            {
                await next.WaitAsync(stop);
                await to.WriteAsync(Encoding.UTF8.GetBytes(Chunk(i)), stop);
            }

            await Task.Delay(-1, stop);
        });
        using var client = new EngineClient(engine.Address, Dialect.Vllm);
        await using var run = LoadRun.Start(client, Order(new ServeLoad(ArrivalProcess.Closed, 2), 1, output: 8), TimeProvider.System);
        var points = new List<(long, double)>();
        for (var i = 0; i < 3; i++) await Token(i + 1);
        Assert.Equal((1, 1L), (run.InFlight, run.Sent));
        Assert.Null(run.FullSince);
        // Half of it: the other begins.
        await Token(4);
        await Until(() => run.InFlight == 2);
        await Until(() => run.FullSince is not null);
        var outcome = await run.Stop(TimeSpan.Zero);
        Assert.Equal((2L, 2L), (outcome.Sent, outcome.Cancelled));
        Assert.True(outcome.Requests[1].Record.Sent >= outcome.Requests[0].Record.Output.Arrivals[3].Timestamp);

        async Task Token(int count)
        {
            next.Release();
            await Until(() =>
            {
                run.Drain(points);
                return points.Count > 0 && points[^1].Item2 >= count;
            });
        }
    }

    [Fact]
    public async Task If_the_first_request_fails_the_others_do_not_wait_for_it()
    {
        await using var engine = new ScriptedEngine((to, stop) => to.WriteAsync("HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"u8.ToArray(), stop).AsTask());
        using var client = new EngineClient(engine.Address, Dialect.Vllm);
        await using var run = LoadRun.Start(client, Order(new ServeLoad(ArrivalProcess.Closed, 50), 1), TimeProvider.System);
        await Until(() => run.FullSince is not null, TimeSpan.FromSeconds(5));
        Assert.True(run.Sent >= 50);
    }

    [Fact]
    public async Task An_open_loop_sends_when_it_is_due_whatever_the_engine_does_and_a_trace_ends()
    {
        await using var engine = new ScriptedEngine((_, stop) => Task.Delay(-1, stop));
        var path = Path.Combine(Directory.CreateTempSubdirectory("trace-").FullName, "t.jsonl");
        var text = string.Concat(Enumerable.Range(0, 40).Select(i => $"{{\"timestamp\": {50 + i * 20}, \"input_length\": {10 + i}, \"output_length\": {i + 1}}}\n"));
        File.WriteAllText(path, text);
        var sha = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(text)));
        using var client = new EngineClient(engine.Address, Dialect.Vllm);
        await using var run = LoadRun.Start(client, Order(new ServeLoad(ArrivalProcess.Trace, 0, TraceSha256: sha, TracePath: path), 1), TimeProvider.System);
        await Until(() => run.Halted is not null);
        // None has been answered, and all were sent.
        Assert.Equal((40L, 40, 0L), (run.Sent, run.InFlight, run.Ended));
        Assert.Equal("the trace is over: it has 40 requests", run.Halted);
        var outcome = await run.Stop(TimeSpan.Zero);
        Assert.Equal((40L, "the trace is over: it has 40 requests"), (outcome.Cancelled, outcome.Halted));
        Assert.Equal(Enumerable.Range(1, 40), outcome.Requests.Select(r => r.AskedTokens));
        var begin = outcome.Requests[0].Record.Scheduled;
        Assert.All(outcome.Requests, r => Assert.Equal(r.Number * 20, TimeProvider.System.GetElapsedTime(begin, r.Record.Scheduled).TotalMilliseconds, 0.01));
        // Never early; how late is told.
        Assert.All(outcome.Requests, r => Assert.True(r.Record.Sent >= r.Record.Scheduled));
        Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
    }

    [Fact]
    public async Task An_engine_that_falls_behind_without_end_is_overloaded_and_the_run_says_so()
    {
        await using var engine = new ScriptedEngine((_, stop) => Task.Delay(-1, stop));
        using var client = new EngineClient(engine.Address, Dialect.Vllm);
        await using var run = LoadRun.Start(client, Order(new ServeLoad(ArrivalProcess.Poisson, 0, 500), 1), TimeProvider.System, mostInFlight: 30);
        await Until(() => run.Halted is not null);
        Assert.Equal("overloaded: 30 requests are with the engine, and the next was due", run.Halted);
        var outcome = await run.Stop(TimeSpan.Zero);
        Assert.Equal((30L, 30L, run.Halted), (outcome.Sent, outcome.Cancelled, outcome.Halted));
    }

    [Fact]
    public async Task What_still_runs_is_given_its_grace_and_no_longer()
    {
        using var go = new SemaphoreSlim(0);
        await using var engine = new ScriptedEngine(async (to, stop) =>
        {
            await to.WriteAsync(Encoding.UTF8.GetBytes(Head + Chunk(1)), stop);
            await go.WaitAsync(stop);
            await to.WriteAsync(Encoding.UTF8.GetBytes(Finish(1)), stop);
        });
        using var client = new EngineClient(engine.Address, Dialect.Vllm);
        await using var run = LoadRun.Start(client, Order(new ServeLoad(ArrivalProcess.Constant, 0, 100), 1), TimeProvider.System);
        await Until(() => run.Sent >= 5);
        var stopping = run.Stop(Patience);
        var sent = run.Sent;
        Assert.False(stopping.IsCompleted);
        go.Release(1_000);
        var outcome = await stopping;
        Assert.InRange(outcome.Sent, sent, sent + 1);
        Assert.Equal((outcome.Sent, 0L), (outcome.Ended, outcome.Cancelled));
    }

    [Fact]
    public async Task What_cannot_be_done_is_refused_before_anything_is_sent()
    {
        await using var engine = ScriptedEngine.Stream(Chunk(1));
        using (var client = new EngineClient(engine.Address, Dialect.Endpoint))
        {
            Assert.Contains("ignore_eos", Assert.Throws<ArgumentException>(() => LoadRun.Start(client, Order(new ServeLoad(ArrivalProcess.Closed, 2), 1), TimeProvider.System)).Message);
        }

        using var vllm = new EngineClient(engine.Address, Dialect.Vllm);
        foreach (var load in new[] { new ServeLoad(ArrivalProcess.Closed, 0), new ServeLoad(ArrivalProcess.Closed, 20_001), new ServeLoad(ArrivalProcess.Poisson, 0), new ServeLoad(ArrivalProcess.Gamma, 0, 1), new ServeLoad(ArrivalProcess.Trace, 0) })
        {
            Assert.Throws<ArgumentException>(() => LoadRun.Start(vllm, Order(load, 1), TimeProvider.System));
        }

        Assert.Empty(engine.Requests);
        // A client that is disposed of under a run: even so all is accounted for.
        var gone = new EngineClient(engine.Address, Dialect.Vllm);
        await using var run = LoadRun.Start(gone, Order(new ServeLoad(ArrivalProcess.Closed, 2), 1), TimeProvider.System);
        gone.Dispose();
        await Until(() => run.Failed > 4);
        var outcome = await run.Stop(TimeSpan.Zero);
        Assert.Equal(outcome.Sent, outcome.Ended + outcome.Failed + outcome.Cancelled);
    }

    [Fact]
    public void Progress_only_rises_and_is_thinned_out_rather_than_lost()
    {
        var progress = new OutputProgress(10);
        var all = 0.0;
        for (var i = 0; i < 400_000; i++)
        {
            progress.Add(7 + i * 5 - i % 3 * 4, i % 4);
            all += i % 4;
        }

        var points = new List<(long Timestamp, double Tokens)>();
        progress.Drain(points);
        Assert.InRange(points.Count, 1000, 1 << 16);
        Assert.All(points.Zip(points.Skip(1)), p => Assert.True(p.First.Timestamp < p.Second.Timestamp && p.First.Tokens <= p.Second.Tokens));
        Assert.Equal(all, points[^1].Tokens);
        progress.Drain(points);
        var count = points.Count;
        progress.Add(10_000_000, 3);
        progress.Drain(points);
        Assert.Equal((count + 1, all + 3), (points.Count, points[^1].Tokens));
    }

    [Fact]
    public async Task The_canary_measures_what_the_client_adds_and_a_client_that_is_held_up_is_found_out()
    {
        var time = new HeldUpTime();
        await using var canary = Canary.Start(time);
        await canary.Singing.WaitAsync(Patience);
        var from = time.GetTimestamp();
        await Until(() => canary.Added(from, long.MaxValue).Count >= 50);
        var to = time.GetTimestamp();
        var figures = ClientFigures.Of([], canary.Added(from, to), 0, 1);
        // The quickest: all others wait for whatever else this machine does.
        Assert.InRange(figures.Added.Percentile(0)!.Value.TotalMilliseconds, 0.001, 15);
        // Every stamp that the client takes comes 20 ms late.
        time.IsHeldUp = true;
        await Until(() => canary.Added(to + time.TimestampFrequency, long.MaxValue).Count >= 50);
        var slow = ClientFigures.Of([], canary.Added(to + time.TimestampFrequency, long.MaxValue), 0, 1);
        Assert.True(slow.Added.Percentile(0) >= TimeSpan.FromMilliseconds(19.9), $"{slow.Added.Percentile(0)}");
        Assert.Contains("the client adds", slow.Refusal());
        Assert.Contains("nobody measured", ClientFigures.Of([], canary.Added(0, 1), 0, 1).Refusal());
        var late = new RequestRow(0, 100, 3200, null, 4000, RequestOutcome.Ended, 200, "", 5, TokenTimeline.Empty, null, null, null, null, "");
        var quick = new LatencyFigures();
        quick.Add(TimeSpan.FromMicroseconds(50));
        Assert.Contains("3.10 ms late", ClientFigures.Of([late], quick, 0, 5000).Refusal());
        Assert.Null(ClientFigures.Of([late], quick, 5000, 6000).Refusal());
    }

    // The system's, but for the threads that read: theirs stands 20 ms ahead when it is said, as if they had come to look so late.
    private sealed class HeldUpTime : TimeProvider
    {
        public volatile bool IsHeldUp;

        public override long GetTimestamp() => System.GetTimestamp() + (IsHeldUp && Thread.CurrentThread.Name != "canary" ? TimestampFrequency / 50 : 0);
    }

    private const string Head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

    private static string Chunk(int tokens) => $$$"""data: {"choices":[{"index":0,"text":"a","finish_reason":null}],"usage":{"prompt_tokens":5,"completion_tokens":{{{tokens}}}}}""" + "\n\n";

    private static string Finish(int tokens) => $$$"""data: {"choices":[{"index":0,"text":"","finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":{{{tokens}}}}}""" + "\n\ndata: [DONE]\n\n";

    // As the salt in its prompt says.
    private static int Number(string request) => int.Parse(Salt().Match(request).Groups[1].Value);

    [GeneratedRegex("""\[([0-9]+)-salt\]""")]
    private static partial Regex Salt();

    private static LoadOrder Order(ServeLoad load, int seed, int output = 4) => new(
        new ServeConfiguration("m", System.Collections.Immutable.ImmutableSortedDictionary<string, string>.Empty, load, new PromptMix(LengthSpread.Constant(20), LengthSpread.Constant(output)), new Generation(GenerationApi.Completions, true, 0, 0, null)),
        "m", 4, seed, 0, "salt");

    private static async Task Until(Func<bool> isSo, TimeSpan? patience = null)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!isSo())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < (patience ?? Patience), "It never came to be.");
            await Task.Delay(5);
        }
    }
}
