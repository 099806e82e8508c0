using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>What stands where, as the nodes last announced it. In memory only: nodes announce themselves again every few seconds.</summary>
[ControlPlacement, KeepAlive]
public sealed class InventoryGrain : Grain, IInventoryGrain
{
    private readonly SortedDictionary<string, NodeInventory> _nodes = new(StringComparer.Ordinal);
    private ImmutableArray<NodeInventory>? _list;

    public Task Announce(NodeInventory node)
    {
        _nodes[node.Host] = node;
        _list = null;
        return Task.CompletedTask;
    }

    public Task<ImmutableArray<NodeInventory>> Nodes() => Task.FromResult(_list ??= [.. _nodes.Values]);
}
