namespace EnergyGrid.Node;

/// <summary>The pace of a node agent.</summary>
public sealed record NodeAgentOptions
{
    /// <summary>How often sensors are drained and windows reported, s of the node's time.</summary>
    public double TickSeconds { get; init; } = 1;

    /// <summary>How often a trial looks at its devices, s of the node's time.</summary>
    public double PollSeconds { get; init; } = 1;

    /// <summary>Every so many ticks a node says again what it consists of, though nobody asked: who listens may have lost it.</summary>
    public const int AnnounceTicks = 30;

    /// <summary>Windows of so long are told again to a rack or a site that has begun anew, s of the node's time.</summary>
    public long RememberedSeconds { get; init; } = 115;

    /// <summary>How often a device that was quarantined is looked at again, s of the node's time.</summary>
    public double ReviveSeconds { get; init; } = 60;

    /// <summary>Windows kept while the rack does not answer; then the oldest are dropped and counted.</summary>
    public int MostUnsentWindows { get; init; } = 20_000;

    /// <summary>Options for time that may run faster than the wall: at most every 50 ms of the wall, a trial every 25 ms.</summary>
    public static NodeAgentOptions For(TimeProvider time)
    {
        var scale = Devices.ScaledTimeProvider.ScaleOf(time);
        return new NodeAgentOptions { TickSeconds = Math.Max(1, 0.05 * scale), PollSeconds = Math.Max(1, 0.025 * scale), RememberedSeconds = 115 + (long)(scale > 1 ? scale : 0), ReviveSeconds = Math.Max(60, 2 * scale) };
    }
}
