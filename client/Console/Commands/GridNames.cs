using System.CommandLine;
using System.CommandLine.Completions;
using System.Text.RegularExpressions;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary>Arguments that name something of the grid, and what a shell may complete them with: what the grid says within a second, else nothing.</summary>
internal static partial class GridNames
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>A sweep's id as an argument.</summary>
    public static Argument<string> Sweep(string description = "Its id.", string name = "sweep") => Completed(new Argument<string>(name) { Description = description, HelpName = name.ToUpperInvariant() });

    /// <summary>A sweep's id that may be left out.</summary>
    public static Argument<string?> AnySweep(string description) => Completed(new Argument<string?>("sweep") { Description = description, HelpName = "SWEEP", Arity = ArgumentArity.ZeroOrOne });

    public static IEnumerable<CompletionItem> Sweeps(CompletionContext context) => Ask(context, async (grid, stop) => (await grid.Sweeps(stop)).Select(s => s.Id));

    public static IEnumerable<CompletionItem> Hosts(CompletionContext context) => Ask(context, async (grid, stop) => (await grid.Nodes(stop)).Select(n => n.Host));

    public static IEnumerable<CompletionItem> Devices(CompletionContext context) => Ask(context, async (grid, stop) => (await grid.Devices(stop)).Select(d => d.Device.Key));

    private static Argument<T> Completed<T>(Argument<T> argument)
    {
        argument.CompletionSources.Add(Sweeps);
        return argument;
    }

    private static IEnumerable<CompletionItem> Ask(CompletionContext context, Func<GridClient, CancellationToken, Task<IEnumerable<string>>> names)
    {
        // Help asks, too, before anything was typed: it has no line that names a grid.
        if (context.ParseResult is null) return [];
        try
        {
            using var grid = GridCommand.Client(context.ParseResult);
            using var patience = new CancellationTokenSource(Patience);
            // A source of completions answers at once: nothing here runs on a thread that it could block.
            return [.. Task.Run(() => names(grid, patience.Token)).GetAwaiter().GetResult().Where(n => Plain().IsMatch(n)).Select(n => new CompletionItem(n))];
        }
        catch (Exception e) when (e is CommandException or GridUnreachableException or GridProblemException or OperationCanceledException or ArgumentException or InvalidOperationException)
        {
            return []; // somebody types: this is no place for an error
        }
    }

    // A shell reads it: what could be more than a word to it is not offered.
    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._~/:@-]*$", RegexOptions.CultureInvariant)]
    private static partial Regex Plain();
}
