using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary>The grid at one instant, as one look at its API found it.</summary>
/// <param name="Address">Where it was found.</param>
/// <param name="AtUtc">When, by this machine's clock.</param>
/// <param name="Sites">By name.</param>
/// <param name="Nodes">All, those that are down too.</param>
/// <param name="Devices">Of all nodes.</param>
/// <param name="Sweeps">Those that have not ended, the oldest first.</param>
/// <param name="Storage">What is wrong with what keeps the grid's state; empty if nothing.</param>
internal sealed record GridPicture(
    Uri Address, DateTimeOffset AtUtc, ImmutableArray<SiteView> Sites, ImmutableArray<NodeLine> Nodes, ImmutableArray<DeviceLine> Devices, ImmutableArray<SweepStatus> Sweeps, string Storage)
{
    /// <summary>A sweep that is silent for longer is left out of this look: it takes nobody with it.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public static async Task<GridPicture> Take(GridClient client, TimeProvider time, CancellationToken stop)
    {
        var (sites, nodes, devices, version, index) = (client.Sites(stop), client.Nodes(stop), client.Devices(stop), client.Version(stop), client.Sweeps(stop));
        await Task.WhenAll(sites, nodes, devices, version, index);
        var sweeps = (await Task.WhenAll((await index).Where(s => !s.Ended).Select(s => One(client, s.Id, stop)))).OfType<SweepStatus>();
        var storage = (await version).Storage is { Answers: false } away ? away.Says : "";
        return new(client.Address, time.GetUtcNow(), await sites, await nodes, await devices, [.. sweeps.Where(s => !s.HasEnded).OrderBy(s => s.SubmittedUtc).ThenBy(s => s.Id, StringComparer.Ordinal)], storage);
    }

    private static async Task<SweepStatus?> One(GridClient client, string id, CancellationToken stop)
    {
        using var soon = CancellationTokenSource.CreateLinkedTokenSource(stop);
        soon.CancelAfter(Patience);
        try
        {
            return await client.Sweep(id, soon.Token);
        }
        catch (Exception e) when (!stop.IsCancellationRequested && (e is GridProblemException or GridUnreachableException or OperationCanceledException))
        {
            return null;
        }
    }
}

/// <summary>What there is to be shown: the last picture, and whether it is the present.</summary>
/// <param name="Last">Null before the first.</param>
/// <param name="NowUtc">By this machine's clock.</param>
/// <param name="Silent">Why the grid does not answer; empty while it does.</param>
internal sealed record TopState(GridPicture? Last, DateTimeOffset NowUtc, string Silent = "");
