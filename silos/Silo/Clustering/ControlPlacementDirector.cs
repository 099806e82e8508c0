using EnergyGrid.Grains;
using Orleans.Runtime.MembershipService.SiloMetadata;
using Orleans.Runtime.Placement;

namespace EnergyGrid.Silo;

/// <summary>Places control grains on silos that were started with --control, if there is one that can hold them, else on any: by rendezvous hashing, so that each grain comes to rest on one silo and few move when silos come and go.</summary>
internal sealed class ControlPlacementDirector(ISiloMetadataCache metadata) : IPlacementDirector
{
    /// <summary>The key of a silo's metadata that says so.</summary>
    public const string Key = "energygrid.control";

    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        var able = context.GetCompatibleSilos(target);
        // The metadata of a silo that has just joined may not be here yet: it counts as one without --control, and the next activation finds it.
        var control = able.Where(s => metadata.GetSiloMetadata(s).Metadata.ContainsKey(Key)).ToArray();
        return Task.FromResult(Choose(target.GrainIdentity, control.Length > 0 ? control : able));
    }

    internal static SiloAddress Choose(GrainId grain, IEnumerable<SiloAddress> silos) =>
        silos.MaxBy(s => Mix((ulong)grain.GetUniformHashCode() << 32 | (uint)s.GetConsistentHashCode()))!;

    // The finalizer of SplitMix64: a small difference in either hash changes the whole order.
    private static ulong Mix(ulong z)
    {
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }

    internal static Dictionary<string, string> MetadataOf(bool control) => control ? new() { [Key] = "true" } : [];
}
