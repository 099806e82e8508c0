using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace EnergyGrid.Plans.Tests;

/// <summary>An independent reading of the part of JSON Schema 2020-12 that the plan's schema uses. A keyword that it does not know is a failure, not a pass.</summary>
internal static class SchemaCheck
{
    private static readonly HashSet<string> Annotations = ["$schema", "title", "description", "default"];

    /// <summary>Every violation, with the path of the instance.</summary>
    public static IEnumerable<string> Violations(JsonObject schema, JsonNode? instance, string path = "$") =>
        schema.Where(k => !Annotations.Contains(k.Key)).SelectMany(k => Keyword(schema, k.Key, k.Value!, instance, path));

    private static IEnumerable<string> Keyword(JsonObject schema, string keyword, JsonNode value, JsonNode? instance, string path)
    {
        var number = instance?.GetValueKind() == JsonValueKind.Number ? double.Parse(instance.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture) : double.NaN;
        var text = instance?.GetValueKind() == JsonValueKind.String ? instance.GetValue<string>() : null;
        var length = text?.EnumerateRunes().Count() ?? 0;
        switch (keyword)
        {
            case "type":
                return Says(TypeOf(instance, value.GetValue<string>()), path, keyword);
            case "enum":
                return Says(((JsonArray)value).Any(v => v!.ToJsonString() == instance?.ToJsonString()), path, keyword);
            case "minimum":
                return Says(double.IsNaN(number) || number >= Number(value), path, keyword);
            case "exclusiveMinimum":
                return Says(double.IsNaN(number) || number > Number(value), path, keyword);
            case "maximum":
                return Says(double.IsNaN(number) || number <= Number(value), path, keyword);
            case "minLength":
                return Says(text is null || length >= Number(value), path, keyword);
            case "maxLength":
                return Says(text is null || length <= Number(value), path, keyword);
            case "pattern":
                return Says(text is null || Regex.IsMatch(text, value.GetValue<string>()), path, keyword);
            case "minItems":
                return Says(instance is not JsonArray few || few.Count >= Number(value), path, keyword);
            case "maxItems":
                return Says(instance is not JsonArray many || many.Count <= Number(value), path, keyword);
            case "items":
                return instance is JsonArray items ? items.SelectMany((x, i) => Violations((JsonObject)value, x, $"{path}[{i}]")) : [];
            case "properties":
                return instance is JsonObject o ? o.Where(m => value[m.Key] is not null).SelectMany(m => Violations((JsonObject)value[m.Key]!, m.Value, $"{path}.{m.Key}")) : [];
            case "additionalProperties":
                return instance is JsonObject all && !value.GetValue<bool>() ? all.Where(m => schema["properties"]![m.Key] is null).Select(m => $"{path}.{m.Key}: {keyword}") : [];
            case "required":
                return instance is JsonObject given ? ((JsonArray)value).Where(r => !given.ContainsKey(r!.GetValue<string>())).Select(r => $"{path}.{r}: {keyword}") : [];
            case "anyOf":
                return Says(((JsonArray)value).Any(s => !Violations((JsonObject)s!, instance, path).Any()), path, keyword);
            default:
                return [$"{path}: the keyword {keyword} is not known"];
        }
    }

    private static bool TypeOf(JsonNode? instance, string type) => type switch
    {
        "object" => instance is JsonObject,
        "array" => instance is JsonArray,
        "string" => instance?.GetValueKind() == JsonValueKind.String,
        "boolean" => instance?.GetValueKind() is JsonValueKind.True or JsonValueKind.False,
        "number" => instance?.GetValueKind() == JsonValueKind.Number,
        "integer" => instance?.GetValueKind() == JsonValueKind.Number && !instance.ToJsonString().Contains('.', StringComparison.Ordinal),
        _ => false,
    };

    private static double Number(JsonNode value) => double.Parse(value.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture);

    private static IEnumerable<string> Says(bool right, string path, string keyword) => right ? [] : [$"{path}: {keyword}"];
}
