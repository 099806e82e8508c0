using System.CommandLine;
using System.Globalization;

namespace EnergyGrid.Console;

/// <summary>What a shell is told when somebody presses TAB. The scripts of <c>completion</c> ask with <c>[suggest:POSITION] LINE</c>.</summary>
internal static class Suggestions
{
    private const string Prefix = "[suggest:";

    /// <summary>Whether a shell asks, and not a person.</summary>
    public static bool AreAsked(string[] args) => args is [var first, ..] && first.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>Words that may stand where the line ends; nothing where a file may stand, which is the shell's to complete.</summary>
    public static IEnumerable<string> For(string[] args, RootCommand root)
    {
        var line = args.Length > 1 ? args[1] : "";
        if (int.TryParse(args[0].AsSpan(Prefix.Length).TrimEnd(']'), NumberStyles.None, CultureInfo.InvariantCulture, out var position) && position < line.Length) line = line[..position];
        var parsed = root.Parse(line);
        var word = line[(line.LastIndexOf(' ') + 1)..];
        var words = parsed.GetCompletions(line.Length).Select(c => c.Label).Where(w => w.Length > 0).Distinct().ToArray();
        if (word.StartsWith('-')) return words;
        var plain = words.Where(w => !w.StartsWith('-')).ToArray();
        // Options are offered to who begins one, and where nothing else can stand.
        var command = parsed.CommandResult.Command;
        return plain.Length > 0 || command.Arguments.Count > 0 ? plain : words;
    }
}
