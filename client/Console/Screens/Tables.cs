using EnergyGrid.Contracts;
using EnergyGrid.Sdk;
using Spectre.Console;

namespace EnergyGrid.Console;

/// <summary>How tables and phases look.</summary>
internal static class Tables
{
    /// <summary>A table without a frame; a header that begins with <c>></c> is right-aligned.</summary>
    public static Table Plain(params string[] headers)
    {
        var table = new Table { Border = TableBorder.Simple, ShowRowSeparators = false };
        foreach (var header in headers)
        {
            var right = header.StartsWith('>');
            var column = new TableColumn(new Markup($"[bold]{Markup.Escape(right ? header[1..] : header)}[/]"));
            table.AddColumn(right ? column.RightAligned() : column);
        }
        return table;
    }

    public static string Phase(SweepPhase phase) => SweepWords.Phase(phase);

    public static string Phase(TrialPhase phase) => phase switch
    {
        TrialPhase.WarmingUp => "warming up",
        TrialPhase.CoolingDown => "cooling down",
        _ => phase.ToString().ToLowerInvariant(),
    };
}
