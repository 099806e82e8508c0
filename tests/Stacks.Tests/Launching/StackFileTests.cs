using System.Text.Json.Nodes;

namespace EnergyGrid.Stacks.Tests;

/// <summary>What the owner of a node writes is refused by place, and what a plan says reaches a command line only as its owner allows.</summary>
public sealed class StackFileTests
{
    private const string Whole = """
        stacks:
          - name: llama-server
            recipe: llama.cpp
            command: [/opt/llama/llama-server, --mlock]
            environment: {OMP_NUM_THREADS: 2}
            start_limit_s: 120
            parameters:
              threads: {min: 1, max: 64, default: 2}
              my_flag: {flag: --my-flag, type: text, values: [a, b]}
              draft: {flag: --spec-draft-model, type: text, values: {small: /models/draft.gguf}}
              swa_full: {flag: --swa-full, type: boolean, default: true}
            models:
              - name: tiny-f16
                path: /models/tiny.gguf
                served_name: tiny
                bytes_per_token: 1.0
                active_parameters: 7.0e9
          - name: lab-vllm
            recipe: endpoint
            address: http://127.0.0.1:8000/
            dialect: vllm
            token_environment: LAB_TOKEN
            models: [{name: big}]
        """;

    [Fact]
    public void A_whole_file_is_read_with_what_its_recipes_add()
    {
        var file = Read(Whole);
        var llama = file.Find("llama-server")!;
        Assert.Equal(["/opt/llama/llama-server", "--mlock"], llama.Command.ToArray());
        Assert.Equal((TimeSpan.FromSeconds(120), "2", Dialect.LlamaCpp), (llama.StartLimit, llama.Environment["OMP_NUM_THREADS"], llama.Dialect));
        Assert.Equal(new StackModel("tiny-f16", "/models/tiny.gguf", "tiny", 1, 7e9), llama.Model("tiny-f16"));
        Assert.Equal("a whole number from 1 to 64", llama.Parameters["threads"].Says);
        // Those of the recipe hold without being named.
        Assert.Equal("--ctx-size", llama.Parameters["context"].Flag);
        var lab = file.Find("lab-vllm")!;
        Assert.Equal((new Uri("http://127.0.0.1:8000/"), Dialect.Vllm, "LAB_TOKEN", 4.0, "big"), (lab.Address, lab.Dialect, lab.TokenVariable, lab.Models[0].BytesPerToken, lab.Models[0].ServedName));
        Assert.Empty(lab.Parameters);
    }

    [Theory]
    // Syntax, unknown and duplicate keys: by the machinery of plans.
    [InlineData("", "f:1:1: is empty; right: a mapping that begins with stacks:")]
    [InlineData("stacks: []", "f:1:9: stacks: is an empty list; right: ")]
    [InlineData("stacks:\n  - name: a\n    recipe: vllm\n    modles: []\n    models: [{name: m, path: p}]", "f:4:5: stacks[0].modles: the key 'modles' is not known here; right: did you mean 'models'?")]
    [InlineData("stacks:\n  - name: a\n    recipe: vllm\n    name: b\n    models: [{name: m, path: p}]", "f:4:5: stacks[0].name: the key 'name' is already on line 2; right: each key once")]
    [InlineData("stacks: [{name: a, recipe: vlm, models: [{name: m, path: p}]}]", "f:1:28: stacks[0].recipe: is vlm; right: did you mean 'vllm'?")]
    [InlineData("stacks: [{name: 'a b', recipe: vllm, models: [{name: m, path: p}]}]", "f:1:17: stacks[0].name: is the text \"a b\"; right: 1 to 64 letters, digits and any of . _ -")]
    [InlineData("stacks: [{name: a, recipe: vllm, command: 'vllm serve', models: [{name: m, path: p}]}]", "f:1:43: stacks[0].command: is the text \"vllm serve\"; right: a list of 1 to 100")]
    [InlineData("stacks: [{name: a, recipe: vllm}]", "f:1:10: stacks[0].models: the key 'models' is missing")]
    [InlineData("stacks: [{name: a, recipe: vllm, environment: {9: x}, models: [{name: m, path: p}]}]", "f:1:48: stacks[0].environment.9: the name '9' cannot be one; right: the name of an environment variable")]
    // Names twice.
    [InlineData("stacks:\n  - {name: a, recipe: vllm, models: [{name: m, path: p}]}\n  - {name: a, recipe: vllm, models: [{name: m, path: p}]}", "f:3:12: stacks[1].name: is a, the name of the stack on line 2; right: a name that no other stack of this file has")]
    [InlineData("stacks: [{name: a, recipe: vllm, models: [{name: m, path: p}, {name: m, path: q}]}]", "stacks[0].models[1].name: is m, the name of the model on line 1")]
    // What is the launcher's.
    [InlineData("stacks: [{name: a, recipe: llama.cpp, command: [llama-server, --port=1], models: [{name: m, path: /p}]}]", "stacks[0].command[1]: is --port=1, which is set where the engine is started; right: leave it out")]
    [InlineData("stacks: [{name: a, recipe: vllm, environment: {CUDA_VISIBLE_DEVICES: 0}, models: [{name: m, path: p}]}]", "stacks[0].environment.CUDA_VISIBLE_DEVICES: sets CUDA_VISIBLE_DEVICES, which")]
    [InlineData("stacks: [{name: a, recipe: vllm, parameters: {p: {flag: --host, type: text, values: [x]}}, models: [{name: m, path: p}]}]", "stacks[0].parameters.p.flag: is --host, which is set where the engine is started; right: another flag")]
    // Models.
    [InlineData("stacks: [{name: a, recipe: vllm, models: [{name: m}]}]", "stacks[0].models[0].path: the key 'path' is missing")]
    [InlineData("stacks: [{name: a, recipe: vllm, models: [{name: m, path: --trust-remote-code}]}]", "which does not begin with -")]
    [InlineData("stacks: [{name: a, recipe: llama.cpp, models: [{name: m, path: m.gguf}]}]", "stacks[0].models[0].path: is m.gguf; right: the absolute path of a .gguf file")]
    // Parameters: narrowed or added, never widened.
    [InlineData("stacks: [{name: a, recipe: llama.cpp, parameters: {threads: {max: 100000}}, models: [{name: m, path: /p}]}]", "stacks[0].parameters.threads.max: is 100000, outside of the recipe's; right: a whole number from 1 to 4096")]
    [InlineData("stacks: [{name: a, recipe: llama.cpp, parameters: {threads: {max: 1.5}}, models: [{name: m, path: /p}]}]", "stacks[0].parameters.threads.max: is 1.5; right: a whole number")]
    [InlineData("stacks: [{name: a, recipe: llama.cpp, parameters: {threads: {min: 9, max: 8}}, models: [{name: m, path: /p}]}]", "stacks[0].parameters.threads.max: is 8, below the least; right: 9 or more")]
    [InlineData("stacks: [{name: a, recipe: llama.cpp, parameters: {threads: {max: 8, default: 9}}, models: [{name: m, path: /p}]}]", "stacks[0].parameters.threads.default: is 9; right: a whole number from 1 to 8")]
    [InlineData("stacks: [{name: a, recipe: llama.cpp, parameters: {threads: {type: text, values: [x]}}, models: [{name: m, path: /p}]}]", "stacks[0].parameters.threads.type: is text; right: integer, as in recipe llama.cpp")]
    [InlineData("stacks: [{name: a, recipe: llama.cpp, parameters: {treads: {max: 8}}, models: [{name: m, path: /p}]}]", "stacks[0].parameters.treads.flag: 'treads' is no parameter of recipe llama.cpp, and the key 'flag' is missing; right: flag, or did you mean 'threads'?")]
    [InlineData("stacks: [{name: a, recipe: vllm, parameters: {x: {flag: --x, type: text}}, models: [{name: m, path: p}]}]", "stacks[0].parameters.x.values: the key 'values' is missing")]
    [InlineData("stacks: [{name: a, recipe: vllm, parameters: {x: {flag: --x, type: integer, values: [a]}}, models: [{name: m, path: p}]}]", "stacks[0].parameters.x.values: stands at a parameter of type integer; right: leave values out")]
    [InlineData("stacks: [{name: a, recipe: vllm, parameters: {x: {flag: --x, type: text, values: [a, a]}}, models: [{name: m, path: p}]}]", "stacks[0].parameters.x.values[1]: is a, a second time; right: each word once")]
    // Endpoints.
    [InlineData("stacks: [{name: a, recipe: endpoint, models: [{name: m}]}]", "stacks[0].address: the key 'address' is missing")]
    [InlineData("stacks: [{name: a, recipe: endpoint, address: 'http://h/', command: [x], models: [{name: m}]}]", "stacks[0].command: stands in an endpoint, where nothing is started; right: leave command out")]
    [InlineData("stacks: [{name: a, recipe: vllm, address: 'http://h/', models: [{name: m, path: p}]}]", "stacks[0].address: stands in a stack of recipe vllm, which is started here")]
    [InlineData("stacks: [{name: a, recipe: endpoint, address: 'http://me:secret@h/', models: [{name: m}]}]", "stacks[0].address: holds more than a place")]
    [InlineData("stacks: [{name: a, recipe: endpoint, address: 'http://192.0.2.1/', token_environment: T, models: [{name: m}]}]", "stacks[0].token_environment: would send a token to 192.0.2.1 unencrypted; right: an address of https")]
    public void What_is_wrong_is_told_by_place_with_what_would_be_right(string text, string says)
    {
        var read = StackFile.Read(text, "f");
        Assert.Null(read.File);
        var told = string.Join('\n', read.Problems);
        Assert.True(told.Contains(says, StringComparison.Ordinal), told);
        Assert.StartsWith("f:", told);
    }

    [Fact]
    public void Whatever_is_wrong_with_a_text_is_a_problem_and_no_exception()
    {
        for (var cut = 0; cut < Whole.Length; cut += 3)
        {
            foreach (var text in new[] { Whole[..cut], Whole.Remove(cut, 1), Whole.Insert(cut, "\u001b"), Whole.Insert(cut, "["), Whole.Insert(cut, "- ") })
            {
                var read = StackFile.Read(text, "f");
                Assert.NotEqual(read.File is null, read.Problems.IsEmpty);
            }
        }

        Assert.Contains("does not exist", StackFile.ReadFile("/no/such/stacks.yaml").Problems.Single().Wrong);
    }

    [Theory]
    [InlineData("tiny-f61", "", "stack llama-server has no model 'tiny-f61': did you mean 'tiny-f16'? It is one of tiny-f16")]
    [InlineData("tiny-f16", "treads=2", "stack llama-server has no parameter 'treads': did you mean 'threads'?")]
    [InlineData("tiny-f16", "threads=65", "parameter threads of stack llama-server is '65': right would be a whole number from 1 to 64")]
    [InlineData("tiny-f16", "threads=2; reboot", "parameter threads of stack llama-server is '2; reboot': right would be a whole number from 1 to 64")]
    [InlineData("tiny-f16", "threads=08", "parameter threads of stack llama-server is '08'")]
    [InlineData("tiny-f16", "cont_batching=yes", "parameter cont_batching of stack llama-server is 'yes': right would be true or false")]
    [InlineData("tiny-f16", "my_flag=c", "parameter my_flag of stack llama-server is 'c': right would be one of a, b")]
    [InlineData("tiny-f16", "draft=/models/draft.gguf", "parameter draft of stack llama-server is '/models/draft.gguf': right would be one of small")]
    [InlineData("tiny-f16", "threads=64", null)]
    [InlineData("tiny-f16", "draft=small", null)]
    public void A_plan_is_refused_with_what_would_be_right(string model, string parameter, string? says)
    {
        var parameters = parameter.Length == 0 ? [] : new Dictionary<string, string> { [parameter.Split('=')[0]] = parameter.Split('=', 2)[1] };
        var refusal = Read(Whole).Find("llama-server")!.Refusal(model, parameters);
        if (says is null) Assert.Null(refusal);
        else Assert.StartsWith(says, refusal);
        if (says is not null) Assert.Throws<ArgumentException>(() => Read(Whole).Find("llama-server")!.CommandLine(model, parameters, 1));
    }

    [Fact]
    public void Parameters_that_mean_the_same_are_the_same()
    {
        var vllm = Read("stacks: [{name: v, recipe: vllm, parameters: {max_num_seqs: {default: 64}}, models: [{name: m, path: o/m}]}]").Find("v")!;
        Assert.Equal(
            new Dictionary<string, string> { ["gpu_memory_utilization"] = "0.9", ["enforce_eager"] = "true" },
            vllm.Canonical("m", new Dictionary<string, string> { ["gpu_memory_utilization"] = "0.900", ["enforce_eager"] = "True", ["max_num_seqs"] = "64" }).ToDictionary());
    }

    [Theory]
    [InlineData("llama.cpp", "/models/m.gguf", "threads=4,cont_batching=false,cache_type_k=q8_0",
        "llama-server -m /models/m.gguf --alias m --host 127.0.0.1 --port 18000 --metrics --no-webui --cache-type-k q8_0 --no-cont-batching --threads 4")]
    [InlineData("vllm", "org/m", "tensor_parallel_size=2,max_num_seqs=256,gpu_memory_utilization=0.85,enable_prefix_caching=false,enforce_eager=true,kv_cache_dtype=fp8",
        "vllm serve org/m --served-model-name m --host 127.0.0.1 --port 18000 --enable-prompt-tokens-details --no-enable-prefix-caching --enforce-eager --gpu-memory-utilization 0.85 --kv-cache-dtype fp8 --max-num-seqs 256 --tensor-parallel-size 2")]
    [InlineData("sglang", "org/m", "tensor_parallel_size=2,disable_radix_cache=true,enable_mixed_chunk=false,chunked_prefill_size=-1",
        "python3 -m sglang.launch_server --model-path org/m --served-model-name m --host 127.0.0.1 --port 18000 --enable-metrics --enable-cache-report --chunked-prefill-size -1 --disable-radix-cache --tp-size 2")]
    [InlineData("tensorrt-llm", "/models/llama", "tensor_parallel_size=2,max_batch_size=64,kv_cache_free_gpu_memory_fraction=0.8,enable_chunked_prefill=true",
        "trtllm-serve /models/llama --host 127.0.0.1 --port 18000 --enable_chunked_prefill --kv_cache_free_gpu_memory_fraction 0.8 --max_batch_size 64 --tp_size 2")]
    public void Each_engine_is_launched_in_its_own_words(string recipe, string path, string parameters, string line)
    {
        var stack = Read($"stacks: [{{name: s, recipe: {recipe}, models: [{{name: m, path: {path}}}]}}]").Stacks[0];
        Assert.Equal(line, string.Join(' ', stack.CommandLine("m", parameters.Split(',').Select(p => p.Split('=')).ToDictionary(p => p[0], p => p[1]), 18000)));
        Assert.Equal(recipe, stack.Dialect.Name);
    }

    [Fact]
    public void Defaults_of_the_node_are_launched_and_texts_by_their_names()
    {
        var llama = Read(Whole).Find("llama-server")!;
        Assert.EndsWith("--no-webui --spec-draft-model /models/draft.gguf --swa-full --threads 2", string.Join(' ', llama.CommandLine("tiny-f16", new Dictionary<string, string> { ["draft"] = "small" }, 1)));
        Assert.EndsWith("--no-webui --threads 3", string.Join(' ', llama.CommandLine("tiny-f16", new Dictionary<string, string> { ["swa_full"] = "false", ["threads"] = "3" }, 1)));
    }

    [Fact]
    public void Where_no_name_can_be_given_requests_use_the_one_that_the_engine_makes()
    {
        var stack = Read("stacks: [{name: t, recipe: tensorrt-llm, models: [{name: a, path: /models/llama-3/}, {name: b, path: org/llama-3}, {name: c, path: /x, served_name: y}]}]").Stacks[0];
        Assert.Equal(["llama-3", "org/llama-3", "y"], stack.Models.Select(m => m.ServedName));
    }

    [Fact]
    public void The_schema_has_every_key_and_the_recipes()
    {
        var stack = JsonNode.Parse(StackFile.Schema())!["properties"]!["stacks"]!["items"]!;
        Assert.Equal(EngineRecipe.All.Select(r => r.Name), stack["properties"]!["recipe"]!["enum"]!.AsArray().Select(n => n!.GetValue<string>()));
        Assert.Equal(["name", "recipe", "models"], stack["required"]!.AsArray().Select(n => n!.GetValue<string>()));
        Assert.False(stack["additionalProperties"]!.GetValue<bool>());
        Assert.NotNull(stack["properties"]!["parameters"]!["additionalProperties"]!["properties"]!["flag"]!["pattern"]);
    }

    private static StackFile Read(string text)
    {
        var read = StackFile.Read(text, "f");
        Assert.True(read.File is not null, string.Join('\n', read.Problems));
        return read.File;
    }
}
