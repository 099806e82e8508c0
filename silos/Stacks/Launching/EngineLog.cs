using System.Globalization;
using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>What an engine says, in a file of bounded size, and its last lines at hand. A full or broken disk loses lines, never the engine.</summary>
internal sealed class EngineLog : IDisposable
{
    private const int TailBytes = 8 << 10, TailLines = 12, LongestWords = 1500;

    private readonly Lock _gate = new();
    private readonly long _most;
    private readonly byte[] _tail = new byte[TailBytes];
    private FileStream? _file;
    private long _written;
    private long _said;

    /// <exception cref="EngineStartException">There can be no such file.</exception>
    public EngineLog(string path, long most)
    {
        _most = most;
        try
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
            _file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new EngineStartException($"the engine's log cannot be kept at {path}: {e.Message}", e);
        }
    }

    /// <summary>The last lines, one after the other, harmless and short; empty if nothing was said.</summary>
    public string Tail
    {
        get
        {
            string text;
            lock (_gate)
            {
                var count = (int)Math.Min(_said, TailBytes);
                var bytes = new byte[count];
                for (var i = 0; i < count; i++) bytes[i] = _tail[(_said - count + i) % TailBytes];
                text = Encoding.UTF8.GetString(bytes);
            }

            var lines = text.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0).TakeLast(TailLines);
            var words = Unprintable.Clean(string.Join(" | ", lines));
            return words.Length <= LongestWords ? words : "… " + words[^LongestWords..];
        }
    }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            foreach (var b in bytes[Math.Max(0, bytes.Length - TailBytes)..]) _tail[_said++ % TailBytes] = b;
            if (_file is null || _written >= _most) return;
            var fits = bytes[..(int)Math.Min(bytes.Length, _most - _written)];
            try
            {
                _file.Write(fits);
                _written += fits.Length;
                if (_written >= _most) _file.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"\n[truncated here: the engine said more than {_most} bytes]\n")));
            }
            catch (IOException)
            {
                // The disk is full or gone: what is measured does not depend on it.
                _file.Dispose();
                _file = null;
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _file?.Dispose();
            _file = null;
        }
    }
}
