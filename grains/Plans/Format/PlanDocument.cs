using System.Text.Json.Nodes;

namespace EnergyGrid.Plans;

/// <summary>A plan file whose keys, types and ranges are right, with every default filled in and every place remembered.</summary>
public sealed class PlanDocument
{
    internal PlanDocument(string fileName, PlanValue root) => (FileName, Root) = (fileName, root);

    /// <summary>As named by the caller of the reader.</summary>
    public string FileName { get; }

    /// <summary>The plan's name.</summary>
    public string Name => Root["name"]!.Text;

    internal PlanValue Root { get; }

    /// <summary>The canonical JSON model: what was written and the defaults of what was not. It conforms to <see cref="PlanSchema"/>.</summary>
    public JsonObject ToJson() => (JsonObject)Root.ToJson();
}
