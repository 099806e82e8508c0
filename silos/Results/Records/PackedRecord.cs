using System.IO.Compression;
using MessagePack;

namespace EnergyGrid.Results;

/// <summary>Bytes as Brotli, with their length: a document, or a trace in columns.</summary>
[MessagePackObject]
public sealed record PackedRecord([property: Key(0)] int Length, [property: Key(1)] byte[] Brotli)
{
    /// <summary>No document of ours is longer, B: what says so is damaged.</summary>
    public const int Longest = 1 << 30;

    private const int Quality = 5;
    private const int Window = 22;

    private static readonly MessagePackSerializerOptions Options = MessagePackSerializerOptions.Standard.WithSecurity(MessagePackSecurity.UntrustedData);

    public static PackedRecord Of(ReadOnlySpan<byte> bytes)
    {
        var packed = new byte[BrotliEncoder.GetMaxCompressedLength(bytes.Length)];
        if (!BrotliEncoder.TryCompress(bytes, packed, out var written, Quality, Window)) throw new InvalidOperationException("Brotli found its own bound too small.");
        return new(bytes.Length, packed[..written]);
    }

    /// <summary>A trace in columns, packed.</summary>
    public static PackedRecord Of(TraceRecord trace) => Of(MessagePackSerializer.Serialize(trace, Options));

    /// <summary>The bytes. Throws <see cref="InvalidDataException"/> where there is something else.</summary>
    public byte[] Bytes()
    {
        if (Length is < 0 or > Longest) throw new InvalidDataException($"{Length} is no length of a document");
        var bytes = new byte[Length];
        return BrotliDecoder.TryDecompress(Brotli, bytes, out var written) && written == Length ? bytes : throw new InvalidDataException("its Brotli stream is damaged");
    }

    /// <summary>The trace in columns. Throws <see cref="InvalidDataException"/> where there is something else.</summary>
    public TraceRecord Trace()
    {
        try { return MessagePackSerializer.Deserialize<TraceRecord>(Bytes(), Options); }
        catch (MessagePackSerializationException e) { throw new InvalidDataException($"it is no trace in columns: {(e.InnerException ?? e).Message}", e); }
    }
}
