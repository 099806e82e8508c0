namespace EnergyGrid.Stacks;

/// <summary>A stream that says when what was read last had come, and refuses a line without end. One reader at a time.</summary>
/// <param name="from">Where it comes from; not disposed of.</param>
/// <param name="time">Monotonic.</param>
/// <param name="longestLine">Bytes of a line at most.</param>
internal sealed class StampedStream(Stream from, TimeProvider time, int longestLine) : Stream
{
    private int _line;

    /// <summary>Timestamp of the last read that brought something.</summary>
    public long LastRead { get; private set; }

    /// <summary>Timestamp of the first one; 0 before.</summary>
    public long FirstRead { get; private set; }

    /// <summary>Bytes that were read.</summary>
    public long BytesRead { get; private set; }

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">A line is too long.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await from.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        if (count == 0) return 0;
        LastRead = time.GetTimestamp();
        if (FirstRead == 0) FirstRead = LastRead;
        BytesRead += count;
        Measure(buffer.Span[..count]);
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private void Measure(ReadOnlySpan<byte> bytes)
    {
        while (bytes.IndexOfAny((byte)'\n', (byte)'\r') is var end && end >= 0)
        {
            _line += end;
            ThrowIfLong();
            _line = 0;
            bytes = bytes[(end + 1)..];
        }

        _line += bytes.Length;
        ThrowIfLong();
    }

    private void ThrowIfLong()
    {
        if (_line > longestLine) throw new InvalidDataException($"a line of more than {longestLine} bytes");
    }
}
