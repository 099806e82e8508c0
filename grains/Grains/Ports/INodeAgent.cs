using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>How far a running trial is.</summary>
/// <param name="Phase">Where it stands.</param>
/// <param name="Fraction">Of the whole trial, over all of its L', 0–1: never less than before; an estimate.</param>
/// <param name="SecondsLeft">Until its likely end, in the device's own time, s.</param>
public readonly record struct TrialProgress(TrialPhase Phase, double Fraction, double SecondsLeft);

/// <summary>What came of a trial.</summary>
/// <param name="Result">Its result; <see cref="TrialResult.Trace"/> is empty until the trace is kept.</param>
/// <param name="Trace">UTF-8: nanoseconds since the trial's origin, source, watts, counter joules, phase; empty if none is wanted.</param>
public sealed record TrialRun(TrialResult Result, ReadOnlyMemory<byte> Trace)
{
    /// <summary>UTF-8: a line for each request to a serving engine; empty of decode steps.</summary>
    public ReadOnlyMemory<byte> Requests { get; init; }
}

/// <summary>The port to one node's hardware: grains reach devices through this alone.</summary>
public interface INodeAgent
{
    /// <summary>The node's name: the first part of its devices' keys.</summary>
    string Host { get; }

    /// <summary>What stands in the node.</summary>
    NodeInventory Inventory { get; }

    /// <summary>Whether devices of it are still being looked at since the start: what is not offered now may be in a minute.</summary>
    bool IsOpening { get; }

    /// <summary>
    /// Runs one trial on the order's device group, on the devices' own threads, to its end. A trial that cannot run or is stopped ends in a
    /// result that says so; the task fails only where the outcome is unknown (the device is lost).
    /// </summary>
    /// <param name="order">All devices of it are of this node.</param>
    /// <param name="report">Told how far it is, from any thread.</param>
    /// <param name="stop">Stops it between steps: the result's outcome is then <see cref="TrialOutcome.Cancelled"/>.</param>
    Task<TrialRun> Run(TrialOrder order, Action<TrialProgress> report, CancellationToken stop);

    /// <summary>What a device's sensors said last; NaN where unknown.</summary>
    LatestReading Latest(string uuid);

    /// <summary>Readings of a device from now on, thinned to at most <paramref name="hertz"/>.</summary>
    IAsyncEnumerable<PowerSample> Watch(string uuid, double hertz, CancellationToken stop);
}

/// <summary>The nodes that this process serves: one on a real host, many for a simulated site.</summary>
public interface INodeAgents
{
    /// <summary>The agent of that node, or null if it is not served here.</summary>
    INodeAgent? Find(string host);
}
