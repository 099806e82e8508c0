using EnergyGrid.Contracts;

namespace EnergyGrid.Plans.Tests;

public class ExpansionTests
{
    private static string[] Labels(string groupBody) =>
        [.. BasePlan.Resolve(BasePlan.With("    baseline: A\n    sweep:\n      - {workload: [A, C], batch: 8}\n", groupBody)).Groups[0].Cells.Select(c => c.Label)];

    [Fact]
    public void A_product_has_every_combination_labelled_by_what_varies() =>
        Assert.Equal(
            ["A b8 s1024", "A b8 s4096", "A b16 s1024", "A b16 s4096", "C b8 s1024", "C b8 s4096", "C b16 s1024", "C b16 s4096"],
            Labels("    sweep: [{context: [1024, 4096], batch: [8, 16], workload: [A, C]}]\n"));

    [Fact]
    public void Several_products_follow_one_another_and_zips_run_in_step() =>
        Assert.Equal(
            ["A", "C", "D", "F", "one at 1M"],
            Labels("    sweep: [{workload: A}, {workload: C}]\n    zip: [{workload: [D, F], batch: [24, 32], context: 4096}]\n    cells: [{label: one at 1M, workload: H}]\n"));

    [Fact]
    public void Exclusion_takes_away_what_matches_all_its_keys_the_catalogues_values_included() =>
        Assert.Equal(
            ["A", "C b8", "C b16"],
            Labels("    sweep: [{workload: [A, C], batch: [8, 16]}, {workload: D}]\n    exclude: [{workload: A, batch: 8}, {batch: 24, weights: FP16}]\n"));

    [Fact]
    public void What_the_catalogue_cannot_have_may_be_excluded_before_it_is_asked() =>
        Assert.Equal(["J FP16", "J INT4", "A"], Labels("    sweep: [{workload: [J, A], weights: [FP16, INT4]}]\n    exclude: [{workload: A, weights: INT4}]\n"));

    [Fact]
    public void Group_overrides_reach_every_cell_and_cells_override_them()
    {
        var plan = BasePlan.Resolve(BasePlan.With("    baseline: A\n    sweep:\n      - {workload: [A, C], batch: 8}\n", "    batching: by group\n    cells: [{workload: A}, {workload: C, batching: by cell, boundary: node}]\n"));

        Assert.Equal([("by group", Boundary.Gpu), ("by cell", Boundary.Node)], plan.Groups[0].Cells.Select(c => (c.Disclosure.Batching, c.Disclosure.Boundary)));
    }

    [Fact]
    public void A_plan_without_any_baseline_has_no_twin_unless_it_names_one()
    {
        var text = BasePlan.With("    baseline: A\n", "");

        Assert.DoesNotContain(BasePlan.Resolve(text).Groups[0].Cells, c => c.TwinOf is not null);
        Assert.Equal("C", BasePlan.Resolve(text + "aa: {group: g, of: C}\n").Groups[0].Cells[^1].TwinOf);
    }

    [Fact]
    public void A_groups_own_service_target_reaches_every_cell_and_cells_of_a_group_share_one()
    {
        const string Own = "    operating_point: {service: {milliseconds_per_token: 150, statistic: p99}}\n";
        var plan = BasePlan.Resolve(BasePlan.With("    sweep:\n", Own + "    sweep:\n"));

        Assert.All(plan.Groups[0].Cells, c => Assert.Equal((150, "p99", plan.Disclosure.Quality), (c.Disclosure.ServiceMilliseconds, c.Disclosure.ServiceStatistic, c.Disclosure.Quality)));
        Assert.Equal(plan.Groups[0].Cells.AsEnumerable(), BasePlan.Resolve(PlanWriter.ToYaml(plan)).Groups[0].Cells.AsEnumerable());
        var problem = Assert.Single(BasePlan.Problems(BasePlan.With("    baseline: A\n    sweep:\n      - {workload: [A, C], batch: 8}\n", "    cells: [{workload: A}, {workload: C, operating_point: {service: {milliseconds_per_token: 50, statistic: mean}}}]\n")));
        Assert.Equal((15, "groups[0].cells[1].operating_point", "'C' has the s* 'mean 50 ms' and 'A' beside it 'mean 100 ms'"), (problem.Line, problem.Key, problem.Wrong));
    }

    [Fact]
    public void Pairs_of_layers_chosen_from_memory_are_one_for_the_group_and_whole_units()
    {
        var group = BasePlan.Resolve(BasePlan.With("layers: [2, 4]", "layers: auto").Replace("workload: [A, C], batch: 8", "workload: [I0, I]", StringComparison.Ordinal).Replace("baseline: A", "baseline: I0", StringComparison.Ordinal)).Groups[0];

        Assert.All(group.Cells, c => Assert.Equal((8, 8), (c.Configuration.ShortLayers, c.Configuration.LongLayers)));
        Assert.Contains("linearity unchecked", group.Notes);
    }

    [Fact]
    public void A_cell_that_does_not_fit_the_hardware_is_refused_with_its_size()
    {
        var problem = Assert.Single(BasePlan.Problems(BasePlan.With("layers: [2, 4]", "layers: auto").Replace("workload: [A, C], batch: 8", "workload: A, batch: 8, context: 1048576", StringComparison.Ordinal)));

        Assert.Equal((17, "groups[0].sweep[0].batch"), (problem.Line, problem.Key));
        Assert.Contains("276.5 GB", problem.Wrong, StringComparison.Ordinal);
    }

    private static DeviceInfo Device(string model, DeviceKind kind, string site = "north") => new(
        "n1", "GPU-1", model, kind, site, "r1", 0, 80e9, 3.35e12, Provenance.Declared, 790e12, 700, 700, "sim", "sim", Provenance.Modelled);

    [Theory]
    [InlineData("H100-SXM-80GB", null, null)]
    [InlineData("H200-SXM-141GB", "hardware.model", "no device of the grid is a 'H100-SXM-80GB'")]
    public void Hardware_that_nobody_has_is_refused(string has, string? key, string? wrong)
    {
        var problems = PlanFile.Load(BasePlan.Text, "p.yaml", [Device(has, DeviceKind.Simulated)]).Problems;

        Assert.Equal(key, problems.SingleOrDefault()?.Key);
        Assert.Equal(wrong, problems.SingleOrDefault()?.Wrong);
    }

    [Theory]
    [InlineData("description: 16 simulated H100", 16, new[] { "hardware.description", "hardware.devices" })]
    [InlineData("description: 4 simulated H100", 16, new[] { "hardware.devices" })]
    [InlineData("description: 16 x H100 SXM", 4, new[] { "hardware.description" })]
    [InlineData("description: 8 H100 at 700 W", null, new[] { "hardware.description" })]
    [InlineData("description: 2 nodes of 2 H100 at 700 W", 4, new string[0])]
    [InlineData("description: the lab's H100, 80 GB", 3, new string[0])]
    public void A_plan_that_names_more_devices_than_the_grid_has_is_valid_with_a_warning(string description, int? devices, string[] keys)
    {
        var text = BasePlan.With("description: 8 x H100", description).Replace("  model: H100-SXM-80GB", "  model: H100-SXM-80GB" + (devices is { } n ? $"\n  devices: {n}" : ""), StringComparison.Ordinal);
        DeviceInfo[] grid = [.. Enumerable.Repeat(Device("H100-SXM-80GB", DeviceKind.Simulated), 4), Device("H200-SXM-141GB", DeviceKind.Simulated)];
        var loaded = PlanFile.Load(text, "p.yaml", grid);

        Assert.NotNull(loaded.Plan);
        Assert.Equal(keys, loaded.Warnings.Select(w => w.Key));
        Assert.All(loaded.Warnings, w => Assert.Contains("the grid has 4 devices of H100-SXM-80GB", w.Wrong, StringComparison.Ordinal));
        Assert.Empty(PlanFile.Load(text, "p.yaml").Warnings);
    }

    [Fact]
    public void Sites_and_stacks_are_checked_against_the_grid()
    {
        DeviceInfo[] grid = [Device("H100-SXM-80GB", DeviceKind.Cuda)];

        Assert.Equal("stack: cuda", Assert.Single(PlanFile.Load(BasePlan.Text, "p.yaml", grid).Problems).Right);
        var site = Assert.Single(PlanFile.Load(BasePlan.With("  model: H100-SXM-80GB", "  model: H100-SXM-80GB\n  site: nroth"), "p.yaml", [Device("H100-SXM-80GB", DeviceKind.Simulated)]).Problems);
        Assert.Equal((10, "hardware.site", "did you mean 'north'? It is one of north"), (site.Line, site.Key, site.Right));
    }

    [Fact]
    public void A_hardware_class_that_only_the_grid_knows_resolves_there_or_with_a_given_pair()
    {
        var unknown = BasePlan.With("H100-SXM-80GB", "MI300X");

        Assert.NotNull(PlanFile.Load(unknown, "p.yaml").Plan);
        var auto = unknown.Replace("layers: [2, 4]", "layers: auto", StringComparison.Ordinal);
        var problem = Assert.Single(PlanFile.Load(auto, "p.yaml").Problems);
        Assert.Equal((9, "hardware.model"), (problem.Line, problem.Key));
        Assert.NotNull(PlanFile.Load(auto, "p.yaml", [Device("MI300X", DeviceKind.Simulated)]).Plan);
    }
}
