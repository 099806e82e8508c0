namespace EnergyGrid.Silo;

/// <summary>
/// One process' hold on something that two must not have: a file lock, which the system gives back however the process ends, and beside it a mark of the process, because locks can be void
/// (an NFS mount with nolock, .NET's locking switched off). The holder changes its mark every few seconds; where a pid of the mark cannot be looked up (another machine, another container),
/// the claimant watches whether it changes.
/// </summary>
internal sealed class FileClaim : IDisposable
{
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(3);

    /// <summary>How long a mark is watched that only its changes can tell alive: some beats.</summary>
    private static readonly TimeSpan Watch = TimeSpan.FromSeconds(10);

    // One process may host several silos (tests do): what it holds itself is no matter of files.
    private static readonly HashSet<string> Here = [];

    private readonly FileStream _lock;
    private readonly string _path;
    private readonly string _markPath;
    private readonly bool _shared;
    private readonly ITimer _beat;
    private ProcessMark _mark;
    private int _disposed;

    private FileClaim(FileStream owner, string path, ProcessMark mark, bool shared, TimeProvider time)
    {
        (_lock, _path, _markPath, _mark, _shared) = (owner, path, MarkOf(path), mark, shared);
        _beat = time.CreateTimer(_ => Change(), null, Beat, Beat);
    }

    /// <summary>Takes hold, or says who has it.</summary>
    /// <param name="path">The file that is locked; the mark lies beside it with <c>.process</c>. Its directory exists.</param>
    /// <param name="shared">Whether other users must be able to open it.</param>
    /// <param name="time">Of beats.</param>
    /// <param name="stop">Ends the wait.</param>
    /// <returns>The hold, or null and the holder (null where it left no mark).</returns>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static async Task<(FileClaim? Claim, ProcessMark? Holder)> Take(string path, bool shared, TimeProvider time, CancellationToken stop)
    {
        path = Path.GetFullPath(path);
        lock (Here)
            if (!Here.Add(path)) return (null, ProcessMark.Own());
        FileStream? owner = null;
        var taken = false;
        try
        {
            try
            {
                // Never deleted: an owner that deleted it on its way out could delete its successor's lock.
                owner = Open(path, shared);
            }
            catch (IOException) when (File.Exists(path))
            {
                return (null, Read(MarkOf(path)));
            }
            var own = ProcessMark.Own();
            if (Read(MarkOf(path)) is { } before && await Lives(before, own, path, time, stop).ConfigureAwait(false)) return (null, before);
            Write(MarkOf(path), own, shared);
            // Where locks are void, two that came at the same time have both written: the last one has it.
            await Task.Delay(TimeSpan.FromMilliseconds(50), time, stop).ConfigureAwait(false);
            if (Read(MarkOf(path)) is { } now && now.Beat != own.Beat) return (null, now);
            taken = true;
            return (new FileClaim(owner, path, own, shared, time), null);
        }
        finally
        {
            if (!taken)
            {
                if (owner is not null) await owner.DisposeAsync().ConfigureAwait(false);
                lock (Here) Here.Remove(path);
            }
        }
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        _beat.Dispose();
        try { File.Delete(_markPath); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { /* it is known to be dead without */ }
        _lock.Dispose();
        lock (Here) Here.Remove(_path);
    }

    private void Change()
    {
        if (Volatile.Read(ref _disposed) != 0) return;
        _mark = _mark with { Beat = Guid.NewGuid().ToString("N") };
        try { Write(_markPath, _mark, _shared); }
        // Out of range is what .NET makes of EFBIG: a file may not grow. A full disk is told by what must be kept; the lock still holds.
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException) { }
    }

    private static async Task<bool> Lives(ProcessMark mark, ProcessMark own, string path, TimeProvider time, CancellationToken stop)
    {
        if (mark.Lives(own) is { } known) return known;
        var began = time.GetTimestamp();
        while (time.GetElapsedTime(began) < Watch)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(500), time, stop).ConfigureAwait(false);
            if (Read(MarkOf(path)) is not { } now) return false; // it went, orderly
            if (now.Beat != mark.Beat) return true;
        }
        return false;
    }

    private static string MarkOf(string path) => path + ".process";

    private static FileStream Open(string path, bool shared)
    {
        // A file that is there is not asked to be made: in a directory of everybody's, Linux denies that for the files of others (fs.protected_regular).
        var options = new FileStreamOptions { Mode = File.Exists(path) ? FileMode.Open : FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 0 };
        if (shared && options.Mode == FileMode.OpenOrCreate && !OperatingSystem.IsWindows()) options.UnixCreateMode = Everybody;
        var file = new FileStream(path, options);
        if (shared) Widen(path);
        return file;
    }

    private static ProcessMark? Read(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var bytes = new MemoryStream();
            file.CopyTo(bytes);
            return ProcessMark.Of(bytes.ToArray());
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    // By a rename, so that a reader never meets half of one.
    private static void Write(string path, ProcessMark mark, bool shared)
    {
        var next = $"{path}.{mark.Pid}";
        File.WriteAllBytes(next, mark.ToBytes());
        if (shared) Widen(next);
        try
        {
            File.Move(next, path, overwrite: true);
        }
        catch (Exception e) when (shared && e is UnauthorizedAccessException)
        {
            // Left by another user in a directory where only the owner may replace it; everybody may write into it.
            File.Delete(next);
            using var file = new FileStream(path, FileMode.Truncate, FileAccess.Write, FileShare.ReadWrite);
            file.Write(mark.ToBytes());
        }
    }

    private const UnixFileMode Everybody = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    // The mask of the process took some of it away.
    private static void Widen(string path)
    {
        try { if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, Everybody); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { /* somebody else's file, who has widened it */ }
    }
}
