using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

/// <summary>
/// The flags of a matrix, each said once: what every cell bears below the whole, what every cell of a group bears below the group, and what some bear under a letter that stands in their rows.
/// What another column or the replication's sentence says already is left out, and so is what another flag says with more words. The shortest window of all is said once.
/// </summary>
internal sealed partial class RowFlags
{
    private const string SomeTrials = " (in some trials)";

    private readonly ImmutableArray<ImmutableArray<string>> _ofGroup;
    private readonly ImmutableArray<ImmutableArray<string>> _keys;

    private RowFlags(ImmutableArray<string> ofEveryCell, ImmutableArray<ImmutableArray<string>> ofGroup, ImmutableArray<ImmutableArray<string>> keys) =>
        (OfEveryCell, _ofGroup, _keys) = (ofEveryCell, ofGroup, keys);

    /// <summary>What every cell with a figure bears.</summary>
    public ImmutableArray<string> OfEveryCell { get; }

    /// <summary>The lines below a group.</summary>
    public ImmutableArray<string> OfGroup(int group) => _ofGroup[group];

    /// <summary>The letters in a row; absent if it has none.</summary>
    public string Keys(int group, int row) => _keys[group][row];

    /// <param name="matrix">Whose flags.</param>
    /// <param name="lettered">Whether the lines below a group name the letters.</param>
    public static RowFlags Of(Matrix matrix, bool lettered = true)
    {
        var shortest = Shortest(matrix.Groups.SelectMany(g => g.Rows).SelectMany(r => r.Flags));
        var rows = matrix.Groups.Select(g => g.Rows.Select(r => Own(g, r, shortest)).ToArray()).ToArray();
        var withFigure = matrix.Groups.Select((g, i) => rows[i].Where((_, k) => Verdicts.HasFigure(g.Rows[k])).ToArray()).ToArray();
        var figures = withFigure.SelectMany(g => g).ToArray();
        var everywhere = Common(figures);
        var letters = new Dictionary<string, string>(StringComparer.Ordinal);
        var ofGroup = ImmutableArray.CreateBuilder<ImmutableArray<string>>();
        var keys = ImmutableArray.CreateBuilder<ImmutableArray<string>>();
        for (var i = 0; i < rows.Length; i++)
        {
            var common = Common(withFigure[i]).Except(everywhere).ToArray();
            var own = rows[i].Select(flags => flags.Where(f => !everywhere.Contains(f.Text) && !common.Contains(f.Text)).ToArray()).ToArray();
            foreach (var flag in own.SelectMany(f => f)) letters.TryAdd(flag.Said, Letter(letters.Count));
            var bearers = own.SelectMany((flags, k) => flags.Select(f => (f.Said, Label: NumberText.Clean(matrix.Groups[i].Rows[k].Label)))).GroupBy(f => f.Said, f => f.Label);
            string[] lines =
            [
                common.Length > 0 ? $"flags of every cell here: {string.Join("; ", common.Select(c => Text(c, withFigure[i])))}" : "",
                .. bearers.Select(b => $"flag {(lettered ? $"{letters[b.Key]} ({string.Join(", ", b)})" : $"of {string.Join(", ", b)}")}: {b.Key}"),
            ];
            ofGroup.Add([.. lines.Where(l => l.Length > 0)]);
            keys.Add([.. own.Select(flags => flags.Length == 0 ? NumberText.Absent : string.Join(' ', flags.Select(f => letters[f.Said]).Distinct()))]);
        }

        return new RowFlags([.. everywhere.Select(e => Text(e, figures))], ofGroup.ToImmutable(), keys.ToImmutable());
    }

    /// <summary>Flags as they are said of one cell: none in other words again, its shortest window once.</summary>
    public static ImmutableArray<string> Said(ImmutableArray<string> flags) => Said(flags, Shortest(flags));

    private static ImmutableArray<string> Said(ImmutableArray<string> flags, string shortest)
    {
        var others = flags.Where(f => !Window().IsMatch(f)).ToArray();
        // What is said with more words of as many trials.
        var more = others.Select(f => (Flag: f, Text: Count().Replace(f, ""), Of: Count().Match(f).Value)).ToArray();
        string[] said = [.. more.Where(f => !more.Any(m => m.Of == f.Of && m.Text.StartsWith(f.Text + ": ", StringComparison.Ordinal))).Select(f => f.Flag)];
        return [.. said, .. others.Length < flags.Length ? [shortest] : Array.Empty<string>()];
    }

    // The plan says what a window was to be, each trial what it was.
    private static string Shortest(IEnumerable<string> flags)
    {
        var windows = flags.Select(f => Window().Match(f)).Where(m => m.Success).Select(m => (Seconds: Number(m, "seconds"), Least: Number(m, "least"))).ToArray();
        return windows.Length == 0 ? "" : $"shortest window {NumberText.Stated(windows.Min(w => w.Seconds))} s: below the {NumberText.Stated(windows.Max(w => w.Least))} s that a published figure needs";
    }

    private static double Number(Match match, string group) => double.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    private static Flag[] Own(MatrixGroup group, MatrixRow row, string shortest)
    {
        var said = group.Replication.Verdict.Split("; ");
        return [.. Said(row.Flags, shortest).Where(f => !said.Contains(f) && !(row.Serving is null && f.StartsWith("s* is missed", StringComparison.Ordinal)) && (Verdicts.HasFigure(row) || f != "no valid trial"))
            .Select(f => new Flag(NumberText.Clean(Count().Replace(f, "")), NumberText.Clean(f))).DistinctBy(f => f.Said)];
    }

    private static string[] Common(Flag[][] rows) =>
        rows.Length < 2 ? [] : [.. rows.Select(r => r.Select(f => f.Text)).Aggregate((a, b) => a.Intersect(b)).Distinct()];

    private static string Text(string flag, Flag[][] rows) => rows.All(r => r.Any(f => f.Text == flag && f.Said == flag)) ? flag : flag + SomeTrials;

    // a to z, then aa, ab, …
    private static string Letter(int n) => n < 26 ? ((char)('a' + n)).ToString() : Letter((n / 26) - 1) + (char)('a' + (n % 26));

    [GeneratedRegex(@" \([0-9]+ of [0-9]+ trials\)$")]
    private static partial Regex Count();

    // As a trial's window and as a plan's was flagged.
    [GeneratedRegex(@"^window of (?<seconds>[0-9]+(\.[0-9]+)?) s( is below |: below the )(?<least>[0-9]+(\.[0-9]+)?) s( that a published figure needs)?( \([0-9]+ of [0-9]+ trials\))?$", RegexOptions.ExplicitCapture)]
    private static partial Regex Window();

    /// <param name="Text">Without the count of the trials that bear it.</param>
    /// <param name="Said">As the matrix says it.</param>
    private sealed record Flag(string Text, string Said);
}
