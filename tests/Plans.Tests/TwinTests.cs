using EnergyGrid.Contracts;

namespace EnergyGrid.Plans.Tests;

/// <summary>A/A pairs: one, several, or one for every group that has a baseline.</summary>
public class TwinTests
{
    private const string Groups = """
        groups:
          - {name: g, baseline: A, sweep: [{workload: [A, C], batch: 8}]}
          - {name: h, baseline: D, sweep: [{workload: [D, F], batch: 24}]}
          - {name: alone, cells: [{workload: K}]}

        """;

    private static string Text(string aa) => BasePlan.With("groups:\n  - name: g\n    baseline: A\n    sweep:\n      - {workload: [A, C], batch: 8}\n", Groups) + aa;

    private static ResolvedPlan Resolve(string aa) => BasePlan.Resolve(Text(aa));

    private static string[] Twins(ResolvedPlan plan) => [.. plan.Groups.SelectMany(g => g.Cells.Where(c => c.TwinOf is not null).Select(c => $"{g.Name}/{c.Label}"))];

    [Theory]
    [InlineData("", new[] { "g/A (twin)" }, 0.01)]
    [InlineData("aa: {group: h, of: F, delta: 0.02}", new[] { "h/F (twin)" }, 0.02)]
    [InlineData("aa: [{group: h, of: F, delta: 0.02}]", new[] { "h/F (twin)" }, 0.02)]
    [InlineData("aa: [{group: h, delta: 0.005}, {group: g, of: C}]", new[] { "g/C (twin)", "h/D (twin)" }, 0.005)]
    [InlineData("aa: all", new[] { "g/A (twin)", "h/D (twin)" }, 0.01)]
    public void Pairs_are_those_that_were_asked_for_under_one_delta_and_survive_being_written(string aa, string[] twins, double delta)
    {
        var plan = Resolve(aa);
        var again = BasePlan.Resolve(PlanWriter.ToYaml(plan));

        Assert.Equal((string.Join(' ', twins), delta), (string.Join(' ', Twins(plan)), plan.EquivalenceDelta));
        Assert.Equal(string.Join(' ', twins), string.Join(' ', Twins(again)));
        Assert.Equal(plan.Sha256, again.Sha256);
    }

    [Fact]
    public void Two_deltas_are_refused()
    {
        var problem = Assert.Single(BasePlan.Problems(Text("aa: [{group: g, delta: 0.02}, {group: h, delta: 0.01}]")));

        Assert.Equal(("aa[1].delta", "is 0.01, and another pair's δ is 0.02"), (problem.Key, problem.Wrong));
    }

    [Fact]
    public void A_twin_is_its_original_under_another_label()
    {
        foreach (var group in Resolve("aa: all").Groups.Where(g => g.Baseline is not null))
        {
            var twin = group.Cells[^1];
            Assert.Equal(group.Cells.Single(c => c.Label == twin.TwinOf), twin with { Label = twin.TwinOf!, TwinOf = null });
        }
    }

    [Fact]
    public void One_pair_and_a_list_of_it_are_the_same_plan() => Assert.Equal(Resolve("aa: {group: g, of: C}").Sha256, Resolve("aa: [{group: g, of: C}]").Sha256);
}
