using EnergyGrid.Contracts;
using MessagePack;

namespace EnergyGrid.Results;

/// <summary>An event as an entry of Redis' stream keeps it; its sequence is the entry's place.</summary>
[MessagePackObject]
public sealed record EventRecord([property: Key(0)] Instant At, [property: Key(1)] string Kind, [property: Key(2)] string Text, [property: Key(3)] string? Key)
{
    public EventLine ToLine(long sequence) => new(sequence, At.ToOffset(), Kind, Text, Key);

    public static EventRecord Of(EventLine line) => new(Instant.Of(line.AtUtc), line.Kind, line.Text, line.Key);
}
