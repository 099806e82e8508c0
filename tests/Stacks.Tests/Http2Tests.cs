using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using EnergyGrid.Contracts;
using Microsoft.AspNetCore.Http;

namespace EnergyGrid.Stacks.Tests;

/// <summary>The same client over HTTP/2: streams side by side on few connections, and each of them ends by itself.</summary>
public sealed class Http2Tests
{
    private static readonly GenerationRequest Ask = new("m", "Say something.", 8, GenerationApi.Chat, IgnoreEndOfSequence: true);

    [Fact]
    public async Task Many_streams_share_few_connections_and_keep_their_tokens_apart()
    {
        var (connections, together, most) = (new ConcurrentDictionary<string, bool>(), 0, 0);
        var all = new TaskCompletionSource();
        await using var engine = await KestrelEngine.Start(async context =>
        {
            Assert.Equal("HTTP/2", context.Request.Protocol);
            connections[context.Connection.Id] = true;
            using var body = await JsonDocument.ParseAsync(context.Request.Body);
            var tokens = body.RootElement.GetProperty("max_tokens").GetInt32();
            // No stream goes on before all have begun: were there one after the other, none would.
            if (Interlocked.Increment(ref together) is var now && now > most) most = now;
            if (now == 60) all.SetResult();
            await all.Task;
            await Begin(context);
            for (var i = 0; i < tokens; i++) await Line(context, """{"choices":[{"delta":{"content":"x"},"finish_reason":null}]}""");
            await Line(context, $$$"""{"choices":[{"delta":{},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":{{{tokens}}}}}""");
            await Line(context, "[DONE]");
        });
        using var client = Client(engine);
        var records = await Task.WhenAll(Enumerable.Range(1, 60).Select(i => client.Generate($"{i}", Ask with { MostTokens = i }, 0, CancellationToken.None)));
        Assert.All(records, r => Assert.True(r.Outcome == RequestOutcome.Ended, r.Error));
        Assert.Equal(Enumerable.Range(1, 60), records.Select(r => r.Output.Tokens));
        Assert.All(records, r => Assert.Equal(TokenTiming.OnePerChunk, r.Output.Timing));
        Assert.Equal(60, most);
        Assert.InRange(connections.Count, 1, 3);
    }

    [Fact]
    public async Task A_refusal_a_reset_and_a_stall_are_told_and_leave_the_other_streams_alone()
    {
        var reset = new TaskCompletionSource();
        await using var engine = await KestrelEngine.Start(async context =>
        {
            using var body = await JsonDocument.ParseAsync(context.Request.Body);
            var kind = body.RootElement.GetProperty("messages")[0].GetProperty("content").GetString();
            if (kind == "refuse")
            {
                (context.Response.StatusCode, context.Response.ContentType) = (503, "application/json");
                await context.Response.WriteAsync("""{"error":{"message":"Loading model"}}""");
                return;
            }

            await Begin(context);
            await Line(context, """{"choices":[{"delta":{"content":"x"},"finish_reason":null}]}""");
            if (kind == "reset")
            {
                context.Abort();
                reset.SetResult();
            }
            else if (kind == "stall")
            {
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
            }
            else if (kind == "decent")
            {
                // What goes wrong beside it does so before its end.
                await reset.Task;
                await Line(context, """{"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}""");
            }
        });
        using var client = Client(engine, 2);
        var kinds = new[] { "refuse", "reset", "stall", "break off", "decent" };
        var records = (await Task.WhenAll(kinds.Select(k => client.Generate(k, Ask with { Prompt = k }, 0, CancellationToken.None)))).ToDictionary(r => r.Id);
        Assert.Equal((RequestOutcome.Failed, "status 503: Loading model"), (records["refuse"].Outcome, records["refuse"].Error));
        Assert.Equal((RequestOutcome.Failed, "it brought nothing for 2 s"), (records["stall"].Outcome, records["stall"].Error));
        Assert.Equal((RequestOutcome.Failed, "the stream broke off: no reason to finish came"), (records["break off"].Outcome, records["break off"].Error));
        Assert.Equal(RequestOutcome.Failed, records["reset"].Outcome);
        Assert.Contains("reset", records["reset"].Error);
        Assert.Equal((RequestOutcome.Ended, 2), (records["decent"].Outcome, records["decent"].Output.Tokens));
        Assert.All(new[] { "stall", "break off" }, k => Assert.Single(records[k].Output.Arrivals));
        // A reset may throw away what was on its way.
        Assert.InRange(records["reset"].Output.Arrivals.Length, 0, 1);
    }

    [Fact]
    public async Task Who_gives_up_a_stream_ends_it_on_the_engine_too()
    {
        var (begun, aborted) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var engine = await KestrelEngine.Start(async context =>
        {
            await Begin(context);
            await Line(context, """{"choices":[{"delta":{"content":"x"},"finish_reason":null}]}""");
            begun.SetResult();
            try
            {
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
            }
            finally
            {
                aborted.SetResult();
            }
        });
        using var client = Client(engine);
        using var stop = new CancellationTokenSource();
        var running = client.Generate("r", Ask, 0, stop.Token);
        await begun.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await stop.CancelAsync();
        var record = await running;
        Assert.Equal((RequestOutcome.Cancelled, ""), (record.Outcome, record.Error));
        await aborted.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task An_engine_that_knows_the_other_protocol_only_is_told_as_a_failure()
    {
        await using var engine = ScriptedEngine.Answer("200 OK", "text/event-stream", "data: [DONE]\n\n");
        using var client = new EngineClient(engine.Address, Dialect.LlamaCpp, new EngineClientOptions { Version = HttpVersion.Version20, StallPatience = TimeSpan.FromSeconds(5) });
        var record = await client.Generate("r", Ask, 0, CancellationToken.None);
        Assert.Equal(RequestOutcome.Failed, record.Outcome);
        Assert.NotEqual("", record.Error);
    }

    private static EngineClient Client(KestrelEngine engine, int patience = 30) => new(engine.Address, Dialect.LlamaCpp, new EngineClientOptions { Version = HttpVersion.Version20, StallPatience = TimeSpan.FromSeconds(patience) });

    private static Task Begin(HttpContext context)
    {
        context.Response.ContentType = "text/event-stream";
        return context.Response.StartAsync();
    }

    private static async Task Line(HttpContext context, string data)
    {
        await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes($"data: {data}\n\n"));
        await context.Response.Body.FlushAsync();
    }
}
