using System.Security.Cryptography;
using MessagePack;

namespace EnergyGrid.Results;

/// <summary>What a record is: it decides how its payload is read.</summary>
public enum RecordKind { Trial = 1, Event = 2, Standing = 3, Trace = 4, Document = 5 }

/// <summary>
/// The envelope of every record: MessagePack <c>[version, kind, number, sha256, payload]</c>. The version is that of the payload's form and grows when a
/// field is moved; fields are only ever added at the end otherwise. The number is the writer's: the epoch of a trial's order, the fence of whoever said an event.
/// </summary>
[MessagePackObject]
public sealed record Sealed([property: Key(0)] int Version, [property: Key(1)] int Kind, [property: Key(2)] long Number, [property: Key(3)] byte[] Sha256, [property: Key(4)] byte[] Payload)
{
    /// <summary>The form that is written.</summary>
    public const int Current = 1;

    private static readonly MessagePackSerializerOptions Options = MessagePackSerializerOptions.Standard.WithSecurity(MessagePackSecurity.UntrustedData);

    /// <summary>A record in its envelope.</summary>
    public static byte[] Put<T>(RecordKind kind, long number, T record)
    {
        var payload = MessagePackSerializer.Serialize(record, Options);
        return MessagePackSerializer.Serialize(new Sealed(Current, (int)kind, number, SHA256.HashData(payload), payload), Options);
    }

    /// <summary>Reads a record out of its envelope.</summary>
    /// <param name="kind">What it must be.</param>
    /// <param name="bytes">The envelope.</param>
    /// <param name="what">Which record, for people.</param>
    /// <exception cref="InvalidDataException">It is damaged, of another kind or of a newer form: says which record and why.</exception>
    public static T Open<T>(RecordKind kind, ReadOnlyMemory<byte> bytes, string what)
    {
        try
        {
            var found = MessagePackSerializer.Deserialize<Sealed>(bytes, Options) ?? throw new InvalidDataException($"{what}: the record is damaged: it is nil.");
            if (found.Sha256 is null || found.Payload is null) throw new InvalidDataException($"{what}: the record is damaged: its envelope lacks a part.");
            if (!SHA256.HashData(found.Payload).AsSpan().SequenceEqual(found.Sha256))
                throw new InvalidDataException($"{what}: the record is damaged: the SHA-256 of its payload is {Convert.ToHexStringLower(SHA256.HashData(found.Payload))}, not {Convert.ToHexStringLower(found.Sha256)}.");
            if (found.Version > Current) throw new InvalidDataException($"{what}: the record has form {found.Version}, and this version of EnergyGrid reads up to {Current}: start the newer one.");
            if (found.Kind != (int)kind) throw new InvalidDataException($"{what}: the record is damaged: it is of kind {found.Kind}, not {(int)kind}.");
            return MessagePackSerializer.Deserialize<T>(found.Payload, Options) ?? throw new InvalidDataException($"{what}: the record is damaged: its payload is nil.");
        }
        catch (MessagePackSerializationException e)
        {
            throw new InvalidDataException($"{what}: the record is damaged: it is no MessagePack of its form ({(e.InnerException ?? e).Message})", e);
        }
    }
}

/// <summary>An instant with the offset in which it was said: as text it is the same again.</summary>
[MessagePackObject]
public readonly record struct Instant([property: Key(0)] long UtcTicks, [property: Key(1)] int OffsetMinutes)
{
    public static Instant Of(DateTimeOffset at) => new(at.UtcTicks, (int)at.Offset.TotalMinutes);

    public static Instant? OfNullable(DateTimeOffset? at) => at is { } there ? Of(there) : null;

    public DateTimeOffset ToOffset() => new DateTimeOffset(UtcTicks, TimeSpan.Zero).ToOffset(TimeSpan.FromMinutes(OffsetMinutes));
}
