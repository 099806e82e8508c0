using System.Text;

namespace EnergyGrid.Devices.Workers;

/// <summary>
/// What a worker writes to standard error, as lines that may stand in a log: without control characters, not too long, and not too many. Not thread-safe.
/// </summary>
/// <param name="tell">Told each line.</param>
internal sealed class Complaints(Action<string> tell)
{
    /// <summary>Characters of a line; the rest is cut off.</summary>
    public const int LongestLine = 300;

    /// <summary>Lines of one process; the rest is counted.</summary>
    public const int MostLines = 50;

    private readonly StringBuilder _line = new();
    private long _lines;

    /// <summary>The last line that was told; empty before.</summary>
    public string Last { get; private set; } = "";

    /// <summary>Takes what was written next.</summary>
    public void Add(ReadOnlySpan<char> text)
    {
        foreach (var c in text)
        {
            if (c == '\n') End();
            else if (_line.Length < LongestLine && c != '\r') _line.Append(IsHarmless(c) ? c : '?');
        }
    }

    /// <summary>There is no more.</summary>
    public void Close()
    {
        End();
        if (_lines > MostLines) tell($"… and {_lines - MostLines} more lines");
    }

    // Neither control characters nor what turns the direction of writing.
    private static bool IsHarmless(char c) => !char.IsControl(c) && c is not ((>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069') or '\u200e' or '\u200f' or '\u2028' or '\u2029');

    private void End()
    {
        if (_line.Length == 0) return;
        if (++_lines <= MostLines) tell(Last = _line.ToString());
        _line.Clear();
    }
}
