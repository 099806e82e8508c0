namespace EnergyGrid.Grains;

/// <summary>What the process is, as every result says it.</summary>
/// <param name="Version">EnergyGrid's.</param>
/// <param name="Runtime">.NET and the operating system.</param>
public sealed record GridIdentity(string Version, string Runtime);

/// <summary>How often a sweep looks, and how patient it is. By the grid's clock, not by a device's.</summary>
public sealed record SweepPace
{
    /// <summary>Between two looks at all devices; trials that end are also told at once.</summary>
    public TimeSpan Tick { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>A device is free for others after so long without a sign of life from its holder.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>A longer pause voids the passes that are open.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>A host that does not answer for so long loses its open pass.</summary>
    public TimeSpan HostPatience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A host that is away is waited for so long, once everything else is done; then the sweep goes on without it.</summary>
    public TimeSpan AwayPatience { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How often the sweep notes that it is being driven.</summary>
    public TimeSpan Sign { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How often an unfinished sweep's matrix is written anew.</summary>
    public TimeSpan Publish { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>So many lost attempts of one trial void its pass and give up the device group.</summary>
    public int MostAttempts { get; init; } = 5;
}
