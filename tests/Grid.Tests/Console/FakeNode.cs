using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Grid.Tests.Api;

namespace EnergyGrid.Grid.Tests.Console;

/// <summary>A node whose devices rest at 95 W, 41 °C and 345 MHz, and which leases nothing.</summary>
public sealed class FakeNode(FakeGrid grid, string host) : INodeGrain
{
    public Task<ImmutableArray<LatestReading>> Latest()
    {
        grid.Count("latest " + host);
        return Task.FromResult<ImmutableArray<LatestReading>>([.. grid.Nodes.Where(n => n.Inventory.Host == host).SelectMany(n => n.Inventory.Devices).Select(d => new LatestReading(d.Uuid, 95, 41, 345, 0.37, 5e9))]);
    }

    public Task<Lease> Lease(LeaseRequest request) => throw new NotSupportedException();
    public Task<bool> Renew(string holder, long epoch) => throw new NotSupportedException();
    public Task<bool> Holds(string holder, long epoch, ImmutableArray<string> devices) => throw new NotSupportedException();
    public Task Release(string holder, long epoch) => throw new NotSupportedException();
    public Task<NodeView> View() => throw new NotSupportedException();
}
