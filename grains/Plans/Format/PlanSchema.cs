using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EnergyGrid.Plans;

/// <summary>The JSON Schema of a plan, from the same table that the reader uses.</summary>
public static class PlanSchema
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>JSON Schema 2020-12, with a description and the default of every key.</summary>
    public static string Json() => Json("EnergyGrid plan", PlanFormat.Plan);

    /// <summary>That of another file with such keys.</summary>
    internal static string Json(string title, Shape shape)
    {
        var schema = new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = title,
        };
        foreach (var (key, value) in shape.Schema())
        {
            schema[key] = value?.DeepClone();
        }

        return schema.ToJsonString(Indented) + "\n";
    }
}
