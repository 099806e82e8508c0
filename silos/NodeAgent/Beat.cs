namespace EnergyGrid.Node;

/// <summary>
/// When to do what is done once in every period. Windows end with the seconds of UTC, so whoever reports or reads them has a place in the second: nodes spread
/// over its first part, whoever shows what they said in its last. Then a window is seen a second after its end and not after three.
/// </summary>
public static class Beat
{
    /// <summary>The place of whoever reads what all nodes have said of the last window.</summary>
    public const double Reader = 0.85;

    /// <summary>The place of a node, from 0.2 to 0.7: the last readings of a window have come by then, and not all nodes speak at once.</summary>
    public static double Of(string host) => 0.2 + 0.5 * ((uint)StringComparer.Ordinal.GetHashCode(host) % 100 / 100.0);

    /// <summary>From <paramref name="now"/> to the next instant that lies at <paramref name="place"/>, a part of the period. At least a quarter of a period: a timer that rings early rings once.</summary>
    public static TimeSpan Wait(DateTimeOffset now, TimeSpan period, double place)
    {
        var into = (now.Ticks - (long)(place * period.Ticks)) % period.Ticks;
        var wait = TimeSpan.FromTicks(period.Ticks - into);
        return wait < period / 4 ? wait + period : wait;
    }
}
