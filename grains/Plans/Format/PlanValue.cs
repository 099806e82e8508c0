using System.Text.Json.Nodes;

namespace EnergyGrid.Plans;

/// <summary>A node that its shape has accepted.</summary>
internal sealed class PlanValue(PlanNode node)
{
    public PlanNode Node { get; } = node;

    /// <summary>string, bool, long or double.</summary>
    public object? Scalar { get; init; }

    public IReadOnlyList<PlanValue>? Items { get; init; }

    public IReadOnlyDictionary<string, PlanValue>? Members { get; init; }

    /// <summary>Not written in the file.</summary>
    public bool IsDefault { get; init; }

    public PlanValue? this[string key] => Members is { } members && members.TryGetValue(key, out var value) ? value : null;

    public string Text => (string)Scalar!;

    public bool Flag => (bool)Scalar!;

    public long Integer => (long)Scalar!;

    public double Number => Scalar is long whole ? whole : (double)Scalar!;

    /// <summary>The items of a list, or the value alone.</summary>
    public IReadOnlyList<PlanValue> Many => Items ?? [this];

    public JsonNode ToJson() => this switch
    {
        { Members: { } members } => new JsonObject(members.Select(m => KeyValuePair.Create(m.Key, (JsonNode?)m.Value.ToJson()))),
        { Items: { } items } => new JsonArray([.. items.Select(i => i.ToJson())]),
        { Scalar: string text } => JsonValue.Create(text),
        { Scalar: bool flag } => JsonValue.Create(flag),
        { Scalar: long whole } => JsonValue.Create(whole),
        _ => JsonValue.Create(Number),
    };
}
