using System.Collections.Immutable;

namespace EnergyGrid.Stacks;

/// <summary>How one serving engine is started and asked who it is. <c>stacks.yaml</c> names it, and adds or narrows what a plan may set.</summary>
/// <param name="Name">As <c>stacks.yaml</c> names it.</param>
/// <param name="Dialect">What its requests may say; of <c>endpoint</c> the file says more.</param>
/// <param name="Command">The usual program with its fixed arguments; empty where nothing is started.</param>
/// <param name="ModelFlag">Before the model; null where it stands alone.</param>
/// <param name="NameFlag">Before the name that requests use; null where the engine takes it from the model's path.</param>
/// <param name="Fixed">Always said: counters, cached tokens in usage, no web pages.</param>
/// <param name="Owned">Flags that the launcher sets and nobody else: where it listens, what it loads, and what is <paramref name="Fixed"/>, in every spelling.</param>
/// <param name="HealthPath">Answers 200 once it can generate, and not before; null where there may be none.</param>
/// <param name="Descriptions">Where it describes itself, and the key of its version there, newest first.</param>
/// <param name="Parameters">What a plan may set without <c>stacks.yaml</c> saying so.</param>
public sealed record EngineRecipe(
    string Name, Dialect Dialect, ImmutableArray<string> Command, string? ModelFlag, string? NameFlag, ImmutableArray<string> Fixed, ImmutableArray<string> Owned, string? HealthPath,
    ImmutableArray<(string Path, string Key)> Descriptions, ImmutableArray<StackParameter> Parameters)
{
    private const long Tokens = 1 << 24;
    private const int Gpus = 1024;

    private static readonly string[] FloatTypes = ["auto", "bfloat16", "float", "float16", "float32", "half"];

    /// <summary>llama.cpp's llama-server. Flags as its <c>--help</c> names them (build 11669).</summary>
    public static EngineRecipe LlamaCpp { get; } = new(
        "llama.cpp", Dialect.LlamaCpp, ["llama-server"], "-m", "--alias", ["--metrics", "--no-webui"],
        ["-m", "--model", "-a", "--alias", "--host", "--port", "--reuse-port", "--metrics", "--no-webui", "--no-ui", "--api-key", "--api-key-file", "--api-prefix"],
        "health", [("props", "build_info")],
        [
            StackParameter.Integer("threads", "--threads", 1, 4096),
            StackParameter.Integer("threads_batch", "--threads-batch", 1, 4096),
            StackParameter.Integer("context", "--ctx-size", 1, Tokens),
            StackParameter.Integer("parallel", "--parallel", 1, 4096),
            StackParameter.Integer("batch", "--batch-size", 1, 1 << 20),
            StackParameter.Integer("ubatch", "--ubatch-size", 1, 1 << 20),
            StackParameter.Text("cache_type_k", "--cache-type-k", "f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"),
            StackParameter.Text("cache_type_v", "--cache-type-v", "f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"),
            StackParameter.Integer("gpu_layers", "--n-gpu-layers", 0, 10_000),
            StackParameter.Text("split_mode", "--split-mode", "none", "layer", "row"),
            StackParameter.Text("flash_attention", "--flash-attn", "on", "off", "auto"),
            StackParameter.Boolean("cont_batching", "--cont-batching", "--no-cont-batching"),
            StackParameter.Boolean("kv_unified", "--kv-unified", "--no-kv-unified"),
            StackParameter.Integer("cache_ram_mib", "--cache-ram", -1, 1 << 30),
        ]);

    /// <summary>vLLM. Flags of <c>vllm serve</c>, engine V1.</summary>
    public static EngineRecipe Vllm { get; } = new(
        "vllm", Dialect.Vllm, ["vllm", "serve"], null, "--served-model-name", ["--enable-prompt-tokens-details"],
        ["--model", "--served-model-name", "--host", "--port", "--uds", "--api-key", "--root-path", "--enable-prompt-tokens-details", "--no-enable-prompt-tokens-details", "--disable-log-stats"],
        "health", [("version", "version")],
        [
            StackParameter.Integer("tensor_parallel_size", "--tensor-parallel-size", 1, Gpus),
            StackParameter.Integer("pipeline_parallel_size", "--pipeline-parallel-size", 1, Gpus),
            StackParameter.Integer("data_parallel_size", "--data-parallel-size", 1, Gpus),
            StackParameter.Boolean("enable_expert_parallel", "--enable-expert-parallel", "--no-enable-expert-parallel"),
            StackParameter.Integer("max_model_len", "--max-model-len", 1, Tokens),
            StackParameter.Integer("max_num_seqs", "--max-num-seqs", 1, 1 << 16),
            StackParameter.Integer("max_num_batched_tokens", "--max-num-batched-tokens", 1, Tokens),
            StackParameter.Number("gpu_memory_utilization", "--gpu-memory-utilization", 0.01, 1),
            StackParameter.Text("dtype", "--dtype", FloatTypes),
            StackParameter.Text("quantization", "--quantization", "awq", "awq_marlin", "bitsandbytes", "compressed-tensors", "fp8", "gptq", "gptq_marlin", "modelopt", "modelopt_fp4", "mxfp4", "torchao"),
            StackParameter.Text("kv_cache_dtype", "--kv-cache-dtype", "auto", "bfloat16", "fp8", "fp8_e4m3", "fp8_e5m2"),
            StackParameter.Integer("block_size", "--block-size", 1, 4096),
            StackParameter.Boolean("enable_prefix_caching", "--enable-prefix-caching", "--no-enable-prefix-caching"),
            StackParameter.Boolean("enable_chunked_prefill", "--enable-chunked-prefill", "--no-enable-chunked-prefill"),
            StackParameter.Boolean("enforce_eager", "--enforce-eager", "--no-enforce-eager"),
            StackParameter.Boolean("async_scheduling", "--async-scheduling", "--no-async-scheduling"),
            StackParameter.Integer("stream_interval", "--stream-interval", 1, 4096),
            StackParameter.Text("load_format", "--load-format", "auto", "dummy", "safetensors"),
            StackParameter.Integer("seed", "--seed", 0, int.MaxValue),
        ]);

    /// <summary>SGLang. Flags of its <c>server_args.py</c>.</summary>
    public static EngineRecipe Sglang { get; } = new(
        "sglang", Dialect.Sglang, ["python3", "-m", "sglang.launch_server"], "--model-path", "--served-model-name", ["--enable-metrics", "--enable-cache-report"],
        ["--model-path", "--model", "--served-model-name", "--host", "--port", "--api-key", "--admin-api-key", "--fastapi-root-path", "--enable-metrics", "--enable-cache-report", "--skip-server-warmup"],
        "health", [("server_info", "version"), ("get_server_info", "version")],
        [
            StackParameter.Integer("tensor_parallel_size", "--tp-size", 1, Gpus),
            StackParameter.Integer("pipeline_parallel_size", "--pp-size", 1, Gpus),
            StackParameter.Integer("data_parallel_size", "--dp-size", 1, Gpus),
            StackParameter.Integer("expert_parallel_size", "--ep-size", 1, Gpus),
            StackParameter.Boolean("enable_dp_attention", "--enable-dp-attention"),
            StackParameter.Integer("context_length", "--context-length", 1, Tokens),
            StackParameter.Integer("max_running_requests", "--max-running-requests", 1, 1 << 16),
            StackParameter.Integer("max_total_tokens", "--max-total-tokens", 1, 1L << 32),
            StackParameter.Integer("max_prefill_tokens", "--max-prefill-tokens", 1, Tokens),
            StackParameter.Integer("chunked_prefill_size", "--chunked-prefill-size", -1, Tokens),
            StackParameter.Boolean("enable_mixed_chunk", "--enable-mixed-chunk"),
            StackParameter.Number("mem_fraction_static", "--mem-fraction-static", 0.01, 1),
            StackParameter.Text("dtype", "--dtype", FloatTypes),
            StackParameter.Text("quantization", "--quantization", "awq", "awq_marlin", "bitsandbytes", "compressed-tensors", "fp8", "gptq", "gptq_marlin", "modelopt_fp4", "modelopt_fp8", "mxfp4", "w8a8_fp8", "w8a8_int8"),
            StackParameter.Text("kv_cache_dtype", "--kv-cache-dtype", "auto", "bfloat16", "fp8_e4m3", "fp8_e5m2"),
            StackParameter.Integer("page_size", "--page-size", 1, 4096),
            StackParameter.Text("schedule_policy", "--schedule-policy", "dfs-weight", "fcfs", "lof", "lpm", "random"),
            StackParameter.Number("schedule_conservativeness", "--schedule-conservativeness", 0, 100),
            StackParameter.Boolean("disable_radix_cache", "--disable-radix-cache"),
            StackParameter.Boolean("disable_overlap_schedule", "--disable-overlap-schedule"),
            StackParameter.Integer("num_continuous_decode_steps", "--num-continuous-decode-steps", 1, 1024),
            StackParameter.Integer("stream_interval", "--stream-interval", 1, 4096),
            StackParameter.Text("load_format", "--load-format", "auto", "dummy", "safetensors"),
            StackParameter.Integer("random_seed", "--random-seed", 0, int.MaxValue),
        ]);

    /// <summary>
    /// TensorRT-LLM. Flags of its <c>serve.py</c>. Its releases differ in whether a name can be given, so requests use the one that it makes: the directory's, or the hub id. Its counters need
    /// <c>return_perf_metrics: true</c> in the file that <c>--config</c> names.
    /// </summary>
    public static EngineRecipe TensorRtLlm { get; } = new(
        "tensorrt-llm", Dialect.TensorRtLlm, ["trtllm-serve"], null, null, [], ["--host", "--port"],
        "health", [("version", "version")],
        [
            StackParameter.Text("backend", "--backend", "pytorch", "tensorrt", "_autodeploy"),
            StackParameter.Integer("tensor_parallel_size", "--tp_size", 1, Gpus),
            StackParameter.Integer("pipeline_parallel_size", "--pp_size", 1, Gpus),
            StackParameter.Integer("expert_parallel_size", "--ep_size", 1, Gpus),
            StackParameter.Integer("max_batch_size", "--max_batch_size", 1, 1 << 16),
            StackParameter.Integer("max_num_tokens", "--max_num_tokens", 1, Tokens),
            StackParameter.Integer("max_seq_len", "--max_seq_len", 1, Tokens),
            StackParameter.Number("kv_cache_free_gpu_memory_fraction", "--kv_cache_free_gpu_memory_fraction", 0.01, 1),
            StackParameter.Integer("num_postprocess_workers", "--num_postprocess_workers", 0, 256),
            StackParameter.Boolean("enable_chunked_prefill", "--enable_chunked_prefill"),
        ]);

    /// <summary>What already runs, wherever: nothing is started and nothing stopped.</summary>
    public static EngineRecipe Endpoint { get; } = new("endpoint", Dialect.Endpoint, [], null, null, [], [], null, [], []);

    /// <summary>All of them.</summary>
    public static ImmutableArray<EngineRecipe> All { get; } = [LlamaCpp, Vllm, Sglang, TensorRtLlm, Endpoint];

    /// <summary>By its name; null for another.</summary>
    public static EngineRecipe? Of(string name) => All.FirstOrDefault(r => r.Name == name);

    /// <summary>Whether it attaches to what already runs.</summary>
    public bool IsEndpoint => Command.IsEmpty;

    /// <summary>Whether an argument sets what is the launcher's to set, <c>--port=1</c> included.</summary>
    internal bool Owns(string argument) => Owned.Contains(argument.Split('=')[0], StringComparer.Ordinal);

    /// <summary>The whole command line.</summary>
    /// <param name="command">Program and fixed arguments.</param>
    /// <param name="model">What is loaded.</param>
    /// <param name="port">Where it listens, on loopback.</param>
    /// <param name="parameters">Of the plan and of <c>stacks.yaml</c>, as arguments.</param>
    internal ImmutableArray<string> CommandLine(ImmutableArray<string> command, StackModel model, int port, IEnumerable<string> parameters)
    {
        string[] path = ModelFlag is { } flag ? [flag, model.Path!] : [model.Path!];
        string[] name = NameFlag is { } alias ? [alias, model.ServedName] : [];
        return [.. command, .. path, .. name, "--host", "127.0.0.1", "--port", FormattableString.Invariant($"{port}"), .. Fixed, .. parameters];
    }
}
