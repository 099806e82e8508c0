using System.Collections.Immutable;

namespace EnergyGrid.Plans;

/// <summary>The keys of a serving engine's cells.</summary>
internal static class ServeFormat
{
    /// <summary>What a stack's parameters, models and the stack itself may be called.</summary>
    public const string NamePattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$";

    private const string NameSays = "1 to 64 letters, digits and any of . _ - beginning with a letter or digit";
    private const int MostTokens = 1 << 24;

    private static readonly Shape Sha256 = new TextShape(64, pattern: "^[0-9A-Fa-f]{64}$", says: "64 hexadecimal digits");
    private static readonly Shape FilePath = new TextShape(1024);
    private static readonly Shape Tokens = new IntegerShape(1, MostTokens, "tokens");

    public static readonly Shape Lengths = new EitherShape(Tokens, mapping: new MappingShape(
        "A distribution of lengths: uniform over [min, max], or normal or lognormal with mean and deviation, cut at min and max.",
        new Field("distribution", "How it is drawn.", new TextShape(values: ["constant", "uniform", "normal", "lognormal"]), Default: "uniform"),
        new Field("min", "At least, tokens.", Tokens, Required: true),
        new Field("max", "At most, tokens.", Tokens, Required: true),
        new Field("mean", "Of normal and lognormal, before cutting, tokens.", new NumberShape(0, MostTokens, "tokens", above: true)),
        new Field("deviation", "Standard deviation of normal and lognormal, before cutting, tokens.", new NumberShape(0, MostTokens, "tokens", above: true))));

    private static readonly MappingShape Load = new(
        "What arrives: a closed loop (concurrency), an open one (rate), or a trace.",
        new Field("concurrency", "Slots of a closed loop: each sends its next request when its last one has ended.", new IntegerShape(1, 100_000)),
        new Field("rate", "Requests per second of an open loop, whatever the engine does.", new NumberShape(0, 1e6, "1/s", above: true)),
        new Field("arrivals", "Of an open loop: independent (poisson), burstier or smoother by shape (gamma), or evenly spaced (constant).", new TextShape(values: ["poisson", "gamma", "constant"])),
        new Field("shape", "Of the gamma distribution: 1 is poisson, less is burstier.", new NumberShape(0.01, 100)),
        new Field("trace", "Path of a file with arrivals in Mooncake's (JSON lines) or Azure's (CSV) columns, where the node finds it.", FilePath),
        new Field("sha256", "Of the trace's file.", Sha256));

    private static readonly MappingShape Prompts = new(
        "What is asked.",
        new Field("input_tokens", "Length of synthetic prompts.", Lengths),
        new Field("output_tokens", "Length of answers: the most tokens that a request asks for.", Lengths, Required: true),
        new Field("shared", "Share at the beginning of each synthetic prompt that all requests of a trial have in common, 0 to 1.", new NumberShape(0, 1), Default: "0"),
        new Field("file", "Path of a file of prompts (JSON, a line each; ShareGPT's form too), where the node finds it.", FilePath),
        new Field("sha256", "Of the file of prompts.", Sha256));

    private static readonly MappingShape GenerationKeys = new(
        "How it is answered.",
        new Field("api", "completions (the prompt as it stands) or chat (in the engine's template).", new TextShape(values: ["completions", "chat"]), Default: "completions"),
        new Field("ignore_eos", "Whether an answer goes on to its last token.", new BooleanShape(), Default: "false"),
        new Field("min_tokens", "Output tokens at least.", new IntegerShape(0, MostTokens, "tokens"), Default: "0"),
        new Field("temperature", "0 for greedy.", new NumberShape(0, 10), Default: "0"),
        new Field("seed", "Of sampling.", new IntegerShape(0, (1L << 53) - 1)));

    /// <summary>Keys of a cell of workload <c>serve</c> beside <c>workload</c>, <c>stack</c> and <c>data_seed</c>.</summary>
    public static readonly IReadOnlyList<Field> Axes =
    [
        new("model", "Of a serving engine: as the nodes' stacks.yaml names it.", new TextShape(64, pattern: NamePattern, says: NameSays)),
        new("engine", "Of a serving engine: its parameters by the names that stacks.yaml has, for example {threads: 2}.", new NamedValuesShape("Parameters of an engine.", NamePattern, NameSays)),
        new("load", "Of a serving engine: what arrives.", Load),
        new("prompts", "Of a serving engine: what is asked.", Prompts),
        new("generation", "Of a serving engine: how it is answered.", GenerationKeys),
    ];

    /// <summary>Keys that every cell of workload <c>serve</c> must have.</summary>
    public static readonly ImmutableArray<string> Required = ["model", "load", "prompts"];

    /// <summary>What of a cell of workload <c>serve</c> must be equal where the plan says nothing.</summary>
    public static readonly ImmutableArray<string> Match = ["load", "prompts", "generation"];

    /// <summary>Keys that a cell of workload <c>serve</c> may have.</summary>
    public static bool IsServeKey(string key) => key is "workload" or "stack" or "data_seed" || Axes.Any(a => a.Name == key);
}
