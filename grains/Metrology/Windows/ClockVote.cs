namespace EnergyGrid.Metrology;

/// <summary>
/// Whose clock counts, where several speak of windows that are named by the clock. A speaker whose windows lie out of reach of the others' has a clock gone wrong, and is not
/// followed; unless more of those who speak now are where it is than where the windows have been: then it is the time that has moved (a clock was set, everybody was away).
/// </summary>
/// <remarks>Time does not enter: who speaks is told by turns. Not thread safe.</remarks>
public sealed class ClockVote
{
    /// <summary>So many words in a row, each of a later window, and all out of reach: a word that comes late is none of them.</summary>
    public const int MinStreak = 3;

    private const int MostTurns = 4;

    private readonly Dictionary<string, Claim> _claims = new(StringComparer.Ordinal);
    private long _turn;

    /// <summary>Hears what a speaker says, and tells whether its time is the one to follow from now on.</summary>
    /// <param name="speaker">Who.</param>
    /// <param name="newest">The latest window of its word.</param>
    /// <param name="from">The first window in reach.</param>
    /// <param name="to">The last one in reach.</param>
    public bool Moves(string speaker, long newest, long from, long to)
    {
        _turn++;
        var strays = newest < from || newest > to;
        _claims.TryGetValue(speaker, out var before);
        var claim = new Claim(newest, _turn, !strays ? 0 : before.Streak > 0 && newest > before.Newest && newest - before.Newest < to - from ? before.Streak + 1 : 1);
        _claims[speaker] = claim;
        if (claim.Streak < MinStreak) return false;
        var (there, here) = (0, 0);
        foreach (var other in _claims.Values)
        {
            // Who has been silent for several rounds of all the others has no vote.
            if (_turn - other.Turn > MostTurns * _claims.Count) continue;
            if (other.Streak > 0) there += Math.Abs(other.Newest - newest) <= to - from ? 1 : 0;
            else here++;
        }
        if (there <= here) return false;
        _claims.Clear();
        _claims[speaker] = claim with { Streak = 0 };
        return true;
    }

    /// <summary>Who has gone has no vote.</summary>
    public void Forget(string speaker) => _claims.Remove(speaker);

    private readonly record struct Claim(long Newest, long Turn, int Streak);
}
