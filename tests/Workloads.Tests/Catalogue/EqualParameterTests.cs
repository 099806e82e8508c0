using EnergyGrid.Workloads.Tests.Independent;

namespace EnergyGrid.Workloads.Tests;

/// <summary>I0', the softmax model at I's parameter count, counted apart from the catalogue.</summary>
public sealed class EqualParameterTests
{
    private const long Width = 8192;
    private const long Widened = 28588;

    // A unit of I: seven lightning layers and one softmax layer.
    private static double HybridLayer => (7 * Shapes.Elements(Shapes.Lightning(Width, 22016)) + Shapes.Elements(Shapes.Grouped(Width, 8, 22016))) / 8.0;

    [Fact]
    public void The_softmax_model_at_the_hybrids_parameter_count_has_it_to_a_tenth_of_a_percent_and_no_other_width_is_nearer()
    {
        double Off(long feedForward) => Math.Abs(Shapes.Elements(Shapes.Grouped(Width, 8, feedForward)) / HybridLayer - 1);

        Assert.True(Off(Widened) < 1e-3, $"{Off(Widened):P3}");
        Assert.All(new[] { Widened - 4, Widened + 4 }, w => Assert.True(Off(w) > Off(Widened)));
        var (dense, hybrid) = (Catalogue.Resolve(new ConfigurationRequest("I0'")), Catalogue.Resolve(new ConfigurationRequest("I")));
        Assert.Equal(Widened, dense.FeedForwardWidth);
        Assert.True(MatchGroups.HaveEqualParameters(dense, hybrid));
        Assert.False(MatchGroups.HaveEqualParameters(dense, Catalogue.Resolve(new ConfigurationRequest("I0"))));
    }

    [Fact]
    public void Its_cost_is_that_of_its_tensors()
    {
        var c = Catalogue.Resolve(new ConfigurationRequest("I0'"));
        var cost = Catalogue.Cost(c);
        var parameters = Shapes.Elements(Shapes.Grouped(Width, 8, Widened));

        Assert.Equal(853_573_632, parameters);
        Assert.Equal(parameters, cost.Parameters);
        Assert.Equal(2 * parameters, cost.WeightBytes);
        Assert.Equal(20 * Shapes.CacheBytes(8, 65536), cost.StateBytes);
        Assert.Equal(20 * Shapes.AttentionFlops(64, 65536), cost.AttentionFlops);
        Assert.Equal(2 * 20 * parameters, cost.WeightFlops);
        // 80 layers at the datasheet's 3.35 TB/s: what its s* must leave room for.
        Assert.Equal(168.98, 80 * 1e3 * (cost.WeightBytes + cost.StateBytes) / 3.35e12, 0.01);
    }

    [Theory]
    [InlineData("A", 64.8, 65)]
    [InlineData("D", 52.2, 65)]
    [InlineData("I", 68.3, 65)]
    [InlineData("J", 12.7, 13)]
    [InlineData("K", 5.6, 7)]
    public void A_models_name_and_its_counted_parameters_are_two_things(string code, double counted, int nominal)
    {
        var c = Catalogue.Resolve(new ConfigurationRequest(code));

        Assert.Equal(counted, Math.Round(Catalogue.CountedBillions(c), 1));
        Assert.Equal(nominal, Catalogue.Definition(code).NominalBillions);
        Assert.True(Catalogue.HasCatalogueShape(c with { Batch = 3, Context = 4096, Weights = "FP16" }));
        Assert.All(new[] { c with { ModelWidth = 256 }, c with { FeedForwardWidth = 4 }, c with { ModelLayers = 8 } }, other => Assert.False(Catalogue.HasCatalogueShape(other)));
    }
}
