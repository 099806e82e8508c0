using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>How a client speaks to an engine.</summary>
public sealed record EngineClientOptions
{
    /// <summary>HTTP/1.1, one stream a connection, or HTTP/2, all on few.</summary>
    public Version Version { get; init; } = HttpVersion.Version11;

    /// <summary>Sent as a header, never in an address; null for none. Only over https, or to this machine itself.</summary>
    public string? Token { get; init; }

    /// <summary>Bytes of a line of a stream at most.</summary>
    public int LongestLine { get; init; } = 1 << 20;

    /// <summary>A connection that is not there after so long is none.</summary>
    public TimeSpan ConnectPatience { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>A stream that brings nothing for so long has stalled.</summary>
    public TimeSpan StallPatience { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Bytes of an error's body that are looked at.</summary>
    public int LongestError { get; init; } = 1 << 16;
}

/// <summary>Asks a serving engine to generate, and notes when what came. Every request comes to an end that is told: ended, failed with the reason, or cancelled. Safe to use from many tasks.</summary>
public sealed class EngineClient : IDisposable
{
    private readonly HttpClient _http;
    private readonly Dialect _dialect;
    private readonly EngineClientOptions _options;
    private readonly TimeProvider _time;

    /// <param name="address">The engine's base address.</param>
    /// <param name="dialect">What it takes.</param>
    /// <param name="options">How it is spoken to.</param>
    /// <param name="time">Monotonic timestamps; the system's if null.</param>
    /// <exception cref="ArgumentException">An address that is no http, holds a token, or to which none may be sent.</exception>
    public EngineClient(Uri address, Dialect dialect, EngineClientOptions? options = null, TimeProvider? time = null)
    {
        (_dialect, _options, _time) = (dialect, options ?? new(), time ?? TimeProvider.System);
        if (!address.IsAbsoluteUri || address.Scheme is not ("http" or "https")) throw new ArgumentException($"'{address}' is no address of http or https", nameof(address));
        if (address.UserInfo.Length > 0) throw new ArgumentException("an address with a name or a password in it: give the token apart", nameof(address));
        if (_options.Token is not null && address.Scheme == "http" && !address.IsLoopback) throw new ArgumentException($"a token is sent over https, or to this machine itself, and not to {address.Host} over http", nameof(options));
        _http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = _options.ConnectPatience,
            MaxConnectionsPerServer = int.MaxValue,
            // Python's servers close what is idle for 5 s, and what is sent just then is lost.
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(2),
            EnableMultipleHttp2Connections = true,
        })
        {
            BaseAddress = address.AbsoluteUri.EndsWith('/') ? address : new Uri(address.AbsoluteUri + "/"),
            Timeout = Timeout.InfiniteTimeSpan,
        };
        if (_options.Token is { } token) _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        _http.DefaultRequestHeaders.Accept.ParseAdd("text/event-stream");
    }

    /// <summary>What the engine takes.</summary>
    public Dialect Dialect => _dialect;

    /// <summary>Sends one request and reads its stream to the end.</summary>
    /// <param name="id">What its record is called.</param>
    /// <param name="request">What is asked for.</param>
    /// <param name="scheduled">Timestamp at which it was to be sent.</param>
    /// <param name="stop">Gives it up: it is then cancelled, not failed.</param>
    /// <param name="progress">Told of every chunk with output as it comes: its timestamp, and its tokens where it says how many, else 1. For a live view; it must not take long.</param>
    /// <exception cref="ArgumentException">The dialect cannot say it.</exception>
    public async Task<RequestRecord> Generate(string id, GenerationRequest request, long scheduled, CancellationToken stop, Action<long, int>? progress = null)
    {
        var record = await Ask(id, request, scheduled, stop, progress).ConfigureAwait(false);
        // The end may have been read on a thread that reads all sockets: it is not the caller's to go on with.
        await Task.Yield();
        return record;
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<RequestRecord> Ask(string id, GenerationRequest request, long scheduled, CancellationToken stop, Action<long, int>? progress)
    {
        var body = request.ToJson(_dialect);
        var reading = new Reading(id, request.MostTokens, scheduled, _time.GetTimestamp(), progress);
        using var patience = new Patience(_options.StallPatience, _time, stop);
        try
        {
            using var message = new HttpRequestMessage(HttpMethod.Post, request.Path)
            {
                // Here, not at the client: its defaults are not those of messages that are made elsewhere.
                Version = _options.Version,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
            };
            if (!_dialect.KeepsConnections && _options.Version.Major == 1) message.Headers.ConnectionClose = true;
            using var response = await _http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, patience.Token).ConfigureAwait(false);
            reading.Headers = _time.GetTimestamp();
            patience.Heard(reading.Headers);
            reading.Status = (int)response.StatusCode;
            if (!response.IsSuccessStatusCode) return reading.Failed(await ErrorOf(response, patience.Token).ConfigureAwait(false), _time.GetTimestamp());
            if (response.Content.Headers.ContentType?.MediaType is not "text/event-stream" and var type) return reading.Failed($"it answered with {type ?? "no content type"} instead of a stream", _time.GetTimestamp());
            await Read(response, reading, patience).ConfigureAwait(false);
            return reading.Ended(_time.GetTimestamp());
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return reading.Cancelled(_time.GetTimestamp());
        }
        catch (OperationCanceledException)
        {
            return reading.Failed(FormattableString.Invariant($"it brought nothing for {_options.StallPatience.TotalSeconds:0.###} s"), _time.GetTimestamp());
        }
        catch (Exception e) when (e is HttpRequestException or IOException or InvalidDataException or JsonException)
        {
            return reading.Failed(e is JsonException ? "a line of its stream is no JSON of the protocol" : Words(e), _time.GetTimestamp());
        }
    }

    private async Task Read(HttpResponseMessage response, Reading reading, Patience patience)
    {
        await using var body = await response.Content.ReadAsStreamAsync(patience.Token).ConfigureAwait(false);
        using var events = new EventBuffer(_options.LongestLine);
        while (await body.ReadAsync(events.Free(), patience.Token).ConfigureAwait(false) is var count and > 0)
        {
            // All that one read brought came then, however long it takes to look at it.
            var now = _time.GetTimestamp();
            events.Add(count);
            while (events.TryTake(out var data))
            {
                // Bytes alone are no sign of life: a line may come one by one.
                patience.Heard(now);
                reading.Take(StreamChunk.Parse(data), now);
            }
        }

        reading.IsWhole = true;
    }

    private async Task<string> ErrorOf(HttpResponseMessage response, CancellationToken stop)
    {
        var buffer = new byte[_options.LongestError];
        await using var body = await response.Content.ReadAsStreamAsync(stop).ConfigureAwait(false);
        var count = await body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, stop).ConfigureAwait(false);
        var said = StreamChunk.ErrorOf(buffer.AsSpan(0, count)) ?? "";
        return $"status {(int)response.StatusCode}{(said.Length > 0 ? $": {said}" : "")}";
    }

    private static string Words(Exception error) => error is HttpRequestException { InnerException: { } inner } ? inner.Message : error.Message;

    /// <summary>A request while it goes on.</summary>
    private sealed class Reading(string id, int mostTokens, long scheduled, long sent, Action<long, int>? progress)
    {
        private const int LongestWords = 300, MostExpected = 4096;

        private readonly List<(long Timestamp, int Bytes, int TokensSoFar)> _chunks = new(Math.Clamp(mostTokens, 0, MostExpected));
        private readonly List<long> _silent = [];
        private (int Tokens, long At) _lone = (-1, 0);
        private StreamUsage? _usage;
        private string? _finish;
        private string? _error;
        private int _ids;

        public long Headers { get; set; }

        public int Status { get; set; }

        public bool IsWhole { get; set; }

        public void Take(StreamChunk chunk, long at)
        {
            if (chunk.IsEnd) return;
            _error ??= chunk.Error;
            _finish = chunk.FinishReason ?? _finish;
            // Twice, in two chunks: the last one counts.
            if (chunk.Usage is { } usage) _usage = usage;
            if (chunk.Usage is { } lone && !chunk.HasChoice) _lone = (lone.CompletionTokens, at);
            if (chunk.HasChoice && !chunk.HasOutput) _silent.Add(at);
            _ids = chunk.Tokens >= 0 && _ids >= 0 ? _ids + chunk.Tokens : _ids;
            if (!chunk.HasOutput) return;
            var soFar = chunk.Usage is { CompletionTokens: >= 0 } now ? now.CompletionTokens : chunk.Tokens >= 0 ? _ids : -1;
            progress?.Invoke(at, soFar < 0 ? 1 : Math.Max(0, soFar - Math.Max(0, _chunks.Count > 0 ? _chunks[^1].TokensSoFar : 0)));
            _chunks.Add((at, chunk.ContentBytes + chunk.ReasoningBytes, soFar));
        }

        public RequestRecord Ended(long at) => _error is { } error ? Failed(error, at)
            : _finish is null ? Failed("the stream broke off: no reason to finish came", at)
            : Record(RequestOutcome.Ended, "", at);

        public RequestRecord Failed(string why, long at) => Record(RequestOutcome.Failed, Cut(Unprintable.Clean(why)), at);

        // A stranger's program said it.
        private static string Cut(string line) => line.Length <= LongestWords ? line : line[..LongestWords] + " …";

        public RequestRecord Cancelled(long at) => Record(RequestOutcome.Cancelled, "", at);

        private RequestRecord Record(RequestOutcome outcome, string error, long at)
        {
            var usage = _usage ?? new StreamUsage(-1, -1, -1, -1);
            return new RequestRecord(id, outcome, error, Status, scheduled, sent, Headers, at, TokenTimeline.Of(_chunks, usage.CompletionTokens), usage.PromptTokens, usage.CachedTokens, usage.ReasoningTokens,
                _ids > 0 ? _ids : -1, _finish ?? "")
            { Facts = new StreamFacts([.. _silent], _lone.Tokens, _lone.At, IsWhole) };
        }
    }
}
