using System.Globalization;
using System.Text;

namespace EnergyGrid.Plans.Tests;

/// <summary>Numbers, words and characters that readers take differently or that would steer a screen: each ends in a sentence with its place, or means what YAML 1.2 says.</summary>
public class HostileTests
{
    private static string Text(string extra = "", string batch = "8", string batching = "closed batch") => $$"""
        name: int4-vs-fp16
        operating_point:
          quality: {target: "not applicable: synthetic weights", check: "none"}
          service: {milliseconds_per_token: 50, statistic: mean}
        workload_mix: decode only, 4096 tokens of context
        batching: {{batching}}
        hardware: {description: 16 simulated H100, model: H100-SXM-80GB, devices: 16}
        boundary: gpu
        stack: simulated
        groups:
          - {name: b1, baseline: A, sweep: [{workload: [A, C], batch: 1, context: 4096}]}
          - {name: b8, baseline: A, sweep: [{workload: [A, C], batch: {{batch}}, context: 4096}]}
          - {name: b32, baseline: A, sweep: [{workload: [A, C], batch: 32, context: 4096}]}
        {{extra}}
        """;

    [Fact]
    public void The_plan_that_the_others_spoil_is_one() => Assert.Equal(7, BasePlan.Resolve(Text()).Groups.Sum(g => g.Cells.Length));

    [Theory]
    [InlineData("[1, 1]", 14, 9, "layers", "[1, 1] is one depth twice, and no slope goes through one point", "values of L' that strictly increase, for example [1, 16], or auto")]
    [InlineData("[16, 1]", 14, 14, "layers[1]", "is 1 after 16", "values of L' that strictly increase: [1, 16]")]
    [InlineData("[1, 5, 5]", 14, 16, "layers[2]", "is 5 after 5", "values of L' that strictly increase: [1, 5]")]
    [InlineData("[5, 5, 5]", 14, 13, "layers[1]", "is 5 after 5", "values of L' that strictly increase")]
    [InlineData("[1]", 14, 9, "layers", "is a list of 1", "a list of 2 to 3, each a whole number from 1 to 10000")]
    [InlineData("[]", 14, 9, "layers", "is an empty list", "a list of 2 to 3, each a whole number from 1 to 10000")]
    [InlineData("[0, 1]", 14, 10, "layers[0]", "is 0", "a whole number from 1 to 10000")]
    public void Depths_that_give_no_slope_are_refused_once_however_many_groups_share_them(string layers, int line, int column, string key, string wrong, string right)
    {
        var problem = Assert.Single(BasePlan.Problems(Text("layers: " + layers)));

        Assert.Equal((line, column, key, wrong), (problem.Line, problem.Column, problem.Key, problem.Wrong));
        Assert.EndsWith(right, problem.Right, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("010", "is 010, octal to a reader of YAML 1.1 and decimal to one of 1.2")]
    [InlineData("-010", "is -010, octal to a reader of YAML 1.1 and decimal to one of 1.2")]
    [InlineData("08", "is 08, octal to a reader of YAML 1.1 and decimal to one of 1.2")]
    [InlineData("0o10", "is 0o10")]
    [InlineData("0x10", "is 0x10")]
    [InlineData("0b10", "is 0b10")]
    [InlineData("1e2", "is 1e2")]
    [InlineData("8.0", "is 8.0")]
    [InlineData("0.0", "is 0.0")]
    [InlineData("1_000", "is 1_000")]
    [InlineData("\"8\"", "is the text \"8\"")]
    [InlineData("++8", "is ++8")]
    [InlineData("8 9", "is 8 9")]
    [InlineData("8:30", "is 8:30")]
    [InlineData(".inf", "is .inf")]
    [InlineData("-.inf", "is -.inf")]
    [InlineData(".nan", "is .nan")]
    [InlineData("NaN", "is NaN")]
    [InlineData("Infinity", "is Infinity")]
    [InlineData("true", "is true")]
    [InlineData("٨", "is ٨")]
    [InlineData("８", "is ８")]
    [InlineData("-8", "is -8")]
    [InlineData("99999999999999999999", "is 99999999999999999999")]
    public void A_whole_number_is_plain_decimal_digits_or_refused(string written, string wrong)
    {
        var problem = Assert.Single(BasePlan.Problems(Text(batch: written)));

        Assert.Equal((12, 63, "groups[1].sweep[0].batch", wrong), (problem.Line, problem.Column, problem.Key, problem.Wrong));
        Assert.StartsWith("a whole number from 1 to 1024", problem.Right, StringComparison.Ordinal);
    }

    [Fact]
    public void A_sign_in_front_of_a_whole_number_is_what_YAML_says() => Assert.Equal(8, BasePlan.Resolve(Text(batch: "+8")).Groups[1].Cells[0].Configuration.Batch);

    [Theory]
    [InlineData("30", 30.0)]
    [InlineData("+30", 30.0)]
    [InlineData("3e1", 30.0)]
    [InlineData("3E+1", 30.0)]
    [InlineData("30.", 30.0)]
    [InlineData(".5", 0.5)]
    [InlineData("0.5", 0.5)]
    [InlineData("030", null)]
    [InlineData("00.5", null)]
    [InlineData("0x1E", null)]
    [InlineData("0o36", null)]
    [InlineData("3_0", null)]
    [InlineData("30s", null)]
    [InlineData(".inf", null)]
    [InlineData(".NaN", null)]
    [InlineData("1e999", null)]
    [InlineData("0.0", null)]
    [InlineData("-0.0", null)]
    [InlineData("1e-999", null)]
    [InlineData("0,5", null)]
    public void A_number_is_what_YAML_says_or_refused(string written, double? value)
    {
        var loaded = PlanFile.Load(Text($"trial:\n  window_s: {written}"), "p.yaml");

        Assert.Equal(value, loaded.Plan?.Timing.WindowSeconds);
        Assert.Equal(value is null ? [(15, 13, "trial.window_s")] : [], loaded.Problems.Select(p => (p.Line, p.Column, p.Key)));
    }

    [Theory]
    [InlineData("0x1F")]
    [InlineData("0o17")]
    [InlineData("017")]
    [InlineData("1e2")]
    [InlineData(".inf")]
    [InlineData(".NAN")]
    [InlineData("True")]
    [InlineData("FALSE")]
    public void A_word_that_is_a_number_or_a_truth_to_YAML_is_no_text_without_quotes(string written)
    {
        var problem = Assert.Single(BasePlan.Problems(Text(batching: written)));

        Assert.Equal((6, 11, "batching", $"is {written}, which is not text"), (problem.Line, problem.Column, problem.Key, problem.Wrong));
        Assert.Equal(written, BasePlan.Resolve(Text(batching: $"'{written}'")).Disclosure.Batching);
    }

    [Theory]
    [InlineData("yes")]
    [InlineData("off")]
    [InlineData("1_000")]
    [InlineData("12:30:45")]
    [InlineData("2026-11-30")]
    [InlineData("NaN")]
    public void A_word_that_only_YAML_1_1_takes_for_something_else_is_text(string written) => Assert.Equal(written, BasePlan.Resolve(Text(batching: written)).Disclosure.Batching);

    private static readonly int[] Unprintables =
        [.. Enumerable.Range(0, 0x20), .. Enumerable.Range(0x7F, 0x21), 0x061C, 0x200E, 0x200F, .. Enumerable.Range(0x2028, 7), .. Enumerable.Range(0x2066, 4)];

    /// <summary>Every text of a plan: what is replaced, by what with X for the text, and where the problem is.</summary>
    private static readonly (string Key, string Old, string New)[] Texts =
    [
        ("name", "name: base", "name: X"),
        ("description", "name: base", "name: base\ndescription: X"),
        ("operating_point.quality.target", "target: \"not applicable: synthetic weights\"", "target: X"),
        ("operating_point.quality.check", "check: none needed", "check: X"),
        ("operating_point.service.statistic", "statistic: mean", "statistic: X"),
        ("workload_mix", "workload_mix: decode only", "workload_mix: X"),
        ("batching", "batching: closed batch", "batching: X"),
        ("hardware.description", "description: 8 x H100", "description: X"),
        ("hardware.model", "model: H100-SXM-80GB", "model: X"),
        ("hardware.site", "model: H100-SXM-80GB", "model: H100-SXM-80GB\n  site: X"),
        ("boundary", "boundary: gpu", "boundary: X"),
        ("stack", "stack: simulated", "stack: X"),
        ("groups[0].name", "- name: g", "- name: X"),
        ("groups[0].baseline", "baseline: A", "baseline: X"),
        ("groups[0].batching", "baseline: A", "baseline: A\n    batching: X"),
        ("groups[0].sweep[0].workload", "workload: [A, C]", "workload: X"),
        ("groups[0].sweep[0].data.weights", "batch: 8}", "batch: 8, data: {weights: X, tensors: '*', sha256: '0'}}"),
        ("groups[0].cells[0].label", "    sweep:\n", "    cells: [{label: X, workload: D, batch: 8}]\n    sweep:\n"),
        ("panels[0].title", "passes:", "panels: [{title: X, baseline: {group: g, label: A}, cells: [{group: g, label: A}]}]\npasses:"),
        ("cost.currency", "passes:", "cost: {price_per_kwh: 0.1, currency: X}\npasses:"),
    ];

    [Fact]
    public void Controls_and_whatever_changes_the_direction_of_text_are_refused_in_every_text_by_code_point()
    {
        foreach (var (key, old, replacement) in Texts)
        {
            foreach (var code in Unprintables)
            {
                var escaped = $"\"a\\u{code.ToString("X4", CultureInfo.InvariantCulture)}b\"";
                var problems = BasePlan.Problems(BasePlan.With(old, replacement.Replace("X", escaped, StringComparison.Ordinal)));
                if (key == "description" && (char)code is '\n' or '\t')
                {
                    Assert.Empty(problems);
                    continue;
                }

                var problem = Assert.Single(problems, p => p.Key == key);
                Assert.Contains($"U+{code:X4}", problem.Wrong, StringComparison.Ordinal);
                Assert.True(problem is { Line: > 0, Column: > 0 });
                Assert.DoesNotContain((char)code, problem.ToString());
            }
        }
    }

    [Theory]
    [InlineData("\"closed \\x1b[31mbatch\\u0007\"", "holds the control character U+001B, the control character U+0007")]
    [InlineData("\"<script>alert(1)</script> \\x1b[31mRED\\x07 \\u202eevil\"", "holds the control character U+001B, the control character U+0007, the bidirectional control U+202E")]
    [InlineData("closed \u202Ebatch", "holds the bidirectional control U+202E")]
    [InlineData("\"closed\\nbatch\"", "holds the control character U+000A")]
    [InlineData("\"a\\0b\"", "holds the control character U+0000")]
    public void What_would_steer_a_terminal_is_named_and_not_shown(string written, string wrong)
    {
        var problem = Assert.Single(BasePlan.Problems(Text(batching: written)));

        Assert.Equal((6, 11, "batching", wrong), (problem.Line, problem.Column, problem.Key, problem.Wrong));
    }

    [Fact]
    public void Markup_is_text_like_any_other() => Assert.Equal("<script>alert(1)</script>", BasePlan.Resolve(Text(batching: "<script>alert(1)</script>")).Disclosure.Batching);

    [Fact]
    public void Letters_of_every_script_are_text() => Assert.Equal("מדידה קצרה ✓ 𝄞 naïve", BasePlan.Resolve(Text(batching: "מדידה קצרה ✓ 𝄞 naïve")).Disclosure.Batching);

    [Fact]
    public void A_comment_that_reads_otherwise_than_it_is_stored_is_refused()
    {
        var problem = Assert.Single(BasePlan.Problems(Text("# fine \u2066 not fine")));

        Assert.Equal((14, 8, "", "holds the bidirectional control U+2066"), (problem.Line, problem.Column, problem.Key, problem.Wrong));
    }

    [Fact]
    public void A_key_cannot_carry_an_override_to_the_screen()
    {
        var problem = Assert.Single(BasePlan.Problems(Text("\"pas\\u202eses\": 1")));

        Assert.Equal((14, 1, "pas?ses"), (problem.Line, problem.Column, problem.Key));
        Assert.DoesNotContain('\u202E', problem.ToString());
    }

    [Fact]
    public void Another_version_of_YAML_is_refused()
    {
        var problem = Assert.Single(BasePlan.Problems("%YAML 1.1\n---\n" + Text()));

        Assert.Equal((1, 1), (problem.Line, problem.Column));
        Assert.Contains("1.1", problem.Wrong, StringComparison.Ordinal);
        Assert.NotNull(PlanFile.Load("%YAML 1.2\n---\n" + Text(), "p.yaml").Plan);
    }

    [Theory]
    [InlineData("batching", 2001)]
    [InlineData("description", 20_001)]
    public void Very_long_text_is_refused_by_its_length(string key, int length)
    {
        var text = key == "batching" ? Text(batching: new string('x', length)) : Text("description: " + new string('x', length));

        Assert.Equal((key, $"has {length} characters"), BasePlan.Problems(text) is [var p] ? (p.Key, p.Wrong) : default);
        Assert.NotNull(PlanFile.Load(text.Replace("xx", "x", StringComparison.Ordinal), "p.yaml").Plan);
    }

    [Fact]
    public void A_problem_of_any_length_is_told_in_a_line()
    {
        var problems = BasePlan.Problems(Text(new string('k', 1000) + ": 1", batch: new string('0', 100_000)));

        Assert.Equal(2, problems.Length);
        Assert.All(problems, p => Assert.InRange(new StringBuilder().Append(p).Length, 1, 1200));
    }
}
