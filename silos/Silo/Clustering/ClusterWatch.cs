using System.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Silo;

/// <summary>Says in a sentence who joins, leaves and dies.</summary>
internal sealed partial class ClusterWatch(IClusterMembershipService membership, ILocalSiloDetails self, ILogger<ClusterWatch> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var known = new Dictionary<SiloAddress, SiloStatus>();
        try
        {
            await foreach (var snapshot in membership.MembershipUpdates.WithCancellation(stoppingToken))
            {
                foreach (var member in snapshot.Members.Values)
                {
                    // Those that were dead before this silo came are no news.
                    var was = known.TryGetValue(member.SiloAddress, out var before) ? before : member.Status == SiloStatus.Active ? SiloStatus.Joining : member.Status;
                    known[member.SiloAddress] = member.Status;
                    if (was != member.Status && !member.SiloAddress.Equals(self.SiloAddress)) Tell(member, was);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The silo stops.
        }
    }

    private void Tell(ClusterMember member, SiloStatus was)
    {
        var (name, address) = (member.Name, new IPEndPoint(member.SiloAddress.Endpoint.Address, member.SiloAddress.Endpoint.Port));
        switch (member.Status)
        {
            case SiloStatus.Active:
                Joined(log, name, address);
                break;
            case SiloStatus.Dead when was is SiloStatus.ShuttingDown or SiloStatus.Stopping:
                Left(log, name, address);
                break;
            case SiloStatus.Dead:
                Died(log, name, address);
                break;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Silo {Silo} ({Address}) has joined.")]
    private static partial void Joined(ILogger log, string silo, IPEndPoint address);

    [LoggerMessage(Level = LogLevel.Information, Message = "Silo {Silo} ({Address}) has left.")]
    private static partial void Left(ILogger log, string silo, IPEndPoint address);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Silo {Silo} ({Address}) is dead: its devices are down, and what else it did goes on elsewhere.")]
    private static partial void Died(ILogger log, string silo, IPEndPoint address);
}
