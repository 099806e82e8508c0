using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using EnergyGrid.Plans;

namespace EnergyGrid.Stacks;

/// <summary>The file <c>stacks.yaml</c>: every key, what it may hold, and its default.</summary>
internal static class StackFormat
{
    private const int MostStacks = 100, MostModels = 1000;

    private const string NamePattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", NameSays = "1 to 64 letters, digits and any of . _ - beginning with a letter or digit";
    private const string FlagPattern = "^--?[A-Za-z][A-Za-z0-9._-]{0,63}$", FlagSays = "a flag of the engine, for example --max-num-seqs";
    private const string VariablePattern = "^[A-Za-z_][A-Za-z0-9_]{0,127}$", VariableSays = "the name of an environment variable: letters, digits and _";

    private static readonly Shape Name = new TextShape(64, pattern: NamePattern, says: NameSays);
    private static readonly Shape Variable = new TextShape(128, pattern: VariablePattern, says: VariableSays);
    private static readonly Shape Flag = new TextShape(66, pattern: FlagPattern, says: FlagSays);
    private static readonly Shape Bound = new NumberShape(-StackParameter.MostOfAll, StackParameter.MostOfAll);

    private static readonly MappingShape Parameter = new(
        "What a plan may set, and within what.",
        new Field("flag", "The engine's flag; that of the recipe if left out.", Flag),
        new Field("off_flag", "What is said for false; nothing is said if left out.", Flag),
        new Field("type", "Which kind of value; that of the recipe if left out.", new TextShape(values: ["integer", "number", "boolean", "text"])),
        new Field("min", "The least number.", Bound),
        new Field("max", "The most.", Bound),
        new Field("values", "The words that a plan may say: a list, or a mapping of each to what the engine is told instead.",
            new EitherShape(null, new ListShape(new ScalarShape(), 1, 1000), new NamedShape("words", NamePattern, NameSays, new ScalarShape(), 1000))),
        new Field("default", "What is launched where a plan says nothing; the engine's own if left out.", new ScalarShape()));

    private static readonly MappingShape Model = new(
        "A model that this stack may serve.",
        new Field("name", "What a plan's model: names; unique in the stack.", Name, Required: true),
        new Field("path", "A file, a directory or a hub's id. Every stack but an endpoint needs it.",
            new TextShape(1024, pattern: "^[^-]", says: "an absolute path or a hub's id of at most 1024 characters, which does not begin with -")),
        new Field("served_name", "As the engine names it in requests; the name if left out (TensorRT-LLM: what it makes of the path).",
            new TextShape(256, pattern: "^[^-]", says: "a name of at most 256 characters, which does not begin with -")),
        new Field("bytes_per_token", "Bytes of synthetic English text a token, to size prompts.", new NumberShape(0, 1024, "bytes", above: true), Default: "4"),
        new Field("active_parameters", "Parameters that one token passes through, as declared by the model's makers.", new NumberShape(0, 1e15, above: true)));

    private static readonly MappingShape Stack = new(
        "A serving engine that may be started here, or one that already runs.",
        new Field("name", "What a plan's stack: names; unique in the file.", Name, Required: true),
        new Field("recipe", "Which engine; endpoint attaches to what already runs.", new TextShape(values: [.. EngineRecipe.All.Select(r => r.Name)]), Required: true),
        new Field("command", "Program and fixed arguments, a list, never a line of a shell; the recipe's usual program if left out.", new ListShape(new ScalarShape(), 1, 100)),
        new Field("environment", "Variables that are set for it. No secrets: the file is readable.", new NamedShape("variables", VariablePattern, VariableSays, new ScalarShape(), 100)),
        new Field("inherit", "Names of variables that it is given as the node agent has them, for example HF_TOKEN.", new ListShape(Variable, 1, 100)),
        new Field("start_limit_s", "So long it may take until it is healthy, seconds.", new NumberShape(1, 86_400, "seconds"), Default: "600"),
        new Field("parameters", "Narrows what the recipe lets a plan set, or adds to it.", new NamedShape("parameters", NamePattern, NameSays, Parameter, 200)),
        new Field("models", "What it may serve.", new ListShape(Model, 1, MostModels), Required: true),
        new Field("address", "Of an endpoint, http or https.", new TextShape(1024, pattern: "^https?://", says: "an address that begins with http:// or https://")),
        new Field("dialect", "Which engine an endpoint is; endpoint if nothing is known.", new TextShape(values: [.. Dialect.All.Select(d => d.Name)])),
        new Field("token_environment", "Name of the environment variable that holds an endpoint's bearer token; never the token itself.", Variable));

    /// <summary>The whole file.</summary>
    public static MappingShape File { get; } = new(
        "What serving engines may run on this node.",
        new Field("stacks", "One entry each.", new ListShape(Stack, 1, MostStacks), Required: true));
}

/// <summary>Any value that is no list and no mapping, as it is written: a command's arguments may look like numbers.</summary>
internal sealed class ScalarShape : Shape
{
    private const int Most = 4096;

    public override string Says => $"text, a number, true or false, at most {Most} characters on one line";

    public override JsonObject Schema() => new() { ["type"] = new JsonArray("string", "number", "boolean") };

    protected override PlanValue? ReadPresent(PlanNode node, PlanProblems problems) =>
        node.Kind == NodeKind.Scalar && node.Text.Length <= Most && Contracts.Unprintable.In(node.Text, lines: false) is null ? new PlanValue(node) { Scalar = node.Text } : Refuse(node, problems);
}

/// <summary>A mapping whose keys are names that the file gives.</summary>
internal sealed class NamedShape(string what, string pattern, string says, Shape value, int most) : Shape
{
    private readonly Regex _pattern = new(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);

    public override string Says => $"a mapping of at most {most} {what}, each name {says}";

    public override JsonObject Schema() => new() { ["type"] = "object", ["propertyNames"] = new JsonObject { ["pattern"] = pattern }, ["additionalProperties"] = value.Schema(), ["maxProperties"] = most };

    protected override PlanValue? ReadPresent(PlanNode node, PlanProblems problems)
    {
        if (node.Kind != NodeKind.Mapping || node.Members.Count > most) return Refuse(node, problems);
        var members = new Dictionary<string, PlanValue>(StringComparer.Ordinal);
        foreach (var member in node.Members)
        {
            if (!_pattern.IsMatch(member.Key)) problems.Add(member.Line, member.Column, member.Value.Path, $"the name '{PlanNode.Short(member.Key)}' cannot be one", says);
            else if (value.Read(member.Value, problems) is { } read) members[member.Key] = read;
        }

        return members.Count == node.Members.Count ? new PlanValue(node) { Members = members } : null;
    }
}
