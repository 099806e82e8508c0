using System.Collections.Immutable;
using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads.Tests;

public sealed class IdentityTests
{
    private static readonly Configuration Example = new("D'", "FP16", 8, 4096, 8192, 64, 1, 28396, 80, 2, 32, 32000, "reference", 1, "normal");

    [Fact]
    public void Canonical_json_is_compact_and_ordered()
    {
        Assert.Equal(
            """{"batch":8,"context":4096,"data":"normal","data_seed":1,"feed_forward_width":28396,"heads":64,"key_value_heads":1,"long_layers":32,"model_layers":80,"model_width":8192,"short_layers":2,"stack":"reference","vocabulary":32000,"weights":"FP16","workload":"D'"}""",
            Encoding.UTF8.GetString(ConfigurationIdentity.CanonicalJson(Example)));
    }

    [Fact]
    public void The_hash_is_that_of_the_canonical_json() =>
        // printf '…' | sha256sum of the line above.
        Assert.Equal("d0f12638938482bacd4f5b1ebb19da34a13b74e85eb1f3118174f08bf27c037a", ConfigurationIdentity.Sha256(Example));

    [Fact]
    public void A_third_length_enters_the_identity_only_where_there_is_one()
    {
        var text = Encoding.UTF8.GetString(ConfigurationIdentity.CanonicalJson(Example with { MiddleLayers = 17 }));

        Assert.Contains("\"long_layers\":32,\"middle_layers\":17,\"model_layers\":80", text, StringComparison.Ordinal);
        Assert.Equal(Encoding.UTF8.GetString(ConfigurationIdentity.CanonicalJson(Example)), text.Replace("\"middle_layers\":17,", "", StringComparison.Ordinal));
    }

    [Fact]
    public void Weights_from_a_file_are_known_by_hash_and_pattern_wherever_the_file_lies()
    {
        var file = new WeightFile(new string('a', 64), "model.layers.*.weight");
        var c = Example with { Data = file.ToString(), WeightsPath = "/data/a.safetensors" };

        Assert.Equal(file, WeightFile.Of(c.Data));
        Assert.Equal(ConfigurationIdentity.Sha256(c), ConfigurationIdentity.Sha256(c with { WeightsPath = "/mnt/b.safetensors" }));
        Assert.NotEqual(ConfigurationIdentity.Sha256(c), ConfigurationIdentity.Sha256(c with { Data = (file with { Pattern = "model.*" }).ToString() }));
        Assert.All(new[] { "normal", "zeros", "safetensors:", $"safetensors:{new string('A', 64)}:x", $"safetensors:{new string('a', 63)}:x", $"safetensors:{new string('a', 64)}:", $"safetensors:{new string('a', 64)}:a b" }, data => Assert.Null(WeightFile.Of(data)));
    }

    [Fact]
    public void Every_field_decides_the_identity()
    {
        Configuration[] others =
        [
            Example with { Workload = "D" }, Example with { Weights = "INT8" }, Example with { Batch = 9 }, Example with { Context = 1 },
            Example with { ModelWidth = 1 }, Example with { Heads = 1 }, Example with { KeyValueHeads = 2 }, Example with { FeedForwardWidth = 1 },
            Example with { ModelLayers = 1 }, Example with { ShortLayers = 1 }, Example with { LongLayers = 1 }, Example with { Vocabulary = 1 },
            Example with { Stack = "cuda" }, Example with { DataSeed = 2 }, Example with { Data = "zeros" }, Example with { MiddleLayers = 17 },
        ];
        // All but the path of a weight file, which is where something lies and not what is executed; a serving engine's part is below.
        Assert.Equal(Fields<Configuration>() - 2, others.Length);
        Assert.Equal(others.Length + 1, others.Append(Example).Select(ConfigurationIdentity.Sha256).Distinct().Count());
    }

    [Fact]
    public void Every_field_of_what_a_serving_engine_is_asked_decides_the_identity_and_no_path_does()
    {
        var lengths = LengthSpread.Constant(8);
        var serve = new ServeConfiguration("m", ImmutableSortedDictionary<string, string>.Empty, new ServeLoad(ArrivalProcess.Closed, 1), new PromptMix(lengths, lengths), new Generation(GenerationApi.Completions, false, 0, 0, null));
        var (load, prompts, generation) = (serve.Load, serve.Prompts, serve.Generation);
        ServeLoad[] loads = [load with { Arrivals = ArrivalProcess.Poisson }, load with { Concurrency = 2 }, load with { RequestsPerSecond = 1 }, load with { Shape = 1 }, load with { TraceSha256 = "a" }];
        LengthSpread[] spreads = [lengths with { Kind = LengthKind.Normal }, lengths with { Least = 1 }, lengths with { Most = 9 }, lengths with { Mean = 7 }, lengths with { Deviation = 1 }];
        PromptMix[] mixes = [.. spreads.Select(s => prompts with { Input = s }), .. spreads.Select(s => prompts with { Output = s }), prompts with { SharedShare = 0.5 }, prompts with { FileSha256 = "a" }];
        Generation[] generations = [generation with { Api = GenerationApi.Chat }, generation with { IgnoreEndOfSequence = true }, generation with { LeastTokens = 1 }, generation with { Temperature = 1 }, generation with { Seed = 1 }];
        Assert.Equal((Fields<ServeLoad>() - 1, Fields<LengthSpread>(), Fields<PromptMix>() - 1, Fields<Generation>(), 5), (loads.Length, spreads.Length, mixes.Length - 2 * spreads.Length + 2, generations.Length, Fields<ServeConfiguration>()));
        ServeConfiguration[] all =
        [
            serve, serve with { Model = "n" }, serve with { Parameters = serve.Parameters.Add("a", "b") }, .. loads.Select(l => serve with { Load = l }), .. mixes.Select(m => serve with { Prompts = m }), .. generations.Select(g => serve with { Generation = g }),
        ];
        var identities = all.Select(s => Configuration.Of("stack", 1, s)).Append(Configuration.Of("other", 1, serve)).Append(Configuration.Of("stack", 2, serve)).Select(ConfigurationIdentity.Sha256).ToArray();

        Assert.Equal(identities.Length, identities.Distinct().Count());
        Assert.Equal(identities[0], ConfigurationIdentity.Sha256(Configuration.Of("stack", 1, serve with { Load = load with { TracePath = "/t" }, Prompts = prompts with { FilePath = "/p" } })));
    }

    private static int Fields<T>() => typeof(T).GetConstructors().Max(k => k.GetParameters().Length);
}
