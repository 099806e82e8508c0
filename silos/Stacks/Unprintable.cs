namespace EnergyGrid.Stacks;

/// <summary>What a stranger's program says, as a line that may stand in a log and on a terminal.</summary>
internal static class Unprintable
{
    private const int Longest = 300;

    public static string Cleaned(string text)
    {
        var line = string.Concat(text.Select(c => char.IsControl(c) || c is ((>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069') or '\u200e' or '\u200f' or '\u2028' or '\u2029') ? ' ' : c)).Trim();
        return line.Length <= Longest ? line : line[..Longest] + " …";
    }
}
