using EnergyGrid.Contracts;

namespace EnergyGrid.Plans.Tests;

/// <summary>The plans that a newcomer begins with.</summary>
public class TemplateTests
{
    private static readonly string Folder = Path.Combine(ExamplePlans.Folder, "templates");

    private static string[] Names => [.. Directory.GetFiles(Folder, "*.yaml").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    public static TheoryData<string> All => [.. Names];

    [Fact]
    public void There_are_the_five_that_the_documentation_names() =>
        Assert.Equal(["attention-variants.yaml", "batch-scaling.yaml", "context-scaling.yaml", "int4-vs-fp16.yaml", "quick-look.yaml"], Names);

    [Theory]
    [MemberData(nameof(All))]
    public void Each_asks_a_question_first_and_runs_on_this_machine_within_minutes(string name)
    {
        var text = File.ReadAllText(Path.Combine(Folder, name));
        Assert.StartsWith("# ", text);
        Assert.Contains('?', text.Split('\n')[0]);
        var plan = BasePlan.Resolve(text);
        Assert.Equal(("any-cpu", Path.GetFileNameWithoutExtension(name)), (plan.Hardware.Model, plan.Name));
        Assert.All(plan.Groups.SelectMany(g => g.Cells), c => Assert.Equal("reference", c.Configuration.Stack));
        Assert.All(plan.Groups, g => Assert.NotNull(g.Baseline));
        var seconds = plan.Replication.Min * plan.Groups.Sum(g => g.Cells.Sum(c => LayerLegs.Of(c.Configuration).Length * (plan.Timing.MaxWarmupSeconds + plan.Timing.WindowSeconds) + plan.Timing.CooldownSeconds));
        Assert.InRange(seconds, 30, 480);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Each_is_valid_on_a_simulated_site_after_the_change_that_its_comment_names(string name)
    {
        var text = File.ReadAllText(Path.Combine(Folder, name));
        Assert.Contains("#   model: H100-SXM-80GB     description: a simulated site     stack: simulated", text);
        foreach (var (old, changed) in new[] { ("  model: any-cpu ", "  model: H100-SXM-80GB "), ("  description: the processor of this machine ", "  description: a simulated site "), ("\nstack: reference ", "\nstack: simulated ") })
        {
            Assert.Equal(2, text.Split(old).Length);
            text = text.Replace(old, changed, StringComparison.Ordinal);
        }

        var plan = BasePlan.Resolve(text);
        Assert.All(plan.Groups.SelectMany(g => g.Cells), c => Assert.Equal("simulated", c.Configuration.Stack));
        Assert.Equal(3, text.Split("(1)").Length - 2);
    }

    [Fact]
    public void Latent_attention_is_compared_at_as_many_parameters()
    {
        var group = BasePlan.Resolve(File.ReadAllText(Path.Combine(Folder, "attention-variants.yaml"))).Groups.Single(g => g.Name == "latent");
        Assert.InRange(group.Cells.Single(c => c.Label == "D").Cost.Parameters / group.Cells.Single(c => c.Label == "A").Cost.Parameters, 0.999, 1.001);
    }

    [Fact]
    public void Scaling_plans_vary_one_thing_and_hold_the_rest()
    {
        foreach (var (name, vary) in new (string, Func<Configuration, int>)[] { ("context-scaling.yaml", c => c.Context), ("batch-scaling.yaml", c => c.Batch) })
        {
            foreach (var group in BasePlan.Resolve(File.ReadAllText(Path.Combine(Folder, name))).Groups)
            {
                var cells = group.Cells.Where(c => c.TwinOf is null).Select(c => c.Configuration).ToArray();
                Assert.True(cells.Length >= 4 && cells.Select(vary).Distinct().Count() == cells.Length);
                Assert.Single(cells.Select(c => c with { Batch = 0, Context = 0 }).Distinct());
            }
        }
    }
}
