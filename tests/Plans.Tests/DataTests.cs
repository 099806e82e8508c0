namespace EnergyGrid.Plans.Tests;

/// <summary>What tensors hold: a distribution, zeros, or a file.</summary>
public class DataTests
{
    private const string Sha = "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff";
    private const string File = "{weights: /models/a.safetensors, tensors: 'model.layers.*.weight', sha256: \"" + Sha + "\"}";

    [Fact]
    public void Weights_from_a_file_are_part_of_the_identity_and_their_place_is_not()
    {
        var cell = BasePlan.Resolve(BasePlan.With("batch: 8}", $"batch: 8, data: {File}}}")).Groups[0].Cells[0];
        var elsewhere = BasePlan.Resolve(BasePlan.With("batch: 8}", $"batch: 8, data: {File.Replace("/models/a", "b", StringComparison.Ordinal)}}}")).Groups[0].Cells[0];

        Assert.Equal($"safetensors:{Sha.ToLowerInvariant()}:model.layers.*.weight", cell.Configuration.Data);
        Assert.Equal(("/models/a.safetensors", "b.safetensors"), (cell.Configuration.WeightsPath, elsewhere.Configuration.WeightsPath));
        Assert.Equal(cell.ConfigurationSha256, elsewhere.ConfigurationSha256);
        Assert.NotEqual(BasePlan.Resolve(BasePlan.Text).Groups[0].Cells[0].ConfigurationSha256, cell.ConfigurationSha256);
    }

    [Fact]
    public void A_plan_may_give_all_cells_the_same_file_and_a_cell_a_distribution_of_its_own()
    {
        var text = BasePlan.With("stack: simulated", $"stack: simulated\ndata: {File.Replace("{", "{seed: 7, ", StringComparison.Ordinal)}").Replace("    baseline: A\n    sweep:\n      - {workload: [A, C], batch: 8}", "    cells: [{workload: A}, {workload: C, data: zeros}]", StringComparison.Ordinal);
        var plan = BasePlan.Resolve(text);

        Assert.StartsWith("safetensors:", plan.Groups[0].Cells[0].Configuration.Data, StringComparison.Ordinal);
        Assert.Equal(("zeros", null, 7L), (plan.Groups[0].Cells[1].Configuration.Data, plan.Groups[0].Cells[1].Configuration.WeightsPath, plan.Groups[0].Cells[1].Configuration.DataSeed));
        Assert.Equal(plan.Sha256, BasePlan.Resolve(PlanWriter.ToYaml(plan)).Sha256);
        Assert.Contains(plan.Groups[0].Notes, n => n.Contains("a simulated device reads none", StringComparison.Ordinal));
    }

    [Fact]
    public void Files_vary_in_a_sweep_under_short_labels()
    {
        var plan = BasePlan.Resolve(BasePlan.With("    baseline: A\n    sweep:\n      - {workload: [A, C], batch: 8}", $"    sweep: [{{workload: A, data: [normal, {File}]}}]"));

        Assert.Equal(["A normal", "A file-00112233"], plan.Groups[0].Cells.Select(c => c.Label));
    }

    [Fact]
    public void A_file_may_be_excluded_like_any_value()
    {
        var plan = BasePlan.Resolve(BasePlan.With("    baseline: A\n    sweep:\n      - {workload: [A, C], batch: 8}", $"    sweep: [{{workload: [A, C], data: [normal, {File}]}}]\n    exclude: [{{workload: A, data: {File}}}]"));

        Assert.Equal(["A", "C normal", "C file-00112233"], plan.Groups[0].Cells.Select(c => c.Label));
    }

    [Theory]
    [InlineData("zeros")]
    [InlineData(File)]
    public void Other_data_beside_the_baselines_is_refused_by_name_and_is_a_group_of_its_own(string data)
    {
        var problem = Assert.Single(BasePlan.Problems(BasePlan.With("    sweep:\n", $"    cells: [{{label: other, workload: D, batch: 8, data: {data}}}]\n    sweep:\n")));

        Assert.Equal("groups[0].cells[0].data", problem.Key);
        Assert.StartsWith("'other' may not be compared with the baseline 'A': match key data is", problem.Wrong, StringComparison.Ordinal);
        Assert.Contains("a group of its own", problem.Right, StringComparison.Ordinal);
    }

    [Fact]
    public void A_distribution_and_a_file_at_once_are_refused()
    {
        var problem = Assert.Single(BasePlan.Problems(BasePlan.With("stack: simulated", $"stack: simulated\ndata: {File.Replace("{", "{distribution: normal, ", StringComparison.Ordinal)}")));

        Assert.Equal((12, 22, "data.distribution", "is normal although the weights come from a file"), (problem.Line, problem.Column, problem.Key, problem.Wrong));
    }
}
