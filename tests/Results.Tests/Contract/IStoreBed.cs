using EnergyGrid.Grains;

namespace EnergyGrid.Results.Tests;

/// <summary>Where a store keeps things, and how it comes back after its process has gone.</summary>
public interface IStoreBed : IAsyncLifetime
{
    IResultStore Store { get; }

    IResultFiles Files { get; }

    ITrialFiles Traces { get; }

    IResultRetention Retention { get; }

    /// <summary>As after a restart of the process: nothing in memory, everything that is durable.</summary>
    Task Reopen();
}
