using System.Collections.Immutable;

namespace EnergyGrid.Contracts;

/// <summary>What stands where. One grain, key <c>grid</c>: written on start and change only, read when a sweep looks for devices.</summary>
[Alias("IInventoryGrain")]
public interface IInventoryGrain : IGrainWithStringKey
{
    [Alias("Announce")]
    Task Announce(NodeInventory node);

    [Alias("Nodes"), ReadOnly]
    Task<ImmutableArray<NodeInventory>> Nodes();
}
