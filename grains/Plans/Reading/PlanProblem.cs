using System.Collections.Immutable;
using System.Globalization;

namespace EnergyGrid.Plans;

/// <summary>One reason why a plan is refused: where, what is wrong, and what would be right.</summary>
/// <param name="File">As it was named by the caller.</param>
/// <param name="Line">From 1; 0 where the file itself is the problem.</param>
/// <param name="Column">From 1, in UTF-16 code units; 0 where the file itself is the problem.</param>
/// <param name="Key">Path of the key, for example <c>groups[0].sweep[1].batch</c>; empty for the document.</param>
/// <param name="Wrong">What was found.</param>
/// <param name="Right">What would be accepted.</param>
public sealed record PlanProblem(string File, int Line, int Column, string Key, string Wrong, string Right)
{
    /// <summary>The form of compilers: <c>file:line:column: key: wrong; right: right</c>.</summary>
    public override string ToString()
    {
        var place = Line > 0 ? string.Create(CultureInfo.InvariantCulture, $"{File}:{Line}:{Column}") : File;
        return Key.Length > 0 ? $"{place}: {Key}: {Wrong}; right: {Right}" : $"{place}: {Wrong}; right: {Right}";
    }
}

/// <summary>Problems as they are found. Collecting stops at <see cref="Most"/>: nobody reads more, and hostile input stays cheap.</summary>
internal sealed class PlanProblems(string file)
{
    public const int Most = 50;

    private readonly List<PlanProblem> _found = [];

    public string File { get; } = file;

    /// <summary>With what a file of this kind begins, for whoever has written another one.</summary>
    public string Begins { get; init; } = "name:, for example client/plans/minimal.yaml";

    public bool Any => _found.Count > 0;

    public bool IsFull => _found.Count >= Most;

    /// <summary>How often something was added, the same thing at the same place included: it grows with every refusal.</summary>
    public int Count { get; private set; }

    public void Add(int line, int column, string key, string wrong, string right)
    {
        Count++;
        var problem = new PlanProblem(File, line, column, key, wrong, right);
        // A value that stands in many cells of a product is wrong once.
        if (!IsFull && !_found.Contains(problem))
        {
            _found.Add(problem);
        }
    }

    public void Add(PlanNode at, string wrong, string right) => Add(at.Line, at.Column, at.Path, wrong, right);

    /// <summary>In the order of the file.</summary>
    public ImmutableArray<PlanProblem> InOrder() => [.. _found.OrderBy(p => p.Line).ThenBy(p => p.Column)];
}
