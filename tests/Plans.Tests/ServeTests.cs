using EnergyGrid.Contracts;

namespace EnergyGrid.Plans.Tests;

/// <summary>Cells of serving engines: what their keys come to, and what is refused.</summary>
public class ServeTests
{
    private const string Text = """
        name: served
        operating_point:
          quality: {target: greedy answers, check: none}
          service: {milliseconds_per_token: 100, statistic: p99, first_token_milliseconds: 500}
        workload_mix: 128 in, 64 out
        batching: continuous
        hardware:
          description: a laptop
          model: any-cpu
        boundary: gpu
        groups:
          - name: one
            baseline: tiny-f16
            sweep:
              - {workload: serve, stack: llama-server, model: [tiny-f16, tiny-q8], load: {concurrency: 1}, prompts: {input_tokens: 128, output_tokens: 64}, generation: {ignore_eos: true}}
          - name: four
            baseline: tiny-f16
            sweep:
              - {workload: serve, stack: llama-server, model: [tiny-f16, tiny-q8], engine: {threads: 2}, load: {concurrency: 4}, prompts: {input_tokens: {min: 64, max: 128}, output_tokens: 64}}
        passes: {min: 5, max: 9}

        """;

    [Fact]
    public void Keys_come_to_a_configuration_and_what_varies_is_the_label()
    {
        var plan = BasePlan.Resolve(Text);

        Assert.Equal<string>(["tiny-f16", "tiny-q8", "tiny-f16 (twin)"], plan.Groups[0].Cells.Select(c => c.Label));
        Assert.Equal<string>(["load", "prompts", "generation"], plan.Match);
        var c = plan.Groups[1].Cells[1].Configuration;
        Assert.Equal(("serve", "llama-server", "tiny-q8", "2"), (c.Workload, c.Stack, c.Serve!.Model, c.Serve.Parameters["threads"]));
        Assert.Equal(new ServeLoad(ArrivalProcess.Closed, 4), c.Serve.Load);
        Assert.Equal(new LengthSpread(LengthKind.Uniform, 64, 128, 96, 0), c.Serve.Prompts.Input);
        Assert.Equal(500, plan.Disclosure.FirstTokenMilliseconds);
        Assert.Equal<int>([LayerLegs.WholeModel], LayerLegs.Of(c));
        Assert.True(double.IsNaN(plan.Groups[0].Cells[0].Cost.Bytes));
    }

    [Fact]
    public void A_resolved_plan_reads_as_itself()
    {
        foreach (var text in new[] { Text, Text.Replace("load: {concurrency: 4}", "load: {rate: 2.5, arrivals: gamma, shape: 0.5}", StringComparison.Ordinal),
            Text.Replace("prompts: {input_tokens: 128, output_tokens: 64}", $"prompts: {{file: /data/p.jsonl, sha256: {new string('a', 64)}, output_tokens: {{distribution: lognormal, min: 1, max: 400, mean: 90, deviation: 60}}}}", StringComparison.Ordinal),
            Text.Replace("load: {concurrency: 1}", $"load: {{trace: /data/t.csv, sha256: {new string('b', 64)}}}", StringComparison.Ordinal) })
        {
            var plan = BasePlan.Resolve(text);

            Assert.Equal(plan.Sha256, BasePlan.Resolve(PlanWriter.ToYaml(plan)).Sha256);
            Assert.Equal(PlanWriter.ToYaml(plan), PlanWriter.ToYaml(BasePlan.Resolve(PlanWriter.ToYaml(plan))));
        }
    }

    [Fact]
    public void The_identity_is_of_all_that_is_asked_and_of_no_path()
    {
        string Of(string text) => BasePlan.Resolve(text).Groups[0].Cells[0].ConfigurationSha256;
        var first = Of(Text);

        Assert.NotEqual(first, Of(Text.Replace("concurrency: 1", "concurrency: 2", StringComparison.Ordinal)));
        Assert.NotEqual(first, Of(Text.Replace("input_tokens: 128,", "input_tokens: 129,", StringComparison.Ordinal)));
        Assert.NotEqual(first, Of(Text.Replace("ignore_eos: true", "ignore_eos: false", StringComparison.Ordinal)));
        Assert.NotEqual(first, Of(Text.Replace("ignore_eos: true", "ignore_eos: true, seed: 1", StringComparison.Ordinal)));
        string File(string path) => Text.Replace("prompts: {input_tokens: 128,", $"prompts: {{file: {path}, sha256: {new string('a', 64)},", StringComparison.Ordinal);
        Assert.Equal(Of(File("/a/b")), Of(File("/c")));
        Assert.NotEqual(first, Of(File("/a/b")));
    }

    [Theory]
    [InlineData("load: {concurrency: 1}, ", "", "groups[0].sweep[0]", "a cell of workload serve has no load")]
    [InlineData("load: {concurrency: 1}", "load: {concurrency: 1, rate: 2}", "load", "says concurrency and rate at once")]
    [InlineData("load: {concurrency: 1}", "load: {}", "load", "says neither concurrency nor rate nor trace")]
    [InlineData("load: {concurrency: 1}", "load: {rate: 2, shape: 3}", "load", "has a shape and is not gamma")]
    [InlineData("load: {concurrency: 1}", "load: {concurrency: 1, arrivals: poisson}", "load.arrivals", "arrivals has no meaning beside concurrency")]
    [InlineData("load: {concurrency: 1}", "load: {concurrency: 0}", "load.concurrency", "is 0")]
    [InlineData("load: {concurrency: 1}", "load: {concurrency: 1}, batch: 8", "batch", "batch is of decode steps")]
    [InlineData("input_tokens: 128, ", "", "prompts", "has no input_tokens")]
    [InlineData("input_tokens: {min: 64, max: 128}", "input_tokens: {min: 64, max: 12}", "max", "is 12, below min 64")]
    [InlineData("input_tokens: {min: 64, max: 128}", "input_tokens: {min: 64, max: 128, distribution: normal}", "input_tokens", "is normal without mean")]
    [InlineData("input_tokens: {min: 64, max: 128}", "input_tokens: {min: 64, max: 128, mean: 80}", "mean", "mean has no meaning for a uniform length")]
    [InlineData("ignore_eos: true", "min_tokens: 65", "min_tokens", "is 65, and an answer may be asked for 64 at most")]
    [InlineData("engine: {threads: 2}", "engine: {threads: [2]}", "engine.threads", "is a list")]
    [InlineData("engine: {threads: 2}", "engine: 2", "engine", "is 2")]
    [InlineData("workload: serve, stack: llama-server, model: [tiny-f16, tiny-q8], engine", "workload: A, stack: llama-server, model: [tiny-f16, tiny-q8], engine", "model[0]", "is of serving engines")]
    [InlineData("stack: llama-server, model: [tiny-f16, tiny-q8], load", "stack: \"llama server\", model: [tiny-f16, tiny-q8], load", "stack", "is the text \"llama server\"")]
    public void What_contradicts_itself_is_refused_by_its_place(string old, string replacement, string key, string wrong)
    {
        Assert.Contains(old, Text, StringComparison.Ordinal);
        var at = Text.IndexOf(old, StringComparison.Ordinal);
        var problems = BasePlan.Problems(Text[..at] + replacement + Text[(at + old.Length)..]);

        Assert.Contains(problems, p => p.Key.EndsWith(key, StringComparison.Ordinal) && p.Wrong.Contains(wrong, StringComparison.Ordinal));
        // Once, however many cells the value stands in.
        Assert.Equal(problems.Length, problems.Distinct().Count());
    }

    [Fact]
    public void A_kernel_stack_is_named_where_a_decode_step_asks_for_another()
    {
        var problem = Assert.Single(BasePlan.Problems(BasePlan.With("stack: simulated", "stack: llama-server")));

        Assert.Contains("runs workload: serve alone", problem.Right, StringComparison.Ordinal);
    }

    [Fact]
    public void Loads_that_differ_are_compared_only_where_the_plan_says_that_they_may()
    {
        var text = Text.Replace("model: [tiny-f16, tiny-q8], load: {concurrency: 1}", "model: tiny-f16, load: [{concurrency: 1}, {concurrency: 2}]", StringComparison.Ordinal).Replace("baseline: tiny-f16\n            sweep:\n              - {workload: serve, stack: llama-server, model: tiny-f16", "baseline: c1\n            sweep:\n              - {workload: serve, stack: llama-server, model: tiny-f16", StringComparison.Ordinal);
        text = text.Replace("baseline: tiny-f16\n    sweep:\n      - {workload: serve, stack: llama-server, model: tiny-f16", "baseline: c1\n    sweep:\n      - {workload: serve, stack: llama-server, model: tiny-f16", StringComparison.Ordinal);

        Assert.Contains(BasePlan.Problems(text), p => p.Wrong.Contains("match key load", StringComparison.Ordinal));
        var loose = BasePlan.Resolve(text + "match: [prompts, generation]\n");
        Assert.Equal<string>(["c1", "c2", "c1 (twin)"], loose.Groups[0].Cells.Select(c => c.Label));
        Assert.Equal<string>(["load c2 against c1"], Comparability.Confounds(loose.Groups[0].Cells[1], loose.Groups[0].Cells[0]));
    }
}
