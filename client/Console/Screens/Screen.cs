using System.Globalization;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Report;
using Spectre.Console;
using Term = System.Console;

namespace EnergyGrid.Console;

/// <summary>
/// Where a command speaks. With --json nothing but JSON goes to standard output; everything for people then goes to standard error.
/// Spectre.Console takes redirected output for a terminal that knows ANSI, and draws nothing live under TERM=dumb: so what the terminal can do
/// is decided here, once.
/// </summary>
public sealed class Screen
{
    private Screen(bool json)
    {
        Json = json;
        People = Make(json ? Term.Error : Term.Out, json ? Term.IsErrorRedirected : Term.IsOutputRedirected);
        Faults = Make(Term.Error, Term.IsErrorRedirected);
        IsTerminal = json ? !Term.IsErrorRedirected : !Term.IsOutputRedirected;
        IsPiped = !IsTerminal && GivenColumns is null;
        IsLive = !json && !Term.IsOutputRedirected && !Dumb;
    }

    /// <summary>Whether standard output is for a program.</summary>
    public bool Json { get; }

    /// <summary>Whether people look at a terminal, and not at a file or through a pipe.</summary>
    public bool IsTerminal { get; }

    /// <summary>Whether tables go to another program, and nobody set COLUMNS to say how wide they shall be: then a row is a line, with TAB between its cells, and no column is left out.</summary>
    public bool IsPiped { get; }

    /// <summary>Whether a display may redraw itself.</summary>
    public bool IsLive { get; }

    /// <summary>Whether there may be colours: a terminal that has them, and no NO_COLOR.</summary>
    public bool HasColours => IsLive && Environment.GetEnvironmentVariable("NO_COLOR") is not { Length: > 0 };

    /// <summary>Of the terminal, cells.</summary>
    public int Width => People.Profile.Width;

    /// <summary>For people: standard output, or standard error with --json.</summary>
    public IAnsiConsole People { get; }

    /// <summary>Standard error.</summary>
    public IAnsiConsole Faults { get; }

    // What COLUMNS says, if it says something usable.
    private static int? GivenColumns => int.TryParse(Environment.GetEnvironmentVariable("COLUMNS"), NumberStyles.None, CultureInfo.InvariantCulture, out var given) && given >= 40 ? given : null;

    private static bool Dumb => Environment.GetEnvironmentVariable("TERM") is "dumb" or null or "";

    public static Screen Open(bool json) => new(json);

    /// <summary>A line for people, as it stands: brackets are no markup.</summary>
    public void Say(string line) => People.Profile.Out.Writer.WriteLine(Harmless(line));

    /// <summary>A line of a screen, with what the terminal can.</summary>
    internal void Draw(InkLine line) => People.Profile.Out.Writer.WriteLine(IsLive ? line.Painted(HasColours) : line.Text.TrimEnd());

    /// <summary>A list: aligned to the terminal's width, or one row a line with a tab between columns where a program reads.</summary>
    internal void List(IReadOnlyList<Column> columns, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        IReadOnlyList<string>[] clean = [.. rows.Select(r => (string[])[.. r.Select(NumberText.Clean)])];
        var first = true;
        foreach (var line in IsPiped ? Columns.Piped(columns, clean) : Columns.Aligned(columns, clean, Width))
        {
            Draw(InkLine.Of(line, first ? Tone.Strong : Tone.Plain));
            first = false;
        }
    }

    /// <summary>Waits, and says on standard error what for once that has taken some seconds: nobody is to wonder whether a command hangs.</summary>
    /// <param name="what">What is waited for.</param>
    /// <param name="work">What is waited for.</param>
    public async Task<T> Waiting<T>(string what, Task<T> work)
    {
        if (await Task.WhenAny(work, Task.Delay(SilentFor)) != work) Complain($"energygrid: waiting for {what}; Ctrl-C ends that.");
        return await work;
    }

    private static readonly TimeSpan SilentFor = TimeSpan.FromSeconds(3);

    /// <summary>A line on standard error.</summary>
    public void Complain(string line)
    {
        try
        {
            Faults.Profile.Out.Writer.WriteLine(Harmless(line));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Standard error may be closed or full; that changes nothing of how a command ends.
        }
    }

    // What a line quotes comes from files and silos: nothing in it may command the terminal. Line ends and tabs are the command's own.
    internal static string Harmless(string text) => Unprintable.Clean(text.Replace("\r\n", "\n", StringComparison.Ordinal), lines: true);

    /// <summary>A document on standard output.</summary>
    public void Document<T>(T value) => Term.Out.WriteLine(JsonSerializer.Serialize(value, DocumentJson.Indented));

    /// <summary>A document on one line of standard output, for streams.</summary>
    public void Line<T>(T value)
    {
        Term.Out.WriteLine(JsonSerializer.Serialize(value, DocumentJson.Compact));
        Term.Out.Flush();
    }

    private static IAnsiConsole Make(TextWriter writer, bool redirected)
    {
        var plain = redirected || Dumb;
        var colourless = plain || Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 };
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = plain ? AnsiSupport.No : AnsiSupport.Yes,
            ColorSystem = colourless ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
            Interactive = plain ? InteractionSupport.No : InteractionSupport.Detect,
            Out = new AnsiConsoleOutput(writer),
        });
        // A file has no width of its own: wide enough that no table is folded, unless the caller says.
        if (redirected) console.Profile.Width = GivenColumns ?? 160;
        else if (Dumb && GivenColumns is { } columns) console.Profile.Width = columns;
        return console;
    }
}
