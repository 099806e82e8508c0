using System.Buffers;

namespace EnergyGrid.Stacks;

/// <summary>
/// What has been read of a stream of server-sent events, and the <c>data</c> of the events in it; other fields and comments are passed over. Nothing is copied where an event's one line and its end
/// came together, as they do; nothing is allocated per event or per read. Not thread-safe.
/// </summary>
/// <param name="longestLine">Bytes of a line, and of the data of an event, at most.</param>
internal sealed class EventBuffer(int longestLine) : IDisposable
{
    private const int LeastFree = 2048;

    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(2 * LeastFree);
    private int _start;
    private int _searched;
    private int _end;
    private bool _isBegun;
    private bool _skipsLineFeed;

    // Lines of an event of several, or whose end had not come with it; null while there is no such.
    private ArrayBufferWriter<byte>? _joined;
    private bool _isGiven;

    /// <summary>Where the next read goes. What was taken last is gone with it.</summary>
    public Memory<byte> Free()
    {
        if (_start > 0)
        {
            _bytes.AsSpan(_start, _end - _start).CopyTo(_bytes);
            (_searched, _end, _start) = (_searched - _start, _end - _start, 0);
        }

        if (_bytes.Length - _end < LeastFree)
        {
            var larger = ArrayPool<byte>.Shared.Rent(2 * _bytes.Length);
            _bytes.AsSpan(0, _end).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = larger;
        }

        return _bytes.AsMemory(_end);
    }

    /// <summary>So many bytes were read there.</summary>
    public void Add(int count) => _end += count;

    /// <summary>Takes the next event that is whole.</summary>
    /// <param name="data">Its data, until the next call.</param>
    /// <exception cref="InvalidDataException">A line is too long.</exception>
    public bool TryTake(out ReadOnlySpan<byte> data)
    {
        if (_isGiven)
        {
            _joined!.ResetWrittenCount();
            (_joined, _isGiven) = (null, false);
        }

        while (TryTakeLine(out var line))
        {
            if (line.IsEmpty)
            {
                if (_joined is null) continue;
                _isGiven = true;
                data = _joined.WrittenSpan;
                return true;
            }

            if (!line.StartsWith("data"u8) || (line.Length > 4 && line[4] != ':')) continue;
            line = line.Length > 5 ? line[(line[5] == ' ' ? 6 : 5)..] : [];
            if (_joined is null && _start < _end && _bytes[_start] == '\n' && !_skipsLineFeed)
            {
                _searched = ++_start;
                data = line;
                return true;
            }

            Join(line);
        }

        data = default;
        return false;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
    }

    private void Join(ReadOnlySpan<byte> line)
    {
        if (_joined is null) _joined = new ArrayBufferWriter<byte>();
        else _joined.Write("\n"u8);
        if (_joined.WrittenCount + line.Length > longestLine) throw TooLong();
        _joined.Write(line);
    }

    /// <summary>Ended by a carriage return, a line feed, or both.</summary>
    private bool TryTakeLine(out ReadOnlySpan<byte> line)
    {
        if (_skipsLineFeed && _start < _end)
        {
            _skipsLineFeed = false;
            if (_bytes[_start] == '\n') _searched = ++_start;
        }

        var at = _bytes.AsSpan(_searched, _end - _searched).IndexOfAny((byte)'\n', (byte)'\r');
        if ((at < 0 ? _end : _searched + at) - _start > longestLine) throw TooLong();
        if (at < 0)
        {
            _searched = _end;
            line = default;
            return false;
        }

        at += _searched;
        line = _bytes.AsSpan(_start, at - _start);
        _skipsLineFeed = _bytes[at] == '\r';
        _searched = _start = at + 1;
        // Now rather than at the next line: an event's end is looked for right behind its line.
        if (_skipsLineFeed && _start < _end)
        {
            _skipsLineFeed = false;
            if (_bytes[_start] == '\n') _searched = ++_start;
        }

        if (!_isBegun)
        {
            _isBegun = true;
            if (line.StartsWith("\uFEFF"u8)) line = line["\uFEFF"u8.Length..];
        }

        return true;
    }

    private InvalidDataException TooLong() => new($"a line of more than {longestLine} bytes");
}
