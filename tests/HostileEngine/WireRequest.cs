using System.Globalization;
using System.Text;

namespace EnergyGrid.HostileEngine;

/// <summary>A request of HTTP/1.1 as it came over a connection.</summary>
/// <param name="Head">Request line and headers.</param>
/// <param name="Body">As many bytes as the head says.</param>
internal sealed record WireRequest(string Head, byte[] Body)
{
    private const int LongestHead = 1 << 16, LongestBody = 64 << 20;

    public string Method => Head.Split(' ')[0];

    public string Path => Head.Split(' ') is { Length: > 1 } parts ? parts[1].Split('?')[0] : "";

    /// <summary>Reads the next one; null if the connection ends before it.</summary>
    /// <param name="from">The connection.</param>
    /// <param name="kept">What was read beyond the request before, and is kept for the next.</param>
    /// <param name="stop">Gives up.</param>
    /// <exception cref="IOException">The connection ended within it, or it is longer than can be.</exception>
    public static async Task<WireRequest?> Read(Stream from, List<byte> kept, CancellationToken stop)
    {
        var buffer = new byte[4096];
        while (true)
        {
            var text = Encoding.Latin1.GetString([.. kept]);
            if (text.IndexOf("\r\n\r\n", StringComparison.Ordinal) is var end && end >= 0)
            {
                var head = text[..end];
                var length = head.Split("\r\n").FirstOrDefault(l => l.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase)) is { } line ? int.Parse(line.Split(':')[1], CultureInfo.InvariantCulture) : 0;
                if (length > LongestBody) throw new IOException("a body that is too long");
                while (kept.Count < end + 4 + length)
                {
                    var more = await from.ReadAsync(buffer, stop);
                    if (more == 0) throw new IOException("the connection ended within a request");
                    kept.AddRange(buffer.AsSpan(0, more));
                }

                var body = kept.GetRange(end + 4, length).ToArray();
                kept.RemoveRange(0, end + 4 + length);
                return new WireRequest(head, body);
            }

            if (kept.Count > LongestHead) throw new IOException("a head that is too long");
            var count = await from.ReadAsync(buffer, stop);
            if (count == 0) return kept.Count == 0 ? null : throw new IOException("the connection ended within a request");
            kept.AddRange(buffer.AsSpan(0, count));
        }
    }
}
