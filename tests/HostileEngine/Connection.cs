using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace EnergyGrid.HostileEngine;

/// <summary>Answers over one connection; each call is one send.</summary>
internal sealed class Connection(Socket socket, Stream stream)
{
    /// <summary>A whole answer.</summary>
    public ValueTask Answer(string status, string type, string body, CancellationToken stop) =>
        stream.WriteAsync(Encoding.UTF8.GetBytes($"HTTP/1.1 {status}\r\nContent-Type: {type}\r\n{(status.StartsWith("429", StringComparison.Ordinal) ? "Retry-After: 1\r\n" : "")}Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}"), stop);

    /// <summary>The head of a stream.</summary>
    public ValueTask Head(CancellationToken stop) => stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"u8.ToArray(), stop);

    /// <summary>One piece of it.</summary>
    public ValueTask Piece(ReadOnlyMemory<byte> bytes, CancellationToken stop)
    {
        byte[] piece = [.. Encoding.ASCII.GetBytes(bytes.Length.ToString("x", CultureInfo.InvariantCulture)), .. "\r\n"u8, .. bytes.Span, .. "\r\n"u8];
        return stream.WriteAsync(piece, stop);
    }

    /// <summary>Its end.</summary>
    public ValueTask End(CancellationToken stop) => stream.WriteAsync("0\r\n\r\n"u8.ToArray(), stop);

    /// <summary>Until the other side has gone.</summary>
    public async Task Gone(CancellationToken stop)
    {
        var buffer = new byte[256];
        while (await stream.ReadAsync(buffer, stop) > 0)
        {
        }
    }

    /// <summary>Ends the connection in bad order.</summary>
    public void Reset()
    {
        socket.LingerState = new LingerOption(true, 0);
        socket.Close();
    }
}
