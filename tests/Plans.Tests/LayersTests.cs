using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Plans.Tests;

/// <summary>Depths: the common pair of a group, a third where it is wanted, the head alone, and the legs that come of them.</summary>
public class LayersTests
{
    private static (int, int, int)[] Depths(string text) => [.. BasePlan.Resolve(text).Groups[0].Cells.Select(c => (c.Configuration.ShortLayers, c.Configuration.MiddleLayers, c.Configuration.LongLayers))];

    [Fact]
    public void Left_to_the_memory_a_groups_baseline_and_its_twin_have_a_third_depth_half_way_and_all_cells_the_same_pair()
    {
        var plan = BasePlan.Resolve(BasePlan.With("layers: [2, 4]", "layers: auto"));

        Assert.Equal(["A", "C", "A (twin)"], plan.Groups[0].Cells.Select(c => c.Label));
        Assert.Equal([(1, 8, 15), (1, 0, 15), (1, 8, 15)], Depths(BasePlan.With("layers: [2, 4]", "layers: auto")));
    }

    [Fact]
    public void Without_a_baseline_nothing_has_a_third_depth_unless_the_plan_says_so()
    {
        Assert.All(Depths(BasePlan.With("layers: [2, 4]", "layers: auto").Replace("    baseline: A\n", "", StringComparison.Ordinal)), d => Assert.Equal(0, d.Item2));
        Assert.All(Depths(BasePlan.With("layers: [2, 4]", "layers: [2, 3, 5]")), d => Assert.Equal((2, 3, 5), d));
    }

    [Fact]
    public void A_cell_may_have_a_third_depth_of_its_own() =>
        Assert.Equal(
            [(2, 3, 4), (2, 0, 4), (2, 3, 4)],
            Depths(BasePlan.With("    sweep:\n      - {workload: [A, C], batch: 8}", "    cells: [{workload: A, layers: [2, 3, 4]}, {workload: C}]")));

    [Fact]
    public void A_third_depth_changes_no_configuration_but_its_own()
    {
        string[] Hashes(string layers) => [.. BasePlan.Resolve(BasePlan.With("    sweep:\n      - {workload: [A, C], batch: 8}", $"    cells: [{{workload: A, layers: {layers}}}, {{workload: C}}]")).Groups[0].Cells.Select(c => c.ConfigurationSha256)];

        var (two, three) = (Hashes("[2, 4]"), Hashes("[2, 3, 4]"));
        Assert.Equal(["3a4ac104a5af1add6f79e4978a742496fae25565cb4184358645bd60addd6e10", two[1]], [two[0], three[1]]);
        Assert.NotEqual(two[0], three[0]);
    }

    [Fact]
    public void A_third_depth_does_not_hide_that_two_cells_are_the_same() =>
        Assert.Equal(
            "'A again' is the same configuration as 'A'",
            Assert.Single(BasePlan.Problems(BasePlan.With("layers: [2, 4]", "layers: auto").Replace("    sweep:\n", "    cells: [{label: A again, workload: A, batch: 8}]\n    sweep:\n", StringComparison.Ordinal))).Wrong);

    [Theory]
    [InlineData("[8, 8]", true)]
    [InlineData("[8, 16]", false)]
    public void One_depth_stands_where_the_memory_holds_no_second_one_and_says_that_linearity_is_unchecked(string layers, bool right)
    {
        var text = BasePlan.With("layers: [2, 4]", "layers: " + layers).Replace("workload: [A, C], batch: 8", "workload: [I0, I]", StringComparison.Ordinal).Replace("baseline: A", "baseline: I0", StringComparison.Ordinal);
        var loaded = PlanFile.Load(text, "p.yaml");

        Assert.Equal(right, loaded.Plan?.Groups[0].Notes.Contains("linearity unchecked") ?? false);
        // On a larger memory two depths fit, and one is refused.
        Assert.Equal(!right, PlanFile.Load(text.Replace("H100-SXM-80GB", "H200-SXM-141GB", StringComparison.Ordinal), "p.yaml").Plan is not null);
        // Nothing is known of this one: one depth cannot be excused.
        Assert.Equal(!right, PlanFile.Load(text.Replace("H100-SXM-80GB", "MI300X", StringComparison.Ordinal), "p.yaml").Plan is not null);
    }

    [Theory]
    [InlineData("[8, 12, 16]", 12, 9, "layers", "the middle L' 12 is not possible")]
    [InlineData("[4, 8, 16]", 12, 9, "layers", "the shorter L' 4 is not possible")]
    public void Depths_are_whole_units_of_every_cell(string layers, int line, int column, string key, string wrong)
    {
        var problem = Assert.Single(BasePlan.Problems(BasePlan.With("layers: [2, 4]", "layers: " + layers).Replace("workload: [A, C], batch: 8", "workload: [I0, I], context: 4096, batch: 8", StringComparison.Ordinal).Replace("baseline: A", "baseline: I0", StringComparison.Ordinal)));

        Assert.Equal((line, column, key, wrong), (problem.Line, problem.Column, problem.Key, problem.Wrong));
    }

    [Fact]
    public void Legs_are_the_depths_in_turn_upwards_in_even_passes_and_downwards_in_odd_ones()
    {
        var c = BasePlan.Resolve(BasePlan.With("layers: [2, 4]", "layers: [2, 3, 5]")).Groups[0].Cells[0].Configuration with { Vocabulary = 0 };

        Assert.Equal<int>([2, 3, 5], LayerLegs.Of(c));
        Assert.Equal<int>([2, 5], LayerLegs.Of(c with { MiddleLayers = 0 }));
        Assert.Equal<int>([5], LayerLegs.Of(c with { MiddleLayers = 0, ShortLayers = 5 }));
        Assert.Equal<int>([2, 3, 5], LayerLegs.InPass(c, 4));
        Assert.Equal<int>([5, 3, 2], LayerLegs.InPass(c, 7));
    }

    [Fact]
    public void The_head_is_a_leg_of_no_layers_where_there_is_one_and_a_device_can_run_it()
    {
        var c = BasePlan.Resolve(BasePlan.Text).Groups[0].Cells[0].Configuration;

        Assert.Equal(0, LayerLegs.Head);
        foreach (var stack in HardwareClassStacks)
        {
            Assert.Equal(LayerLegs.HeadStacks.Contains(stack), LayerLegs.Of(c with { Stack = stack }).Contains(LayerLegs.Head));
            Assert.DoesNotContain(LayerLegs.Head, LayerLegs.Of(c with { Stack = stack, Vocabulary = 0 }));
        }
    }

    private static readonly string[] HardwareClassStacks = ["reference", "llama.cpp", "simulated", "cuda"];

    [Fact]
    public void A_plan_without_a_head_has_no_vocabulary_and_one_that_insists_needs_a_device()
    {
        int[] Vocabulary(string head, string batch = "batch: 8}") => [.. BasePlan.Resolve(BasePlan.With("stack: simulated", $"stack: simulated\n{head}").Replace("batch: 8}", batch, StringComparison.Ordinal)).Groups[0].Cells.Select(c => c.Configuration.Vocabulary)];

        Assert.All(Vocabulary("traces: none"), v => Assert.Equal(Catalogue.DefaultVocabulary, v));
        Assert.All(Vocabulary("head: false"), v => Assert.Equal(0, v));
        Assert.All(Vocabulary("traces: none", "batch: 8, vocabulary: 0}"), v => Assert.Equal(0, v));
        var contradiction = Assert.Single(BasePlan.Problems(BasePlan.With("stack: simulated", "stack: simulated\nhead: false").Replace("batch: 8}", "batch: 8, vocabulary: 128256}", StringComparison.Ordinal)));
        Assert.Equal((18, "groups[0].sweep[0].vocabulary", "is 128256 although head is false"), (contradiction.Line, contradiction.Key, contradiction.Wrong));
        var insists = BasePlan.Problems(BasePlan.With("stack: simulated", "stack: simulated\nhead: true"));
        Assert.Equal(LayerLegs.HeadStacks.Contains("simulated") ? [] : [(12, 7, "head", "is true, and no device of the stack simulated runs the LM head alone")], insists.Select(p => (p.Line, p.Column, p.Key, p.Wrong)));
    }
}
