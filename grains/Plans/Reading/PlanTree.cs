using EnergyGrid.Contracts;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace EnergyGrid.Plans;

/// <summary>
/// YAML events to nodes with places. Only what JSON can say is accepted: no anchors, aliases, tags, merge keys or second documents, so nothing can expand and
/// nothing means two things. JSON is read by the same code, as flow style.
/// </summary>
internal sealed class PlanTree
{
    /// <summary>Deepest nesting; the format itself needs 6.</summary>
    public const int MostDepth = 16;

    private readonly string _text;
    private readonly IParser _parser;
    private readonly PlanProblems _problems;

    private PlanTree(string text, PlanProblems problems) => (_text, _parser, _problems) = (text, new Parser(new StringReader(text)), problems);

    /// <summary>The root mapping, or null with the reason in <paramref name="problems"/>.</summary>
    public static PlanNode? Read(string text, PlanProblems problems)
    {
        if (!PlanText.Check(text, problems))
        {
            return null;
        }

        text = text.TrimStart('\uFEFF');
        if (string.IsNullOrWhiteSpace(text))
        {
            problems.Add(1, 1, "", "is empty", $"a mapping that begins with {problems.Begins}");
            return null;
        }

        if (text.AsSpan().TrimStart()[0] == '{')
        {
            // JSON may indent with tabs, YAML's reader dislikes them; in flow style white space has no meaning, and places stay the same.
            text = text.Replace('\t', ' ');
        }

        return new PlanTree(text, problems).ReadStream();
    }

    private PlanNode? ReadStream()
    {
        try
        {
            _parser.MoveNext();
            _parser.MoveNext();
            if (_parser.Current is StreamEnd)
            {
                _problems.Add(1, 1, "", "holds only comments", $"a mapping that begins with {_problems.Begins}");
                return null;
            }

            if (_parser.Current is DocumentStart { Version: { Version: not { Major: 1, Minor: 2 } } version } start)
            {
                Add(start.Start, "", $"is written for YAML {version.Version.Major}.{version.Version.Minor}, where numbers and words mean other things", "YAML 1.2, or no %YAML line");
                return null;
            }

            _parser.MoveNext();
            var root = ReadNode("", 0, null);
            if (root is null)
            {
                return null;
            }

            _parser.MoveNext();
            _parser.MoveNext();
            if (_parser.Current is DocumentStart second)
            {
                Add(second.Start, "", "a second document begins here", "one plan in a file");
                return null;
            }

            if (root.Kind != NodeKind.Mapping)
            {
                _problems.Add(root, $"the plan is {root.Shown}", $"a mapping of keys to values that begins with {_problems.Begins}");
                return null;
            }

            return root;
        }
        catch (YamlException e)
        {
            var (line, column) = Place(e.Start);
            if (line <= _text.AsSpan().TrimEnd().Count('\n') || !AddUnclosed())
            {
                _problems.Add(line, column, "", $"is not valid YAML: {FirstSentence(e.Message)}", "valid YAML or JSON: look for a missing colon, bracket, quote or wrong indentation here or just above");
            }
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or FormatException or OverflowException)
        {
            // YamlDotNet answers an unterminated flow collection with InvalidOperationException, without a place.
            if (!AddUnclosed())
            {
                Add(_parser.Current?.Start ?? Mark.Empty, "", "is not valid YAML after this", "valid YAML or JSON: look for a missing colon, bracket, quote or wrong indentation");
            }
        }

        return null;
    }

    private bool AddUnclosed()
    {
        if (FlowBrackets.FirstUnclosed(_text) is not { } open)
        {
            return false;
        }

        _problems.Add(open.Line, open.Column, "", $"the {open.Bracket} that is opened here is never closed", $"its {(open.Bracket == '[' ? ']' : '}')}");
        return true;
    }

    private PlanNode? ReadNode(string path, int depth, Mark? key)
    {
        var current = _parser.Current!;
        var (line, column) = Place(current.Start);
        if (current is AnchorAlias alias)
        {
            Add(alias.Start, path, $"the alias *{PlanNode.Short(alias.Value.Value)} is not allowed", "write the value out: plans have no anchors and no aliases");
            return null;
        }

        if (current is NodeEvent node && (!node.Anchor.IsEmpty || !node.Tag.IsEmpty))
        {
            var what = node.Anchor.IsEmpty ? $"the tag {PlanNode.Short(node.Tag.Value)}" : $"the anchor &{PlanNode.Short(node.Anchor.Value)}";
            Add(node.Start, path, $"{what} is not allowed", "write the value alone: plans have no anchors, aliases or tags");
            return null;
        }

        if (depth > MostDepth)
        {
            Add(current.Start, path, $"is nested deeper than {MostDepth} levels", "the nesting of the format, at most 6 levels");
            return null;
        }

        var (openingLine, openingColumn) = Place(key ?? current.Start);
        switch (current)
        {
            case Scalar scalar:
                return new PlanNode(NodeKind.Scalar, path, line, column) { OpeningLine = openingLine, OpeningColumn = openingColumn, Text = scalar.Value, IsPlain = scalar.Style == ScalarStyle.Plain };
            case SequenceStart:
                return ReadSequence(new PlanNode(NodeKind.Sequence, path, line, column) { OpeningLine = openingLine, OpeningColumn = openingColumn }, depth);
            case MappingStart:
                return ReadMapping(new PlanNode(NodeKind.Mapping, path, line, column) { OpeningLine = openingLine, OpeningColumn = openingColumn }, depth);
            default:
                Add(current.Start, path, "is not a value", "a value");
                return null;
        }
    }

    private PlanNode? ReadSequence(PlanNode list, int depth)
    {
        while (_parser.MoveNext() && _parser.Current is not SequenceEnd)
        {
            if (ReadNode($"{list.Path}[{list.Items.Count}]", depth + 1, null) is not PlanNode item)
            {
                return null;
            }

            list.Items.Add(item);
        }

        return list;
    }

    private PlanNode? ReadMapping(PlanNode mapping, int depth)
    {
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        while (_parser.MoveNext() && _parser.Current is not MappingEnd)
        {
            if (ReadNode(mapping.Path, depth + 1, null) is not PlanNode key)
            {
                return null;
            }

            if (key.Kind != NodeKind.Scalar)
            {
                _problems.Add(key.Line, key.Column, mapping.Path, $"{key.Shown} stands where a key is expected", "a word followed by a colon");
                return null;
            }

            var start = _parser.Current!.Start;
            var path = PlanNode.Below(mapping.Path, key.Text);
            if (key.IsPlain && key.Text == "<<")
            {
                Add(start, path, "the merge key << is not allowed", "write the keys out: plans have no anchors and no merging");
                return null;
            }

            _parser.MoveNext();
            if (ReadNode(path, depth + 1, start) is not PlanNode value)
            {
                return null;
            }

            if (!seen.TryAdd(key.Text, key.Line))
            {
                _problems.Add(key.Line, key.Column, path, $"the key '{PlanNode.Short(key.Text)}' is already on line {seen[key.Text]}", "each key once");
                continue;
            }

            mapping.Members.Add(new PlanMember(key.Text, key.Line, key.Column, value));
        }

        return mapping;
    }

    private void Add(Mark at, string key, string wrong, string right)
    {
        var (line, column) = Place(at);
        _problems.Add(line, column, key, wrong, right);
    }

    private static (int Line, int Column) Place(Mark mark) => ((int)Math.Max(1, mark.Line), (int)Math.Max(1, mark.Column));

    private static string FirstSentence(string message)
    {
        // Older and newer forms of the message begin with a place of their own: "(Lin: 3, Col: 4, Chr: 40) - …: text".
        var text = message;
        var close = text.LastIndexOf("): ", StringComparison.Ordinal);
        text = (close >= 0 ? text[(close + 3)..] : text).TrimEnd('.');
        return new string([.. text.Take(160).Select(c => Unprintable.Is(c) || char.IsSurrogate(c) ? '?' : c)]);
    }
}
