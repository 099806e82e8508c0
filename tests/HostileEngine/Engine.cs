using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace EnergyGrid.HostileEngine;

/// <summary>A serving engine that computes nothing: so many tokens a second, the first after so long, as many as are asked for; and wrong in the ways that it is told to be.</summary>
internal sealed class Engine(EngineOptions options, TimeProvider time) : IDisposable
{
    private const int LongLine = 10 << 20;

    // Of two and of three bytes.
    private static readonly string[] Characters = ["é", "漢", "ß"];

    private readonly TcpListener _listener = new(options.Host, options.Port);
    private readonly Counters _counters = new(options.Has(Fault.CounterOff));
    private readonly SemaphoreSlim _slots = new(options.Parallel);
    private int _requests;

    /// <summary>What it says it serves.</summary>
    private string Served => options.Has(Fault.WrongModel) ? "another-" + options.Model : options.Model;

    /// <summary>Listens from now on.</summary>
    /// <returns>Where.</returns>
    public IPEndPoint Start()
    {
        _listener.Start();
        return (IPEndPoint)_listener.LocalEndpoint;
    }

    /// <summary>Answers until it is stopped.</summary>
    public async Task Serve(CancellationToken stop)
    {
        while (true)
        {
            var socket = await _listener.AcceptSocketAsync(stop);
            socket.NoDelay = true;
            _ = Serve(socket, stop);
        }
    }

    public void Dispose()
    {
        _listener.Dispose();
        _slots.Dispose();
    }

    private async Task Serve(Socket socket, CancellationToken stop)
    {
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            var (connection, kept) = (new Connection(socket, stream), new List<byte>());
            while (await WireRequest.Read(stream, kept, stop) is { } request)
                if (!await Answer(connection, request, stop)) return;
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException or FormatException)
        {
            // Whoever asked has gone, or spoke no HTTP.
        }
    }

    /// <returns>Whether the connection can be used again.</returns>
    private async Task<bool> Answer(Connection to, WireRequest request, CancellationToken stop)
    {
        switch (request.Method, request.Path)
        {
            case ("GET", "/health"):
                await (options.Has(Fault.NeverHealthy) ? Refuse(to, "503 Service Unavailable", "Loading model", "unavailable_error", stop) : to.Answer("200 OK", "application/json", """{"status":"ok"}""", stop));
                return true;
            case ("GET", "/v1/models"):
                await to.Answer("200 OK", "application/json", JsonSerializer.Serialize(new { @object = "list", data = new[] { new { id = Served, @object = "model", owned_by = "nobody" } } }), stop);
                return true;
            case ("GET", "/metrics"):
                await to.Answer("200 OK", "text/plain; version=0.0.4", _counters.Text(), stop);
                return true;
            case ("POST", "/v1/completions" or "/v1/chat/completions"):
                return await Generate(to, request, stop);
            default:
                await Refuse(to, "404 Not Found", "File Not Found", "not_found_error", stop);
                return true;
        }
    }

    private async Task<bool> Generate(Connection to, WireRequest request, CancellationToken stop)
    {
        if (options.Has(Fault.NeverHealthy) || options.Has(Fault.Http503))
        {
            await Refuse(to, "503 Service Unavailable", "Loading model", "unavailable_error", stop);
            return true;
        }

        if (options.Has(Fault.Http429))
        {
            await Refuse(to, "429 Too Many Requests", "Too many requests: wait a second", "rate_limit_error", stop);
            return true;
        }

        if (Ask.Parse(request.Body, request.Path.Contains("chat", StringComparison.Ordinal), out var wrong) is not { } ask)
        {
            await Refuse(to, "400 Bad Request", wrong, "invalid_request_error", stop);
            return true;
        }

        if (ask.Model.Length > 0 && ask.Model != Served)
        {
            await Refuse(to, "404 Not Found", $"The model `{ask.Model}` does not exist.", "NotFoundError", stop);
            return true;
        }

        var number = Interlocked.Increment(ref _requests);
        var tokens = options.Has(Fault.OneTokenAnswers) ? 1 : options.Has(Fault.IgnoresMaxTokens) ? 2 * ask.MostTokens : ask.MostTokens;
        _counters.Arrived();
        try
        {
            await _slots.WaitAsync(stop);
        }
        catch (OperationCanceledException)
        {
            _counters.Left();
            throw;
        }

        // Of a request that fails, too.
        var sent = 0;
        _counters.Began();
        try
        {
            return await Generate(to, ask, number, tokens, () => sent++, stop);
        }
        finally
        {
            var cached = options.Has(Fault.CachedAnswers) ? ask.PromptTokens : 0;
            _counters.Ended(sent, ask.PromptTokens - cached, cached);
            _slots.Release();
        }
    }

    private async Task<bool> Generate(Connection to, Ask ask, int number, int tokens, Action count, CancellationToken stop)
    {
        var began = time.GetTimestamp();
        var finish = options.Has(Fault.OneTokenAnswers) ? "stop" : "length";
        if (!ask.IsStream)
        {
            var text = new StringBuilder();
            for (var i = 0; i < tokens; i++)
            {
                text.Append(Token(i));
                count();
            }

            await Until(began, tokens - 1, stop);
            await to.Answer("200 OK", "application/json", Whole(ask, text.ToString(), finish, tokens), stop);
            return true;
        }

        await to.Head(stop);
        if (options.Has(Fault.LongLine))
        {
            await to.Piece(Encoding.ASCII.GetBytes("data: " + new string('x', LongLine)), stop);
            return false;
        }

        if (ask.IsChat) await Event(to, Chunk(ask, new { role = "assistant", content = (string?)null }, null, null), stop);
        for (var i = 0; i < tokens; i++)
        {
            await Until(began, i, stop);
            if (i == tokens / 2 && await Fails(to, number, stop)) return false;
            await Event(to, Chunk(ask, Piece(ask, Token(i)), null, null), stop);
            count();
        }

        var usage = ask.WantsUsage && !options.Has(Fault.NoUsage) ? Usage(ask, tokens) : null;
        await Event(to, Chunk(ask, Piece(ask, ""), finish, options.Has(Fault.UsageTwice) ? usage : null), stop);
        if (usage is not null) await Event(to, new { @object = Kind(ask), model = Served, choices = Array.Empty<object>(), usage }, stop);
        await Send(to, "data: [DONE]\n\n"u8.ToArray(), stop);
        await to.End(stop);
        return true;
    }

    /// <summary>What goes wrong in the middle of an answer.</summary>
    /// <returns>Whether it did.</returns>
    private async Task<bool> Fails(Connection to, int number, CancellationToken stop)
    {
        if (options.DiesAfter > 0 && number >= options.DiesAfter)
        {
            await Console.Error.WriteLineAsync($"CUDA error: an illegal memory access was encountered (request {number})");
            Environment.Exit(134);
        }

        if (options.Has(Fault.StalledStreams)) await to.Gone(stop);
        else if (options.Has(Fault.ConnectionReset)) to.Reset();
        else if (options.Has(Fault.LostResponse)) await to.End(stop);
        else return false;
        return true;
    }

    private Task Event(Connection to, object json, CancellationToken stop) => Send(to, [.. "data: "u8, .. JsonSerializer.SerializeToUtf8Bytes(json, Unescaped), .. "\n\n"u8], stop);

    private async Task Send(Connection to, byte[] bytes, CancellationToken stop)
    {
        if (options.Has(Fault.SlowLoris))
        {
            foreach (var one in bytes)
            {
                await to.Piece(new[] { one }, stop);
                await Task.Delay(TimeSpan.FromSeconds(1), time, stop);
            }
        }
        else if (options.Has(Fault.SplitUtf8) && Array.FindIndex(bytes, b => b >= 0xC0) is var at && at >= 0)
        {
            await to.Piece(bytes.AsMemory(0, at + 1), stop);
            await Task.Delay(TimeSpan.FromMilliseconds(2), time, stop);
            await to.Piece(bytes.AsMemory(at + 1), stop);
        }
        else
        {
            await to.Piece(bytes, stop);
        }
    }

    /// <summary>Until a token is due.</summary>
    private async Task Until(long began, int token, CancellationToken stop)
    {
        var left = TimeSpan.FromMilliseconds(options.FirstTokenMs + 1000 * token / options.TokensPerSecond) - time.GetElapsedTime(began);
        if (left > TimeSpan.Zero) await Task.Delay(left, time, stop);
    }

    private string Token(int i) => options.Has(Fault.SplitUtf8) ? Characters[i % 3] : $" w{i:x3}";

    private static object Piece(Ask ask, string text) => ask.IsChat ? text.Length > 0 ? new { content = text } : new object() : text;

    private object Chunk(Ask ask, object piece, string? finish, object? usage)
    {
        object choice = ask.IsChat ? new { index = 0, delta = piece, finish_reason = finish } : new { index = 0, text = piece, finish_reason = finish };
        return usage is null ? new { @object = Kind(ask), model = Served, choices = new[] { choice } } : new { @object = Kind(ask), model = Served, choices = new[] { choice }, usage };
    }

    private string Whole(Ask ask, string text, string finish, int tokens)
    {
        object choice = ask.IsChat ? new { index = 0, message = new { role = "assistant", content = text }, finish_reason = finish } : new { index = 0, text, finish_reason = finish };
        var kind = ask.IsChat ? "chat.completion" : "text_completion";
        return options.Has(Fault.NoUsage)
            ? JsonSerializer.Serialize(new { @object = kind, model = Served, choices = new[] { choice } }, Unescaped)
            : JsonSerializer.Serialize(new { @object = kind, model = Served, choices = new[] { choice }, usage = Usage(ask, tokens) }, Unescaped);
    }

    private object Usage(Ask ask, int tokens)
    {
        var said = options.Has(Fault.WrongUsage) ? (int)Math.Ceiling(1.1 * tokens) : tokens;
        return new
        {
            prompt_tokens = ask.PromptTokens,
            completion_tokens = said,
            total_tokens = ask.PromptTokens + said,
            prompt_tokens_details = new { cached_tokens = options.Has(Fault.CachedAnswers) ? ask.PromptTokens : 0 },
        };
    }

    private static string Kind(Ask ask) => ask.IsChat ? "chat.completion.chunk" : "text_completion";

    private static ValueTask Refuse(Connection to, string status, string message, string type, CancellationToken stop) =>
        to.Answer(status, "application/json", JsonSerializer.Serialize(new { error = new { message, type, code = int.Parse(status.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture) } }), stop);

    // Characters as they are: the point of some faults.
    private static readonly JsonSerializerOptions Unescaped = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
