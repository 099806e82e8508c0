using System.Buffers.Binary;
using MessagePack;

namespace EnergyGrid.Devices.Workers;

/// <summary>Messages on a pipe: the length in four bytes, little endian, then MessagePack.</summary>
internal static class Frames
{
    /// <summary>No message is longer, B: what says so is none.</summary>
    public const int Longest = 16 << 20;

    private static readonly MessagePackSerializerOptions Options = MessagePackSerializerOptions.Standard.WithSecurity(MessagePackSecurity.UntrustedData);

    /// <summary>Writes one message, whole.</summary>
    /// <exception cref="IOException">Nobody reads any more.</exception>
    public static void Write<T>(Stream to, T message)
    {
        var body = MessagePackSerializer.Serialize(message, Options);
        var frame = new byte[sizeof(int) + body.Length];
        BinaryPrimitives.WriteInt32LittleEndian(frame, body.Length);
        body.CopyTo(frame, sizeof(int));
        to.Write(frame);
        to.Flush();
    }

    /// <summary>The next message; null where there is none any more, also if the writer ended in the middle of one.</summary>
    /// <exception cref="InvalidDataException">What comes is no message.</exception>
    public static T? Read<T>(Stream from) where T : class
    {
        Span<byte> head = stackalloc byte[sizeof(int)];
        if (from.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) < head.Length) return null;
        var length = BinaryPrimitives.ReadInt32LittleEndian(head);
        if (length is <= 0 or > Longest) throw new InvalidDataException($"a message of {length} bytes");
        var body = new byte[length];
        if (from.ReadAtLeast(body, length, throwOnEndOfStream: false) < length) return null;
        try
        {
            return MessagePackSerializer.Deserialize<T>(body, Options) ?? throw new InvalidDataException("an empty message");
        }
        catch (MessagePackSerializationException error)
        {
            throw new InvalidDataException($"a message that is none: {(error.InnerException ?? error).Message}", error);
        }
    }
}
