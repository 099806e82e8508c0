using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Plans;

namespace EnergyGrid.Grid.Tests.Serving;

/// <summary>A sweep of serving engines goes where all of them may run, and nowhere else; what nobody offers is refused when it is submitted.</summary>
public sealed class DeviceChoiceTests
{
    private static readonly ResolvedPlan Plan = PlanFile.Load("""
        name: served
        operating_point:
          quality: {target: none claimed, check: none}
          service: {milliseconds_per_token: 500, statistic: p99}
        workload_mix: 64 in, 24 out
        batching: continuous
        hardware: {description: processors, model: any-cpu}
        boundary: gpu
        groups:
          - name: g
            baseline: a
            sweep: [{workload: serve, stack: s, model: [a, b], engine: {threads: 1}, load: {concurrency: 1}, prompts: {input_tokens: 64, output_tokens: 24}}]
        """, "p.yaml").Plan!;

    private static NodeInventory Node(string host, params StackOffer[] stacks) => new(
        host, "site", "rack", [new DeviceInfo(host, "cpu-0", "cpu", DeviceKind.Cpu, "site", "rack", 0, 1e9, 1e9, Provenance.Measured, 1e9, 100, 100, "driver", "declared", Provenance.Modelled)], [])
    { Stacks = [.. stacks] };

    private static StackOffer Offer(string models, string parameters = "threads") => new("s", "llama.cpp", [.. models.Split(' ')], [.. parameters.Split(' ')]);

    [Fact]
    public void Only_nodes_that_offer_every_stack_and_model_are_taken()
    {
        var groups = DeviceChoice.Groups(Plan, [Node("none"), Node("half", Offer("a")), Node("all", Offer("a b c")), Node("other", Offer("a b") with { Name = "t" })]);

        Assert.Equal(["all"], groups.SelectMany(g => g).Select(d => d.Host));
    }

    [Fact]
    public void What_no_node_offers_is_refused_with_what_there_is()
    {
        string Refused(params ImmutableArray<NodeInventory> nodes) => Assert.Throws<RefusedException>(() => DeviceChoice.Groups(Plan, nodes)).Message;

        Assert.Contains("no node has a stacks.yaml", Refused(Node("none")), StringComparison.Ordinal);
        var half = Refused(Node("half", Offer("a")), Node("rest", Offer("b")));
        Assert.Contains("may run stack 's' with model 'a' and all other cells", half, StringComparison.Ordinal);
        Assert.Contains("s with a on half; s with b on rest", half, StringComparison.Ordinal);
        Assert.Contains("stack 's' has no parameter 'threads'; it has context, parallel", Refused(Node("all", Offer("a b", "context parallel"))), StringComparison.Ordinal);
    }
}
