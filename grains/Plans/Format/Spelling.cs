using EnergyGrid.Contracts;

namespace EnergyGrid.Plans;

/// <summary>What was probably meant.</summary>
public static class Spelling
{
    /// <summary>A boundary as plans write it.</summary>
    public static string Of(Boundary boundary) => boundary.ToString().ToLowerInvariant();

    /// <summary>The nearest of <paramref name="known"/>, or null if none is near.</summary>
    public static string? Nearest(string written, IEnumerable<string> known)
    {
        if (written.Length is 0 or > 64)
        {
            return null;
        }

        var (best, least) = ((string?)null, int.MaxValue);
        foreach (var word in known)
        {
            var distance = Between(Plain(written), Plain(word));
            if (distance < least && distance <= Allowed(Math.Min(word.Length, written.Length)))
            {
                (best, least) = (word, distance);
            }
        }

        return best;
    }

    /// <summary><c>one of a, b, c</c>, after the nearest as a question if there is one.</summary>
    public static string Suggest(string written, IReadOnlyCollection<string> known)
    {
        var all = $"one of {string.Join(", ", known.Take(40))}";
        return Nearest(written, known) is { } near ? $"did you mean '{near}'? It is {all}" : all;
    }

    /// <summary>Codes of one or two letters are never near one another.</summary>
    private static int Allowed(int length) => length < 3 ? 0 : Math.Max(1, length / 3);

    /// <summary>0 but for case and separators, 1 where one begins with the other (minimum, min), else the edits.</summary>
    private static int Between(string a, string b) =>
        a == b ? 0
        : Math.Min(a.Length, b.Length) >= 3 && (a.StartsWith(b, StringComparison.Ordinal) || b.StartsWith(a, StringComparison.Ordinal)) ? 1
        : Distance(a, b);

    private static string Plain(string word) => word.Replace('-', '_').Replace(' ', '_').ToLowerInvariant();

    /// <summary>Insertions, deletions, substitutions and swaps of neighbours.</summary>
    private static int Distance(string a, string b)
    {
        var d = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            for (var j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    d[i, j] = i + j;
                    continue;
                }

                var same = a[i - 1] == b[j - 1] ? 0 : 1;
                d[i, j] = Math.Min(Math.Min(d[i - 1, j] + 1, d[i, j - 1] + 1), d[i - 1, j - 1] + same);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
                }
            }
        }

        return d[a.Length, b.Length];
    }
}
