using System.Collections.Immutable;

namespace EnergyGrid.Console;

/// <summary>The plans to begin with: <c>client/plans/templates</c>, part of this program.</summary>
public static class PlanTemplates
{
    private const string Folder = "templates/";
    private const string Ending = ".yaml";

    /// <summary>Their names, in the order of the alphabet.</summary>
    public static ImmutableArray<string> Names { get; } =
    [
        .. typeof(PlanTemplates).Assembly.GetManifestResourceNames().Where(n => n.StartsWith(Folder, StringComparison.Ordinal)).Select(n => n[Folder.Length..^Ending.Length]).Order(StringComparer.Ordinal),
    ];

    /// <summary>The text of one.</summary>
    /// <exception cref="CommandException">There is none of that name; the message has those that there are.</exception>
    public static string Text(string name)
    {
        if (!Names.Contains(name)) throw new CommandException(ExitCodes.Usage, $"there is no template '{name}'; there are {string.Join(", ", Names)}.");
        using var stream = typeof(PlanTemplates).Assembly.GetManifestResourceStream(Folder + name + Ending)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>What one asks: its first line, which is a comment.</summary>
    public static string Question(string name) => Text(name).Split('\n')[0].TrimStart('#').Trim();
}
