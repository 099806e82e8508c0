using System.Collections.Immutable;

namespace EnergyGrid.Plans;

/// <summary>A plan that was read, or why not. Exactly one of the two is there.</summary>
/// <param name="Plan">Null if there are problems.</param>
/// <param name="Problems">In the order of the file, at most 50; empty if there is a plan.</param>
public sealed record PlanReadResult(PlanDocument? Plan, ImmutableArray<PlanProblem> Problems);

/// <summary>Reads a plan file: syntax, keys, types and ranges, all problems at once. What needs the catalogue is the resolver's part.</summary>
public static class PlanReader
{
    /// <summary>Reads YAML or JSON. Never throws on any text.</summary>
    /// <param name="text">The plan.</param>
    /// <param name="fileName">For the problems only.</param>
    public static PlanReadResult Read(string text, string fileName) => Read(text, new PlanProblems(fileName));

    /// <summary>Reads UTF-8 bytes, as a request's body brings them.</summary>
    public static PlanReadResult Read(ReadOnlySpan<byte> utf8, string fileName)
    {
        var problems = new PlanProblems(fileName);
        return Read(PlanText.Decode(utf8, problems), problems);
    }

    /// <summary>Reads a file. A directory, a missing file and one that may not be read are problems, not exceptions.</summary>
    public static PlanReadResult ReadFile(string path)
    {
        var problems = new PlanProblems(path);
        return Read(PlanText.ReadFile(path, problems), problems);
    }

    private static PlanReadResult Read(string? text, PlanProblems problems)
    {
        var root = text is null ? null : PlanTree.Read(text, problems);
        var value = root is null ? null : PlanFormat.Plan.Read(root, problems);
        if (!problems.Any)
        {
            PlanText.CheckDirections(text!, problems);
        }

        return problems.Any || value is null
            ? new PlanReadResult(null, problems.InOrder())
            : new PlanReadResult(new PlanDocument(problems.File, value), []);
    }
}
