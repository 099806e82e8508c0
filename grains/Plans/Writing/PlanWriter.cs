using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Plans;

/// <summary>
/// Writes a resolved plan in the format of plans, everything explicit: every cell one by one, every L' pair, every default. Reading and resolving it gives the same plan.
/// A/A twins are written as the <c>aa</c> that makes them.
/// </summary>
public static class PlanWriter
{
    private static readonly JsonSerializerOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The canonical <c>plan.resolved.yaml</c>: equal plans give equal text.</summary>
    public static string ToYaml(ResolvedPlan plan)
    {
        var text = new StringBuilder("# Resolved plan: nothing is left to defaults. Reading it again gives the same plan.\n");
        text.Append("# sha256 of its canonical JSON: ").Append(Sha256(plan)).Append('\n');
        foreach (var (key, value) in Model(plan))
        {
            WriteYaml(text, key, value!, 0);
        }

        return text.ToString();
    }

    /// <summary>The canonical JSON: keys in ordinal order, no white space, shortest round-trip numbers.</summary>
    public static string ToJson(ResolvedPlan plan) => Sorted(Model(plan))!.ToJsonString(Compact);

    /// <summary>Of <see cref="ToJson"/> in UTF-8: 64 lower-case hexadecimal digits. <see cref="ResolvedPlan.Sha256"/> itself and the notes do not enter.</summary>
    public static string Sha256(ResolvedPlan plan) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(ToJson(plan))));

    private static JsonObject Model(ResolvedPlan plan)
    {
        return Object(
            ("name", plan.Name),
            ("description", plan.Description.Length > 0 ? plan.Description : null),
            ("operating_point", OperatingPoint(plan.Disclosure)),
            ("workload_mix", plan.Disclosure.WorkloadMix),
            ("batching", plan.Disclosure.Batching),
            ("hardware", Object(("description", plan.Disclosure.Hardware), ("model", plan.Hardware.Model), ("site", plan.Hardware.Site), ("devices", plan.Hardware.Devices))),
            ("boundary", Spelling.Of(plan.Disclosure.Boundary)),
            ("stack", plan.Groups[0].Cells[0].Configuration.Stack),
            ("match", Array(plan.Match.Select(m => (JsonNode)m))),
            ("groups", Array(plan.Groups.Select(g => (JsonNode)Group(g, plan)))),
            ("panels", Array(plan.Panels.Select(p => (JsonNode)Object(("title", p.Title), ("baseline", Reference(p.Baseline)), ("cells", Array(p.Cells.Select(c => (JsonNode)Reference(c)))))))),
            ("aa", Twins(plan)),
            ("passes", Object(("min", plan.Replication.Min), ("max", plan.Replication.Max), ("half_width", plan.Replication.HalfWidth))),
            ("fill", plan.Fill == Fill.Node ? "node" : "device"),
            ("order", Object(("seed", plan.OrderSeed))),
            ("trial", Trial(plan.Timing)),
            ("guards", Object(
                ("min_coverage", plan.Guards.MinCoverage),
                ("max_clock_error_s", plan.Guards.MaxClockErrorSeconds),
                ("max_thermal_fraction", plan.Guards.MaxThermalFraction),
                ("max_counter_residual", plan.Guards.MaxCounterResidual),
                // Plans of decode steps have the identity that they had before there was such a guard.
                ("max_client_ms", plan.Groups.Any(g => g.Cells.Any(c => c.Configuration.Serve is not null)) ? plan.Guards.MaxClientMilliseconds : null))),
            ("envelope", plan.Envelope is { } e ? Object(("watts", e.Watts), ("boundary", Spelling.Of(e.Boundary)), ("devices", e.Devices)) : null),
            ("pue", plan.Pue is { } p ? Object(("source", p.Source), ("value", p.Value), ("category", p.Category)) : null),
            ("cost", plan.Cost is { } c ? Object(("price_per_kwh", c.PricePerKilowattHour), ("kappa", c.Kappa), ("currency", c.Currency)) : null),
            ("traces", plan.KeepTraces));
    }

    private static JsonNode Twins(ResolvedPlan plan)
    {
        JsonObject[] pairs = [.. plan.Groups.SelectMany(g => g.Cells.Where(c => c.TwinOf is not null).Select(c => Object(("group", g.Name), ("of", c.TwinOf), ("delta", plan.EquivalenceDelta))))];
        return pairs.Length switch
        {
            0 => Object(("delta", plan.EquivalenceDelta)),
            1 => pairs[0],
            _ => Array(pairs),
        };
    }

    private static JsonObject Trial(TrialTiming t) => Object(
        ("warmup_s", Object(("min", t.MinWarmupSeconds), ("max", t.MaxWarmupSeconds))),
        ("window_s", t.WindowSeconds),
        ("cooldown_s", t.CooldownSeconds),
        ("start_temperature_c", t.StartTemperatureLowCelsius is null && t.StartTemperatureHighCelsius is null ? null : Object(("min", t.StartTemperatureLowCelsius), ("max", t.StartTemperatureHighCelsius))),
        ("precondition_timeout_s", t.PreconditionTimeoutSeconds));

    private static JsonObject Group(MatchGroup group, ResolvedPlan plan)
    {
        var first = group.Cells[0].Configuration;
        if (first.Serve is not null)
        {
            return Object(("name", group.Name), ("baseline", group.Baseline), ("cells", Array(group.Cells.Where(c => c.TwinOf is null).Select(c => (JsonNode)ServeCell(c, plan.Disclosure)))));
        }

        // A third L' that not all cells have stands with those that have it.
        var middle = group.Cells.All(c => c.Configuration.MiddleLayers == first.MiddleLayers) ? first.MiddleLayers : 0;
        return Object(
            ("name", group.Name),
            ("baseline", group.Baseline),
            ("layers", Layers(first with { MiddleLayers = middle })),
            ("cells", Array(group.Cells.Where(c => c.TwinOf is null).Select(c => (JsonNode)Cell(c, plan.Disclosure, middle)))));
    }

    private static JsonArray Layers(Configuration c) => Array(c.MiddleLayers == 0 ? [c.ShortLayers, c.LongLayers] : [c.ShortLayers, c.MiddleLayers, c.LongLayers]);

    private static JsonNode Data(Configuration c) =>
        WeightFile.Of(c.Data) is { } file ? Object(("weights", c.WeightsPath), ("tensors", file.Pattern), ("sha256", file.Sha256)) : c.Data;

    private static JsonObject Cell(PlannedCell cell, Disclosure plan, int middle)
    {
        var c = cell.Configuration;
        (string Key, JsonNode? Value)[] own =
        [
            ("label", cell.Label),
            ("workload", c.Workload),
            ("weights", c.Weights),
            ("batch", c.Batch),
            ("context", c.Context),
            ("d_model", c.ModelWidth),
            ("d_ff", c.FeedForwardWidth),
            ("heads", c.Heads),
            ("kv_heads", c.KeyValueHeads),
            ("model_layers", c.ModelLayers),
            ("vocabulary", c.Vocabulary),
            ("stack", c.Stack),
            ("data", Data(c)),
            ("data_seed", c.DataSeed),
            ("layers", c.MiddleLayers != middle ? Layers(c) : null),
        ];
        return Object([.. own, .. Overrides(cell.Disclosure, plan)]);
    }

    private static JsonObject ServeCell(PlannedCell cell, Disclosure plan)
    {
        var (c, serve) = (cell.Configuration, cell.Configuration.Serve!);
        (string Key, JsonNode? Value)[] own =
        [
            ("label", cell.Label),
            ("workload", c.Workload),
            ("stack", c.Stack),
            ("model", serve.Model),
            ("engine", serve.Parameters.IsEmpty ? null : new JsonObject(serve.Parameters.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)p.Value)))),
            ("load", ServeText.LoadModel(serve.Load)),
            ("prompts", ServeText.PromptsModel(serve.Prompts)),
            ("generation", ServeText.GenerationModel(serve.Generation)),
            ("data_seed", c.DataSeed),
        ];
        return Object([.. own, .. Overrides(cell.Disclosure, plan)]);
    }

    private static (string Key, JsonNode? Value)[] Overrides(Disclosure d, Disclosure plan)
    {
        var quality = d.Quality != plan.Quality || d.QualityCheck != plan.QualityCheck;
        var service = d.ServiceMilliseconds != plan.ServiceMilliseconds || d.ServiceStatistic != plan.ServiceStatistic || d.FirstTokenMilliseconds != plan.FirstTokenMilliseconds;
        var point = OperatingPoint(d);
        return
        [
            ("operating_point", quality || service ? Object(("quality", quality ? point["quality"]!.DeepClone() : null), ("service", service ? point["service"]!.DeepClone() : null)) : null),
            ("workload_mix", d.WorkloadMix != plan.WorkloadMix ? d.WorkloadMix : null),
            ("batching", d.Batching != plan.Batching ? d.Batching : null),
            ("boundary", d.Boundary != plan.Boundary ? Spelling.Of(d.Boundary) : null),
        ];
    }

    private static JsonObject OperatingPoint(Disclosure d) => Object(
        ("quality", Object(("target", d.Quality), ("check", d.QualityCheck))),
        ("service", Object(("milliseconds_per_token", d.ServiceMilliseconds), ("statistic", d.ServiceStatistic), ("first_token_milliseconds", d.FirstTokenMilliseconds))));

    private static JsonObject Reference(CellReference c) => Object(("group", c.Group), ("label", c.Label), ("published_joules_per_token", c.PublishedJoulesPerToken));

    /// <summary>What is null is left out: the format has no nulls.</summary>
    private static JsonObject Object(params (string Key, JsonNode? Value)[] members) =>
        new(members.Where(m => m.Value is not null).Select(m => KeyValuePair.Create(m.Key, m.Value)));

    private static JsonArray Array(IEnumerable<JsonNode> items) => new([.. items]);

    private static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonObject o => new JsonObject(o.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => KeyValuePair.Create(m.Key, Sorted(m.Value)))),
        JsonArray a => new JsonArray([.. a.Select(Sorted)]),
        _ => node?.DeepClone(),
    };

    /// <summary>Block style down to the cells, which take one line each.</summary>
    private static void WriteYaml(StringBuilder text, string key, JsonNode value, int indent)
    {
        text.Append(' ', indent).Append(key).Append(':');
        switch (value)
        {
            case JsonObject o when o.Count > 0:
                text.Append('\n');
                foreach (var (k, v) in o)
                {
                    WriteYaml(text, k, v!, indent + 2);
                }

                break;
            case JsonArray a when a.Count > 0 && a[0] is JsonObject:
                text.Append('\n');
                foreach (var item in a)
                {
                    WriteItem(text, (JsonObject)item!, indent + 2);
                }

                break;
            default:
                text.Append(' ');
                WriteFlow(text, value);
                text.Append('\n');
                break;
        }
    }

    private static void WriteItem(StringBuilder text, JsonObject item, int indent)
    {
        if (!item.Any(m => m.Value is JsonArray { Count: > 0 } a && a[0] is JsonObject))
        {
            text.Append(' ', indent).Append("- ");
            WriteFlow(text, item);
            text.Append('\n');
            return;
        }

        var start = text.Length;
        foreach (var (k, v) in item)
        {
            WriteYaml(text, k, v!, indent + 2);
        }

        text[start + indent] = '-';
    }

    private static void WriteFlow(StringBuilder text, JsonNode value)
    {
        switch (value)
        {
            case JsonObject o:
                text.Append('{');
                Join(text, o, (t, m) =>
                {
                    t.Append(m.Key).Append(": ");
                    WriteFlow(t, m.Value!);
                });
                text.Append('}');
                break;
            case JsonArray a:
                text.Append('[');
                Join(text, a, (t, item) => WriteFlow(t, item!));
                text.Append(']');
                break;
            case JsonValue v when v.GetValueKind() == JsonValueKind.String:
                Quote(text, v.GetValue<string>());
                break;
            default:
                text.Append(value.ToJsonString(Compact));
                break;
        }
    }

    private static void Join<T>(StringBuilder text, IEnumerable<T> items, Action<StringBuilder, T> write)
    {
        var between = "";
        foreach (var item in items)
        {
            text.Append(between);
            write(text, item);
            between = ", ";
        }
    }

    /// <summary>Double quotes, the style in which every character can be written.</summary>
    private static void Quote(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (var c in value)
        {
            _ = c switch
            {
                '"' or '\\' => text.Append('\\').Append(c),
                '\n' => text.Append("\\n"),
                '\t' => text.Append("\\t"),
                _ when Unprintable.Is(c) || c is '\uFEFF' => text.Append("\\u").Append(((int)c).ToString("X4", CultureInfo.InvariantCulture)),
                _ => text.Append(c),
            };
        }

        text.Append('"');
    }
}
