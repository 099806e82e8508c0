namespace EnergyGrid.Node;

/// <summary>The pace of a node agent.</summary>
public sealed record NodeAgentOptions
{
    /// <summary>How often sensors are drained and windows reported, s of the node's time.</summary>
    public double TickSeconds { get; init; } = 1;

    /// <summary>How often a trial looks at its devices, s of the node's time.</summary>
    public double PollSeconds { get; init; } = 1;

    /// <summary>Every so many ticks a node says again what it consists of: who listens keeps it in memory only.</summary>
    public const int AnnounceTicks = 10;

    /// <summary>Windows kept while the rack does not answer; then the oldest are dropped and counted.</summary>
    public int MostUnsentWindows { get; init; } = 20_000;

    /// <summary>Options for time that may run faster than the wall: at most every 50 ms of the wall, a trial every 25 ms.</summary>
    public static NodeAgentOptions For(TimeProvider time)
    {
        var scale = Devices.ScaledTimeProvider.ScaleOf(time);
        return new NodeAgentOptions { TickSeconds = Math.Max(1, 0.05 * scale), PollSeconds = Math.Max(1, 0.025 * scale) };
    }
}
