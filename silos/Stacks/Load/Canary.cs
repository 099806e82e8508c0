using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>
/// What the client itself adds to a time, measured while it is at work: a stream in this very process that sends a line each 10 ms and notes when, read through the same client as every other. Between a
/// line's sending and its stamp lie this host's network stack, its scheduler and the client's own threads, and no engine.
/// </summary>
public sealed class Canary : IAsyncDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(10);
    private static readonly byte[] Head = Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
    private static readonly byte[] Line = Encoding.ASCII.GetBytes("data: {\"choices\":[{\"text\":\"x\"}]}\n\n");
    private static readonly byte[] Last = Encoding.ASCII.GetBytes("data: {\"choices\":[{\"text\":\"\",\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");

    private readonly TimeProvider _time;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _ending = new();
    private readonly CancellationTokenSource _end = new();
    private readonly List<long> _sent = [];
    private readonly EngineClient _client;
    private readonly Task _serving;
    private readonly Task<RequestRecord> _reading;

    private Canary(TimeProvider time)
    {
        _time = time;
        _listener.Start();
        _client = new EngineClient(new Uri(FormattableString.Invariant($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/")), Dialect.Endpoint, null, time);
        _serving = Task.Run(Serve);
        _reading = Task.Run(() => _client.Generate("0", new GenerationRequest("canary", "", 1), time.GetTimestamp(), _end.Token));
    }

    /// <summary>Starts one.</summary>
    public static Canary Start(TimeProvider time) => new(time);

    /// <summary>Ends the stream.</summary>
    /// <returns>When each line was sent and when it was stamped, monotonic timestamps, in order.</returns>
    public async Task<ImmutableArray<(long Sent, long Seen)>> End()
    {
        await _ending.CancelAsync().ConfigureAwait(false);
        await _serving.ConfigureAwait(false);
        _end.CancelAfter(TimeSpan.FromSeconds(5));
        var record = await _reading.ConfigureAwait(false);
        return [.. _sent.Zip(record.Output.Arrivals, (sent, seen) => (sent, seen.Timestamp))];
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await End().ConfigureAwait(false);
        _client.Dispose();
        _listener.Dispose();
        _ending.Dispose();
        _end.Dispose();
    }

    private async Task Serve()
    {
        try
        {
            using var socket = await _listener.AcceptSocketAsync(_ending.Token).ConfigureAwait(false);
            socket.NoDelay = true;
            // What is asked is one small request; that all of it came is not needed to answer.
            await socket.ReceiveAsync(new byte[1 << 16], _ending.Token).ConfigureAwait(false);
            await socket.SendAsync(Head, CancellationToken.None).ConfigureAwait(false);
            while (!_ending.IsCancellationRequested)
            {
                _sent.Add(_time.GetTimestamp());
                await socket.SendAsync(Line, CancellationToken.None).ConfigureAwait(false);
                await Task.Delay(Period, _time, _ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            await socket.SendAsync(Last, CancellationToken.None).ConfigureAwait(false);
            socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            // Ended before it was asked, or whoever reads is gone: then there are fewer lines.
        }
    }
}

/// <summary>From a canary's lines to what the client adds.</summary>
public static class AddedLatency
{
    /// <summary>More than this at p99 and the client measures itself: the trial is invalid, ms.</summary>
    public const double MostMilliseconds = 2;

    /// <summary>Over the lines that were sent within a window.</summary>
    /// <param name="lines">When each was sent and when it was stamped.</param>
    /// <param name="from">Timestamp, included.</param>
    /// <param name="to">Timestamp, excluded.</param>
    /// <param name="time">Of the timestamps.</param>
    public static LatencyLine Of(IEnumerable<(long Sent, long Seen)> lines, long from, long to, TimeProvider time)
    {
        var figures = new LatencyFigures();
        foreach (var (sent, seen) in lines)
            if (sent >= from && sent < to) figures.Add(time.GetElapsedTime(sent, seen));
        return figures.Line();
    }
}
