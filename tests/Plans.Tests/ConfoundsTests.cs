using EnergyGrid.Contracts;

namespace EnergyGrid.Plans.Tests;

/// <summary>What a ratio mixes with the difference that it is about.</summary>
public class ConfoundsTests
{
    private static readonly ResolvedPlan Table3 = BasePlan.Resolve(ExamplePlans.Text("table3.yaml"));

    private static PlannedCell Cell(string group, string label) => Table3.Groups.Single(g => g.Name == group).Cells.Single(c => c.Label == label);

    [Theory]
    [InlineData("attention-b8", "A", "attention-b8", "A", new string[0])]
    [InlineData("attention-b8", "C", "attention-b8", "A", new string[0])]
    [InlineData("attention-b8", "D'", "attention-b8", "A", new string[0])]
    [InlineData("attention-b8", "D", "attention-b8", "A", new[] { "parameters per layer −19.4 %", "D: 52.2 B parameters, not 65 B" })]
    [InlineData("sparse", "G", "sparse", "G0", new string[0])]
    [InlineData("linear", "I", "linear", "I0", new[] { "parameters per layer +23.3 %", "I: 68.3 B parameters, not 65 B" })]
    [InlineData("linear", "I0'", "linear", "I0", new[] { "parameters per layer +23.3 %", "I0': 68.3 B parameters, not 65 B" })]
    [InlineData("linear", "I", "linear", "I0'", new string[0])]
    [InlineData("attention-b24", "D'", "attention-b8", "A", new[] { "batch 24 against 8" })]
    [InlineData("sparse", "G", "attention-b8", "A", new[] { "parameters per layer −15.5 %", "another attention at another context: 65536 tokens against 4096", "batch 16 against 8", "G: 54.7 B parameters, not 65 B" })]
    [InlineData("distilled-7b", "K", "attention-b8", "A", new[] { "parameters per layer −78.5 %", "32 layers against 80", "batch 64 against 8", "K: 5.6 B parameters, not 7 B" })]
    [InlineData("distilled-13b", "J", "attention-b8", "A", new[] { "parameters per layer −60.8 %", "40 layers against 80", "batch 32 against 8" })]
    public void A_ratio_names_what_it_mixes(string group, string label, string baselineGroup, string baseline, string[] texts) =>
        Assert.Equal(texts, Comparability.Confounds(Cell(group, label), Cell(baselineGroup, baseline)));

    [Fact]
    public void A_percent_of_parameters_is_let_pass_and_more_is_not()
    {
        var a = Cell("attention-b8", "A");
        PlannedCell With(double factor) => a with { Cost = a.Cost with { Parameters = factor * a.Cost.Parameters } };

        Assert.All(new[] { 0.9901, 1.0099 }, f => Assert.Empty(Comparability.Confounds(With(f), a)));
        Assert.Equal("parameters per layer −1.1 %", Assert.Single(Comparability.Confounds(With(0.989), a)));
        Assert.Equal("parameters per layer +1.1 %", Assert.Single(Comparability.Confounds(With(1.011), a)));
    }

    [Fact]
    public void Data_stack_and_context_are_named_and_a_model_of_another_shape_has_no_name_to_fall_short_of()
    {
        var a = Cell("attention-b8", "A");
        PlannedCell With(Configuration c) => a with { Configuration = c, Cost = Workloads.Catalogue.Cost(c) };

        Assert.Equal<string>(["data zeros against normal", "stack cuda against simulated"], Comparability.Confounds(With(a.Configuration with { Data = "zeros", Stack = "cuda" }), a));
        Assert.Equal<string>(["another context: 8192 tokens against 4096"], Comparability.Confounds(With(a.Configuration with { Context = 8192 }), a));
        Assert.Equal<string>(["parameters per layer −66.8 %"], Comparability.Confounds(With(a.Configuration with { FeedForwardWidth = 4 }), a));
    }
}
