using System.Collections.Immutable;

namespace EnergyGrid.Contracts;

/// <summary>One device, pinned to its host. Key: <c>host/uuid</c>.</summary>
[Alias("IGpuGrain")]
public interface IGpuGrain : IGrainWithStringKey
{
    /// <summary>Asks to hold the device for a pass. Granted under a new epoch, which is on disk before the answer.</summary>
    [Alias("Acquire"), ResponseTimeout("00:00:05")]
    Task<Lease> Acquire(LeaseRequest request);

    /// <summary>Gives the device back, if it is still held under that epoch. A running trial is stopped.</summary>
    [Alias("Release"), ResponseTimeout("00:00:05")]
    Task Release(long epoch);

    /// <summary>Starts a trial and returns at once. The same order again is a no-op; an epoch that is not the lease's is refused.</summary>
    /// <exception cref="StaleEpochException">The order's epoch is not the one of the present lease.</exception>
    [Alias("Start"), ResponseTimeout("00:00:05")]
    Task<GpuStatus> Start(TrialOrder order);

    /// <summary>How it is going. Asked by the holder, it counts as a sign of life.</summary>
    [Alias("Status"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task<GpuStatus> Status(long epoch = 0);

    /// <summary>Stops the running trial, if it is still of that epoch.</summary>
    [Alias("Stop"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task<bool> Stop(long epoch);

    /// <summary>Live power of this device.</summary>
    [Alias("WatchPower"), AlwaysInterleave]
    IAsyncEnumerable<PowerSample> WatchPower(double hertz, CancellationToken cancellationToken = default);
}

/// <summary>One rack: merges the reports of its nodes. Key: <c>site/rack</c>.</summary>
[Alias("IRackGrain")]
public interface IRackGrain : IGrainWithStringKey
{
    /// <summary>What stands in a node: on its start, and whenever it changes.</summary>
    [Alias("Announce")]
    ValueTask Announce(NodeInventory node);

    /// <summary>Once per node and second. The answer says whether the node must announce itself and say those windows again.</summary>
    [Alias("Report"), ResponseTimeout("00:00:15")]
    ValueTask<ReportAnswer> Report(NodeReport report);

    /// <summary>A node that an operator has taken out of the inventory: it is not expected any more.</summary>
    [Alias("Forget")]
    ValueTask Forget(string host);

    /// <summary>The last closed windows, oldest first.</summary>
    [Alias("Recent"), ReadOnly]
    ValueTask<RackReport> Recent(int windows);
}

/// <summary>One site: racks and facility meters into P_IT and PUE. Key: the site's name.</summary>
[Alias("ISiteGrain")]
public interface ISiteGrain : IGrainWithStringKey
{
    /// <summary>Racks that will report.</summary>
    [Alias("Announce")]
    ValueTask Announce(string rack);

    /// <summary>The facility's own meters: before the first of their windows, and whenever they change.</summary>
    [Alias("AnnounceFacility")]
    ValueTask AnnounceFacility(ImmutableArray<MeterInfo> meters);

    /// <summary>Windows that a rack closed or revised. The answer names the site's activation: to a new one a rack says its latest windows again.</summary>
    [Alias("Report"), ResponseTimeout("00:00:05")]
    ValueTask<ReportAnswer> Report(RackReport report);

    /// <summary>Windows of the facility's own meters. The answer says whether the meters must be announced and those windows said again.</summary>
    [Alias("ReportFacility"), ResponseTimeout("00:00:05")]
    ValueTask<ReportAnswer> ReportFacility(FacilityReport report);

    /// <summary>The latest closed window and what was summed so far.</summary>
    [Alias("View"), ReadOnly]
    ValueTask<SiteView> View();

    /// <summary>ipue over <c>[fromWindow, toWindow)</c>, as far as the site still has the windows; null without facility meters.</summary>
    [Alias("Ratio"), ReadOnly]
    ValueTask<FacilityRatio?> Ratio(long fromWindow, long toWindow);
}

/// <summary>What stands where, and which of it is up. One grain, key <c>grid</c>: durable, written on change only, read when a sweep looks for devices.</summary>
[Alias("IInventoryGrain")]
public interface IInventoryGrain : IGrainWithStringKey
{
    /// <summary>What stands in a node: on its start, and whenever it changes. Durable when it returns.</summary>
    /// <exception cref="StorageTroubleException">It is known and could not be kept; say it again.</exception>
    [Alias("Announce"), ResponseTimeout("00:00:15")]
    Task Announce(NodeInventory node);

    /// <summary>Every node that ever announced itself and was not forgotten, by host.</summary>
    [Alias("Nodes")]
    Task<ImmutableArray<NodeStanding>> Nodes();

    /// <summary>The nodes of one rack.</summary>
    [Alias("InRack"), ResponseTimeout("00:00:05")]
    Task<ImmutableArray<NodeInventory>> InRack(string site, string rack);

    /// <summary>Takes a node that is down out of the inventory; false if there is none of that name.</summary>
    /// <exception cref="RefusedException">It is up.</exception>
    [Alias("Forget")]
    Task<bool> Forget(string host);
}

/// <summary>One sweep: drives trials over devices and keeps what came of them. Key: the sweep's id.</summary>
[Alias("ISweepGrain")]
public interface ISweepGrain : IGrainWithStringKey
{
    /// <summary>Validates, expands, persists; the sweep goes on by itself from here. The same text again is a no-op.</summary>
    /// <exception cref="RefusedException">The plan is invalid, no device matches, or the id is taken by another plan.</exception>
    [Alias("Submit")]
    Task<SweepStatus> Submit(string planText, string submittedBy);

    [Alias("Status"), AlwaysInterleave]
    Task<SweepStatus> Status();

    [Alias("Pause")]
    Task<SweepStatus> Pause(string reason);

    [Alias("Resume")]
    Task<SweepStatus> Resume();

    [Alias("Cancel")]
    Task<SweepStatus> Cancel(string reason);

    /// <summary>A trial has ended somewhere, or a watchdog found the sweep: look now instead of at the next tick.</summary>
    [Alias("Nudge"), AlwaysInterleave]
    Task Nudge();
}

/// <summary>Which sweeps there are. One grain, key <c>grid</c>.</summary>
[Alias("ISweepIndexGrain")]
public interface ISweepIndexGrain : IGrainWithStringKey
{
    [Alias("Add")]
    Task Add(SweepLine line);

    [Alias("End")]
    Task End(string id);

    [Alias("List"), ReadOnly]
    Task<ImmutableArray<SweepLine>> List();
}
