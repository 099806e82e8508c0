namespace EnergyGrid.Contracts;

/// <summary>One device group of a sweep: leases its devices for a pass, runs the trials of the pass one after the other. Key: <c>sweep/n</c>.</summary>
[Alias("IDeviceGroupGrain")]
public interface IDeviceGroupGrain : IGrainWithStringKey
{
    /// <summary>What is wanted of the group from now on. The same again is a no-op, so it is said again after any doubt.</summary>
    /// <exception cref="SupersededException">A newer activation of the sweep has given orders.</exception>
    [Alias("Drive"), AlwaysInterleave, ResponseTimeout("00:00:15")]
    Task<GroupReport> Drive(GroupOrders orders);

    /// <summary>How it stands.</summary>
    [Alias("Report"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task<GroupReport> Report();

    /// <summary>Ends what runs, gives the devices back, takes no orders any more. The passes that are done stay.</summary>
    /// <exception cref="SupersededException">A newer activation of the sweep has given orders.</exception>
    [Alias("End"), AlwaysInterleave, ResponseTimeout("00:00:15")]
    Task<GroupReport> End(long sweepFence, string reason);

    /// <summary>Its sweep has ended and its results have left the grid: nothing of it is remembered.</summary>
    [Alias("Forget")]
    Task Forget();

    /// <summary>Something has happened at its devices: look now instead of at the next tick.</summary>
    [Alias("Nudge"), AlwaysInterleave, OneWay]
    Task Nudge();
}
