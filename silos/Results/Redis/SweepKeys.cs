using EnergyGrid.Contracts;
using StackExchange.Redis;

namespace EnergyGrid.Results;

/// <summary>The keys of one sweep: one hash tag, so that a script touches one slot. <see cref="RedisResultStore"/> says what is in them.</summary>
internal sealed class SweepKeys
{
    public SweepKeys(string prefix, string sweep)
    {
        var root = $"{prefix}:{{{SweepFileName.Sweep(sweep)}}}";
        (Name, Sweep, Trials, Index, Events) = (sweep, root, root + ":trials", root + ":index", root + ":events");
        (Traces, Blocks, Sizes, Documents) = (root + ":traces", root + ":blocks", root + ":sizes", root + ":documents");
        All = [Sweep, Trials, Index, Events, root + ":keys", Traces, Blocks, Sizes, Documents];
    }

    public string Name { get; }
    public RedisKey Sweep { get; }
    public RedisKey Trials { get; }
    public RedisKey Index { get; }
    public RedisKey Events { get; }
    public RedisKey Traces { get; }
    public RedisKey Blocks { get; }
    public RedisKey Sizes { get; }
    public RedisKey Documents { get; }

    /// <summary>In the order in which scripts name them.</summary>
    public RedisKey[] All { get; }

    /// <summary>What makes a trial this trial within its sweep.</summary>
    public static string Identity(TrialId trial) => $"{trial.Group}\n{trial.Label}\n{trial.Configuration}\n{trial.Block}\n{trial.Pass}";
}
