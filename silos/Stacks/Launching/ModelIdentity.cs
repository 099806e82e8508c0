using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace EnergyGrid.Stacks;

/// <summary>Which model lies at a path, told in a second however large it is.</summary>
internal static class ModelIdentity
{
    /// <summary>Bytes at each end of a file that are looked at.</summary>
    private const int Ends = 16 << 20;

    private static readonly string[] WeightFiles = [".safetensors", ".gguf", ".bin", ".engine", ".pt"];

    /// <summary>
    /// SHA-256, lower-case hex. Of a file: over its length (8 bytes, little endian), its first 16 MiB and its last 16 MiB (all of it where it has no more than 32). Of a directory: over the name, a zero,
    /// the length and the contents of <c>config.json</c> and of every <c>*.index.json</c>, and over the name, a zero and the length of every file of weights, ordered by name. Of a hub's id: as of the
    /// directory that the hub's cache has for its branch main. Null where nothing lies there.
    /// </summary>
    public static string? Sha256(string path)
    {
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            if (File.Exists(path)) AddFile(hash, path);
            else if (Directory.Exists(path)) AddDirectory(hash, path);
            else if (HubSnapshot(path) is { } snapshot) AddDirectory(hash, snapshot);
            else return null;
            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The engine will say so, in its own words.
            return null;
        }
    }

    private static void AddFile(IncrementalHash hash, string path)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var length = RandomAccess.GetLength(file);
        AddLength(hash, length);
        var buffer = new byte[1 << 20];
        var (first, last) = length <= 2L * Ends ? (length, length) : (Ends, length - Ends);
        for (var at = 0L; at < length;)
        {
            if (at == first) at = last;
            var count = RandomAccess.Read(file, buffer.AsSpan(0, (int)Math.Min(buffer.Length, (at < first ? first : length) - at)), at);
            if (count == 0) break;
            hash.AppendData(buffer, 0, count);
            at += count;
        }
    }

    private static void AddDirectory(IncrementalHash hash, string path)
    {
        foreach (var file in Directory.EnumerateFiles(path).Order(StringComparer.Ordinal))
        {
            var name = Path.GetFileName(file);
            var isRead = name == "config.json" || name.EndsWith(".index.json", StringComparison.Ordinal);
            if (!isRead && !WeightFiles.Contains(Path.GetExtension(name))) continue;
            hash.AppendData(Encoding.UTF8.GetBytes(name + "\0"));
            if (isRead) AddFile(hash, file);
            // A hub's cache holds links: the length is that of what they point to.
            else AddLength(hash, (File.ResolveLinkTarget(file, returnFinalTarget: true) as FileInfo ?? new FileInfo(file)).Length);
        }
    }

    private static void AddLength(IncrementalHash hash, long length)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, length);
        hash.AppendData(bytes);
    }

    // …/hub/models--owner--name/refs/main names the snapshot.
    private static string? HubSnapshot(string id)
    {
        if (id.Split('/') is not [{ Length: > 0 } owner, { Length: > 0 } name] || owner.StartsWith('.') || name.StartsWith('.')) return null;
        var home = Environment.GetEnvironmentVariable("HF_HUB_CACHE")
            ?? Path.Combine(Environment.GetEnvironmentVariable("HF_HOME") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "huggingface"), "hub");
        var model = Path.Combine(home, $"models--{owner}--{name}");
        var main = Path.Combine(model, "refs", "main");
        if (!File.Exists(main) || new FileInfo(main).Length > 100) return null;
        var snapshot = Path.Combine(model, "snapshots", File.ReadAllText(main).Trim());
        return Directory.Exists(snapshot) ? snapshot : null;
    }
}
