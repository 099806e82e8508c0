using System.Diagnostics;

namespace EnergyGrid.Plans.Tests;

public class RefusalTests
{
    /// <summary>What is replaced in the base plan, by what, and the one problem that comes of it: line, column, key, what is wrong.</summary>
    public static TheoryData<string, string, int, int, string, string> Spoiled => new()
    {
        // unknown and duplicate keys
        { "passes:", "pases:", 18, 1, "pases", "the key 'pases' is not known here" },
        { "  min: 5", "  minimum: 5", 19, 3, "passes.minimum", "the key 'minimum' is not known here" },
        { "    baseline: A", "    base_line: A", 15, 5, "groups[0].base_line", "the key 'base_line' is not known here" },
        { "batch: 8}", "batch_size: 8}", 17, 28, "groups[0].sweep[0].batch_size", "the key 'batch_size' is not known here" },
        { "boundary: gpu", "boundary: gpu\nboundary: node", 11, 1, "boundary", "the key 'boundary' is already on line 10" },
        { "batch: 8}", "batch: 8, batch: 24}", 17, 38, "groups[0].sweep[0].batch", "the key 'batch' is already on line 17" },

        // wrong types and values
        { "  min: 5", "  min: five", 19, 8, "passes.min", "is five" },
        { "  min: 5", "  min: \"5\"", 19, 8, "passes.min", "is the text \"5\"" },
        { "  min: 5", "  min: 5.5", 19, 8, "passes.min", "is 5.5" },
        { "  min: 5", "  min: [5]", 19, 8, "passes.min", "is a list of 1" },
        { "  min: 5", "  min:", 19, 3, "passes.min", "has no value" },
        { "  min: 5", "  min: 99999999999999999999", 19, 8, "passes.min", "is 99999999999999999999" },
        { "name: base", "name: 5", 1, 7, "name", "is 5, which is not text" },
        { "name: base", "name: ../base", 1, 7, "name", "is ../base" },
        { "name: base", "name: ''", 1, 7, "name", "is empty" },
        { "boundary: gpu", "boundary: board", 10, 11, "boundary", "is board" },
        { "    sweep:\n      - {workload: [A, C], batch: 8}", "    sweep: none", 16, 12, "groups[0].sweep", "is none" },
        { "batch: 8}", "batch: 2000}", 17, 35, "groups[0].sweep[0].batch", "is 2000" },

        // times and numbers
        { "  window_s: 30", "  window_s: -3", 23, 13, "trial.window_s", "is -3" },
        { "  window_s: 30", "  window_s: 0", 23, 13, "trial.window_s", "is 0" },
        { "  window_s: 30", "  window_s: .nan", 23, 13, "trial.window_s", "is .nan" },
        { "  window_s: 30", "  window_s: NaN", 23, 13, "trial.window_s", "is NaN" },
        { "  window_s: 30", "  window_s: .inf", 23, 13, "trial.window_s", "is .inf" },
        { "  window_s: 30", "  window_s: 1e999", 23, 13, "trial.window_s", "is 1e999" },
        { "{min: 20, max: 180}", "{min: 200, max: 180}", 22, 29, "trial.warmup_s.max", "min 200 seconds of warm-up is more than max 180" },
        { "{min: 20, max: 180}", "{min: 200}", 22, 19, "trial.warmup_s.min", "min 200 seconds of warm-up is more than max 180" },
        { "{min: 20, max: 180}", "-1", 22, 13, "trial.warmup_s", "is -1" },
        { "  max: 9", "  max: 4", 20, 8, "passes.max", "min 5 passes is more than max 4" },

        // the six disclosure dimensions
        { "  quality: {target: \"not applicable: synthetic weights\", check: none needed}\n", "", 2, 1, "operating_point.quality", "disclosure dimension 1 of 6 is missing: q*, the quality target and how it was checked" },
        { "  service: {milliseconds_per_token: 100, statistic: mean}\n", "", 2, 1, "operating_point.service", "disclosure dimension 2 of 6 is missing: s*, the service target" },
        { "workload_mix: decode only\n", "", 1, 1, "workload_mix", "disclosure dimension 3 of 6 is missing: the workload mix" },
        { "batching: closed batch\n", "", 1, 1, "batching", "disclosure dimension 4 of 6 is missing: the batching protocol" },
        { "  description: 8 x H100\n", "", 7, 1, "hardware.description", "disclosure dimension 5 of 6 is missing: the hardware setup" },
        { "boundary: gpu\n", "", 1, 1, "boundary", "disclosure dimension 6 of 6 is missing: the energy-accounting boundary" },
        { "target: \"not applicable: synthetic weights\"", "target: MMLU 70", 3, 21, "operating_point.quality.target", "'MMLU 70' claims a quality, and kernel workloads have synthetic weights" },
        { ", check: none needed", "", 3, 3, "operating_point.quality.check", "the key 'check' is missing" },

        // hardware and the pair of L'
        { "H100-SXM-80GB", "any-cpu", 11, 8, "stack", "no any-cpu executes the stack simulated" },
        { "  model: H100-SXM-80GB\n", "", 7, 1, "hardware.model", "the key 'model' is missing" },
        { "  model: H100-SXM-80GB", "  model: H100-SXM-80GB\n  devices: 0", 10, 12, "hardware.devices", "is 0" },
        { "layers: [2, 4]", "layers: [2, 400]", 12, 9, "layers", "400 layers of A occupy 1077.1 GB, and H100-SXM-80GB has 76.0 GB to use" },
        { "layers: [2, 4]", "layers: [4, 2]", 12, 13, "layers[1]", "is 2 after 4" },
        { "layers: [2, 4]", "layers: [2, 6, 6]", 12, 16, "layers[2]", "is 6 after 6" },
        { "layers: [2, 4]", "layers: [1, 1]", 12, 9, "layers", "[1, 1] is one depth twice, and no slope goes through one point" },
        { "layers: [2, 4]", "layers: [1, 2, 3, 4]", 12, 9, "layers", "is a list of 4" },
        { "layers: [2, 4]", "layers: 3", 12, 9, "layers", "is 3" },
        { "    sweep:\n", "    cells: [{workload: D, batch: 8, layers: [2, 3, 5]}]\n    sweep:\n", 16, 45, "groups[0].cells[0].layers", "[2, 3, 5] has other ends than its group's [2, 4]" },
        { "    sweep:\n", "    layers: auto\n    cells: [{workload: D, batch: 8, layers: [2, 4]}]\n    sweep:\n", 17, 45, "groups[0].cells[0].layers", "gives L' to one cell, and its group's are chosen from the memory" },
        { "layers: [2, 4]", "layers: [2]", 12, 9, "layers", "is a list of 1" },

        // the head, and what the tensors hold
        { "stack: simulated", "stack: simulated\nhead: yes", 12, 7, "head", "is yes" },
        { "stack: simulated", "stack: simulated\nhead: \"true\"", 12, 7, "head", "is the text \"true\"" },
        { "batch: 8}", "batch: 8, data: ones}", 17, 44, "groups[0].sweep[0].data", "is ones" },
        { "batch: 8}", "batch: 8, data: {weights: a.safetensors, tensors: '*'}}", 17, 38, "groups[0].sweep[0].data.sha256", "the key 'sha256' is missing" },
        { "batch: 8}", "batch: 8, data: {weights: a.bin, tensors: '*', sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}}", 17, 54, "groups[0].sweep[0].data.weights", "is a.bin" },
        { "batch: 8}", "batch: 8, data: {weights: a.safetensors, tensors: 'a b', sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}}", 17, 78, "groups[0].sweep[0].data.tensors", "is the text \"a b\"" },
        { "batch: 8}", "batch: 8, data: {weights: a.safetensors, tensors: '*', sha256: abc}}", 17, 91, "groups[0].sweep[0].data.sha256", "is abc" },
        { "stack: simulated", "stack: simulated\ndata: {weights: a.safetensors}", 12, 7, "data", "names weights in a file by weights alone" },

        // workloads and precisions
        { "workload: [A, C]", "workload: [A, Z]", 17, 24, "groups[0].sweep[0].workload[1]", "is Z" },
        { "workload: [A, C]", "workload: [A, a]", 17, 24, "groups[0].sweep[0].workload[1]", "is a" },
        { "batch: 8}", "batch: 8, weights: FP8}", 17, 47, "groups[0].sweep[0].weights", "is FP8" },
        { "batch: 8}", "batch: 8, weights: int8}", 17, 47, "groups[0].sweep[0].weights", "is int8" },
        { "workload: [A, C], batch: 8", "workload: A, weights: [FP16, INT4], batch: 8", 17, 39, "groups[0].sweep[0].weights[1]", "A is MHA FP16 baseline: it has FP16 weights only" },
        { "batch: 8}", "batch: 8, d_model: 1000}", 17, 47, "groups[0].sweep[0].d_model", "d_model 1000 is not possible" },

        // expansion
        { "batch: 8}", "batch: []}", 17, 35, "groups[0].sweep[0].batch", "is an empty list" },
        { "    sweep:\n      - {workload: [A, C], batch: 8}\n", "", 14, 5, "groups[0]", "the group 'g' is empty: it has no cells" },
        { "    sweep:\n", "    exclude: [{workload: [A, C]}]\n    sweep:\n", 16, 14, "groups[0].exclude", "the group 'g' is empty: exclude leaves none of its cells" },
        { "    sweep:\n", "    exclude: [{batch: 9}]\n    sweep:\n", 16, 15, "groups[0].exclude[0]", "excludes no cell of sweep or zip" },
        { "    sweep:\n", "    exclude: [{}]\n    sweep:\n", 16, 15, "groups[0].exclude[0]", "names no key" },
        { "    sweep:\n", "    zip: [{workload: [D, E], weights: [FP16, INT8, INT4]}]\n    sweep:\n", 16, 39, "groups[0].zip[0].weights", "has 3 values where workload has 2" },
        { "workload: [A, C]", "workload: [A, C, A]", 17, 27, "groups[0].sweep[0].workload[2]", "two cells of the group 'g' have the label 'A'" },
        { "    sweep:\n", "    cells: [{label: A again, workload: A, batch: 8}]\n    sweep:\n", 16, 13, "groups[0].cells[0]", "'A again' is the same configuration as 'A'" },

        // comparisons
        { "workload: [A, C], batch: 8}", "workload: A, batch: 8}\n      - {workload: D, batch: 24}", 18, 30, "groups[0].sweep[1].batch", "'D' may not be compared with the baseline 'A': match key batch is '24' against '8'" },
        { "    sweep:\n", "    cells: [{workload: D, batch: 8, boundary: node}]\n    sweep:\n", 16, 47, "groups[0].cells[0].boundary", "'D' may not be compared with the baseline 'A': dimension boundary is 'node' against 'gpu'" },
        { "    sweep:\n", "    cells: [{workload: D, batch: 8, batching: continuous}]\n    sweep:\n", 16, 47, "groups[0].cells[0].batching", "'D' may not be compared with the baseline 'A': dimension batching is 'continuous' against 'closed batch'" },
        { "    sweep:\n", "    cells: [{workload: D, batch: 8, workload_mix: chat}]\n    sweep:\n", 16, 51, "groups[0].cells[0].workload_mix", "'D' may not be compared with the baseline 'A': dimension workload_mix is 'chat' against 'decode only'" },
        { "    sweep:\n", "    cells: [{workload: D, batch: 8, operating_point: {service: {milliseconds_per_token: 50, statistic: p99}}}]\n    sweep:\n", 16, 54, "groups[0].cells[0].operating_point", "'D' may not be compared with the baseline 'A': dimension s* is 'p99 50 ms' against 'mean 100 ms'" },
        { "    sweep:\n", "    cells: [{workload: D, batch: 8, operating_point: {quality: {target: \"not applicable: synthetic weights\", check: perplexity}}}]\n    sweep:\n", 16, 54, "groups[0].cells[0].operating_point", "'D' may not be compared with the baseline 'A': dimension q* is 'not applicable: synthetic weights (perplexity)' against 'not applicable: synthetic weights (none needed)'" },
        { "    sweep:\n", "    cells: [{workload: D, batch: 8, data: zeros}]\n    sweep:\n", 16, 43, "groups[0].cells[0].data", "'D' may not be compared with the baseline 'A': match key data is 'zeros' against 'normal'" },
        { "    baseline: A", "    baseline: B", 15, 15, "groups[0].baseline", "no cell of the group has the label 'B'" },
        { "stack: simulated", "stack: simulated\nmatch: [batches]", 12, 9, "match[0]", "is batches" },

        // twin, PUE, panels, names
        { "passes:", "aa: {of: B}\npasses:", 18, 10, "aa.of", "no cell of the group 'g' has the label 'B'" },
        { "passes:", "aa: {group: h}\npasses:", 18, 13, "aa.group", "no group is named 'h'" },
        { "passes:", "aa: some\npasses:", 18, 5, "aa", "is some" },
        { "passes:", "aa: []\npasses:", 18, 5, "aa", "is an empty list" },
        { "passes:", "aa: [{group: g}, {of: C}]\npasses:", 18, 18, "aa[1]", "is one of several pairs and names no group" },
        { "passes:", "aa: [{group: g}, {group: g, of: C}]\npasses:", 18, 33, "aa[1].of", "the group 'g' has an A/A pair already" },
        { "passes:", "pue: {source: declared, category: 3}\npasses:", 18, 15, "pue.source", "is declared, and no value is" },
        { "passes:", "pue: {source: site, value: 1.2, category: 3}\npasses:", 18, 28, "pue.value", "is given although the site's meters are the source" },
        { "passes:", "pue: {source: declared, value: 0.9, category: 3}\npasses:", 18, 32, "pue.value", "is 0.9" },
        { "passes:", "panels: [{title: t, baseline: {group: g, label: A}, cells: [{group: g, label: B}]}]\npasses:", 18, 79, "panels[0].cells[0].label", "no cell of the group 'g' has the label 'B'" },
        { "passes:", "panels: [{title: t, baseline: {group: x, label: A}, cells: [{group: g, label: A}]}]\npasses:", 18, 39, "panels[0].baseline.group", "no group is named 'x'" },
        { "groups:\n", "groups:\n  - {name: g, cells: [{workload: H}]}\n", 15, 11, "groups[1].name", "another group is named 'g' too" },

        // YAML that plans do not have, and text that is not YAML
        { "name: base", "name: &n base", 1, 7, "name", "the anchor &n is not allowed" },
        { "name: base", "name: !!str base", 1, 7, "name", "the tag tag:yaml.org,2002:str is not allowed" },
        { "name: base", "name: !evil base", 1, 7, "name", "the tag !evil is not allowed" },
        { "name: base", "name: *n", 1, 7, "name", "the alias *n is not allowed" },
        { "passes:\n", "passes:\n  <<: {max: 7}\n", 19, 3, "passes.<<", "the merge key << is not allowed" },
        { "  window_s: 30\n", "  window_s: 30\n---\nname: second\n", 24, 1, "", "a second document begins here" },
        { "batch: 8}", "batch: 8", 17, 9, "", "the { that is opened here is never closed" },
        { "workload: [A, C]", "workload: [A, C", 17, 20, "", "the [ that is opened here is never closed" },
        { "name: base", "name: \"base", 1, 7, "", "is not valid YAML: While scanning a multi-line double-quoted scalar, found wrong indentation" },
        { "  max: 9", " max: 9", 20, 2, "", "is not valid YAML: While parsing a block mapping, did not find expected key" },
        { "  max: 9", "\tmax: 9", 19, 8, "", "is not valid YAML: While scanning a plain scalar, found a tab character that violate indentation" },
        { "name: base", "? [a]\n: b\nname: base", 1, 3, "", "a list of 1 stands where a key is expected" },
    };

    [Theory]
    [MemberData(nameof(Spoiled))]
    public void A_spoiled_plan_is_refused_once_with_line_column_key_and_remedy(string old, string replacement, int line, int column, string key, string wrong)
    {
        var problem = Assert.Single(BasePlan.Problems(BasePlan.With(old, replacement)));

        Assert.Equal(("p.yaml", line, column, key, wrong), (problem.File, problem.Line, problem.Column, problem.Key, problem.Wrong));
        Assert.NotEmpty(problem.Right);
        Assert.DoesNotContain('\n', problem.ToString());
    }

    [Theory]
    [InlineData("passes:", "pases:", "did you mean 'passes'?")]
    [InlineData("  min: 5", "  minimum: 5", "did you mean 'min'?")]
    [InlineData("batch: 8}", "batch_size: 8}", "did you mean 'batch'?")]
    [InlineData("batch: 8}", "batch: 8, weights: int8}", "did you mean 'INT8'?")]
    [InlineData("workload: [A, C]", "workload: [A, c]", "did you mean 'C'?")]
    [InlineData("workload: [A, C]", "workload: [A, Z]", "one of A, B, C, D, D', E")]
    [InlineData("  min: 5", "  min: five", "a whole number from 1 to 100000")]
    [InlineData("  window_s: 30", "  window_s: -3", "a finite number of seconds, from 0.001 to 86400")]
    [InlineData("  max: 9", "  max: 4", "a min that is not above max")]
    [InlineData("workload: [A, C], batch: 8", "workload: A, weights: INT4, batch: 8", "the same shape with INT4 is workload C")]
    [InlineData("workload: [A, C], batch: 8", "workload: G, context: 100", "a multiple of 64, at least 1024")]
    [InlineData("target: \"not applicable: synthetic weights\"", "target: MMLU 70", "target: 'not applicable: synthetic weights'")]
    public void A_refusal_says_what_would_be_right(string old, string replacement, string right) =>
        Assert.Contains(right, Assert.Single(BasePlan.Problems(BasePlan.With(old, replacement))).Right, StringComparison.Ordinal);

    [Theory]
    [InlineData("", 1, 1, "is empty")]
    [InlineData(" \n\n", 1, 1, "is empty")]
    [InlineData("# only\n", 1, 1, "holds only comments")]
    [InlineData("[1, 2]", 1, 1, "the plan is a list of 2")]
    [InlineData("just text", 1, 1, "the plan is just text")]
    [InlineData("name: base\ngroups: [", 2, 9, "the [ that is opened here is never closed")]
    [InlineData("name: base\ngroups: [ {name: 'it''s [', x: 1", 2, 11, "the { that is opened here is never closed")]
    [InlineData("{\"name\": \"x\", ", 1, 1, "the { that is opened here is never closed")]
    [InlineData("a: b: c", 1, 5, "is not valid YAML: While scanning a plain scalar value, found invalid mapping")]
    [InlineData("'", 1, 1, "is not valid YAML: While scanning a quoted scalar, found unexpected end of stream")]
    [InlineData("name: x\n...\nfoo", 3, 1, "a second document begins here")]
    public void What_is_not_a_plan_at_all_is_refused_where_it_goes_wrong(string text, int line, int column, string wrong)
    {
        var problem = Assert.Single(BasePlan.Problems(text));

        Assert.Equal((line, column, wrong), (problem.Line, problem.Column, problem.Wrong));
    }

    [Fact]
    public void Several_problems_are_reported_at_once_in_the_order_of_the_file()
    {
        var text = BasePlan.With("  min: 5", "  min: -5").Replace("boundary: gpu\n", "", StringComparison.Ordinal).Replace("window_s", "windows", StringComparison.Ordinal)
            .Replace("name: base", "name: base\nname: again", StringComparison.Ordinal);

        Assert.Equal([(1, "boundary"), (2, "name"), (19, "passes.min"), (23, "trial.windows")], BasePlan.Problems(text).Select(p => (p.Line, p.Key)));
    }

    [Theory]
    [InlineData("[4, 2]")]
    [InlineData("[16, 1]")]
    public void A_wrong_value_that_several_groups_share_is_refused_once(string layers)
    {
        var two = BasePlan.With("layers: [2, 4]", $"layers: {layers}").Replace("groups:\n", "groups:\n  - {name: h, baseline: A, sweep: [{workload: [A, C], batch: 16}]}\n", StringComparison.Ordinal);
        Assert.Equal("layers[1]", Assert.Single(BasePlan.Problems(two)).Key);
    }

    [Fact]
    public void An_empty_mapping_is_told_everything_that_is_required()
    {
        string[] keys = ["operating_point.quality", "operating_point.service", "workload_mix", "batching", "hardware.description", "hardware.model", "boundary", "groups"];

        Assert.Equal(keys, BasePlan.Problems("name: x").Select(p => p.Key));
    }

    [Fact]
    public void A_thousand_million_cells_are_refused_without_expanding_them()
    {
        var thousand = string.Join(", ", Enumerable.Range(1, 1000));
        var watch = Stopwatch.StartNew();

        var problem = Assert.Single(BasePlan.Problems(BasePlan.With("batch: 8}", $"batch: [{thousand}], context: [{thousand}], data_seed: [{thousand}]}}")));

        Assert.Equal((14, "groups[0]", "the plan has 2000000000 cells, most of them in the group 'g'"), (problem.Line, problem.Key, problem.Wrong));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}");
    }

    [Fact]
    public void A_product_beyond_any_integer_is_refused_too()
    {
        var many = string.Join(", ", Enumerable.Repeat("128", 10_000));
        var axes = string.Join(", ", new[] { "batch", "context", "d_model", "d_ff", "heads", "kv_heads", "model_layers" }.Select(a => $"{a}: [{many}]"));

        Assert.Equal("the plan has more than 10^12 cells, most of them in the group 'g'", Assert.Single(BasePlan.Problems(BasePlan.With("batch: 8}", axes + "}"))).Wrong);
    }

    [Fact]
    public void An_alias_bomb_is_refused_at_its_first_anchor()
    {
        var bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + string.Concat("bcdefghi".Select((c, i) => $"{c}: &{c} [{string.Join(", ", Enumerable.Repeat("*" + (char)('a' + i), 9))}]\n"));

        var problem = Assert.Single(BasePlan.Problems(bomb));

        Assert.Equal((1, 4, "a", "the anchor &a is not allowed"), (problem.Line, problem.Column, problem.Key, problem.Wrong));
    }

    [Theory]
    [InlineData('[')]
    [InlineData('{')]
    public void Deep_nesting_is_refused_however_deep(char bracket)
    {
        var problem = Assert.Single(BasePlan.Problems("name: x\ngroups: " + string.Concat(Enumerable.Repeat(bracket == '[' ? "[" : "{a: ", 200_000))));

        Assert.Equal((2, "is nested deeper than 16 levels"), (problem.Line, problem.Wrong));
    }

    [Fact]
    public void No_more_than_fifty_problems_are_reported() =>
        Assert.Equal(50, BasePlan.Problems(string.Concat(Enumerable.Range(0, 5000).Select(i => $"k{i}: 1\n"))).Length);

    [Theory]
    [InlineData("name: b\u0001se", 1, 8, "holds the character U+0001: this is not a text file")]
    [InlineData("name: base\nx: \0", 2, 4, "holds the character U+0000: this is not a text file")]
    public void Control_characters_are_refused(string text, int line, int column, string wrong)
    {
        var problem = Assert.Single(BasePlan.Problems(text));

        Assert.Equal((line, column, wrong), (problem.Line, problem.Column, problem.Wrong));
    }

    [Fact]
    public void Half_a_surrogate_pair_is_refused()
    {
        var problem = Assert.Single(BasePlan.Problems("name: b" + (char)0xD800 + "se"));

        Assert.Equal((1, 8), (problem.Line, problem.Column));
    }

    [Fact]
    public void Files_that_are_not_plans_are_refused_by_name()
    {
        var folder = Directory.CreateTempSubdirectory("plans-").FullName;
        try
        {
            PlanProblem Refused(string name, byte[]? content)
            {
                var path = Path.Combine(folder, name);
                if (content is not null)
                {
                    File.WriteAllBytes(path, content);
                }

                var problem = Assert.Single(PlanReader.ReadFile(path).Problems);
                Assert.Equal(path, problem.File);
                return problem;
            }

            Assert.Equal("does not exist", Refused("absent.yaml", null).Wrong);
            Assert.Equal("is a directory", Assert.Single(PlanReader.ReadFile(folder).Problems).Wrong);
            Assert.Equal("is empty", Refused("empty.yaml", []).Wrong);
            var binary = Refused("elf", [.. "name: x\nabc"u8, 0xC3, 0, 1]);
            Assert.Equal((2, 5, "holds a NUL byte at offset 12: this is not a text file"), (binary.Line, binary.Column, binary.Wrong));
            var latin = Refused("latin", [.. "name: x\nabc"u8, 0xFF, 0x41]);
            Assert.Equal((2, 4, "holds byte 0xFF, which is not UTF-8, at offset 11: this is not a text file"), (latin.Line, latin.Column, latin.Wrong));
            Assert.Equal("is larger than 1048576 bytes", Refused("large.yaml", [.. Enumerable.Repeat((byte)'#', (1 << 20) + 1)]).Wrong);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_file_without_permission_is_refused_to_those_whom_permissions_bind()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, BasePlan.Text);
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(path, UnixFileMode.None);
            }

            var read = PlanReader.ReadFile(path);

            // The superuser reads what nobody may: then the plan must be there.
            Assert.Equal(Environment.IsPrivilegedProcess || OperatingSystem.IsWindows() ? [] : ["may not be read by this user"], read.Problems.Select(p => p.Wrong));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void A_byte_order_mark_and_the_line_ends_of_Windows_change_nothing() =>
        Assert.Equal(BasePlan.Resolve(BasePlan.Text).Sha256, BasePlan.Resolve('\uFEFF' + BasePlan.Text.Replace("\n", "\r\n", StringComparison.Ordinal)).Sha256);
}
