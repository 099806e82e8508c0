using System.Collections.Immutable;
using EnergyGrid.Plans;

namespace EnergyGrid.Stacks;

/// <summary>A model that a stack may serve.</summary>
/// <param name="Name">As plans name it.</param>
/// <param name="Path">A file, a directory or a hub's id; null where an endpoint has it already.</param>
/// <param name="ServedName">As the engine names it in requests.</param>
/// <param name="BytesPerToken">Of synthetic English text, to size prompts; bytes.</param>
/// <param name="ActiveParameters">That a token passes through, as its makers declare; null where nothing is said.</param>
public sealed record StackModel(string Name, string? Path, string ServedName, double BytesPerToken, double? ActiveParameters);

/// <summary>One stack of a node: what may be started there, or what already runs.</summary>
/// <param name="Name">As plans name it.</param>
/// <param name="Recipe">Which engine.</param>
/// <param name="Dialect">What its requests may say.</param>
/// <param name="Command">Program and fixed arguments; empty for an endpoint.</param>
/// <param name="Environment">Set for it.</param>
/// <param name="Inherited">Names of variables that it is given as the node agent has them, beside the usual ones.</param>
/// <param name="StartLimit">So long it may take until it is healthy.</param>
/// <param name="Parameters">By name, what a plan may set.</param>
/// <param name="Models">What it may serve.</param>
/// <param name="Address">Of an endpoint; null for what is started.</param>
/// <param name="TokenVariable">Name of the environment variable that holds an endpoint's bearer token; null for none.</param>
public sealed record StackEntry(
    string Name, EngineRecipe Recipe, Dialect Dialect, ImmutableArray<string> Command, ImmutableSortedDictionary<string, string> Environment, ImmutableArray<string> Inherited, TimeSpan StartLimit,
    ImmutableSortedDictionary<string, StackParameter> Parameters, ImmutableArray<StackModel> Models, Uri? Address, string? TokenVariable)
{
    /// <summary>By its name; null for another.</summary>
    public StackModel? Model(string name) => Models.FirstOrDefault(m => m.Name == name);

    /// <summary>Why a plan may not have that, with what would be right; null if it may.</summary>
    /// <param name="model">As the plan names it.</param>
    /// <param name="parameters">As the plan writes them.</param>
    public string? Refusal(string model, IReadOnlyDictionary<string, string> parameters)
    {
        if (Model(model) is null) return $"stack {Name} has no model '{PlanNode.Short(model)}': {Spelling.Suggest(model, [.. Models.Select(m => m.Name)])}";
        if (Recipe.IsEndpoint && parameters.Count > 0) return $"stack {Name} is taken as it runs: a plan can set no parameters of it";
        foreach (var (name, value) in parameters.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            if (!Parameters.TryGetValue(name, out var parameter)) return $"stack {Name} has no parameter '{PlanNode.Short(name)}': {Spelling.Suggest(name, [.. Parameters.Keys])}";
            if (parameter.Canonical(value) is null) return $"parameter {name} of stack {Name} is '{PlanNode.Short(value)}': right would be {parameter.Says}";
        }

        return null;
    }

    /// <summary>Parameters in the one way to write them, without those that say what would hold anyway: two plans that mean the same engine have the same ones.</summary>
    /// <exception cref="ArgumentException">There is a <see cref="Refusal"/>.</exception>
    public ImmutableSortedDictionary<string, string> Canonical(string model, IReadOnlyDictionary<string, string> parameters)
    {
        if (Refusal(model, parameters) is { } refusal) throw new ArgumentException(refusal, nameof(parameters));
        return parameters.Select(p => KeyValuePair.Create(p.Key, Parameters[p.Key].Canonical(p.Value)!)).Where(p => p.Value != Parameters[p.Key].Default).ToImmutableSortedDictionary(StringComparer.Ordinal);
    }

    /// <summary>The whole command line: never a shell's, so nothing in it is interpreted.</summary>
    /// <exception cref="ArgumentException">There is a <see cref="Refusal"/>.</exception>
    /// <exception cref="InvalidOperationException">Nothing is started: it is an endpoint.</exception>
    public ImmutableArray<string> CommandLine(string model, IReadOnlyDictionary<string, string> parameters, int port)
    {
        if (Recipe.IsEndpoint) throw new InvalidOperationException($"stack {Name} is an endpoint: nothing is started");
        var said = Canonical(model, parameters);
        var arguments = Parameters.Values.Select(p => (Parameter: p, Value: said.GetValueOrDefault(p.Name) ?? p.Default)).Where(p => p.Value is not null).SelectMany(p => p.Parameter.Arguments(p.Value!));
        return Recipe.CommandLine(Command, Model(model)!, port, arguments);
    }

    /// <summary>An endpoint's bearer token, from the environment; null for none.</summary>
    /// <exception cref="EngineStartException">The variable is not set.</exception>
    internal string? Token() => TokenVariable is null ? null
        : System.Environment.GetEnvironmentVariable(TokenVariable) is { Length: > 0 } token ? token
        : throw new EngineStartException($"stack {Name} takes its token from the environment variable {TokenVariable}, which is not set for the node agent");
}
