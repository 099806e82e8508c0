using System.Globalization;

namespace EnergyGrid.Console;

/// <summary>Whether tables go to another program: then a row is a line, with TAB between its cells, and no column is left out.</summary>
internal static class Pipe
{
    /// <summary>Standard output is redirected, and nobody set COLUMNS to say how wide a table it shall hold.</summary>
    public static bool IsOutput => System.Console.IsOutputRedirected
        && !(int.TryParse(Environment.GetEnvironmentVariable("COLUMNS"), NumberStyles.None, CultureInfo.InvariantCulture, out var columns) && columns >= 40);
}
