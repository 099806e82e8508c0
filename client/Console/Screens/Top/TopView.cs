namespace EnergyGrid.Console;

/// <summary>What devices are ordered by.</summary>
internal enum TopSort { Host, Power, Temperature, Name }

/// <summary>What is being typed at the bottom.</summary>
internal enum TopPrompt { None, Filter, Node, Sweep }

/// <summary>What of the grid is looked at, and how. A key makes another view of it.</summary>
/// <param name="Sort">The order of devices; by host, each host has a line of its own.</param>
/// <param name="Filter">Only devices with this text in a name, model, sweep or cell.</param>
/// <param name="Node">Only devices of this host, or of hosts with this text in their name.</param>
/// <param name="Sweep">Only devices that run this sweep, or sweeps with this text in their id.</param>
/// <param name="Offset">Lines of the list that are scrolled away.</param>
/// <param name="Prompt">What is being typed.</param>
/// <param name="Typed">So far.</param>
/// <param name="Keys">Whether the keys are explained where the devices stand.</param>
internal sealed record TopView(
    TopSort Sort = TopSort.Host, string Filter = "", string Node = "", string Sweep = "", int Offset = 0, TopPrompt Prompt = TopPrompt.None, string Typed = "", bool Keys = false)
{
    /// <summary>The view after a key; null if the key ends the screen.</summary>
    /// <param name="key">What was pressed.</param>
    /// <param name="page">Lines of the list that are seen at once.</param>
    public TopView? After(ConsoleKeyInfo key, int page) => Prompt == TopPrompt.None ? Turned(key, page) : Written(key);

    private TopView? Turned(ConsoleKeyInfo key, int page) => key switch
    {
        { KeyChar: 'q' or 'Q' } => null,
        { KeyChar: '?' or 'h' or 'H' } => this with { Keys = !Keys, Offset = 0 },
        { KeyChar: 's' or 'S' } => this with { Sort = (TopSort)(((int)Sort + 1) % Enum.GetValues<TopSort>().Length), Offset = 0 },
        { KeyChar: '/' } => this with { Prompt = TopPrompt.Filter, Typed = "" },
        { KeyChar: 'n' or 'N' } => this with { Prompt = TopPrompt.Node, Typed = "" },
        { KeyChar: 'w' or 'W' } => this with { Prompt = TopPrompt.Sweep, Typed = "" },
        { Key: ConsoleKey.Escape } => this with { Filter = "", Node = "", Sweep = "", Offset = 0, Keys = false },
        { Key: ConsoleKey.UpArrow } or { KeyChar: 'k' } => this with { Offset = Math.Max(0, Offset - 1) },
        { Key: ConsoleKey.DownArrow } or { KeyChar: 'j' } => this with { Offset = Offset + 1 },
        { Key: ConsoleKey.PageUp } => this with { Offset = Math.Max(0, Offset - Math.Max(1, page)) },
        { Key: ConsoleKey.PageDown } or { Key: ConsoleKey.Spacebar } => this with { Offset = Offset + Math.Max(1, page) },
        { Key: ConsoleKey.Home } => this with { Offset = 0 },
        { Key: ConsoleKey.End } => this with { Offset = int.MaxValue / 2 },
        _ => this,
    };

    private TopView Written(ConsoleKeyInfo key) => key switch
    {
        { Key: ConsoleKey.Enter } => Chosen(Typed.Trim()),
        { Key: ConsoleKey.Escape } => Chosen(""),
        { Key: ConsoleKey.Backspace } => this with { Typed = Typed.Length > 0 ? Typed[..^1] : "" },
        _ when !char.IsControl(key.KeyChar) => this with { Typed = Typed + key.KeyChar },
        _ => this,
    };

    /// <summary>The same with what is being typed in force already.</summary>
    public TopView Effective => Prompt == TopPrompt.None ? this : Chosen(Typed.Trim());

    private TopView Chosen(string text)
    {
        var chosen = this with { Prompt = TopPrompt.None, Typed = "", Offset = 0 };
        return Prompt switch { TopPrompt.Filter => chosen with { Filter = text }, TopPrompt.Node => chosen with { Node = text }, TopPrompt.Sweep => chosen with { Sweep = text }, _ => chosen };
    }
}
