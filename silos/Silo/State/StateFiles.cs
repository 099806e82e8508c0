using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace EnergyGrid.Silo;

/// <summary>A write or a clear met an ETag that is not the one it knew.</summary>
public sealed class StaleETagException(string? stored, string? offered) : Exception($"The record's ETag is '{stored ?? "none"}', the writer's is '{offered ?? "none"}'.")
{
    public string? Stored { get; } = stored;
    public string? Offered { get; } = offered;
}

/// <summary>
/// Grain state as files: <c>root/type/name/key.json</c> holding <c>{"ETag": …, "State": …}</c>.
/// With no root, records live in memory and go with the process.
/// </summary>
/// <remarks>
/// A write goes to a temporary file, which is flushed to the disk and then renamed over the old one; then the directory is flushed.
/// A crash at any instant leaves the old record or the new one, never a part of one, and what was acknowledged outlives a loss of power.
/// A write that fails before the rename (a full disk) leaves the old record and no temporary file. If flushing the directory fails after it, the write throws
/// although the record may have changed: the writer's next write meets another ETag, and it reads again.
/// One process owns a root, by a file lock that the operating system releases however the process ends.
/// </remarks>
public sealed class StateFiles : IDisposable
{
    /// <summary>What a file that is being written ends in, after the record's own name.</summary>
    internal const string Temporary = ".next";

    private const string Extension = ".json";
    private const int LongestName = 255; // bytes, of one part of a path: ext4, xfs, btrfs, tmpfs

    private readonly string? _root;
    private readonly FileStream? _owner;
    private readonly Dictionary<string, byte[]> _memory = [];
    private readonly SemaphoreSlim[] _locks = [.. Enumerable.Range(0, 64).Select(_ => new SemaphoreSlim(1, 1))];

    /// <exception cref="InvalidOperationException">Another process owns the directory.</exception>
    public StateFiles(string? root)
    {
        if (root is null) return;
        _root = Path.GetFullPath(root);
        CreateDirectory(_root);
        try
        {
            // Never deleted: an owner that deleted it on its way out could delete its successor's lock.
            _owner = new FileStream(Path.Combine(_root, "in-use"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1);
        }
        catch (IOException e)
        {
            throw new InvalidOperationException($"Another process uses the state directory '{_root}'. Give this one another --data directory; silos that work together share a Redis, not a directory.", e);
        }
    }

    /// <summary>The record and its ETag, both null where there is none.</summary>
    public async Task<(string? ETag, T? State)> Read<T>(string type, string name, string key, CancellationToken stop = default)
    {
        var bytes = await ReadBytes(PathOf(type, name, key), stop).ConfigureAwait(false);
        if (bytes is null) return (null, default);
        var record = JsonSerializer.Deserialize<Record<T>>(bytes, StateJson.Options)!;
        return (record.ETag, record.State);
    }

    /// <summary>Writes if the record still has <paramref name="etag"/> (null: if there is none) and returns the new ETag.</summary>
    /// <exception cref="StaleETagException">It has another one.</exception>
    /// <exception cref="IOException">The disk is full or failing.</exception>
    public async Task<string> Write<T>(string type, string name, string key, string? etag, T state, CancellationToken stop = default)
    {
        var next = Guid.NewGuid().ToString("N");
        await Swap(PathOf(type, name, key), etag, JsonSerializer.SerializeToUtf8Bytes(new Record<T>(next, state), StateJson.Options), stop).ConfigureAwait(false);
        return next;
    }

    /// <summary>Deletes the record if it still has <paramref name="etag"/>.</summary>
    /// <exception cref="StaleETagException">It has another one.</exception>
    public Task Clear(string type, string name, string key, string? etag, CancellationToken stop = default) => Swap(PathOf(type, name, key), etag, null, stop);

    /// <summary>The file of a record, or its name in memory.</summary>
    internal string PathOf(string type, string name, string key) => Path.Combine(_root ?? "", PartOf(type, ""), PartOf(name, ""), PartOf(key, Extension));

    public void Dispose() => _owner?.Dispose();

    // One part of a path, escaped. What would be too long for a file name keeps a readable beginning and goes on with '=' and its hash:
    // '=' is always escaped, so a hashed name is no other key's name.
    private static string PartOf(string text, string extension)
    {
        var escaped = Uri.EscapeDataString(text);
        if (escaped.Length + extension.Length + Temporary.Length <= LongestName) return escaped + extension;
        return $"{escaped[..120]}={Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}{extension}";
    }

    private async Task Swap(string path, string? etag, byte[]? content, CancellationToken stop)
    {
        var gate = _locks[(uint)path.GetHashCode() % (uint)_locks.Length];
        await gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            var old = await ReadBytes(path, stop).ConfigureAwait(false);
            var stored = old is null ? null : JsonSerializer.Deserialize<Stamp>(old, StateJson.Options)!.ETag;
            if (stored != etag) throw new StaleETagException(stored, etag);
            if (_root is null) Keep(path, content);
            else if (content is not null) await Replace(path, content).ConfigureAwait(false);
            else if (old is not null) Remove(path);
        }
        finally
        {
            gate.Release();
        }
    }

    private void Keep(string path, byte[]? content)
    {
        lock (_memory)
        {
            if (content is null) _memory.Remove(path);
            else _memory[path] = content;
        }
    }

    // Not cancellable: a write that began ends.
    private static async Task Replace(string path, byte[] content)
    {
        var directory = Path.GetDirectoryName(path)!;
        CreateDirectory(directory);
        var next = path + Temporary;
        try
        {
            await using (var file = new FileStream(next, FileMode.Create, FileAccess.Write, FileShare.None, 1, FileOptions.Asynchronous))
            {
                await file.WriteAsync(content).ConfigureAwait(false);
                file.Flush(flushToDisk: true);
            }
            File.Move(next, path, overwrite: true);
        }
        catch (Exception e)
        {
            File.Delete(next);
            // What .NET makes of EFBIG: a file may not grow, which is no mistake in an argument of ours.
            if (e is ArgumentOutOfRangeException) throw new IOException($"'{next}' could not be written: the file may not grow so large.", e);
            throw;
        }
        DirectoryFlush.Flush(directory);
    }

    private static void Remove(string path)
    {
        File.Delete(path);
        DirectoryFlush.Flush(Path.GetDirectoryName(path)!);
    }

    // A new directory is an entry of its parent: that is flushed too, or the record could vanish with its directory.
    private static void CreateDirectory(string directory)
    {
        if (Directory.Exists(directory)) return;
        var parent = Path.GetDirectoryName(directory);
        if (parent is not null) CreateDirectory(parent);
        Directory.CreateDirectory(directory);
        if (parent is not null) DirectoryFlush.Flush(parent);
    }

    private async Task<byte[]?> ReadBytes(string path, CancellationToken stop)
    {
        if (_root is null)
        {
            lock (_memory) return _memory.GetValueOrDefault(path);
        }
        try { return await File.ReadAllBytesAsync(path, stop).ConfigureAwait(false); }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException) { return null; }
    }

    private sealed record Record<T>(string ETag, T State);
    private sealed record Stamp(string ETag);
}
