using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Plans.Tests;

public class ShippedPlanTests
{
    private static ResolvedPlan Load(string name)
    {
        var loaded = PlanFile.Load(ExamplePlans.Text(name), name);
        Assert.True(loaded.Plan is not null, string.Join('\n', loaded.Problems));
        return loaded.Plan;
    }

    [Fact]
    public void Table3_has_the_match_groups_of_the_catalogue_and_a_twin_of_every_baseline()
    {
        var plan = Load("table3.yaml");

        Assert.Equal(["attention-b8", "attention-b24", "sparse", "linear", "compressed-1m", "distilled-13b", "distilled-7b"], plan.Groups.Select(g => g.Name));
        Assert.Equal(["A", "A", "G0", "I0", null, null, null], plan.Groups.Select(g => g.Baseline));
        Assert.Equal([10, 10, 3, 4, 1, 1, 1], plan.Groups.Select(g => g.Cells.Length));
        Assert.Equal(["A", "B", "C", "D", "E", "F", "D'", "E'", "F'", "A (twin)"], plan.Groups[0].Cells.Select(c => c.Label));
        Assert.All(plan.Groups, g => Assert.Equal(g.Baseline, g.Cells.SingleOrDefault(c => c.TwinOf is not null)?.TwinOf));
        Assert.Equal(new Envelope(36000, Boundary.Node, 64), plan.Envelope);
    }

    [Fact]
    public void Every_baseline_of_the_shipped_plans_for_H100_can_meet_its_own_service_target_with_a_tenth_to_spare()
    {
        foreach (var group in new[] { "table3.yaml", "one-device.yaml" }.SelectMany(n => Load(n).Groups))
        {
            foreach (var cell in group.Cells.Where(c => group.Baseline is null || c.Label == group.Baseline))
            {
                var floor = 1e3 * cell.Configuration.ModelLayers * Catalogue.FloorSeconds(cell.Configuration, DeviceProfile.H100Sxm);
                Assert.True(1.1 * floor < cell.Disclosure.ServiceMilliseconds, $"{group.Name} {cell.Label}: {floor:F1} ms at least, s* {cell.Disclosure.ServiceMilliseconds} ms");
                Assert.Equal(("mean", cell.Disclosure.ServiceMilliseconds), (cell.Disclosure.ServiceStatistic, group.Cells.Select(c => c.Disclosure.ServiceMilliseconds).Distinct().Single()));
            }
        }
    }

    [Fact]
    public void One_device_holds_normal_data_and_the_zero_control_in_groups_of_their_own_side_by_side_in_a_panel()
    {
        var plan = Load("one-device.yaml");

        Assert.Equal(["normal", "zeros"], plan.Groups.SelectMany(g => g.Cells.Select(c => c.Configuration.Data)).Distinct().Order());
        Assert.All(plan.Groups, g => Assert.Single(g.Cells.Select(c => c.Configuration.Data).Distinct()));
        var (normal, zeros) = (plan.Groups.Single(g => g.Name == "attention-b8"), plan.Groups.Single(g => g.Name == "attention-b8-zeros"));
        Assert.Equal(["A", "C", "F"], zeros.Cells.Select(c => c.Label));
        Assert.All(zeros.Cells, z => Assert.Contains(normal.Cells, n => n.Label == z.Label && n.Configuration with { Data = "zeros" } == z.Configuration));
        Assert.Equal(["attention-b8/A", "attention-b8-zeros/A", "attention-b8/C", "attention-b8-zeros/C", "attention-b8/F", "attention-b8-zeros/F"], Assert.Single(plan.Panels).Cells.Select(c => $"{c.Group}/{c.Label}"));
    }

    [Fact]
    public void Table3_fits_80_GB_with_one_pair_of_layers_in_each_group()
    {
        var plan = Load("table3.yaml");

        Assert.All(plan.Groups, g =>
        {
            var pair = Assert.Single(g.Cells.Select(c => (c.Configuration.ShortLayers, c.Configuration.LongLayers)).Distinct());
            Assert.All(g.Cells, c => Assert.True(Catalogue.ResidentBytes(c.Configuration, pair.LongLayers) <= 0.95 * 80e9, $"{g.Name} {c.Label}"));
            Assert.Equal(g.Name == "linear", pair.LongLayers == pair.ShortLayers);
            Assert.All(g.Cells, c => Assert.Equal(g.Name is "attention-b8" or "attention-b24" or "sparse" && (c.TwinOf ?? c.Label) == g.Baseline ? (pair.ShortLayers + pair.LongLayers) / 2.0 : 0, c.Configuration.MiddleLayers));
            Assert.Equal(g.Name == "linear", g.Notes.Contains("linearity unchecked"));
        });
        Assert.All(plan.Groups.SelectMany(g => g.Cells), c => Assert.Equal(Catalogue.Cost(c.Configuration), c.Cost));
    }

    [Fact]
    public void Table3_prints_the_papers_layout_with_the_papers_values_in_a_panel()
    {
        var panel = Assert.Single(Load("table3.yaml").Panels);

        Assert.Equal(
            ["attention-b8/A", "attention-b8/B", "attention-b8/C", "attention-b24/D", "attention-b24/E", "attention-b24/F", "sparse/G", "compressed-1m/H", "linear/I", "distilled-13b/J", "distilled-7b/K"],
            panel.Cells.Select(c => $"{c.Group}/{c.Label}"));
        Assert.Equal([3.5, 2.1, 1.2, 1.6, 0.95, 0.35, 1.8, null, 1.2, 0.28, 0.12], panel.Cells.Select(c => c.PublishedJoulesPerToken));
    }

    [Fact]
    public void This_machine_runs_in_about_a_minute_and_says_what_it_is_not()
    {
        var plan = Load("this-machine.yaml");
        var group = Assert.Single(plan.Groups);

        Assert.Equal(["A reference", "B reference", "C reference", "A llama.cpp", "B llama.cpp", "C llama.cpp", "A reference (twin)"], group.Cells.Select(c => c.Label));
        Assert.All(group.Cells, c => Assert.Equal(c.Label.Split(' ')[1], c.Configuration.Stack));
        // Each format once a stack, in one arithmetic.
        Assert.All(group.Cells.Where(c => c.TwinOf is null).GroupBy(c => c.Configuration.Workload), g => Assert.Single(g.Select(c => Precisions.Of(c.Configuration)).Distinct()));
        Assert.Equal(["FP16", "Q8_0", "Q4_0"], group.Cells.Select(c => c.Configuration.Weights).Distinct());
        var seconds = plan.Replication.Max * group.Cells.Length * (2 * (plan.Timing.MaxWarmupSeconds + plan.Timing.WindowSeconds) + plan.Timing.CooldownSeconds);
        Assert.InRange(seconds, 30, 60);
        Assert.True(group.Cells.Max(c => Catalogue.ResidentBytes(c.Configuration, 4)) < 100e6);
        Assert.Contains(group.Notes, n => n.Contains("below the 10 s", StringComparison.Ordinal));
        Assert.Contains("working set may sit in cache", group.Notes);
    }
}
