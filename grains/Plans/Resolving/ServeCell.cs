using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Plans;

/// <summary>What the keys of a serving engine's cell come to.</summary>
internal static class ServeCell
{
    /// <summary>What the keys of a cell come to; null, with the reasons, where they contradict one another.</summary>
    public static ServeConfiguration? Read(DraftCell cell, PlanProblems problems)
    {
        var before = problems.Count;
        foreach (var key in ServeFormat.Required.Where(k => !cell.Values.ContainsKey(k)))
        {
            problems.Add(cell.At, $"a cell of workload serve has no {key}", $"{key}: {ServeFormat.Axes.First(a => a.Name == key).Shape.Says}");
        }

        foreach (var (key, value) in cell.Values.Where(v => PlanFormat.Axes.Any(a => a.Name == v.Key) && !ServeFormat.IsServeKey(v.Key)))
        {
            problems.Add(value.Node, $"{key} is of decode steps, and the cell's workload is serve", $"one of {string.Join(", ", ServeFormat.Axes.Select(a => a.Name))}, stack, data_seed");
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
            problems.Add(prompts.Node, "has no input_tokens", $"input_tokens: {ServeFormat.Lengths.Says}; or file and sha256");
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

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
