using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>The serving engines that may run on a node, and where what they say is kept.</summary>
/// <param name="file">The node's <c>stacks.yaml</c>.</param>
/// <param name="logs">Directory of what engines said, a file a trial.</param>
public sealed class ServingStacks(StackFile file, string logs)
{
    private const int MostLogs = 200;

    /// <summary>None.</summary>
    public static ServingStacks None { get; } = new(new StackFile([]), "");

    /// <summary>As the node tells the grid.</summary>
    public ImmutableArray<StackOffer> Offers { get; } = [.. file.Stacks.Select(s => new StackOffer(s.Name, s.Recipe.Name, [.. s.Models.Select(m => m.Name)], [.. s.Parameters.Keys]))];

    /// <summary>By its name; null for another.</summary>
    public StackEntry? Find(string name) => file.Find(name);

    /// <summary>A file for what an engine says in one trial. Of those before, the newest are kept.</summary>
    /// <param name="trial">The trial's name.</param>
    /// <exception cref="IOException">The directory cannot be made.</exception>
    public string LogOf(string trial)
    {
        Directory.CreateDirectory(logs);
        foreach (var old in new DirectoryInfo(logs).EnumerateFiles("*.log").OrderByDescending(f => f.LastWriteTimeUtc).Skip(MostLogs - 1).ToArray()) old.Delete();
        return Path.Combine(logs, $"{new string([.. trial.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' ? c : '_')])}.log");
    }
}
