using System.Collections.Immutable;

namespace EnergyGrid.Contracts;

/// <summary>One node, pinned to its host: who may use its devices. Key: the host.</summary>
[Alias("INodeGrain")]
public interface INodeGrain : IGrainWithStringKey
{
    /// <summary>
    /// Asks to hold devices for a pass, all or none. Granted under an epoch that is on disk before the answer. The holder that asks for the pass which it
    /// already holds gets the lease as it stands: nothing that runs is disturbed. Who is refused waits in line while it goes on asking.
    /// </summary>
    /// <exception cref="SupersededException">The holder has a newer activation, which has already asked.</exception>
    [Alias("Lease"), ResponseTimeout("00:00:10")]
    Task<Lease> Lease(LeaseRequest request);

    /// <summary>A sign of life of the holder. False: it holds nothing under that epoch any more.</summary>
    [Alias("Renew"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task<bool> Renew(string holder, long epoch);

    /// <summary>Whether these devices are held by that holder under that epoch: asked by a device before it obeys.</summary>
    [Alias("Holds"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task<bool> Holds(string holder, long epoch, ImmutableArray<string> devices);

    /// <summary>Gives the devices back, if the holder has them under that epoch or a lower one, and leaves the line. What runs on them is ended.</summary>
    [Alias("Release"), ResponseTimeout("00:00:10")]
    Task Release(string holder, long epoch);

    /// <summary>Who holds and who waits.</summary>
    [Alias("View"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task<NodeView> View();

    /// <summary>What each of its devices measured last, in one answer.</summary>
    [Alias("Latest"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task<ImmutableArray<LatestReading>> Latest();
}
