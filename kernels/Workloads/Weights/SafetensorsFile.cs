using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace EnergyGrid.Workloads;

/// <summary>One tensor of a file.</summary>
/// <param name="Name">Unique in the file.</param>
/// <param name="Format">As the file names it; F32, F16 and BF16 hold weights.</param>
/// <param name="Elements">The product of its shape.</param>
/// <param name="Begin">First byte, from the file's beginning.</param>
/// <param name="End">One behind the last byte.</param>
public sealed record SafetensorsTensor(string Name, string Format, long Elements, long Begin, long End);

/// <summary>
/// A safetensors file, opened to be read: 8 bytes of header length, little-endian; the header, a JSON object of <c>{dtype, shape, data_offsets}</c> by tensor name; then the
/// tensors' bytes, one behind the other without holes (huggingface/safetensors, "Format"). Nothing in the file is trusted: what does not hold together is refused with a sentence.
/// </summary>
public sealed class SafetensorsFile : IDisposable
{
    /// <summary>A tensor takes some 120 bytes of header: this is room for a hundred thousand.</summary>
    public const int MostHeaderBytes = 16 << 20;

    private const int PrefixBytes = 8;

    private readonly SafeFileHandle _handle;
    private readonly FileInfo _found;

    private SafetensorsFile(string path, string sha256, SafeFileHandle handle, FileInfo found, ImmutableArray<SafetensorsTensor> tensors) =>
        (Path, Sha256, _handle, _found, Tensors) = (path, sha256, handle, found, tensors);

    public string Path { get; }

    /// <summary>Of all its bytes, lower-case hex.</summary>
    public string Sha256 { get; }

    /// <summary>In the order of their bytes.</summary>
    public ImmutableArray<SafetensorsTensor> Tensors { get; }

    /// <summary>Whether it seems to be what was opened: of the same length, and not written since.</summary>
    public bool IsUnchanged => new FileInfo(_found.FullName) is { Exists: true } now && now.Length == _found.Length && now.LastWriteTimeUtc == _found.LastWriteTimeUtc;

    /// <summary>Opens one and reads all of it once, for its hash.</summary>
    /// <param name="path">A regular file.</param>
    /// <param name="sha256">What it must have, lower-case hex.</param>
    /// <param name="stop">Ends it early.</param>
    /// <exception cref="WeightsRefusedException">It cannot be read, is another one, or is no safetensors file.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static SafetensorsFile Open(string path, string sha256, CancellationToken stop = default)
    {
        SafeFileHandle? handle = null;
        try
        {
            // Asked before anything is opened: a pipe or a device has no length, and opening or reading one might never end.
            var found = new FileInfo(File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path);
            if (!found.Exists)
            {
                throw Refused(path, "is not there");
            }

            if (found.Length <= PrefixBytes)
            {
                throw Refused(path, $"has {found.Length} bytes: that is no safetensors file");
            }

            handle = File.OpenHandle(found.FullName, FileMode.Open, FileAccess.Read, FileShare.Read);
            var hash = Hash(handle, path, found.Length, stop);
            if (hash != sha256)
            {
                throw Refused(path, $"has the SHA-256 {hash}, not {WeightFile.Shown(sha256)}");
            }

            var file = new SafetensorsFile(path, hash, handle, found, ReadHeader(handle, path, found.Length));
            handle = null;
            return file;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new WeightsRefusedException($"the file of weights '{path}' cannot be read: {error.Message}", error);
        }
        finally
        {
            handle?.Dispose();
        }
    }

    /// <summary>The values of the tensors that are meant, in the order of their bytes, then from the beginning again. The file must stay open.</summary>
    /// <exception cref="WeightsRefusedException">No value is meant, or a tensor that holds no weights.</exception>
    public SafetensorsValues Values(WeightFile choice)
    {
        ImmutableArray<SafetensorsTensor> meant = [.. Tensors.Where(t => choice.Means(t.Name) && t.Elements > 0)];
        if (meant.FirstOrDefault(t => t.Format is not ("F32" or "F16" or "BF16")) is { } other)
        {
            throw Refused(Path, $"holds '{WeightFile.Shown(other.Name)}' as {WeightFile.Shown(other.Format)}; weights are read from F32, F16 and BF16");
        }

        return meant.IsEmpty ? throw Refused(Path, $"holds no value of a tensor named '{choice.Pattern}'; it has {Tensors.Length} tensors") : new SafetensorsValues(Path, _handle, meant);
    }

    public void Dispose() => _handle.Dispose();

    internal static WeightsRefusedException Refused(string path, string what) => new($"the file of weights '{path}' {what}");

    /// <summary>Fills the buffer from the file's byte <paramref name="at"/> on.</summary>
    internal static void ReadExactly(SafeFileHandle handle, string path, Span<byte> buffer, long at)
    {
        while (!buffer.IsEmpty)
        {
            var read = RandomAccess.Read(handle, buffer, at);
            if (read == 0)
            {
                throw Refused(path, "became shorter while it was read");
            }

            buffer = buffer[read..];
            at += read;
        }
    }

    private static string Hash(SafeFileHandle handle, string path, long length, CancellationToken stop)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        for (var at = 0L; at < length; at += buffer.Length)
        {
            stop.ThrowIfCancellationRequested();
            var part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, length - at));
            ReadExactly(handle, path, part, at);
            hash.AppendData(part);
        }

        return RandomAccess.GetLength(handle) == length ? Convert.ToHexStringLower(hash.GetHashAndReset()) : throw Refused(path, "was written to while it was read");
    }

    private static ImmutableArray<SafetensorsTensor> ReadHeader(SafeFileHandle handle, string path, long length)
    {
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        ReadExactly(handle, path, prefix, 0);
        var size = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (size is < 2 or > MostHeaderBytes || PrefixBytes + (long)size > length)
        {
            throw Refused(path, $"says that its header has {size} bytes; it has {length} in all, and headers of 2 to {MostHeaderBytes} bytes are read");
        }

        var header = new byte[size];
        ReadExactly(handle, path, header, PrefixBytes);
        try
        {
            using var json = JsonDocument.Parse(header, new JsonDocumentOptions { MaxDepth = 4, AllowDuplicateProperties = false });
            return Described(json.RootElement, path, PrefixBytes + (long)size, length);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // A name that is no valid text shows only when it is asked for, and so does a header that is no object.
            throw new WeightsRefusedException($"the file of weights '{path}' has a header that is not the JSON of a safetensors file: {error.Message}", error);
        }
    }

    private static ImmutableArray<SafetensorsTensor> Described(JsonElement header, string path, long begin, long end)
    {
        var tensors = header.EnumerateObject().Where(e => e.Name != "__metadata__").Select(e => Tensor(e, path, begin, end)).OrderBy(t => t.Begin).ThenBy(t => t.End).ToImmutableArray();
        var next = begin;
        foreach (var tensor in tensors)
        {
            if (tensor.Begin != next)
            {
                throw Refused(path, tensor.Begin < next
                    ? $"has tensors that overlap: '{WeightFile.Shown(tensor.Name)}' begins before the one ahead of it ends"
                    : $"has a hole of {tensor.Begin - next} bytes before '{WeightFile.Shown(tensor.Name)}'");
            }

            next = tensor.End;
        }

        return next == end ? tensors : throw Refused(path, $"has {end - next} bytes behind its last tensor");
    }

    private static SafetensorsTensor Tensor(JsonProperty entry, string path, long begin, long end)
    {
        var (name, value, most) = (WeightFile.Shown(entry.Name), entry.Value, end - begin);
        if (value.ValueKind != JsonValueKind.Object || !value.TryGetProperty("dtype", out var format) || format.ValueKind != JsonValueKind.String
            || !value.TryGetProperty("shape", out var shape) || shape.ValueKind != JsonValueKind.Array
            || !value.TryGetProperty("data_offsets", out var offsets) || offsets.ValueKind != JsonValueKind.Array || offsets.GetArrayLength() != 2)
        {
            throw Refused(path, $"describes '{name}' without dtype, shape and two data_offsets");
        }

        if (!IsCount(offsets[0], out var from) || !IsCount(offsets[1], out var to) || from > to || to > most)
        {
            throw Refused(path, $"puts '{name}' outside its {most} bytes of data");
        }

        var extents = new List<long>();
        foreach (var dimension in shape.EnumerateArray())
        {
            extents.Add(IsCount(dimension, out var extent) ? extent : throw Refused(path, $"gives '{name}' a dimension that is no count"));
        }

        var elements = Elements(extents, 8 * (UInt128)(to - from)) ?? throw Refused(path, $"gives '{name}' more elements than it has bits");
        var kind = format.GetString()!;
        return ElementBytes(kind) is not { } bytes || elements * bytes == to - from
            ? new SafetensorsTensor(entry.Name, kind, elements, begin + from, begin + to)
            : throw Refused(path, $"gives '{name}' {elements} elements of {kind} in {to - from} bytes");
    }

    /// <summary>The product; null where it is more than <paramref name="most"/>. No order of the extents makes it wrap.</summary>
    private static long? Elements(List<long> extents, UInt128 most)
    {
        if (extents.Contains(0))
        {
            return 0;
        }

        UInt128 product = 1;
        foreach (var extent in extents)
        {
            product *= (ulong)extent;
            if (product > most)
            {
                return null;
            }
        }

        return (long)product;
    }

    private static bool IsCount(JsonElement element, out long count)
    {
        count = 0;
        return element.ValueKind == JsonValueKind.Number && element.TryGetInt64(out count) && count >= 0;
    }

    /// <summary>B; null for a format that is not known here, whose size is then not checked.</summary>
    private static int? ElementBytes(string format) => format switch
    {
        "F64" or "I64" or "U64" => 8,
        "F32" or "I32" or "U32" => 4,
        "F16" or "BF16" or "I16" or "U16" => 2,
        "F8_E4M3" or "F8_E5M2" or "I8" or "U8" or "BOOL" => 1,
        _ => null,
    };
}
