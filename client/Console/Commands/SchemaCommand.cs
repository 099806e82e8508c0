using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using EnergyGrid.Contracts;

namespace EnergyGrid.Console;

/// <summary><c>schema</c>: the JSON Schemas of what a sweep leaves.</summary>
internal static class SchemaCommand
{
    private static readonly Dictionary<string, Type> Documents = new(StringComparer.Ordinal)
    {
        ["matrix"] = typeof(Matrix),
        ["trial"] = typeof(TrialResult),
        ["manifest"] = typeof(Manifest),
    };

    public static Command Make()
    {
        var document = new Argument<string>("document") { Description = "matrix (matrix.json), trial (a document of trials.ndjson) or manifest (manifest.json)." };
        document.AcceptOnlyFromAmong([.. Documents.Keys]);
        var command = new Command("schema", "Prints the JSON Schema of a document of results; docs/results.md has units and formulas.") { document };
        command.SetAction((parsed, _) =>
        {
            GridCommand.Screen(parsed).Document(Of(parsed.GetValue(document)!));
            return Task.FromResult(ExitCodes.Ok);
        });
        return command;
    }

    /// <summary>The schema of one of the documents, from the very types and options that write it.</summary>
    public static JsonNode Of(string document)
    {
        var schema = (JsonObject)DocumentJson.Compact.GetJsonSchemaAsNode(Documents[document], new JsonSchemaExporterOptions { TreatNullObliviousAsNonNullable = true, TransformSchemaNode = Number });
        var whole = new JsonObject { ["$schema"] = "https://json-schema.org/draft/2020-12/schema", ["title"] = $"EnergyGrid {document}" };
        foreach (var member in schema.ToArray())
        {
            schema.Remove(member.Key);
            whole[member.Key] = member.Value;
        }
        // The manifest's seal is put on after it is written.
        if (document == "manifest" && whole["properties"] is JsonObject members) members["sha256"] = new JsonObject { ["type"] = "string" };
        return whole;
    }

    // A number that may not be there is null; what the exporter sees is a converter of ours, of which it knows nothing.
    private static JsonNode Number(JsonSchemaExporterContext context, JsonNode schema) =>
        context.TypeInfo.Type == typeof(double) || context.TypeInfo.Type == typeof(double?) ? new JsonObject { ["type"] = new JsonArray("number", "null") } : schema;
}
