using System.Collections.Immutable;

namespace EnergyGrid.Stacks;

/// <summary>Where an engine runs.</summary>
/// <param name="GpuUuids">Those it may see, in this order; empty leaves what the node agent sees.</param>
/// <param name="LogPath">Where what it says is kept; an older file there is replaced.</param>
public sealed record EnginePlace(ImmutableArray<string> GpuUuids, string LogPath)
{
    /// <summary>Of the log, bytes at most; a last line says that more was said.</summary>
    public long MostLogBytes { get; init; } = 16 << 20;

    /// <summary>So long it may take to end well before it is killed.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(15);
}
