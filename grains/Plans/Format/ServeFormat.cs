using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Nodes;
using EnergyGrid.Contracts;

namespace EnergyGrid.Plans;

/// <summary>The keys of a serving engine's cells, and what they come to.</summary>
internal static class ServeFormat
{
    /// <summary>What a stack's parameters, models and the stack itself may be called.</summary>
    public const string NamePattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$";

    private const string NameSays = "1 to 64 letters, digits and any of . _ - beginning with a letter or digit";
    private const int MostTokens = 1 << 24;

    private static readonly Shape Sha256 = new TextShape(64, pattern: "^[0-9A-Fa-f]{64}$", says: "64 hexadecimal digits");
    private static readonly Shape FilePath = new TextShape(1024);
    private static readonly Shape Tokens = new IntegerShape(1, MostTokens, "tokens");

    private static readonly Shape Lengths = new EitherShape(Tokens, mapping: new MappingShape(
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

    /// <summary>What the keys of a cell come to; null, with the reasons, where they contradict one another.</summary>
    public static ServeConfiguration? Read(DraftCell cell, PlanProblems problems)
    {
        var before = problems.Count;
        foreach (var key in Required.Where(k => !cell.Values.ContainsKey(k)))
        {
            problems.Add(cell.At, $"a cell of workload serve has no {key}", $"{key}: {Axes.First(a => a.Name == key).Shape.Says}");
        }

        foreach (var (key, value) in cell.Values.Where(v => PlanFormat.Axes.Any(a => a.Name == v.Key) && !IsServeKey(v.Key)))
        {
            problems.Add(value.Node, $"{key} is of decode steps, and the cell's workload is serve", $"one of {string.Join(", ", Axes.Select(a => a.Name))}, stack, data_seed");
        }

        if (problems.Count > before)
        {
            return null;
        }

        var (load, prompts) = (ReadLoad(cell.Values["load"], problems), ReadPrompts(cell.Values["prompts"], cell.Values["load"]["trace"] is not null, problems));
        if (load is null || prompts is null)
        {
            return null;
        }

        var generation = cell.Values.TryGetValue("generation", out var g) ? ReadGeneration(g) : new Generation(GenerationApi.Completions, false, 0, 0, null);
        if (generation.LeastTokens > prompts.Output.Least)
        {
            problems.Add(g!["min_tokens"]!.Node, $"is {Text(generation.LeastTokens)}, and an answer may be asked for {Text(prompts.Output.Least)} at most", "a min_tokens that is not above the shortest output_tokens");
            return null;
        }

        var parameters = cell.Values.TryGetValue("engine", out var engine)
            ? engine.Members!.ToImmutableSortedDictionary(m => m.Key, m => m.Value.Text, StringComparer.Ordinal)
            : ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);
        return new ServeConfiguration(cell.Values["model"].Text, parameters, load, prompts, generation);
    }

    /// <summary>A key's value in a word or two, for labels.</summary>
    public static string Short(string axis, ServeConfiguration serve) => axis switch
    {
        "model" => serve.Model,
        "engine" => string.Join(' ', serve.Parameters.Select(p => $"{p.Key}={p.Value}")),
        "load" => ShortLoad(serve.Load),
        "prompts" => serve.Prompts.FileSha256.Length > 0 ? serve.Prompts.FileSha256[..8] : $"{ShortLengths(serve.Prompts.Input)}-{ShortLengths(serve.Prompts.Output)}",
        "generation" => serve.Generation.Api == GenerationApi.Chat ? "chat" : "completions",
        _ => throw new ArgumentOutOfRangeException(nameof(axis), axis, "no key of a serving engine"),
    };

    /// <summary>A key's value as it is compared: equal texts, equal meaning.</summary>
    public static string Compared(string axis, ServeConfiguration serve) => axis switch
    {
        "model" => serve.Model,
        "engine" => string.Join(", ", serve.Parameters.Select(p => $"{p.Key}: {p.Value}")),
        "load" => LoadModel(serve.Load with { TracePath = null }).ToJsonString(),
        "prompts" => PromptsModel(serve.Prompts with { FilePath = null }).ToJsonString(),
        "generation" => GenerationModel(serve.Generation).ToJsonString(),
        _ => throw new ArgumentOutOfRangeException(nameof(axis), axis, "no key of a serving engine"),
    };

    /// <summary>As it is written in a plan.</summary>
    public static JsonObject LoadModel(ServeLoad load)
    {
        var model = new JsonObject();
        if (load.Arrivals == ArrivalProcess.Closed)
        {
            model["concurrency"] = load.Concurrency;
        }
        else if (load.Arrivals == ArrivalProcess.Trace)
        {
            if (load.TracePath is { } path)
            {
                model["trace"] = path;
            }

            model["sha256"] = load.TraceSha256;
        }
        else
        {
            model["rate"] = load.RequestsPerSecond;
            model["arrivals"] = Word(load.Arrivals);
            if (load.Arrivals == ArrivalProcess.Gamma)
            {
                model["shape"] = load.Shape;
            }
        }

        return model;
    }

    /// <summary>As it is written in a plan.</summary>
    public static JsonObject PromptsModel(PromptMix prompts)
    {
        var model = new JsonObject { ["input_tokens"] = LengthsModel(prompts.Input), ["output_tokens"] = LengthsModel(prompts.Output), ["shared"] = prompts.SharedShare };
        if (prompts.FileSha256.Length > 0)
        {
            model.Remove("input_tokens");
            if (prompts.FilePath is { } path)
            {
                model["file"] = path;
            }

            model["sha256"] = prompts.FileSha256;
        }

        return model;
    }

    /// <summary>As it is written in a plan.</summary>
    public static JsonObject GenerationModel(Generation generation)
    {
        var model = new JsonObject { ["api"] = Word(generation.Api), ["ignore_eos"] = generation.IgnoreEndOfSequence, ["min_tokens"] = generation.LeastTokens, ["temperature"] = generation.Temperature };
        if (generation.Seed is { } seed)
        {
            model["seed"] = seed;
        }

        return model;
    }

    private static ServeLoad? ReadLoad(PlanValue load, PlanProblems problems)
    {
        string[] ways = [.. new[] { "concurrency", "rate", "trace" }.Where(k => load[k] is not null)];
        if (ways.Length != 1)
        {
            problems.Add(load.Node, ways.Length == 0 ? "says neither concurrency nor rate nor trace" : $"says {string.Join(" and ", ways)} at once", "one of concurrency (a closed loop), rate (an open one) and trace");
            return null;
        }

        string[] mayHave = ways[0] switch { "concurrency" => [], "rate" => ["arrivals", "shape"], _ => ["sha256"] };
        if (new[] { "arrivals", "shape", "sha256" }.FirstOrDefault(k => load[k] is not null && !mayHave.Contains(k)) is { } stray)
        {
            problems.Add(load[stray]!.Node, $"{stray} has no meaning beside {ways[0]}", $"{ways[0]} without it");
            return null;
        }

        if (ways[0] == "concurrency")
        {
            return new ServeLoad(ArrivalProcess.Closed, (int)load["concurrency"]!.Integer);
        }

        if (ways[0] == "trace")
        {
            if (load["sha256"] is not { } sha)
            {
                problems.Add(load.Node, "names a trace without its sha256", "sha256: of the trace's file");
                return null;
            }

            return new ServeLoad(ArrivalProcess.Trace, 0, TraceSha256: sha.Text.ToLowerInvariant(), TracePath: load["trace"]!.Text);
        }

        var arrivals = load["arrivals"]?.Text switch { "gamma" => ArrivalProcess.Gamma, "constant" => ArrivalProcess.Constant, _ => ArrivalProcess.Poisson };
        if (arrivals == ArrivalProcess.Gamma != load["shape"] is not null)
        {
            problems.Add(load.Node, arrivals == ArrivalProcess.Gamma ? "is gamma without a shape" : "has a shape and is not gamma", "arrivals: gamma and shape together");
            return null;
        }

        return new ServeLoad(arrivals, 0, load["rate"]!.Number, load["shape"]?.Number ?? 0);
    }

    private static PromptMix? ReadPrompts(PlanValue prompts, bool isTrace, PlanProblems problems)
    {
        var (file, sha, input) = (prompts["file"], prompts["sha256"], prompts["input_tokens"]);
        if (file is null != sha is null)
        {
            problems.Add(prompts.Node, file is null ? "has a sha256 of no file" : "names a file without its sha256", "file and sha256 together");
            return null;
        }

        if (file is not null && input is not null)
        {
            problems.Add(input.Node, "is given although the prompts come from a file", "file and sha256, or input_tokens");
            return null;
        }

        if (file is null && input is null && !isTrace)
        {
            problems.Add(prompts.Node, "has no input_tokens", $"input_tokens: {Lengths.Says}; or file and sha256");
            return null;
        }

        if (prompts["shared"]!.Number > 0 && file is not null)
        {
            problems.Add(prompts["shared"]!.Node, "is a share of synthetic prompts, and these come from a file", "shared: 0");
            return null;
        }

        var (asked, answered) = (input is null ? LengthSpread.Constant(1) : ReadLengths(input, problems), ReadLengths(prompts["output_tokens"]!, problems));
        return asked is null || answered is null ? null : new PromptMix(asked, answered, prompts["shared"]!.Number, sha?.Text.ToLowerInvariant() ?? "", file?.Text);
    }

    private static LengthSpread? ReadLengths(PlanValue lengths, PlanProblems problems)
    {
        if (lengths.Members is null)
        {
            return LengthSpread.Constant((int)lengths.Integer);
        }

        var (least, most, kind) = ((int)lengths["min"]!.Integer, (int)lengths["max"]!.Integer, lengths["distribution"]!.Text);
        if (least > most || (kind == "constant" && least != most))
        {
            problems.Add(lengths["max"]!.Node, least > most ? $"is {Text(most)}, below min {Text(least)}" : $"is {Text(most)} where min is {Text(least)}, and the length is constant", least > most ? "a max that is not below min" : "min and max alike, or another distribution");
            return null;
        }

        var spread = kind is "normal" or "lognormal";
        if (new[] { "mean", "deviation" }.FirstOrDefault(k => lengths[k] is not null != spread) is { } odd)
        {
            problems.Add(lengths[odd]?.Node ?? lengths.Node, spread ? $"is {kind} without {odd}" : $"{odd} has no meaning for a {kind} length", "mean and deviation with distribution: normal or lognormal, and with these alone");
            return null;
        }

        return kind switch
        {
            "constant" => LengthSpread.Constant(least),
            "uniform" => new LengthSpread(LengthKind.Uniform, least, most, (least + most) / 2.0, 0),
            "normal" => new LengthSpread(LengthKind.Normal, least, most, lengths["mean"]!.Number, lengths["deviation"]!.Number),
            _ => new LengthSpread(LengthKind.LogNormal, least, most, lengths["mean"]!.Number, lengths["deviation"]!.Number),
        };
    }

    private static Generation ReadGeneration(PlanValue g) => new(
        g["api"]!.Text == "chat" ? GenerationApi.Chat : GenerationApi.Completions, g["ignore_eos"]!.Flag, (int)g["min_tokens"]!.Integer, g["temperature"]!.Number, g["seed"]?.Integer);

    private static JsonObject LengthsModel(LengthSpread l)
    {
        var model = new JsonObject { ["distribution"] = Word(l.Kind), ["min"] = l.Least, ["max"] = l.Most };
        if (l.Kind is LengthKind.Normal or LengthKind.LogNormal)
        {
            (model["mean"], model["deviation"]) = (l.Mean, l.Deviation);
        }

        return model;
    }

    private static string ShortLoad(ServeLoad load) => load.Arrivals switch
    {
        ArrivalProcess.Closed => $"c{Text(load.Concurrency)}",
        ArrivalProcess.Trace => $"trace {load.TraceSha256[..8]}",
        ArrivalProcess.Gamma => string.Create(CultureInfo.InvariantCulture, $"{load.RequestsPerSecond} per s gamma {load.Shape}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{load.RequestsPerSecond} per s {Word(load.Arrivals)}"),
    };

    private static string ShortLengths(LengthSpread l) => l.Kind == LengthKind.Constant ? Text(l.Least) : string.Create(CultureInfo.InvariantCulture, $"{l.Mean}");

    private static string Word<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
