namespace EnergyGrid.Stacks;

/// <summary>Lines of a stream of bytes, none longer than is said.</summary>
internal static class BoundedLines
{
    /// <summary>Each without its LF, and whether it had one; what is given is good until the next is asked for.</summary>
    /// <param name="from">Not disposed of.</param>
    /// <param name="longest">Bytes at most.</param>
    /// <exception cref="InvalidDataException">One is longer; its number, from 1, is told.</exception>
    public static IEnumerable<(ReadOnlyMemory<byte> Line, bool IsWhole)> Of(Stream from, int longest)
    {
        var buffer = new byte[Math.Min(longest + 1L, 1 << 16)];
        var (start, end, seen) = (0, 0, 0);
        var number = 1L;
        while (true)
        {
            // What was looked at already holds no LF.
            if (buffer.AsSpan(start + seen, end - start - seen).IndexOf((byte)'\n') is var at && at >= 0)
            {
                yield return (buffer.AsMemory(start, seen + at), true);
                (start, seen) = (start + seen + at + 1, 0);
                number++;
                continue;
            }

            seen = end - start;
            if (seen > longest) throw new InvalidDataException($"line {number} has more than {longest} bytes");
            if (start > 0) buffer.AsSpan(start, seen).CopyTo(buffer);
            (start, end) = (0, seen);
            if (end == buffer.Length) Array.Resize(ref buffer, (int)Math.Min(longest + 1L, 2L * buffer.Length));
            var count = from.Read(buffer.AsSpan(end));
            if (count == 0) break;
            end += count;
        }

        if (end > 0) yield return (buffer.AsMemory(0, end), false);
    }
}
