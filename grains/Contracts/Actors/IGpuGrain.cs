namespace EnergyGrid.Contracts;

/// <summary>One device, pinned to its host: the trial on it, its status, its live power. Key: <c>host/uuid</c>. What may use it is its node's to say (<see cref="INodeGrain"/>).</summary>
[Alias("IGpuGrain")]
public interface IGpuGrain : IGrainWithStringKey
{
    /// <summary>Starts a trial and returns at once. The same order again is a no-op; another one ends what runs.</summary>
    /// <exception cref="StaleEpochException">The order's holder does not hold all of its devices under that epoch.</exception>
    /// <exception cref="SupersededException">The holder has a newer activation, which has already given orders.</exception>
    [Alias("Start"), ResponseTimeout("00:00:05")]
    Task<GpuStatus> Start(TrialOrder order);

    /// <summary>How it is going.</summary>
    [Alias("Status"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task<GpuStatus> Status();

    /// <summary>Ends the order, if it is the one that runs; what it had measured is dropped.</summary>
    [Alias("Stop"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task<bool> Stop(string order);

    /// <summary>Its node has given it away, or taken it back: an order of a lower epoch ends, and none is obeyed any more.</summary>
    [Alias("Yield"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task Yield(long epoch);

    /// <summary>Live power of this device.</summary>
    [Alias("WatchPower"), AlwaysInterleave]
    IAsyncEnumerable<PowerSample> WatchPower(double hertz, CancellationToken cancellationToken = default);
}
