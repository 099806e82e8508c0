using System.Net;
using System.Net.Sockets;
using System.Text;
using EnergyGrid.HostileEngine;

namespace EnergyGrid.Stacks.Tests;

/// <summary>A server on loopback that answers every connection with the bytes that a test scripts, in the pieces and at the times that it scripts: what no well-behaved server does.</summary>
internal sealed class ScriptedEngine : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly Task _serving;
    private readonly List<string> _requests = [];

    public ScriptedEngine(Func<NetworkStream, CancellationToken, Task> answer)
    {
        _listener.Start();
        _serving = Serve(answer);
    }

    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");

    /// <summary>Heads and bodies of all requests so far.</summary>
    public string[] Requests
    {
        get { lock (_requests) return [.. _requests]; }
    }

    /// <summary>A stream of so many pieces, each sent by itself.</summary>
    public static ScriptedEngine Stream(params byte[][] pieces) => new(async (to, stop) =>
    {
        await to.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"u8.ToArray(), stop);
        foreach (var piece in pieces)
        {
            await to.WriteAsync(piece, stop);
            await Task.Delay(5, stop);
        }
    });

    public static ScriptedEngine Stream(params string[] lines) => Stream([.. lines.Select(l => Encoding.UTF8.GetBytes(l + "\n\n"))]);

    /// <summary>An answer that is no stream.</summary>
    public static ScriptedEngine Answer(string status, string type, string body) => new((to, stop) =>
        to.WriteAsync(Encoding.UTF8.GetBytes($"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\nConnection: close\r\n\r\n{body}"), stop).AsTask());

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await _serving;
        _end.Dispose();
    }

    private async Task Serve(Func<NetworkStream, CancellationToken, Task> answer)
    {
        var answering = new List<Task>();
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_end.Token);
                client.NoDelay = true;
                answering.Add(Answer(client, answer));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // Stopped while it waited, or just before it would have.
            await Task.WhenAll(answering);
        }
    }

    private async Task Answer(TcpClient client, Func<NetworkStream, CancellationToken, Task> answer)
    {
        using var kept = client;
        try
        {
            var stream = client.GetStream();
            if (await WireRequest.Read(stream, [], _end.Token) is not { } request) return;
            lock (_requests) _requests.Add($"{request.Head}\r\n\r\n{Encoding.UTF8.GetString(request.Body)}");
            await answer(stream, _end.Token);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The client has had enough.
        }
    }
}
