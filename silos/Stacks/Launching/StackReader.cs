using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Plans;

namespace EnergyGrid.Stacks;

/// <summary>From the text of <c>stacks.yaml</c> to its entries: what its table of shapes lets pass is held against the recipes here.</summary>
internal static class StackReader
{
    /// <summary>Variables that are the launcher's to set.</summary>
    private static readonly string[] OwnVariables = ["CUDA_VISIBLE_DEVICES", EngineKeeper.Mark];

    public static StackReadResult Read(string? text, PlanProblems problems)
    {
        var root = text is null ? null : PlanTree.Read(text, problems);
        var value = root is null ? null : StackFormat.File.Read(root, problems);
        ImmutableArray<StackEntry> entries = value is null ? [] : [.. value["stacks"]!.Items!.Select(s => Entry(s, problems)).OfType<StackEntry>()];
        if (value is not null) Unique(value["stacks"]!, "stack", "this file", problems);
        if (!problems.Any) PlanText.CheckDirections(text!, problems);
        return problems.Any ? new StackReadResult(null, problems.InOrder()) : new StackReadResult(new StackFile(entries), []);
    }

    private static StackEntry? Entry(PlanValue stack, PlanProblems problems)
    {
        var before = problems.Count;
        var recipe = EngineRecipe.Of(stack["recipe"]!.Text)!;
        Unique(stack["models"]!, "model", "this stack", problems);
        if (recipe.IsEndpoint) CheckEndpoint(stack, problems);
        else CheckLaunched(stack, recipe, problems);
        var parameters = Parameters(stack["parameters"], recipe, problems);
        if (problems.Count > before || problems.IsFull) return null;
        return new StackEntry(
            stack["name"]!.Text, recipe, stack["dialect"] is { } dialect ? Dialect.Of(dialect.Text)! : recipe.Dialect,
            stack["command"] is { } command ? [.. command.Items!.Select(c => c.Text)] : recipe.Command,
            (stack["environment"]?.Members ?? new Dictionary<string, PlanValue>()).ToImmutableSortedDictionary(v => v.Key, v => v.Value.Text, StringComparer.Ordinal),
            stack["inherit"] is { } inherit ? [.. inherit.Items!.Select(i => i.Text)] : [],
            TimeSpan.FromSeconds(stack["start_limit_s"]!.Number), parameters, [.. stack["models"]!.Items!.Select(m => Model(m, recipe))],
            stack["address"] is { } address ? new Uri(address.Text) : null, stack["token_environment"]?.Text);
    }

    private static StackModel Model(PlanValue model, EngineRecipe recipe)
    {
        var (name, path) = (model["name"]!.Text, model["path"]?.Text);
        // Where no name can be given, it is the directory's, or the whole hub id.
        var usual = recipe.NameFlag is null && path is not null && !recipe.IsEndpoint ? Path.IsPathRooted(path) ? Path.GetFileName(path.TrimEnd('/')) : path : name;
        return new StackModel(name, path, model["served_name"]?.Text ?? usual, model["bytes_per_token"]!.Number, model["active_parameters"]?.Number);
    }

    private static void CheckEndpoint(PlanValue stack, PlanProblems problems)
    {
        foreach (var key in new[] { "command", "environment", "inherit", "parameters" })
            if (stack[key] is { } written) problems.Add(written.Node, "stands in an endpoint, where nothing is started", $"leave {key} out, or name the engine's recipe");
        if (stack["address"] is not { } address)
        {
            problems.Add(stack.Node.OpeningLine, stack.Node.OpeningColumn, PlanNode.Below(stack.Node.Path, "address"), "the key 'address' is missing", "address: where the endpoint is, for example http://127.0.0.1:8000/");
            return;
        }

        if (!Uri.TryCreate(address.Text, UriKind.Absolute, out var uri) || uri.Host.Length == 0) problems.Add(address.Node, $"is {address.Node.Shown}", "an address of http or https, for example http://127.0.0.1:8000/");
        else if (uri.UserInfo.Length > 0 || uri.Query.Length > 0 || uri.Fragment.Length > 0)
            problems.Add(address.Node, "holds more than a place", "scheme, host, port and path alone; a token stands in the variable that token_environment names");
        else if (stack["token_environment"] is { } token && uri is { Scheme: "http", IsLoopback: false }) problems.Add(token.Node, $"would send a token to {uri.Host} unencrypted", "an address of https, or of this machine itself");
    }

    private static void CheckLaunched(PlanValue stack, EngineRecipe recipe, PlanProblems problems)
    {
        foreach (var key in new[] { "address", "dialect", "token_environment" })
            if (stack[key] is { } written) problems.Add(written.Node, $"stands in a stack of recipe {recipe.Name}, which is started here", $"leave {key} out, or say recipe: endpoint");
        foreach (var model in stack["models"]!.Items!.Where(m => m["path"] is null))
            problems.Add(model.Node.OpeningLine, model.Node.OpeningColumn, PlanNode.Below(model.Node.Path, "path"), "the key 'path' is missing", "path: a file, a directory or a hub's id, for the engine to load");
        foreach (var path in stack["models"]!.Items!.Select(m => m["path"]).OfType<PlanValue>().Where(p => recipe == EngineRecipe.LlamaCpp && !Path.IsPathRooted(p.Text)))
            problems.Add(path.Node, $"is {path.Node.Shown}", "the absolute path of a .gguf file");
        foreach (var argument in stack["command"]?.Items ?? [])
        {
            if (argument.Text.Length == 0) problems.Add(argument.Node, "is empty", "a program or an argument");
            else if (recipe.Owns(argument.Text)) problems.Add(argument.Node, $"is {argument.Node.Shown}, which is set where the engine is started", "leave it out");
        }

        foreach (var (name, value) in stack["environment"]?.Members ?? new Dictionary<string, PlanValue>())
            if (OwnVariables.Contains(name)) problems.Add(value.Node, $"sets {name}, which is set where the engine is started", "leave it out");
    }

    private static ImmutableSortedDictionary<string, StackParameter> Parameters(PlanValue? written, EngineRecipe recipe, PlanProblems problems)
    {
        var all = recipe.Parameters.ToDictionary(p => p.Name, StringComparer.Ordinal);
        foreach (var (name, value) in written?.Members ?? new Dictionary<string, PlanValue>())
            if (Parameter(name, value, all.GetValueOrDefault(name), recipe, problems) is { } parameter) all[name] = parameter;
        return all.ToImmutableSortedDictionary(StringComparer.Ordinal);
    }

    private static StackParameter? Parameter(string name, PlanValue written, StackParameter? known, EngineRecipe recipe, PlanProblems problems)
    {
        var before = problems.Count;
        if (known is null)
        {
            foreach (var key in new[] { "flag", "type" })
                if (written[key] is null)
                    Missing(written, key, $"'{name}' is no parameter of recipe {recipe.Name}, and the key '{key}' is missing", $"{key}, or {Spelling.Suggest(name, [.. recipe.Parameters.Select(p => p.Name)])}", problems);
            if (problems.Count > before) return null;
        }

        var type = written["type"] is { } said ? Enum.Parse<ParameterType>(said.Text, ignoreCase: true) : known!.Type;
        if (known is not null && known.Type != type)
            problems.Add(written["type"]!.Node, $"is {written["type"]!.Node.Shown}", $"{Lower(known.Type)}, as in recipe {recipe.Name}; another name for another parameter");
        foreach (var key in new[] { "flag", "off_flag" })
            if (written[key] is { } flag && recipe.Owns(flag.Text)) problems.Add(flag.Node, $"is {flag.Text}, which is set where the engine is started", "another flag");
        var isNumber = type is ParameterType.Integer or ParameterType.Number;
        foreach (var (key, wanted) in new[] { ("min", isNumber), ("max", isNumber), ("values", type == ParameterType.Text), ("off_flag", type == ParameterType.Boolean) })
            if (!wanted && written[key] is { } odd) problems.Add(odd.Node, $"stands at a parameter of type {Lower(type)}", $"leave {key} out");
        if (type == ParameterType.Text && known is null && written["values"] is null)
            Missing(written, "values", "the key 'values' is missing", "values: the words that a plan may say, since no text of a plan reaches a command line otherwise", problems);
        if (problems.Count > before) return null;

        var (least, most) = (Bound(written["min"], known?.Least ?? -StackParameter.MostOfAll, known, type, problems), Bound(written["max"], known?.Most ?? StackParameter.MostOfAll, known, type, problems));
        if (written["max"] is { } max && least > most) problems.Add(max.Node, $"is {max.Node.Shown}, below the least", string.Create(CultureInfo.InvariantCulture, $"{least} or more"));
        var parameter = new StackParameter(name, written["flag"]?.Text ?? known!.Flag, type, least, most, Texts(written["values"], known, problems), written["off_flag"]?.Text ?? known?.OffFlag, known?.Default);
        if (written["default"] is { } standard)
        {
            if (parameter.Canonical(standard.Text) is { } canonical) parameter = parameter with { Default = canonical };
            else problems.Add(standard.Node, $"is {standard.Node.Shown}", parameter.Says);
        }

        return problems.Count > before ? null : parameter;
    }

    // Narrowed, never widened: the recipe's ranges are what the engine takes.
    private static double Bound(PlanValue? written, double otherwise, StackParameter? known, ParameterType type, PlanProblems problems)
    {
        if (written is null) return otherwise;
        if (type == ParameterType.Integer && written.Number != Math.Floor(written.Number)) problems.Add(written.Node, $"is {written.Node.Shown}", "a whole number, as the parameter's");
        else if (known is not null && (written.Number < known.Least || written.Number > known.Most)) problems.Add(written.Node, $"is {written.Node.Shown}, outside of the recipe's", known.Says);
        return written.Number;
    }

    private static ImmutableSortedDictionary<string, string> Texts(PlanValue? written, StackParameter? known, PlanProblems problems)
    {
        if (written is null) return known?.Texts ?? ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);
        var texts = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        foreach (var (word, value) in written.Members?.Select(m => (m.Key, m.Value)) ?? written.Items!.Select(i => (i.Text, i)))
        {
            if (word.Length == 0 || value.Text.Length == 0) problems.Add(value.Node, "is empty", "a word");
            else if (!texts.TryAdd(word, value.Text)) problems.Add(value.Node, $"is {value.Node.Shown}, a second time", "each word once");
        }

        return texts.ToImmutable();
    }

    private static void Unique(PlanValue list, string what, string where, PlanProblems problems)
    {
        var first = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var name in list.Items!.Select(i => i["name"]!))
            if (!first.TryAdd(name.Text, name.Node.Line)) problems.Add(name.Node, $"is {name.Node.Shown}, the name of the {what} on line {first[name.Text]}", $"a name that no other {what} of {where} has");
    }

    private static void Missing(PlanValue at, string key, string wrong, string right, PlanProblems problems) => problems.Add(at.Node.OpeningLine, at.Node.OpeningColumn, PlanNode.Below(at.Node.Path, key), wrong, right);

    private static string Lower(ParameterType type) => type.ToString().ToLowerInvariant();
}
