using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace EnergyGrid.Stacks;

/// <summary>
/// What the client adds to every time that it measures, while it is under load: a stream on this machine itself that brings a chunk about every 10 ms and knows when it sent each, read by the same client
/// as the engine's. Between its writing and the client's stamp lie the loopback, the scheduler and the reading of all other streams.
/// </summary>
public sealed class Canary : IAsyncDisposable
{
    private const int ChunksPerStream = 6000, MostSamples = 1 << 20, LongestRequest = 1 << 14;
    private const int Milliseconds = 10, Patience = 2000;

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly EngineClient _client;
    private readonly TimeProvider _time;
    private readonly string _token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
    private readonly long[] _sentAt = new long[ChunksPerStream + 1];
    private readonly Queue<(long At, long Added)> _samples = [];
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _reading;
    private readonly Thread _sender;
    private int _came;

    private Canary(TimeProvider time)
    {
        _time = time;
        _listener.Start(1);
        var address = new Uri(FormattableString.Invariant($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/"));
        _client = new EngineClient(address, Dialect.Endpoint, new EngineClientOptions { Token = _token }, time);
        _sender = new Thread(Serve) { IsBackground = true, Name = "canary" };
        _sender.Start();
        _reading = Task.Run(Read);
    }

    /// <summary>Begins to measure.</summary>
    public static Canary Start(TimeProvider time) => new(time);

    /// <summary>Comes with the first chunk.</summary>
    public Task Singing => _first.Task;

    /// <summary>What the client added to chunks whose stamp lies within a window of timestamps, the second excluded.</summary>
    public LatencyFigures Added(long from, long to)
    {
        var figures = new LatencyFigures();
        lock (_samples)
        {
            foreach (var (at, added) in _samples)
            {
                if (at >= from && at < to) figures.Add(_time.GetElapsedTime(0, added));
            }
        }

        return figures;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _listener.Stop();
        await _reading.ConfigureAwait(false);
        // It waits for nothing longer than its patience.
        await Task.Run(() => _sender.Join(2 * Patience)).ConfigureAwait(false);
        _client.Dispose();
        _stop.Dispose();
    }

    private async Task Read()
    {
        while (!_stop.IsCancellationRequested)
        {
            _came = 0;
            var record = await _client.Generate("canary", new GenerationRequest("canary", "", ChunksPerStream), _time.GetTimestamp(), _stop.Token, Came).ConfigureAwait(false);
            // Another stream at once, but not in a loop of failures.
            if (record.Outcome is RequestOutcome.Failed) await Task.Delay(TimeSpan.FromMilliseconds(Milliseconds), _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Came(long at, int tokens)
    {
        _came += tokens;
        if (_came < 1 || _came >= _sentAt.Length) return;
        var added = at - Volatile.Read(ref _sentAt[_came]);
        lock (_samples)
        {
            if (_samples.Count == MostSamples) _samples.Dequeue();
            _samples.Enqueue((at, added));
        }

        _first.TrySetResult();
    }

    // A thread of its own with calls that wait: that it wakes late delays a chunk, and is in no time that is told.
    private void Serve()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                using var client = _listener.AcceptTcpClient();
                client.NoDelay = true;
                client.ReceiveTimeout = client.SendTimeout = Patience;
                using var stream = client.GetStream();
                if (IsOurs(stream)) Sing(stream);
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or InvalidOperationException)
            {
                // It went away, or this is over: the loop asks.
            }
        }
    }

    // Whoever else finds the port gets nothing.
    private bool IsOurs(NetworkStream stream)
    {
        var buffer = new byte[LongestRequest];
        var count = 0;
        while (count < buffer.Length && stream.Read(buffer, count, buffer.Length - count) is var read and > 0)
        {
            count += read;
            var text = Encoding.ASCII.GetString(buffer, 0, count);
            var head = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (head < 0) continue;
            var lines = text[..head].Split("\r\n");
            var length = lines.Select(l => l.Split(':', 2)).Where(l => l is [var name, _] && name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
                .Select(l => int.TryParse(l[1], NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture, out var bytes) ? bytes : -1).FirstOrDefault(-1);
            if (length < 0 || !lines.Any(l => l.Equals($"Authorization: Bearer {_token}", StringComparison.OrdinalIgnoreCase))) return false;
            if (count >= head + 4 + length) return true;
        }

        return false;
    }

    private void Sing(NetworkStream stream)
    {
        stream.Write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"u8);
        for (var i = 1; i <= ChunksPerStream && !_stop.Token.WaitHandle.WaitOne(Milliseconds); i++)
        {
            var now = _time.GetTimestamp();
            Volatile.Write(ref _sentAt[i], now);
            stream.Write(Encoding.ASCII.GetBytes(FormattableString.Invariant(
                $$$"""data: {"choices":[{"index":0,"text":"{{{now}}}","finish_reason":{{{(i == ChunksPerStream ? "\"length\"" : "null")}}}}],"usage":{"prompt_tokens":1,"completion_tokens":{{{i}}}}}""") + "\n\n"));
        }

        stream.Write("data: [DONE]\n\n"u8);
    }
}
