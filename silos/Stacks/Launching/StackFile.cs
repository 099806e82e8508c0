using System.Collections.Immutable;
using EnergyGrid.Plans;

namespace EnergyGrid.Stacks;

/// <summary>A node's <c>stacks.yaml</c> that was read, or why not. Exactly one of the two is there.</summary>
/// <param name="File">Null if there are problems.</param>
/// <param name="Problems">In the order of the file, at most 50; empty if there is a file.</param>
public sealed record StackReadResult(StackFile? File, ImmutableArray<PlanProblem> Problems);

/// <summary>What serving engines may run on a node: its owner writes it, plans only name what is in it.</summary>
/// <param name="Stacks">In the order of the file.</param>
public sealed record StackFile(ImmutableArray<StackEntry> Stacks)
{
    /// <summary>Reads YAML or JSON, by the rules of plans. Never throws on any text.</summary>
    /// <param name="text">The file.</param>
    /// <param name="fileName">For the problems only.</param>
    public static StackReadResult Read(string text, string fileName) => StackReader.Read(text, NoProblems(fileName));

    /// <summary>Reads a file. A directory, a missing file and one that may not be read are problems, not exceptions.</summary>
    public static StackReadResult ReadFile(string path)
    {
        var problems = NoProblems(path);
        return StackReader.Read(PlanText.ReadFile(path, problems), problems);
    }

    /// <summary>JSON Schema 2020-12 of the file, from the table that the reader uses.</summary>
    public static string Schema() => PlanSchema.Json("EnergyGrid stacks of a node", StackFormat.File);

    /// <summary>By its name; null for another.</summary>
    public StackEntry? Find(string name) => Stacks.FirstOrDefault(s => s.Name == name);

    private static PlanProblems NoProblems(string fileName) => new(fileName) { Begins = "stacks:" };
}
