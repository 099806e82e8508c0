using System.Text.Json;
using System.Text.Json.Nodes;
using EnergyGrid.Contracts;

namespace EnergyGrid.Console;

/// <summary>
/// Reading what somebody else may have written: a document says exactly what its record holds, each member once and under its own name, or it is none. What a lenient reader
/// overlooks (a member twice, another case, one that nobody knows) a second reader might take for the real one.
/// </summary>
internal static class DocumentForm
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };
    private static readonly JsonSerializerOptions Whole = new(DocumentJson.Compact) { RespectNullableAnnotations = true };

    /// <summary>Reads a document.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="besides">A member that is not the record's: a seal.</param>
    /// <exception cref="InvalidDataException">It is none: the message says at which member.</exception>
    public static T Read<T>(ReadOnlyMemory<byte> json, string besides = "") where T : class
    {
        try
        {
            using var document = JsonDocument.Parse(json, Strict);
            var value = document.Deserialize<T>(Whole) ?? throw new InvalidDataException("it is null");
            var written = JsonNode.Parse(json.Span);
            (written as JsonObject)?.Remove(besides);
            return Difference(JsonSerializer.SerializeToNode(value, DocumentJson.Compact), written, "") is { } wrong ? throw new InvalidDataException(wrong) : value;
        }
        catch (Exception e) when (e is JsonException or ArgumentException or NullReferenceException or InvalidOperationException or FormatException or OverflowException)
        {
            throw new InvalidDataException($"no {typeof(T).Name}: {e.Message}", e);
        }
    }

    // The first member that is not as it was written; members of a later release that say nothing may be missing.
    private static string? Difference(JsonNode? ours, JsonNode? theirs, string path)
    {
        switch (ours, theirs)
        {
            case (JsonObject a, JsonObject b):
                foreach (var (name, value) in b)
                    if (!a.ContainsKey(name)) return $"nobody knows a member {path}{name}";
                    else if (Difference(a[name], value, $"{path}{name}.") is { } inner) return inner;
                return a.FirstOrDefault(m => m.Value is not null && !b.ContainsKey(m.Key)) is { Key: { } missing } ? $"it has no member {path}{missing}" : null;
            case (JsonArray a, JsonArray b):
                for (var i = 0; i < Math.Min(a.Count, b.Count); i++)
                    if (Difference(a[i], b[i], $"{path}{i}.") is { } inner) return inner;
                return b.Any(item => item is null) ? $"{path} holds a null" : null;
            case (JsonValue a, JsonValue b) when a.GetValueKind() == b.GetValueKind():
                return a.GetValueKind() == JsonValueKind.String && a.GetValue<string>() != b.GetValue<string>() ? $"{path.TrimEnd('.')} is '{b}', which is no way to say '{a}'" : null;
            default:
                return (ours, theirs) is (null, null) ? null : $"{path.TrimEnd('.')} is {theirs?.ToJsonString() ?? "null"}";
        }
    }
}
