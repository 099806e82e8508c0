using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Tests;

/// <summary>The LM head as a leg of its own: L' = 0.</summary>
public sealed class HeadLegTests
{
    [Theory]
    [InlineData("A")]
    [InlineData("F")]
    public void A_simulated_device_runs_the_head_at_its_cost_after_the_same_warm_up(string code)
    {
        var lab = new Laboratory(51, defects: SimulatedDefects.None);
        var c = Laboratory.Resolve(code);
        var result = lab.RunAlone(lab.Order(c) with { LayerLegs = [8, 0, 16] });
        Assert.True(result.Outcome == TrialOutcome.Valid, string.Join("; ", result.Reasons));
        Assert.Equal([8, 0, 16], result.Legs.Select(l => l.Layers));
        var head = result.Legs[1];
        Assert.Equal(1, head.Gpu.Joules / head.Steps / lab.Gpus[0].TrueStepJoules(LmHead.Cost(c), 1), 0.003);
        Assert.InRange(head.WindowSeconds, 30, 30.2);
        Assert.True(head.WarmupSeconds >= 20);
        Assert.Empty(head.Flags);
        Assert.Empty(result.Flags);
    }

    [Fact]
    public void A_head_beside_one_depth_leaves_linearity_unchecked()
    {
        var lab = new Laboratory(52);
        var c = Laboratory.Resolve("A");
        Assert.Contains(lab.RunAlone(lab.Order(c) with { LayerLegs = [8, 0] }).Flags, f => f.StartsWith("linearity unchecked", StringComparison.Ordinal));
        Assert.Empty(lab.RunAlone(lab.Order(c, pass: 1) with { LayerLegs = [0] }).Flags);
    }

    [Fact]
    public void A_head_without_vocabulary_and_fewer_layers_than_none_are_refused()
    {
        var lab = new Laboratory(53);
        var c = Laboratory.Resolve("A");
        Assert.Contains("names no vocabulary", lab.Gpus[0].Refusal(c with { Vocabulary = 0 }, Catalogue.Cost(c), 0));
        Assert.Contains("for the LM head", lab.Gpus[0].Refusal(c with { Vocabulary = 10_000_000 }, Catalogue.Cost(c), 0));
        Assert.Contains("at least one", lab.Gpus[0].Refusal(c, Catalogue.Cost(c), -1));
        Assert.Null(lab.Gpus[0].Refusal(c, Catalogue.Cost(c), 0));
    }
}
