using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;

namespace EnergyGrid.Plans.Tests;

public class FuzzTests
{
    private static readonly string[] Pieces =
    [
        "[", "]", "{", "}", ":", ": ", ",", "- ", "#", "&a ", "*a", "!!int ", "---\n", "...\n", "\n", "\n  ", "\t", "'", "\"", "|\n", ">-\n", "? ", "<<: ", "%YAML 1.2\n",
        "null", "~", ".nan", "-1", "1e309", "99999999999", "true", "A", "D'", "batch", "groups", "\0", "\uFEFF", "\uD800", "é", "𝄞", "\\", "\"\\u12\"",
    ];

    /// <summary>Cuts, doublings, swaps, foreign pieces and changed characters.</summary>
    private static string Mutate(string text, Random random)
    {
        var mutated = new StringBuilder(text);
        for (var n = random.Next(1, 6); n > 0 && mutated.Length > 2; n--)
        {
            var at = random.Next(mutated.Length);
            var length = Math.Min(random.Next(1, 40), mutated.Length - at);
            switch (random.Next(6))
            {
                case 0:
                    mutated.Remove(at, length);
                    break;
                case 1:
                    mutated.Insert(random.Next(mutated.Length), mutated.ToString(at, length));
                    break;
                case 2:
                    mutated[at] = (char)random.Next(1, 128);
                    break;
                case 3:
                    mutated.Length = Math.Max(2, at);
                    break;
                default:
                    mutated.Insert(at, Pieces[random.Next(Pieces.Length)]);
                    break;
            }
        }

        return mutated.ToString();
    }

    [Fact]
    public void Any_mutation_of_a_plan_is_a_plan_or_problems_in_bounded_time()
    {
        var random = new Random(20260511);
        var schema = (JsonObject)JsonNode.Parse(PlanSchema.Json())!;
        string[] seeds = [BasePlan.Text, PlanWriter.ToJson(BasePlan.Resolve(BasePlan.Text)), .. ExamplePlans.Names.Select(ExamplePlans.Text)];
        var (plans, refused, slowest, slow) = (0, 0, TimeSpan.Zero, "");
        for (var i = 0; i < 3000; i++)
        {
            var text = Mutate(seeds[i % seeds.Length], random);
            var watch = Stopwatch.StartNew();
            var read = PlanReader.Read(text, "f");
            var loaded = PlanFile.Load(text, "f");
            (slowest, slow) = watch.Elapsed > slowest ? (watch.Elapsed, text) : (slowest, slow);

            Assert.Equal(loaded.Plan is null, loaded.Problems.Length > 0);
            Assert.All(loaded.Problems, p => Assert.True(p is { Line: > 0, Column: > 0, Wrong.Length: > 0, Right.Length: > 0 }, $"{p}\n{text}"));
            if (read.Plan is not null)
            {
                Assert.Empty(SchemaCheck.Violations(schema, read.Plan.ToJson()));
            }

            if (loaded.Plan is { } plan)
            {
                Assert.Equal(plan.Sha256, BasePlan.Resolve(PlanWriter.ToYaml(plan)).Sha256);
            }

            (plans, refused) = loaded.Plan is null ? (plans, refused + 1) : (plans + 1, refused);
        }

        // Both outcomes must occur, or the mutations test only one path.
        Assert.True(plans > 100 && refused > 1000, $"{plans} plans, {refused} refused");
        Assert.True(slowest < TimeSpan.FromSeconds(5), $"{slowest} for\n{slow}");
    }

    [Theory]
    [InlineData("\"")]
    [InlineData("'")]
    [InlineData("a: ")]
    [InlineData("- ")]
    [InlineData("? ")]
    [InlineData("a: [\n")]
    [InlineData("name: x # ")]
    [InlineData("[],")]
    [InlineData("k: |\n  ")]
    [InlineData("&a ")]
    [InlineData("! ")]
    public void A_mebibyte_of_one_construct_is_answered_in_bounded_time(string piece)
    {
        var text = string.Concat(Enumerable.Repeat(piece, (1 << 20) / piece.Length));
        var watch = Stopwatch.StartNew();

        Assert.NotEmpty(PlanReader.Read(text, "f").Problems);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"{watch.Elapsed}");
    }
}
