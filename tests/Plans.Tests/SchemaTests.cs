using System.Text.Json.Nodes;

namespace EnergyGrid.Plans.Tests;

public class SchemaTests
{
    private static readonly JsonObject Schema = (JsonObject)JsonNode.Parse(PlanSchema.Json())!;

    public static TheoryData<string> Shipped => [.. ExamplePlans.Names];

    [Theory]
    [MemberData(nameof(Shipped))]
    public void Shipped_plans_conform_to_the_schema_as_written_and_as_resolved(string name)
    {
        var text = ExamplePlans.Text(name);

        Assert.Empty(SchemaCheck.Violations(Schema, PlanReader.Read(text, name).Plan!.ToJson()));
        Assert.Empty(SchemaCheck.Violations(Schema, JsonNode.Parse(PlanWriter.ToJson(BasePlan.Resolve(text)))));
    }

    [Fact]
    public void What_the_reader_refuses_the_schema_refuses_too()
    {
        JsonObject Plan() => PlanReader.Read(BasePlan.Text, "p.yaml").Plan!.ToJson();
        (string Where, Action<JsonObject> Spoil)[] ways =
        [
            ("$.boundary: required", p => p.Remove("boundary")),
            ("$.pases: additionalProperties", p => p["pases"] = 1),
            ("$.boundary: enum", p => p["boundary"] = "board"),
            ("$.passes.min: minimum", p => p["passes"]!["min"] = 0),
            ("$.trial.window_s: minimum", p => p["trial"]!["window_s"] = 0),
            ("$.passes.half_width: exclusiveMinimum", p => p["passes"]!["half_width"] = 0),
            ("$.name: pattern", p => p["name"] = "a/b"),
            ("$.head: type", p => p["head"] = "yes"),
            ("$.aa: anyOf", p => p["aa"] = "some"),
            ("$.layers: anyOf", p => p["layers"] = new JsonArray(1, 2, 3, 4)),
            ("$.data.sha256: pattern", p => p["data"]!["sha256"] = "abc"),
            ("$.groups: minItems", p => p["groups"] = new JsonArray()),
            ("$.groups[0].sweep[0].batch: anyOf", p => p["groups"]![0]!["sweep"]![0]!["batch"] = "8"),
        ];
        foreach (var (where, spoil) in ways)
        {
            var plan = Plan();
            spoil(plan);
            Assert.Contains(where, SchemaCheck.Violations(Schema, plan));
            Assert.NotEmpty(PlanReader.Read(plan.ToJsonString(), "p.json").Problems);
        }
    }

    /// <summary>Every mapping of the schema: how to write it around a member, and its keys.</summary>
    private static IEnumerable<(Func<string, string> Around, JsonObject Properties)> Mappings(JsonObject schema, Func<string, string> around)
    {
        if (schema["properties"] is JsonObject properties)
        {
            yield return (around, properties);
            foreach (var (key, value) in properties)
            {
                foreach (var inner in Mappings((JsonObject)value!, text => around($"\"{key}\": {text}")))
                {
                    yield return (inner.Around, inner.Properties);
                }
            }
        }

        var below = (schema["anyOf"] as JsonArray ?? []).Select(s => (Schema: (JsonObject)s!, Around: around))
            .Concat(schema["items"] is JsonObject items ? [(items, text => around($"[{text}]"))] : []);
        foreach (var inner in below.SelectMany(b => Mappings(b.Schema, b.Around)))
        {
            yield return inner;
        }
    }

    [Fact]
    public void The_schema_lists_exactly_the_keys_that_the_reader_knows()
    {
        // A member is written as {key: value}; the outermost function is the document itself.
        var mappings = Mappings(Schema, text => text).ToArray();
        Assert.True(mappings.Length > 25, $"only {mappings.Length} mappings");
        foreach (var (around, properties) in mappings)
        {
            string[] Unknown(string key) => [.. PlanReader.Read(Document(around, key), "p.json").Problems.Where(p => p.Wrong.Contains("not known here", StringComparison.Ordinal)).Select(p => p.Wrong)];
            Assert.All(properties, p => Assert.Empty(Unknown(p.Key)));
            Assert.Equal(["the key 'no_such_key' is not known here"], Unknown("no_such_key"));
        }

        static string Document(Func<string, string> around, string key)
        {
            // Below the top, around(x) wraps x in "key": …; braces are put around each member here, from the inside out.
            var marked = around($"\u0002\"{key}\": null");
            return "{" + Braces(marked) + "}";
        }

        static string Braces(string text)
        {
            // "a": [ "b": \u0002"c": null ]  →  "a": [ {"b": {"c": null}} ]
            var at = text.IndexOf('\u0002', StringComparison.Ordinal);
            var (prefix, member) = (text[..at], text[(at + 1)..]);
            var tail = new string([.. member.Reverse().TakeWhile(c => c == ']').Reverse()]);
            member = member[..^tail.Length];
            var parts = System.Text.RegularExpressions.Regex.Matches(prefix, "\"[a-z_]+\": |\\[").Select(m => m.Value).ToArray();
            var (open, close) = ("", "");
            var first = true;
            foreach (var part in parts)
            {
                var (o, c) = part == "[" ? ("[", "]") : first ? (part, "") : ("{" + part, "}");
                (open, close, first) = (open + o, c + close, false);
            }

            return parts.Length == 0 ? member : $"{open}{{{member}}}{close}";
        }
    }

    [Fact]
    public void Every_key_of_the_schema_is_described_and_every_default_fits_its_own_schema()
    {
        foreach (var (_, properties) in Mappings(Schema, text => text))
        {
            Assert.All(properties, p =>
            {
                Assert.False(string.IsNullOrWhiteSpace(p.Value!["description"]?.GetValue<string>()), p.Key);
                if (p.Value["default"] is { } value)
                {
                    Assert.Empty(SchemaCheck.Violations((JsonObject)p.Value, value));
                }
            });
        }
    }
}
