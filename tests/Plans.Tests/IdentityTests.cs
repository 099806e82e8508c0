using System.Security.Cryptography;
using System.Text;

namespace EnergyGrid.Plans.Tests;

public class IdentityTests
{
    private const string Everything = """
        name: everything (1+1=2)
        description: "a \"quoted\" line,\nanother — ✓ 𝄞 # not a comment, \\ and \t"
        operating_point:
          quality: {target: "not applicable: synthetic weights", check: "none: [x] {y} & *z"}
          service: {milliseconds_per_token: 99.5, statistic: p99}
        workload_mix: "yes"
        batching: "5"
        hardware: {description: d, model: H200-SXM-141GB, site: north, devices: 3}
        boundary: rack
        stack: cuda
        match: [context, data_seed]
        groups:
          - {name: one, baseline: A, layers: [1, 3], cells: [{workload: A}, {label: "D'", workload: "D'", batch: 8, weights: FP16}]}
          - {name: two, operating_point: {service: {milliseconds_per_token: 50, statistic: p50}}, boundary: facility,
             sweep: [{workload: [G, G0], data: [normal, zeros], data_seed: 9007199254740991, vocabulary: 0}]}
        panels: [{title: p, baseline: {group: one, label: A}, cells: [{group: two, label: G zeros, published_joules_per_token: 0.1}]}]
        aa: {of: "D'", delta: 0.005}
        passes: {min: 2, max: 2, half_width: 1e-3}
        fill: node
        order: {seed: 7}
        trial: {warmup_s: 0.25, window_s: 1e-2, cooldown_s: 0, start_temperature_c: {max: 61.5}, precondition_timeout_s: 1}
        guards: {min_coverage: 1, max_clock_error_s: 0, max_thermal_fraction: 0, max_counter_residual: 0.5}
        envelope: {watts: 1e8, boundary: facility, devices: 100000}
        pue: {source: declared, value: 1.08, category: 2}
        cost: {price_per_kwh: 0.1, kappa: 1e-7, currency: EUR}
        traces: all
        """;

    private const string EverythingElse = """
        name: everything else
        operating_point:
          quality: {target: "not applicable: synthetic weights", check: none}
          service: {milliseconds_per_token: 100, statistic: mean}
        workload_mix: decode
        batching: closed
        hardware: {description: d, model: H100-SXM-80GB}
        boundary: gpu
        stack: simulated
        head: false
        data: {seed: 3, weights: models/a.safetensors, tensors: "model.*", sha256: "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"}
        groups:
          - {name: own, baseline: A, layers: [1, 9], cells: [{workload: A, layers: [1, 4, 9]}, {workload: C, batch: 8, layers: [1, 5, 9]}, {workload: "D'", batch: 8}]}
          - {name: shared, baseline: G0, layers: [1, 2, 5], sweep: [{workload: [G, G0]}]}
          - {name: chosen, baseline: A, sweep: [{workload: [A, B], batch: 8}]}
          - {name: one depth, baseline: I0, sweep: [{workload: [I, I0, "I0'"]}]}
          - {name: drawn, sweep: [{workload: K, data: [zeros, normal, {weights: b.safetensors, tensors: x, sha256: "00112233445566778899aabbccddeeff00112233445566778899aabbccddeefe"}]}]}
        aa: all
        """;

    public static TheoryData<string> Plans => [BasePlan.Text, Everything, EverythingElse, .. ExamplePlans.Names.Select(ExamplePlans.Text)];

    [Theory]
    [MemberData(nameof(Plans))]
    public void A_resolved_plan_read_again_is_the_same_plan(string text)
    {
        var plan = BasePlan.Resolve(text);

        var again = BasePlan.Resolve(PlanWriter.ToYaml(plan));

        Assert.Equal(PlanWriter.ToYaml(plan), PlanWriter.ToYaml(again));
        Assert.Equal(plan.Sha256, again.Sha256);
        Assert.Equal(plan.Disclosure, again.Disclosure);
        Assert.Equal(plan.Timing, again.Timing);
        Assert.Equal(plan.Hardware, again.Hardware);
        foreach (var (before, after) in plan.Groups.Zip(again.Groups))
        {
            Assert.Equal((before.Name, before.Baseline), (after.Name, after.Baseline));
            Assert.Equal(before.Cells.AsEnumerable(), after.Cells.AsEnumerable());
            Assert.Equal(before.Notes.AsEnumerable(), after.Notes.AsEnumerable());
        }
    }

    [Theory]
    [MemberData(nameof(Plans))]
    public void The_canonical_JSON_is_itself_a_plan_of_the_same_identity(string text)
    {
        var plan = BasePlan.Resolve(text);
        var json = PlanWriter.ToJson(plan);

        Assert.Equal(plan.Sha256, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(json))));
        Assert.Equal(plan.Sha256, BasePlan.Resolve(json).Sha256);
    }

    [Fact]
    public void The_identity_of_a_plan_is_golden()
    {
        var plan = BasePlan.Resolve(BasePlan.Text);

        Assert.Equal("b8950706e84edf1f593ab126e0ed2c0926691264852db0b91a4cf2fb57c39303", plan.Sha256);
        Assert.Equal("3a4ac104a5af1add6f79e4978a742496fae25565cb4184358645bd60addd6e10", plan.Groups[0].Cells[0].ConfigurationSha256);
    }

    [Fact]
    public void Comments_order_of_keys_and_spelled_out_defaults_change_nothing()
    {
        var other = "# a comment\norder: {seed: 1}\nguards: {}\n" + BasePlan.With("{workload: [A, C], batch: 8}", "{batch: [8], context: 4096, workload: [A, \"C\"]} # all").Replace("boundary: gpu\n", "", StringComparison.Ordinal) + "boundary: gpu\n";

        Assert.Equal(BasePlan.Resolve(BasePlan.Text).Sha256, BasePlan.Resolve(other).Sha256);
    }

    [Theory]
    [InlineData("batch: 8}", "batch: 9}", true)]
    [InlineData("stack: simulated", "stack: cuda", true)]
    [InlineData("layers: [2, 4]", "layers: [2, 6]", true)]
    [InlineData("layers: [2, 4]", "layers: [2, 3, 4]", true)]
    [InlineData("  max: 9\n", "  max: 9\naa: {of: C}\n", false)]
    [InlineData("stack: simulated", "stack: simulated\ndata: {seed: 2}", true)]
    [InlineData("  max: 9", "  max: 8", false)]
    [InlineData("name: base", "name: other", false)]
    [InlineData("batching: closed batch", "batching: continuous", false)]
    public void What_is_executed_changes_configurations_and_everything_changes_the_plan(string old, string replacement, bool configuration)
    {
        var (before, after) = (BasePlan.Resolve(BasePlan.Text), BasePlan.Resolve(BasePlan.With(old, replacement)));

        Assert.NotEqual(before.Sha256, after.Sha256);
        Assert.Equal(configuration, before.Groups[0].Cells[0].ConfigurationSha256 != after.Groups[0].Cells[0].ConfigurationSha256);
    }
}
