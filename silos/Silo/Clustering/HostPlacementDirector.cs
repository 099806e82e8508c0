using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using Orleans.Runtime.Placement;

namespace EnergyGrid.Silo;

/// <summary>Places a grain on the active silo that serves the host of its key: the newest, if an old one of that name is not yet known to be dead.</summary>
internal sealed class HostPlacementDirector(IClusterMembershipService membership) : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        var key = target.GrainIdentity.Key.ToString()!;
        var name = HostPlacement.SiloOf(key);
        var able = context.GetCompatibleSilos(target);
        var silo = membership.CurrentSnapshot.Members.Values
            .Where(m => m.Status == SiloStatus.Active && m.Name == name && able.Contains(m.SiloAddress))
            .MaxBy(m => m.SiloAddress.Generation);
        return silo is not null
            ? Task.FromResult(silo.SiloAddress)
            : Task.FromException<SiloAddress>(new HostUnavailableException($"Silo '{name}', which serves '{key}', is not up."));
    }
}
