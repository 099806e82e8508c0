using System.Collections.Immutable;

namespace EnergyGrid.Contracts;

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
