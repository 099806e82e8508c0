namespace EnergyGrid.Metrology;

/// <summary>
/// Whose clock counts, where several speak of windows that are named by the clock. A speaker whose windows lie out of reach of the others' has a clock gone wrong, and is not
/// followed; unless more of those who speak now are where it is than where the windows have been: then it is the time that has moved (a clock was set, everybody was away). Where
/// that is no majority of all who ever spoke, or as many here as there, who decides goes where the own clock points, if it has one that means something.
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
    /// <param name="high">The latest window that is known.</param>
    /// <param name="keep">So many windows back are in reach.</param>
    /// <param name="ahead">And so many ahead.</param>
    /// <param name="wall">The window of now by the clock of who decides; null where the windows' time is another.</param>
    public bool Moves(string speaker, long newest, long high, int keep, int ahead, long? wall)
    {
        var (from, to) = (high - keep + 1, high + ahead);
        _turn++;
        var strays = newest < from || newest > to;
        _claims.TryGetValue(speaker, out var before);
        var claim = new Claim(newest, _turn, !strays ? 0 : before.Streak > 0 && newest > before.Newest && newest - before.Newest < to - from ? before.Streak + 1 : 1);
        _claims[speaker] = claim;
        if (claim.Streak < MinStreak) return false;
        var (there, here, silent) = (0, 0, 0);
        foreach (var other in _claims.Values)
        {
            // Who has been silent for several rounds of all the others has no vote.
            if (_turn - other.Turn > MostTurns * _claims.Count) silent++;
            else if (other.Streak > 0) there += Math.Abs(other.Newest - newest) <= to - from ? 1 : 0;
            else here++;
        }
        bool? nearer = wall is { } now ? Math.Abs(newest - now) < Math.Abs(high - now) : null;
        if (there < here || (there == here && nearer != true) || (there <= here + silent && nearer == false)) return false;
        _claims.Clear();
        _claims[speaker] = claim with { Streak = 0 };
        return true;
    }

    /// <summary>Who has gone has no vote.</summary>
    public void Forget(string speaker) => _claims.Remove(speaker);

    private readonly record struct Claim(long Newest, long Turn, int Streak);
}
