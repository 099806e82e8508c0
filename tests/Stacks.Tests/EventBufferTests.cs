using System.Net.ServerSentEvents;
using System.Text;

namespace EnergyGrid.Stacks.Tests;

/// <summary>Events out of bytes, as the framework's own reader takes them, however the bytes are cut.</summary>
public sealed class EventBufferTests
{
    private static readonly string[] Pieces =
    [
        "data: {\"a\":1}", "data:x", "data", "data: ", "data:  two blanks", ": a comment", ":", "event: other", "id: 7", "retry: 10", "database: no", "data: é漢🙂", "nonsense", "data: " + new string('y', 5000), "",
    ];

    private static readonly string[] Ends = ["\n", "\r\n", "\r"];

    [Fact]
    public void However_a_stream_is_cut_its_events_are_those_of_the_frameworks_reader()
    {
        for (var seed = 0; seed < 400; seed++)
        {
            var random = new Random(seed);
            var text = new StringBuilder(random.Next(4) == 0 ? "\uFEFF" : "");
            for (var i = random.Next(30); i >= 0; i--)
            {
                text.Append(Pieces[random.Next(Pieces.Length)]).Append(Ends[random.Next(Ends.Length)]);
                if (random.Next(2) == 0) text.Append(Ends[random.Next(Ends.Length)]);
            }

            // Whole at the end: what broke off is no event.
            var bytes = Encoding.UTF8.GetBytes(text + "\n\n");
            var expected = SseParser.Create(new MemoryStream(bytes), static (_, data) => Convert.ToHexString(data)).Enumerate().Select(e => e.Data).ToArray();
            Assert.Equal(expected, Events(bytes, () => random.Next(3) == 0 ? 1 : random.Next(1, 3000)));
        }
    }

    [Fact]
    public void What_broke_off_is_no_event_and_a_line_or_an_event_without_end_is_refused()
    {
        Assert.Equal([Convert.ToHexString("a"u8)], Events("data: a\n\ndata: b\n"u8.ToArray(), () => 3));
        Assert.Equal("a line of more than 100 bytes", Assert.Throws<InvalidDataException>(() => Events(new byte[101], () => 7, 100)).Message);
        Assert.Empty(Events(new byte[100], () => 7, 100));
        var endless = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("data: 0123456789\n", 20)));
        Assert.Equal("a line of more than 100 bytes", Assert.Throws<InvalidDataException>(() => Events(endless, () => 7, 100)).Message);
        // Comments alone may go on for ever.
        Assert.Empty(Events(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(": ping\n\n", 10_000))), () => 100, 100));
    }

    private static List<string> Events(byte[] bytes, Func<int> cut, int longestLine = 1 << 20)
    {
        using var buffer = new EventBuffer(longestLine);
        var events = new List<string>();
        for (var at = 0; at < bytes.Length;)
        {
            var free = buffer.Free();
            var count = Math.Min(Math.Min(cut(), free.Length), bytes.Length - at);
            bytes.AsMemory(at, count).CopyTo(free);
            buffer.Add(count);
            at += count;
            while (buffer.TryTake(out var data)) events.Add(Convert.ToHexString(data));
        }

        return events;
    }
}
