using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace EnergyGrid.Benchmarks.Streams;

/// <summary>
/// A server of streams whose tokens are sent at fixed times, in a process of its own, that stamps each of its sends just before it: what a client's stamps are held against. Stamps of
/// <see cref="Stopwatch"/> are of one clock in all processes of a machine. One thread sends for all; HTTP/1.1 and HTTP/2 with prior knowledge on one port.
/// </summary>
/// <remarks>
/// It says its port on its output. A request names its number, its tokens and the time between them in its prompt (<see cref="Prompt"/>). After a line on its input it gives its stamps away:
/// count of requests, then for each its number, when it was read, count of tokens, and when each was sent (little-endian 64-bit numbers).
/// </remarks>
internal sealed class PacedServer
{
    private const int MostTokens = 4096;

    private readonly ConcurrentQueue<PacedStream> _new = [];
    private readonly ConcurrentQueue<PacedStream> _all = [];
    private readonly PriorityQueue<PacedStream, long> _due = new();

    /// <summary>The part of a request that the server reads.</summary>
    public static string Prompt(int number, int tokens, long intervalMicroseconds) => string.Create(CultureInfo.InvariantCulture, $"stream {number} {tokens} {intervalMicroseconds} end");

    public static void Run()
    {
        var server = new PacedServer();
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(4096);
        using var output = Console.OpenStandardOutput();
        output.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{((IPEndPoint)listener.LocalEndPoint!).Port}\n")));
        output.Flush();
        _ = server.Accept(listener);
        new Thread(server.Send) { IsBackground = true, Name = "sender" }.Start();
        // Until whoever started it has gone.
        while (Console.In.ReadLine() is not null) server.GiveAway(output);
    }

    /// <summary>What is sent with a token, counted as vLLM counts: so far, in every chunk.</summary>
    public static byte[] Chunk(int token, int of) => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $$$"""
        data: {"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1764547200,"model":"paced","choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":{{{(token == of ? "\"length\"" : "null")}}},"token_ids":null}],"usage":{"prompt_tokens":12,"total_tokens":{{{12 + token}}},"completion_tokens":{{{token}}}}}
        """) + "\n\n");

    public static readonly byte[] Role = """data: {"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1764547200,"model":"paced","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}"""u8.ToArray().Concat("\n\n"u8.ToArray()).ToArray();

    public static readonly byte[] Done = "data: [DONE]\n\n"u8.ToArray();

    private async Task Accept(Socket listener)
    {
        while (true)
        {
            var socket = await listener.AcceptAsync();
            socket.NoDelay = true;
            _ = Serve(socket);
        }
    }

    private async Task Serve(Socket socket)
    {
        try
        {
            await PacedConnection.Serve(socket, Begin);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidDataException)
        {
            socket.Dispose();
        }
    }

    /// <summary>A request was read.</summary>
    private void Begin(string body, IPacedSink sink)
    {
        var read = Stopwatch.GetTimestamp();
        var at = body.IndexOf("stream ", StringComparison.Ordinal);
        var words = body[at..body.IndexOf(" end", at, StringComparison.Ordinal)].Split(' ');
        var (number, tokens, micros) = (int.Parse(words[1], CultureInfo.InvariantCulture), int.Parse(words[2], CultureInfo.InvariantCulture), long.Parse(words[3], CultureInfo.InvariantCulture));
        if (tokens is < 1 or > MostTokens) throw new InvalidDataException("so many tokens are not sent");
        sink.Head();
        var stream = new PacedStream(number, read, new long[tokens], micros * Stopwatch.Frequency / 1_000_000, sink);
        _all.Enqueue(stream);
        _new.Enqueue(stream);
    }

    private void Send()
    {
        while (true)
        {
            while (_new.TryDequeue(out var stream)) _due.Enqueue(stream, stream.Read + stream.Interval);
            while (_due.TryPeek(out var next, out var due) && due <= Stopwatch.GetTimestamp())
            {
                _due.Dequeue();
                var now = Stopwatch.GetTimestamp();
                next.Stamps[next.Sent] = now;
                var taken = next.Sink.Token(next.Sent + 1, next.Stamps.Length);
                next.Sent++;
                if (taken && next.Sent < next.Stamps.Length) _due.Enqueue(next, next.Read + (next.Sent + 1) * next.Interval);
                else next.Over.SetResult();
            }

            Thread.Sleep(1);
        }
    }

    private void GiveAway(Stream output)
    {
        var all = new List<PacedStream>();
        while (_all.TryDequeue(out var stream))
        {
            // Its client may have read the end before the sender has come back from sending it.
            stream.Over.Task.Wait();
            all.Add(stream);
        }

        var buffer = new BufferedStream(output, 1 << 16);
        using var writer = new BinaryWriter(buffer, Encoding.UTF8, leaveOpen: true);
        writer.Write((long)all.Count);
        foreach (var stream in all)
        {
            writer.Write((long)stream.Number);
            writer.Write(stream.Read);
            writer.Write((long)stream.Sent);
            foreach (var stamp in stream.Stamps.AsSpan(0, stream.Sent)) writer.Write(stamp);
        }

        writer.Flush();
        buffer.Flush();
    }
}

/// <summary>One answer that goes on.</summary>
internal sealed class PacedStream(int number, long read, long[] stamps, long interval, IPacedSink sink)
{
    public int Number => number;

    public long Read => read;

    public long[] Stamps => stamps;

    public long Interval => interval;

    public IPacedSink Sink => sink;

    public int Sent { get; set; }

    /// <summary>Ends when nothing more is sent.</summary>
    public TaskCompletionSource Over { get; } = new();
}

/// <summary>Where an answer is sent to; each call is one send.</summary>
internal interface IPacedSink
{
    /// <summary>Headers and the role.</summary>
    void Head();

    /// <summary>A token, and after the last one the end.</summary>
    /// <returns>Whether somebody was there to take it.</returns>
    bool Token(int token, int of);
}
