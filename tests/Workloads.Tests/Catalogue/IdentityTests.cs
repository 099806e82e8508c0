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
    public void Every_field_decides_the_identity()
    {
        Configuration[] others =
        [
            Example with { Workload = "D" }, Example with { Weights = "INT8" }, Example with { Batch = 9 }, Example with { Context = 1 },
            Example with { ModelWidth = 1 }, Example with { Heads = 1 }, Example with { KeyValueHeads = 2 }, Example with { FeedForwardWidth = 1 },
            Example with { ModelLayers = 1 }, Example with { ShortLayers = 1 }, Example with { LongLayers = 1 }, Example with { Vocabulary = 1 },
            Example with { Stack = "cuda" }, Example with { DataSeed = 2 }, Example with { Data = "zeros" },
        ];
        Assert.Equal(typeof(Configuration).GetConstructors().Max(k => k.GetParameters().Length), others.Length);
        Assert.Equal(others.Length + 1, others.Append(Example).Select(ConfigurationIdentity.Sha256).Distinct().Count());
    }
}
