using System.Text.Json;
using System.Text.Json.Serialization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Results;

/// <summary>An event as <c>events.ndjson</c> keeps it: what readers see, and the key that makes it one event however often it is said.</summary>
/// <param name="Sequence">As in <see cref="SweepEvent.Sequence"/>.</param>
/// <param name="AtUtc">When.</param>
/// <param name="Kind">As in <see cref="SweepEvent.Kind"/>.</param>
/// <param name="Text">One line for people.</param>
/// <param name="Key">Null in files from before there were keys.</param>
public sealed record EventLine(long Sequence, DateTimeOffset AtUtc, string Kind, string Text, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Key)
{
    /// <summary>What readers see.</summary>
    [JsonIgnore]
    public SweepEvent Event => new(Sequence, AtUtc, Kind, Text);
}

/// <summary>The two journals of a sweep as bytes: whoever keeps the records, the files are the same.</summary>
public static class Journals
{
    public const string TrialsName = "trials.ndjson";
    public const string EventsName = "events.ndjson";

    /// <summary>The line of a trial.</summary>
    public static string Document(TrialResult trial) => JsonSerializer.Serialize(trial, DocumentJson.Compact);

    /// <summary>The line of an event.</summary>
    public static string Document(EventLine said) => JsonSerializer.Serialize(said, DocumentJson.Compact);

    /// <summary><c>trials.ndjson</c>.</summary>
    public static byte[] Trials(IEnumerable<TrialResult> trials) => Lines(trials.Select(Document));

    /// <summary><c>events.ndjson</c>.</summary>
    public static byte[] Events(IEnumerable<EventLine> events) => Lines(events.Select(Document));

    /// <summary>Reads a document of <c>trials.ndjson</c>. Throws <see cref="InvalidDataException"/> for what is none.</summary>
    public static TrialResult Trial(string document) => Read<TrialResult>(document, TrialsName);

    /// <summary>Reads a document of <c>events.ndjson</c>. Throws <see cref="InvalidDataException"/> for what is none.</summary>
    public static EventLine Event(string document) => Read<EventLine>(document, EventsName);

    private static T Read<T>(string document, string file)
    {
        try { return JsonSerializer.Deserialize<T>(document, DocumentJson.Compact) ?? throw new JsonException("it is null"); }
        catch (JsonException e) { throw new InvalidDataException($"{file}: a document is sound and no {typeof(T).Name}: {e.Message}", e); }
    }

    private static byte[] Lines(IEnumerable<string> documents)
    {
        using var bytes = new MemoryStream();
        foreach (var document in documents) bytes.Write(JournalLine.Of(document));
        return bytes.ToArray();
    }
}
