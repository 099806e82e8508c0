using System.Globalization;

namespace EnergyGrid.Results;

/// <summary>A row of a trace.</summary>
/// <param name="Nanoseconds">Since the trial's origin.</param>
/// <param name="Watts">NaN where the source tells none.</param>
/// <param name="Joules">Of its counter; NaN where it has none.</param>
public readonly record struct TraceRow(long Nanoseconds, double Watts, double Joules);

/// <summary>The rows of a trace by their source, in time order.</summary>
public static class TraceRows
{
    private const string Header = "nanoseconds,source,watts,joules,phase";

    /// <summary>Null for a trace of the form of before. Throws <see cref="InvalidDataException"/> naming the line that is none.</summary>
    public static ILookup<string, TraceRow>? Parse(string csv, string name)
    {
        var lines = csv.Split('\n');
        if (lines[0] != Header) return null;
        var rows = new List<(string Source, TraceRow Row)>(lines.Length);
        for (var i = 1; i < lines.Length; i++)
        {
            if (lines[i].Length == 0 && i == lines.Length - 1) break;
            var f = lines[i].Split(',');
            if (f.Length != 5 || !long.TryParse(f[0], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var at) || !Number(f[2], out var watts) || !Number(f[3], out var joules))
                throw new InvalidDataException($"{name}:{i + 1}: no row of a trace");
            rows.Add((f[1], new(at, watts, joules)));
        }
        return rows.ToLookup(r => r.Source, r => r.Row, StringComparer.Ordinal);
    }

    private static bool Number(string text, out double value) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
}
