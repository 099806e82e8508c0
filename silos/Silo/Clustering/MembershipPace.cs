using Orleans.Configuration;

namespace EnergyGrid.Silo;

/// <summary>
/// How soon a silent silo is taken for dead. The hosts of this grid are loaded by what they measure, so a silo may be slow for long and must not be accused for it; and a host
/// that is gone must be known to be gone within ten seconds.
/// </summary>
internal static class MembershipPace
{
    /// <summary>A silo whose sign of life in the table is older than this counts neither as a voter nor as one that a joining silo must reach.</summary>
    public static readonly TimeSpan Stale = TimeSpan.FromSeconds(30);

    public static void Apply(ClusterMembershipOptions o)
    {
        // A probe's time-out follows the answers seen (a phi accrual detector) between these bounds, and is stretched while this silo itself is slow. A killed process refuses
        // connections, so each probe fails at once and what passes is two periods and an indirect probe through a third silo, whose vote comes with it: about 3 periods of 1 s.
        o.ProbeTimeout = TimeSpan.FromSeconds(1.5);
        o.MinProbeTimeout = TimeSpan.FromSeconds(1);
        // No vote counts while any message came over an open connection within MaxProbeTimeout × NumMissedProbesLimit = 7.5 s: a silo that is slow but talks is never accused,
        // and one whose machine lost power (nobody closes its connections) is known after that and one more probe: 10 s. The default of four time-outs would make it 60 s.
        o.MaxProbeTimeout = TimeSpan.FromSeconds(2.5);
        o.NumMissedProbesLimit = 3;
        // Two voices: one silo that cannot reach the others must not end them. Of two silos the one that answers decides alone.
        o.NumVotesForDeathDeclaration = 2;
        o.EnableIndirectProbes = true;
        o.ExtendProbeTimeoutDuringDegradation = true;
        o.EnableConnectionLivenessCheck = true;
        // Old suspicions must not add up to a death: a voice counts for some failure detections, not for the default of two minutes.
        o.DeathVoteExpirationTimeout = TimeSpan.FromSeconds(60);
        // Gossip tells a change at once; the table is for who missed that. Each read fetches all rows: at 1,000 silos this is some 40 MB/s, and a third of it would be no loss.
        o.TableRefreshTimeout = TimeSpan.FromSeconds(15);
        // After all silos died at once nobody is left to declare the dead; those that come back wait until the entries of the others are stale. One small write each: 100/s at 1,000 silos.
        o.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(10);
        o.NumMissedTableIAmAliveLimit = 3;
        // A silo that cannot reach all living ones gives up rather than hang half-joined, and what hangs there is thrown out.
        o.MaxJoinAttemptTime = TimeSpan.FromSeconds(90);
        o.EvictWhenMaxJoinAttemptTimeExceeded = true;
    }
}
