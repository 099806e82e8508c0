using EnergyGrid.Contracts;

namespace EnergyGrid.Plans;

internal enum NodeKind
{
    Scalar,
    Sequence,
    Mapping,
}

/// <summary>A key of a mapping and where it stands.</summary>
internal sealed record PlanMember(string Key, int Line, int Column, PlanNode Value);

/// <summary>A node of the file with its place; typed only when a <see cref="Shape"/> reads it.</summary>
internal sealed class PlanNode(NodeKind kind, string path, int line, int column)
{
    public NodeKind Kind { get; } = kind;

    public string Path { get; } = path;

    public int Line { get; } = line;

    public int Column { get; } = column;

    /// <summary>Where something missing inside is reported: the key that opens the mapping, else the node itself.</summary>
    public int OpeningLine { get; init; } = line;

    public int OpeningColumn { get; init; } = column;

    public string Text { get; init; } = "";

    /// <summary>Written without quotes: only then may it be a number.</summary>
    public bool IsPlain { get; init; }

    public List<PlanNode> Items { get; } = [];

    public List<PlanMember> Members { get; } = [];

    public bool IsNull => Kind == NodeKind.Scalar && IsPlain && CoreSchema.IsNull(Text);

    /// <summary>For messages: short, on one line.</summary>
    public string Shown => Kind switch
    {
        NodeKind.Sequence => $"a list of {Items.Count}",
        NodeKind.Mapping => "a mapping",
        _ when IsNull => "nothing",
        _ => IsPlain ? Short(Text) : $"the text \"{Short(Text)}\"",
    };

    public static PlanNode EmptyMapping(string path, int line, int column) => new(NodeKind.Mapping, path, line, column);

    public static string Below(string path, string key) => path.Length == 0 ? Short(key) : $"{path}.{Short(key)}";

    /// <summary>At most 60 characters, none of them <see cref="Unprintable"/>.</summary>
    public static string Short(string text)
    {
        var line = new string([.. text.Take(61).Select(c => Unprintable.Is(c) || char.IsSurrogate(c) ? '?' : c)]);
        return line.Length > 60 ? line[..59] + "…" : line;
    }
}
