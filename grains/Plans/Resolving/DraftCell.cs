using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Plans;

/// <summary>A cell as a product, a zip or a list gives it: values by key, each with its place, not yet checked against the catalogue.</summary>
internal sealed class DraftCell(PlanNode at, IReadOnlyDictionary<string, PlanValue> values)
{
    /// <summary>The entry of <c>sweep</c>, <c>zip</c> or <c>cells</c> that it comes from.</summary>
    public PlanNode At { get; } = at;

    public IReadOnlyDictionary<string, PlanValue> Values { get; } = values;

    public string Label { get; set; } = values.TryGetValue("label", out var label) ? label.Text : "";

    public string Workload => Values["workload"].Text;

    /// <summary>Whether it is a serving engine under load, not a decode step.</summary>
    public bool IsServe => Workload == Contracts.Configuration.ServeWorkload;

    public Configuration? Configuration { get; set; }

    public Disclosure? Disclosure { get; set; }

    /// <summary>Where the value of <paramref name="key"/> was written, or the cell if it was not.</summary>
    public PlanNode PlaceOf(string key) => Values.TryGetValue(key, out var value) ? value.Node : At;

    /// <summary>The value of an axis as it will be, the catalogue's where nothing is written; the plan's defaults come from <paramref name="plan"/>.</summary>
    public object ValueOf(string axis, PlanValue plan)
    {
        if (ServeFormat.Axes.Any(a => a.Name == axis))
        {
            return IsServe && Configuration?.Serve is { } serve ? ServeText.Compared(axis, serve) : "";
        }

        if (Values.TryGetValue(axis, out var written))
        {
            return ValueOf(written);
        }

        if (IsServe)
        {
            return axis switch { "stack" => plan["stack"]!.Text, "data_seed" => plan["data"]!["seed"]!.Integer, "workload" => Workload, _ => "" };
        }

        var definition = Catalogue.Definition(Workload);
        var width = Values.TryGetValue("d_model", out var d) ? d.Integer : definition.ModelWidth;
        return axis switch
        {
            "weights" => definition.Weights,
            "batch" => (long)definition.Batch,
            "context" => (long)definition.Context,
            "d_model" => width,
            "d_ff" => (long)definition.FeedForwardWidth,
            "heads" => width / 128,
            "kv_heads" => (long)definition.KeyValueHeads,
            "model_layers" => (long)definition.ModelLayers,
            "vocabulary" => plan["head"]!.Flag ? (long)Catalogue.DefaultVocabulary : 0L,
            "stack" => plan["stack"]!.Text,
            "data" => FileOf(plan["data"]!)?.ToString() ?? plan["data"]!["distribution"]!.Text,
            "data_seed" => plan["data"]!["seed"]!.Integer,
            _ => Workload,
        };
    }

    /// <summary>A written value as it is compared; weights from a file as a configuration names them.</summary>
    public static object ValueOf(PlanValue written) => written.Scalar ?? FileOf(written)?.ToString() ?? written.ToJson().ToJsonString();

    /// <summary>The file that a <c>data</c> mapping names; null if it names none.</summary>
    public static WeightFile? FileOf(PlanValue data) =>
        data["sha256"] is { } sha && data["tensors"] is { } tensors ? new WeightFile(sha.Text.ToLowerInvariant(), tensors.Text) : null;

    public ConfigurationRequest Request(PlanValue plan, int shortLayers, int middleLayers, int longLayers)
    {
        string? TextOf(string key) => Values.TryGetValue(key, out var v) ? v.Text : null;
        int? Whole(string key) => Values.TryGetValue(key, out var v) ? (int)v.Integer : null;
        return new ConfigurationRequest(
            Workload, TextOf("weights"), Whole("batch"), Whole("context"), Whole("d_model"), Whole("heads"), Whole("kv_heads"), Whole("d_ff"), Whole("model_layers"),
            shortLayers, longLayers, (int)(long)ValueOf("vocabulary", plan), (string)ValueOf("stack", plan), (long)ValueOf("data_seed", plan), (string)ValueOf("data", plan),
            middleLayers, (Values.TryGetValue("data", out var own) ? own : plan["data"]!)["weights"]?.Text);
    }
}
