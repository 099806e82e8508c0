using System.Threading.Channels;

namespace EnergyGrid.Results;

/// <summary>
/// A file that only grows, a JSON document a line, each line carrying the SHA-256 of its document:
/// <c>{"sha256":"…","document":{…}}</c>. What <see cref="Append"/> has answered is on the disk. A line that was torn by a crash is cut off on
/// opening; a damaged line before the last one is an error that names its number. Lines that wait together share one flush.
/// </summary>
public sealed class JournalFile : IAsyncDisposable
{
    private readonly string _path;
    private readonly Channel<(Func<long, string> Document, TaskCompletionSource Done, Action<long>? Kept)> _waiting = Channel.CreateUnbounded<(Func<long, string>, TaskCompletionSource, Action<long>?)>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Task _writer;
    private readonly FileStream _file;
    private long _length;
    private long _lines;

    private JournalFile(string path, FileStream file, long length, long lines)
    {
        (_path, _file, _length, _lines) = (path, file, length, lines);
        _writer = Task.Run(Write);
    }

    /// <summary>Opens or makes the file and reads its documents. Throws <see cref="InvalidDataException"/> naming the line that is damaged.</summary>
    public static (JournalFile Journal, List<string> Documents) Open(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, 1);
        try
        {
            var bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            var whole = bytes.AsSpan().LastIndexOf((byte)'\n') + 1;
            var documents = Documents(bytes.AsSpan(0, whole), path).ToList();
            if (whole < bytes.Length) file.SetLength(whole);
            return (new JournalFile(path, file, whole, documents.Count), documents);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>As <see cref="JournalLine.Documents"/>.</summary>
    public static IEnumerable<string> Documents(ReadOnlySpan<byte> lines, string path) => JournalLine.Documents(lines, path);

    /// <summary>Adds a document (JSON without line breaks) and answers when it is on the disk. <see cref="IOException"/>: it is not, and the file is as before.</summary>
    /// <param name="document">The document, from its place in the file (0 is the first).</param>
    /// <param name="kept">Called with that place once it is on the disk, before the answer, in the order of the lines.</param>
    public async Task Append(Func<long, string> document, Action<long>? kept = null)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!_waiting.Writer.TryWrite((document, done, kept))) throw new ObjectDisposedException(_path);
        await done.Task.ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _writer.ConfigureAwait(false);
        await _file.DisposeAsync().ConfigureAwait(false);
    }

    private async Task Write()
    {
        var batch = new List<(Func<long, string> Document, TaskCompletionSource Done, Action<long>? Kept)>();
        while (await _waiting.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            batch.Clear();
            while (batch.Count < 1000 && _waiting.Reader.TryRead(out var waiting)) batch.Add(waiting);
            try
            {
                if (_file.Length != _length) _file.SetLength(_length); // a batch that failed left a part
                _file.Position = _length;
                // Places are given here, where lines are: a batch that failed has taken none.
                for (var i = 0; i < batch.Count; i++) _file.Write(JournalLine.Of(batch[i].Document(_lines + i)));
                _file.Flush(flushToDisk: true);
                _length = _file.Position;
                foreach (var (_, done, kept) in batch)
                {
                    kept?.Invoke(_lines++);
                    done.SetResult();
                }
            }
            catch (Exception e)
            {
                try { _file.SetLength(_length); }
                catch (IOException) { /* Cut off before the next batch. */ }
                var told = e as IOException ?? new IOException($"'{_path}' could not be written: {e.Message}", e);
                foreach (var (_, done, _) in batch) done.SetException(told);
            }
        }
    }
}
