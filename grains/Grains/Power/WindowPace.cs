namespace EnergyGrid.Grains;

/// <summary>How long windows wait for what is late, in windows of one second of the data's own time.</summary>
/// <param name="RackLateness">A rack closes a window without a silent node after so many.</param>
/// <param name="SiteLateness">A site closes one without a silent rack after so many: more than the racks'.</param>
/// <param name="Kept">How many windows can still be revised: more than are ever told again.</param>
public sealed record WindowPace(int RackLateness = 3, int SiteLateness = 5, int Kept = 128)
{
    /// <summary>How often a site keeps its sums. With the time in which its successor comes up, less than what racks can tell again.</summary>
    public TimeSpan SitePeriod { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether windows are named by the wall's clock: not where the data's time runs faster.</summary>
    public bool IsOfTheWall { get; init; } = true;

    /// <summary>A window so far ahead of the others is out of reach: its clock has gone wrong, or the time has moved.</summary>
    public int Ahead => Kept;

    /// <summary>So many windows a rack tells again to a site that has begun anew.</summary>
    public int ToldAgain => Kept - SiteLateness - 3;

    /// <summary>The same patience by the wall clock where the data's time runs faster.</summary>
    public static WindowPace Scaled(double timeScale)
    {
        var (rack, site) = ((int)Math.Ceiling(3 + 0.5 * timeScale), (int)Math.Ceiling(5 + timeScale));
        return timeScale <= 1 ? new WindowPace() : new WindowPace(rack, site, 2 * site + 128) { IsOfTheWall = false };
    }
}
