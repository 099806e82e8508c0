using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using EnergyGrid.Plans;

namespace EnergyGrid.Console;

/// <summary>What is wrong with a command line, and what was probably meant.</summary>
internal static partial class CommandLineFaults
{
    /// <summary>A sentence for each fault; none if the line may run.</summary>
    public static IReadOnlyList<string> Of(ParseResult parsed)
    {
        var stray = Stray(parsed);
        // What stands behind a word that is none belongs to whatever it was meant to be.
        var unknown = parsed.UnmatchedTokens.Take(1).Select(t => Unknown(parsed.CommandResult, t));
        // What the parser says of words that it does not know is said better here; what it misses because of them is no fault of its own.
        var others = parsed.UnmatchedTokens.Count > 0 || stray.Length > 0 ? [] : parsed.Errors.Select(e => Plain(e.Message));
        // An id, a host or a file that is empty is a variable of a script that nobody set.
        var empty = parsed.CommandResult.Children.OfType<ArgumentResult>().Where(a => a.Tokens.Any(t => t.Value.Length == 0)).Select(a => $"{a.Argument.HelpName ?? a.Argument.Name.ToUpperInvariant()} is empty.");
        return [.. unknown.Concat(stray).Concat(empty).Concat(others).Distinct()];
    }

    /// <summary>Whether the line names a command that only holds others, and nothing wrong: its help is what was wanted.</summary>
    public static bool IsQuestion(ParseResult parsed) => parsed.Errors.Count > 0 && parsed.CommandResult.Command is { Subcommands.Count: > 0, Action: null } && parsed.UnmatchedTokens.Count == 0;

    // A misspelt option is the parser's next argument. Behind '--' whatever stands there is meant.
    private static string[] Stray(ParseResult parsed) => parsed.Tokens.Any(t => t.Type == TokenType.DoubleDash) ? []
        : [.. parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(a => a.Tokens).Select(t => t.Value).Where(v => v.Length > 1 && v[0] == '-').Select(v => Unknown(parsed.CommandResult, v))];

    private static string Unknown(CommandResult at, string word)
    {
        if (word.StartsWith('-')) return $"there is no option '{word}'{Meant(Spelling.Nearest(word, Options(at)))}";
        if (at.Command.Subcommands.Count == 0 || at.Command.Arguments.Count > 0) return $"'{word}' is one word too many.";
        var known = at.Command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name);
        return $"there is no command '{PathOf(at)}{word}'{Meant(Spelling.Nearest(word, known) is { } near ? PathOf(at) + near : Elsewhere(at, word))}";
    }

    // The parser names the type of its own language.
    private static string Plain(string message) => WrongType().Replace(message, m => $"'{m.Groups[1].Value}' is no {(m.Groups[3].Value is "Double" or "Single" ? "number" : "whole number")}, which {m.Groups[2].Value} wants.");

    [GeneratedRegex("^Cannot parse argument '(.*)' for (?:option|argument|command) '(.*?)' as expected type '.*?(Int32|Int64|Double|Single).*$", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex WrongType();

    private static string Meant(string? near) => near is null ? "." : $"; did you mean '{near}'?";

    private static IEnumerable<string> Options(CommandResult at)
    {
        for (CommandResult? c = at; c is not null; c = c.Parent as CommandResult)
            foreach (var option in c.Command.Options.Where(o => !o.Hidden && (c == at || o.Recursive))) yield return option.Name;
    }

    // 'archive' is meant for 'sweep archive'.
    private static string? Elsewhere(CommandResult at, string word) =>
        at.Command.Subcommands.Where(c => !c.Hidden).SelectMany(group => group.Subcommands.Where(c => c.Name == word).Select(c => $"{PathOf(at)}{group.Name} {c.Name}")).FirstOrDefault()
        // 'sweep pause' for 'pause'.
        ?? (at.Parent is CommandResult parent ? parent.Command.Subcommands.Where(c => !c.Hidden && c.Name == word).Select(c => PathOf(parent) + c.Name).FirstOrDefault() : null);

    /// <summary>The names of a command as they are typed, each with a blank behind it; nothing for the root.</summary>
    public static string PathOf(CommandResult result)
    {
        var names = new Stack<string>();
        for (var at = result; at.Parent is CommandResult parent; at = parent) names.Push(at.Command.Name);
        return string.Concat(names.Select(n => n + " "));
    }
}
