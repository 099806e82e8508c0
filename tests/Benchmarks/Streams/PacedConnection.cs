using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace EnergyGrid.Benchmarks.Streams;

/// <summary>The two protocols as far as a server of streams on loopback needs them. A send is one call of the socket, so that the stamp before it is that of the token.</summary>
internal static class PacedConnection
{
    private static readonly byte[] Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();

    /// <summary>Reads requests until the connection ends.</summary>
    public static async Task Serve(Socket socket, Action<string, IPacedSink> begin)
    {
        using var kept = socket;
        var (buffer, length) = (new byte[1 << 16], 0);
        Http2? second = null;
        while (true)
        {
            if (length == buffer.Length) throw new InvalidDataException("more than a request may have");
            var count = await socket.ReceiveAsync(buffer.AsMemory(length));
            if (count == 0) return;
            length += count;
            if (second is null && length >= Preface.Length && buffer.AsSpan(0, Preface.Length).SequenceEqual(Preface))
            {
                second = new Http2(socket, begin);
                length = Drop(buffer, Preface.Length, length);
            }

            for (int taken; (taken = second is null ? Http1.Take(socket, buffer.AsSpan(0, length), begin) : second.Take(buffer.AsSpan(0, length))) > 0;) length = Drop(buffer, taken, length);
        }
    }

    private static int Drop(byte[] buffer, int taken, int length)
    {
        buffer.AsSpan(taken, length - taken).CopyTo(buffer);
        return length - taken;
    }

    /// <summary>An answer in chunks of its own connection.</summary>
    private sealed class Http1(Socket socket) : IPacedSink
    {
        /// <returns>Bytes of the request that stands at the beginning; 0 if it is not whole.</returns>
        public static int Take(Socket socket, ReadOnlySpan<byte> bytes, Action<string, IPacedSink> begin)
        {
            if (bytes.StartsWith("PRI"u8) || bytes.IndexOf("\r\n\r\n"u8) is var end && end < 0) return 0;
            var head = Encoding.ASCII.GetString(bytes[..end]);
            var line = head.Split("\r\n").First(l => l.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase));
            var length = int.Parse(line.Split(':')[1], CultureInfo.InvariantCulture);
            if (bytes.Length < end + 4 + length) return 0;
            begin(Encoding.UTF8.GetString(bytes.Slice(end + 4, length)), new Http1(socket));
            return end + 4 + length;
        }

        public void Head() => socket.Send([.. "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"u8, .. Framed(PacedServer.Role)]);

        public bool Token(int token, int of)
        {
            try
            {
                var chunk = Framed(PacedServer.Chunk(token, of));
                socket.Send(token < of ? chunk : [.. chunk, .. Framed(PacedServer.Done), .. "0\r\n\r\n"u8]);
                return true;
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return false;
            }
        }

        private static byte[] Framed(byte[] bytes) => [.. Encoding.ASCII.GetBytes(bytes.Length.ToString("x", CultureInfo.InvariantCulture)), .. "\r\n"u8, .. bytes, .. "\r\n"u8];
    }

    /// <summary>Many answers on one connection: RFC 9113 as far as it goes. What a request's headers say is not looked at, so they need not be decoded.</summary>
    private sealed class Http2
    {
        private const byte Data = 0, Headers = 1, Reset = 3, Settings = 4, Ping = 6, WindowUpdate = 8;
        private const byte EndStream = 1, Ack = 1, EndHeaders = 4;
        private const int MostStreams = 100, Head = 9;

        private readonly Lock _lock = new();
        private readonly Socket _socket;
        private readonly Action<string, IPacedSink> _begin;
        private readonly Dictionary<int, List<byte>> _bodies = [];
        private readonly Dictionary<int, long> _windows = [];
        private long _window = 65535;
        private long _initial = 65535;

        public Http2(Socket socket, Action<string, IPacedSink> begin)
        {
            (_socket, _begin) = (socket, begin);
            Span<byte> most = stackalloc byte[6];
            BinaryPrimitives.WriteUInt16BigEndian(most, 3);
            BinaryPrimitives.WriteInt32BigEndian(most[2..], MostStreams);
            Send(Settings, 0, 0, most);
        }

        /// <returns>Bytes of the frame that stands at the beginning; 0 if it is not whole.</returns>
        public int Take(ReadOnlySpan<byte> bytes)
        {
            if (bytes.Length < Head) return 0;
            var length = (bytes[0] << 16) | (bytes[1] << 8) | bytes[2];
            if (bytes.Length < Head + length) return 0;
            var (type, flags, stream) = (bytes[3], bytes[4], BinaryPrimitives.ReadInt32BigEndian(bytes[5..]) & int.MaxValue);
            var payload = bytes.Slice(Head, length);
            switch (type)
            {
                case Headers:
                    if ((flags & EndHeaders) == 0) throw new InvalidDataException("headers in several frames");
                    _bodies[stream] = [];
                    lock (_lock) _windows[stream] = _initial;
                    break;
                case Data when _bodies.TryGetValue(stream, out var body):
                    body.AddRange(payload);
                    if (length > 0) Update(0, length);
                    if ((flags & EndStream) != 0 && _bodies.Remove(stream)) _begin(Encoding.UTF8.GetString([.. body]), new Answer(this, stream));
                    break;
                case Reset:
                    _bodies.Remove(stream);
                    lock (_lock) _windows.Remove(stream);
                    break;
                case Settings when (flags & Ack) == 0:
                    for (var at = 0; at + 6 <= length; at += 6)
                        if (BinaryPrimitives.ReadUInt16BigEndian(payload[at..]) == 4) _initial = BinaryPrimitives.ReadUInt32BigEndian(payload[(at + 2)..]);
                    Send(Settings, Ack, 0, []);
                    break;
                case Ping when (flags & Ack) == 0:
                    Send(Ping, Ack, 0, payload);
                    break;
                case WindowUpdate:
                    lock (_lock)
                    {
                        if (stream == 0) _window += BinaryPrimitives.ReadInt32BigEndian(payload);
                        else if (_windows.TryGetValue(stream, out var window)) _windows[stream] = window + BinaryPrimitives.ReadInt32BigEndian(payload);
                    }

                    break;
            }

            return Head + length;
        }

        private void Update(int stream, int bytes)
        {
            Span<byte> by = stackalloc byte[4];
            BinaryPrimitives.WriteInt32BigEndian(by, bytes);
            Send(WindowUpdate, 0, stream, by);
        }

        private void Send(byte type, byte flags, int stream, ReadOnlySpan<byte> payload)
        {
            lock (_lock) _socket.Send([.. Frame(type, flags, stream, payload.Length), .. payload]);
        }

        private static byte[] Frame(byte type, byte flags, int stream, int length) =>
            [(byte)(length >> 16), (byte)(length >> 8), (byte)length, type, flags, (byte)(stream >> 24), (byte)(stream >> 16), (byte)(stream >> 8), (byte)stream];

        private sealed class Answer(Http2 connection, int stream) : IPacedSink
        {
            // :status 200, and content-type as a literal without indexing (RFC 7541, 6.2.2).
            private static readonly byte[] Fields = [0x88, 0x0F, 0x10, 17, .. "text/event-stream"u8];

            public void Head()
            {
                connection.Send(Headers, EndHeaders, stream, Fields);
                Give(PacedServer.Role, 0);
            }

            public bool Token(int token, int of)
            {
                try
                {
                    var chunk = PacedServer.Chunk(token, of);
                    if (token < of) return Give(chunk, 0);
                    var given = Give([.. chunk, .. PacedServer.Done], EndStream);
                    lock (connection._lock) connection._windows.Remove(stream);
                    return given;
                }
                catch (Exception e) when (e is SocketException or ObjectDisposedException)
                {
                    return false;
                }
            }

            private bool Give(byte[] bytes, byte flags)
            {
                lock (connection._lock)
                {
                    // What the benchmark sends is less than the least window of a stream: where it is used up, the client reads nothing.
                    if (!connection._windows.TryGetValue(stream, out var window)) return false;
                    if (window < bytes.Length || connection._window < bytes.Length) throw new InvalidDataException("the client's window is used up");
                    connection._windows[stream] = window - bytes.Length;
                    connection._window -= bytes.Length;
                    connection.Send(Data, flags, stream, bytes);
                    return true;
                }
            }
        }
    }
}
