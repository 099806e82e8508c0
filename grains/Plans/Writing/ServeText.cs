using System.Globalization;
using System.Text.Json.Nodes;
using EnergyGrid.Contracts;

namespace EnergyGrid.Plans;

/// <summary>What a serving engine is asked, as plans write it, as it is compared, and in a word or two.</summary>
internal static class ServeText
{
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
