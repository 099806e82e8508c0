using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using EnergyGrid.Contracts;

namespace EnergyGrid.Plans;

/// <summary>What a value may be. One table of shapes (<see cref="PlanFormat"/>) drives the reader, the defaults and the JSON Schema, so they cannot disagree.</summary>
internal abstract class Shape
{
    /// <summary>For "right:", for example <c>a whole number from 1 to 1024</c>.</summary>
    public abstract string Says { get; }

    /// <summary>JSON Schema of the value.</summary>
    public abstract JsonObject Schema();

    /// <summary>The value, or null with the reason in <paramref name="problems"/>.</summary>
    public PlanValue? Read(PlanNode node, PlanProblems problems)
    {
        if (problems.IsFull)
        {
            return null;
        }

        if (node.IsNull)
        {
            problems.Add(node.OpeningLine, node.OpeningColumn, node.Path, "has no value", $"{Says}, or leave the key out where it is optional");
            return null;
        }

        return ReadPresent(node, problems);
    }

    protected abstract PlanValue? ReadPresent(PlanNode node, PlanProblems problems);

    protected PlanValue? Refuse(PlanNode node, PlanProblems problems)
    {
        problems.Add(node, $"is {node.Shown}", Says);
        return null;
    }

    /// <summary>Whether a number is refused for beginning with a zero.</summary>
    protected bool RefusesZero(PlanNode node, PlanProblems problems)
    {
        var zero = node is { Kind: NodeKind.Scalar, IsPlain: true } && CoreSchema.HasLeadingZero(node.Text);
        if (zero)
        {
            problems.Add(node, $"is {node.Shown}, octal to a reader of YAML 1.1 and decimal to one of 1.2", $"{Says}, without a zero in front");
        }

        return zero;
    }
}

/// <summary>Text; with <paramref name="values"/>, one of a few words; with <paramref name="lines"/>, of several lines.</summary>
internal sealed class TextShape(int most = 2000, string[]? values = null, string? pattern = null, string? says = null, bool lines = false) : Shape
{
    private readonly Regex? _pattern = pattern is null ? null : new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);

    public override string Says => says ?? (values is null ? $"text of 1 to {most} characters" : $"one of {string.Join(", ", values)}");

    public override JsonObject Schema()
    {
        if (values is not null)
        {
            return new JsonObject { ["type"] = "string", ["enum"] = new JsonArray([.. values.Select(v => (JsonNode)v)]) };
        }

        var schema = new JsonObject { ["type"] = "string", ["minLength"] = 1, ["maxLength"] = most };
        if (pattern is not null)
        {
            schema["pattern"] = pattern;
        }

        return schema;
    }

    protected override PlanValue? ReadPresent(PlanNode node, PlanProblems problems)
    {
        if (node.Kind != NodeKind.Scalar)
        {
            return Refuse(node, problems);
        }

        if (Unprintable.In(node.Text, lines) is { } unprintable)
        {
            problems.Add(node, unprintable, $"{Says}, {(lines ? "without control characters but tabs and line feeds" : "on one line and without control characters")}");
            return null;
        }

        if (values is not null)
        {
            if (Array.IndexOf(values, node.Text) >= 0)
            {
                return new PlanValue(node) { Scalar = node.Text };
            }

            problems.Add(node, $"is {node.Shown}", Spelling.Suggest(node.Text, values));
            return null;
        }

        if (node.IsPlain && (CoreSchema.IsNumber(node.Text) || CoreSchema.Boolean(node.Text) is not null))
        {
            problems.Add(node, $"is {node.Shown}, which is not text", $"{Says}, in quotes if it is to look like that");
            return null;
        }

        // Counted as JSON Schema does, in code points.
        var length = node.Text.Length - node.Text.Count(char.IsLowSurrogate);
        if (string.IsNullOrWhiteSpace(node.Text) || length > most || _pattern?.IsMatch(node.Text) == false)
        {
            problems.Add(node, string.IsNullOrWhiteSpace(node.Text) ? "is empty" : length > most ? $"has {length} characters" : $"is {node.Shown}", Says);
            return null;
        }

        return new PlanValue(node) { Scalar = node.Text };
    }
}

/// <summary>A whole number in decimal digits.</summary>
internal sealed class IntegerShape(long least, long most, string unit = "") : Shape
{
    public override string Says => $"a whole number{(unit.Length > 0 ? " of " + unit : "")} from {least.ToString(CultureInfo.InvariantCulture)} to {most.ToString(CultureInfo.InvariantCulture)}";

    public override JsonObject Schema() => new() { ["type"] = "integer", ["minimum"] = least, ["maximum"] = most };

    protected override PlanValue? ReadPresent(PlanNode node, PlanProblems problems)
    {
        if (RefusesZero(node, problems))
        {
            return null;
        }

        return node.Kind == NodeKind.Scalar && node.IsPlain && long.TryParse(node.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most
            ? new PlanValue(node) { Scalar = value }
            : Refuse(node, problems);
    }
}

/// <summary><c>true</c> or <c>false</c>.</summary>
internal sealed class BooleanShape : Shape
{
    public override string Says => "true or false";

    public override JsonObject Schema() => new() { ["type"] = "boolean" };

    protected override PlanValue? ReadPresent(PlanNode node, PlanProblems problems) =>
        node.Kind == NodeKind.Scalar && node.IsPlain && CoreSchema.Boolean(node.Text) is { } value ? new PlanValue(node) { Scalar = value } : Refuse(node, problems);
}

/// <summary>A finite number.</summary>
internal sealed class NumberShape(double least, double most, string unit = "", bool above = false) : Shape
{
    public override string Says
    {
        get
        {
            var range = double.IsPositiveInfinity(most)
                ? string.Create(CultureInfo.InvariantCulture, $"{(above ? "above" : "of at least")} {least}")
                : string.Create(CultureInfo.InvariantCulture, $"{(above ? "above" : "from")} {least} {(above ? "and at most" : "to")} {most}");
            return unit.Length > 0 ? $"a finite number of {unit}, {range}" : $"a finite number {range}";
        }
    }

    public override JsonObject Schema()
    {
        var schema = new JsonObject { ["type"] = "number", [above ? "exclusiveMinimum" : "minimum"] = least };
        if (!double.IsPositiveInfinity(most))
        {
            schema["maximum"] = most;
        }

        return schema;
    }

    protected override PlanValue? ReadPresent(PlanNode node, PlanProblems problems)
    {
        if (RefusesZero(node, problems))
        {
            return null;
        }

        if (node.Kind != NodeKind.Scalar || !node.IsPlain || !CoreSchema.IsNumber(node.Text) || !double.TryParse(node.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value))
        {
            return Refuse(node, problems);
        }

        var inside = double.IsFinite(value) && (above ? value > least : value >= least) && value <= most;
        return inside ? new PlanValue(node) { Scalar = value } : Refuse(node, problems);
    }
}

/// <summary>A list.</summary>
internal sealed class ListShape(Shape item, int least, int most) : Shape
{
    public override string Says => least == most ? $"a list of {least}, each {item.Says}" : $"a list of {least} to {most}, each {item.Says}";

    public override JsonObject Schema() => new() { ["type"] = "array", ["items"] = item.Schema(), ["minItems"] = least, ["maxItems"] = most };

    protected override PlanValue? ReadPresent(PlanNode node, PlanProblems problems)
    {
        if (node.Kind != NodeKind.Sequence || node.Items.Count < least || node.Items.Count > most)
        {
            problems.Add(node, node is { Kind: NodeKind.Sequence, Items.Count: 0 } ? "is an empty list" : $"is {node.Shown}", Says);
            return null;
        }

        var items = new List<PlanValue>(node.Items.Count);
        foreach (var child in node.Items)
        {
            if (item.Read(child, problems) is { } value)
            {
                items.Add(value);
            }
        }

        return items.Count == node.Items.Count ? new PlanValue(node) { Items = items } : null;
    }
}

/// <summary>A different shape for a scalar, a list or a mapping, for example <c>8</c> or <c>[8, 24]</c>.</summary>
internal sealed class EitherShape(Shape? scalar, Shape? list = null, Shape? mapping = null) : Shape
{
    private readonly Shape[] _shapes = [.. new[] { scalar, list, mapping }.OfType<Shape>().Distinct()];

    public override string Says => string.Join(", or ", _shapes.Select(s => s.Says));

    public override JsonObject Schema() => new() { ["anyOf"] = new JsonArray([.. _shapes.Select(s => (JsonNode)s.Schema())]) };

    /// <summary>One value of <paramref name="shape"/>, or a list of such.</summary>
    public static EitherShape OneOrMany(Shape shape) => new(shape, new ListShape(shape, 1, 100_000), shape is EitherShape or MappingShape or NamedValuesShape ? shape : null);

    protected override PlanValue? ReadPresent(PlanNode node, PlanProblems problems)
    {
        var shape = node.Kind switch { NodeKind.Scalar => scalar, NodeKind.Sequence => list, _ => mapping };
        return shape is null ? Refuse(node, problems) : shape.Read(node, problems);
    }
}

/// <summary>A mapping whose keys are not known here, each with a number, a word or a truth value: it is kept as text.</summary>
internal sealed class NamedValuesShape(string what, string keyPattern, string keySays) : Shape
{
    private const int MostKeys = 64;
    private const int MostLength = 256;

    private readonly Regex _key = new(keyPattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);

    public override string Says => $"a mapping from names ({keySays}) to numbers, words, true or false, for example {{threads: 2}}";

    public override JsonObject Schema() => new()
    {
        ["type"] = "object",
        ["description"] = what,
        ["propertyNames"] = new JsonObject { ["pattern"] = keyPattern },
        ["additionalProperties"] = new JsonObject { ["type"] = new JsonArray("string", "number", "boolean") },
        ["maxProperties"] = MostKeys,
    };

    protected override PlanValue? ReadPresent(PlanNode node, PlanProblems problems)
    {
        if (node.Kind != NodeKind.Mapping || node.Members.Count > MostKeys)
        {
            return Refuse(node, problems);
        }

        var before = problems.Count;
        var members = new Dictionary<string, PlanValue>(StringComparer.Ordinal);
        foreach (var member in node.Members)
        {
            if (!_key.IsMatch(member.Key))
            {
                problems.Add(member.Line, member.Column, member.Value.Path, $"the key '{PlanNode.Short(member.Key)}' is no name", keySays);
            }
            else if (member.Value.Kind != NodeKind.Scalar || member.Value.IsNull || member.Value.Text.Length is 0 or > MostLength || Unprintable.In(member.Value.Text, false) is not null)
            {
                problems.Add(member.Value, $"is {member.Value.Shown}", $"a number, a word, true or false, of at most {MostLength} characters");
            }
            else
            {
                members[member.Key] = new PlanValue(member.Value) { Scalar = member.Value.Text };
            }
        }

        return problems.Count == before ? new PlanValue(node) { Members = members } : null;
    }
}

/// <summary>A key of a mapping.</summary>
/// <param name="Name">As written.</param>
/// <param name="Description">For the schema and the documentation.</param>
/// <param name="Shape">What it may hold.</param>
/// <param name="Required">Refused if missing.</param>
/// <param name="Default">YAML text of the value if it is left out; null: it stays absent.</param>
/// <param name="Missing">What is said if it is missing; a general sentence otherwise.</param>
internal sealed record Field(string Name, string Description, Shape Shape, bool Required = false, string? Default = null, string? Missing = null);

/// <summary>A mapping with known keys.</summary>
internal sealed class MappingShape(string what, params Field[] fields) : Shape
{
    private readonly Dictionary<string, Field> _byName = fields.ToDictionary(f => f.Name, StringComparer.Ordinal);

    public IReadOnlyList<Field> Fields { get; } = fields;

    public override string Says => $"a mapping with the keys {string.Join(", ", Fields.Select(f => f.Name))}";

    public override JsonObject Schema()
    {
        var properties = new JsonObject();
        foreach (var field in Fields)
        {
            var schema = field.Shape.Schema();
            schema["description"] = field.Description;
            if (field.Default is not null)
            {
                schema["default"] = DefaultOf(field, "", 1, 1)!.ToJson();
            }

            properties[field.Name] = schema;
        }

        var result = new JsonObject { ["type"] = "object", ["description"] = what, ["properties"] = properties, ["additionalProperties"] = false };
        if (Fields.Any(f => f.Required))
        {
            result["required"] = new JsonArray([.. Fields.Where(f => f.Required).Select(f => (JsonNode)f.Name)]);
        }

        return result;
    }

    protected override PlanValue? ReadPresent(PlanNode node, PlanProblems problems)
    {
        if (node.Kind != NodeKind.Mapping)
        {
            return Refuse(node, problems);
        }

        var before = problems.Count;
        var members = new Dictionary<string, PlanValue>(StringComparer.Ordinal);
        var written = new HashSet<string>(StringComparer.Ordinal);
        foreach (var member in node.Members)
        {
            if (!_byName.TryGetValue(member.Key, out var field))
            {
                problems.Add(member.Line, member.Column, member.Value.Path, $"the key '{PlanNode.Short(member.Key)}' is not known here", Spelling.Suggest(member.Key, _byName.Keys));
                continue;
            }

            written.Add(member.Key);
            if (field.Shape.Read(member.Value, problems) is { } value)
            {
                members[member.Key] = value;
            }
        }

        foreach (var field in Fields.Where(f => !written.Contains(f.Name)))
        {
            ReadMissing(node, field, members, problems);
        }

        return problems.Count == before && !problems.IsFull ? new PlanValue(node) { Members = members } : null;
    }

    private static void ReadMissing(PlanNode node, Field field, Dictionary<string, PlanValue> members, PlanProblems problems)
    {
        var path = PlanNode.Below(node.Path, field.Name);
        if (field.Default is not null)
        {
            members[field.Name] = DefaultOf(field, path, node.OpeningLine, node.OpeningColumn)!;
        }
        else if (field is { Required: true, Missing: null, Shape: MappingShape inner })
        {
            // Everything that it would have to hold is named, not only the mapping itself.
            _ = inner.Read(PlanNode.EmptyMapping(path, node.OpeningLine, node.OpeningColumn), problems);
        }
        else if (field.Required)
        {
            problems.Add(node.OpeningLine, node.OpeningColumn, path, field.Missing ?? $"the key '{field.Name}' is missing", $"{field.Name}: {field.Shape.Says}");
        }
    }

    private static PlanValue? DefaultOf(Field field, string path, int line, int column)
    {
        var none = new PlanProblems("the format's defaults");
        var node = PlanTree.Read($"value: {field.Default}", none)!.Members[0].Value;
        return field.Shape.Read(Moved(node, path, line, column), none) is { } value
            ? AsDefault(value)
            : throw new InvalidOperationException($"the default of {path} does not fit: {none.InOrder()[0]}");
    }

    private static PlanNode Moved(PlanNode node, string path, int line, int column)
    {
        var moved = new PlanNode(node.Kind, path, line, column) { Text = node.Text, IsPlain = node.IsPlain };
        moved.Items.AddRange(node.Items.Select((x, i) => Moved(x, $"{path}[{i}]", line, column)));
        moved.Members.AddRange(node.Members.Select(m => new PlanMember(m.Key, line, column, Moved(m.Value, PlanNode.Below(path, m.Key), line, column))));
        return moved;
    }

    private static PlanValue AsDefault(PlanValue value) => new(value.Node) { Scalar = value.Scalar, Items = value.Items, Members = value.Members, IsDefault = true };
}
