using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Metrology;
using EnergyGrid.Report;
using EnergyGrid.Sdk;

namespace EnergyGrid.Console;

/// <summary>What a plan takes, as far as that can be known before it has run. What cannot is said to be unknown, never guessed.</summary>
/// <param name="Plan">The plan.</param>
/// <param name="Groups">The device groups that it would get now; null where no grid said what there is.</param>
/// <param name="Holders">Sweeps that hold some of those devices, with how many.</param>
/// <param name="Unknown">Why the devices are not known, or why the grid would refuse the plan; empty otherwise.</param>
public sealed record PlanForecast(ResolvedPlan Plan, ImmutableArray<ImmutableArray<DeviceInfo>>? Groups, ImmutableArray<(string Sweep, int Devices)> Holders, string Unknown)
{
    private const int MostHosts = 6;

    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>Without a grid.</summary>
    public static PlanForecast Of(ResolvedPlan plan, string unknown) => new(plan, null, [], unknown);

    /// <summary>On what a grid has.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="devices">All its devices; those that are down are left out.</param>
    public static PlanForecast Of(ResolvedPlan plan, IReadOnlyCollection<DeviceLine> devices)
    {
        var up = devices.Where(d => d.Up).ToArray();
        var nodes = up.GroupBy(d => (d.Device.Host, d.Device.Site, d.Device.Rack)).Select(n => new NodeInventory(n.Key.Host, n.Key.Site, n.Key.Rack, [.. n.Select(d => d.Device)], []));
        try
        {
            var groups = DeviceChoice.Groups(plan, [.. nodes]);
            var chosen = groups.SelectMany(g => g).Select(d => d.Key).ToHashSet(StringComparer.Ordinal);
            return new(plan, groups, [.. up.Where(d => d.Sweep is not null && chosen.Contains(d.Device.Key)).GroupBy(d => d.Sweep!).Select(s => (s.Key, s.Count()))], "");
        }
        catch (RefusedException e)
        {
            return Of(plan, e.Message);
        }
    }

    /// <summary>On what a grid says it has; without it where it does not answer soon.</summary>
    public static async Task<PlanForecast> Ask(ResolvedPlan plan, GridClient client, CancellationToken stop)
    {
        using var soon = CancellationTokenSource.CreateLinkedTokenSource(stop);
        soon.CancelAfter(Patience);
        try
        {
            return Of(plan, await client.Devices(soon.Token));
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return Of(plan, $"the grid at {client.Address} did not answer within {Patience.TotalSeconds:0} s");
        }
        catch (GridUnreachableException)
        {
            return Of(plan, $"no grid answers at {client.Address}");
        }
        catch (GridProblemException e)
        {
            return Of(plan, e.Message);
        }
    }

    /// <summary>Trials of one pass of every match group on one device group.</summary>
    public int TrialsOfPass => Plan.Groups.Sum(g => g.Cells.Length);

    /// <summary>Passes of the first stage on each device group; where their number is not known, as few as there may be.</summary>
    public int FirstPasses => SteinReplication.FirstStagePasses(Plan.Replication, Groups?.Length ?? 2);

    /// <summary>Passes on each device group at most: the plan's max counts those of the first stage.</summary>
    public int MostPasses => Math.Max(FirstPasses, Plan.Replication.Max);

    /// <summary>The first stage, in the devices' own time, s: loading and waiting left out, every warm-up as short as it may be. Device groups work at the same time.</summary>
    public double LeastSeconds => FirstPasses * SecondsOfPass(Plan.Timing.MinWarmupSeconds);

    /// <summary>All passes that the plan allows, every warm-up as long as it may be, s; loading and waiting left out.</summary>
    public double MostSeconds => MostPasses * SecondsOfPass(Plan.Timing.MaxWarmupSeconds);

    /// <summary>Largest standard deviation of a log ratio between units with which so many of them reach the plan's half-width.</summary>
    /// <param name="units">Passes, devices or nodes, at least one.</param>
    /// <param name="firstStage">Units of the first stage, at least two: their scatter is what the interval rests on.</param>
    public double LargestScatter(int units, int firstStage) => Plan.Replication.HalfWidth * Math.Sqrt(units) / StudentDistribution.Quantile(0.975, firstStage - 1);

    /// <summary>Three lines for people: time, devices, what the result needs; more where devices are held.</summary>
    public IEnumerable<string> Lines()
    {
        yield return "time      " + Time();
        yield return "devices   " + Devices();
        foreach (var (sweep, devices) in Holders) yield return $"          {devices} of them {(devices == 1 ? "is" : "are")} held by {sweep}: how long that takes is not known here";
        yield return "result    " + Result();
    }

    private double SecondsOfPass(double warmup) => Plan.Groups.Sum(g => g.Cells.Sum(c =>
        LayerLegs.Of(c.Configuration).Length * (warmup + Plan.Timing.WindowSeconds) + Plan.Timing.CooldownSeconds));

    private string Time()
    {
        // The slowest clock among them decides when all have ended.
        var scale = Groups is { } groups && groups.SelectMany(g => g).Select(d => d.TimeScale ?? 1).ToArray() is { Length: > 0 } scales ? scales.Min() : 1;
        var first = $"at least {Say.Seconds(LeastSeconds / scale)} for the first stage ({Verdicts.Count(FirstPasses, "pass", "passes")} of {Verdicts.Count(TrialsOfPass, "trial")}, all device groups at once)";
        var most = MostSeconds > LeastSeconds
            ? $", {Say.Seconds(MostSeconds / scale)} if it takes {Verdicts.Count(MostPasses, "pass", "passes")} and every warm-up its longest"
            : "";
        var fast = scale > 1 ? $"; the devices' simulated time runs {NumberText.Significant(scale, 3)} times as fast as the wall's" : "";
        return $"{first}{most}; loading data and waiting for a device to be fit come on top, often as much again where windows are short{fast}";
    }

    private string Devices()
    {
        if (Groups is not { } groups)
        {
            var most = Plan.Hardware.Devices is { } n ? $"at most {Verdicts.Count(n, "device")}" : "all devices";
            return $"{most} of {Plan.Hardware.Model}{(Plan.Hardware.Site is { } site ? $" at {site}" : "")}, {(Plan.Fill == Fill.Node ? "whole nodes" : "one by one")}; which ones is not known: {Unknown.TrimEnd('.')}";
        }
        var all = groups.SelectMany(g => g).ToArray();
        var models = string.Join(", ", all.GroupBy(d => (d.Kind, d.Model)).Select(m => $"{m.Count()} {(m.Key.Kind == DeviceKind.Simulated ? "simulated " : "")}{m.Key.Model}"));
        var hosts = all.GroupBy(d => d.Host).Select(h => $"{h.Key} ({h.Count()})").ToArray();
        var named = string.Join(", ", hosts.Take(MostHosts)) + (hosts.Length > MostHosts ? $" and {Verdicts.Count(hosts.Length - MostHosts, "more host")}" : "");
        return $"{models} in {Verdicts.Count(groups.Length, "device group")}, on {named}";
    }

    private string Result()
    {
        var what = $"{NumberText.PlusMinus(Plan.Replication.HalfWidth)} {(Plan.Groups.Any(g => g.Baseline is not null) ? "of a ratio" : "of J/token")} (95 %)";
        const string Unseen = "how much they scatter is not known before the first stage has run";
        if (Groups is { Length: > 1 } groups)
        {
            var nodes = groups.SelectMany(g => g).Select(d => d.Host).Distinct().Count();
            var (unit, units) = nodes > 1 ? ("node", nodes) : ("device", groups.Length);
            return $"{what} rests on {Verdicts.Count(units, unit)}: reached if they scatter by at most {NumberText.Percent(LargestScatter(units, units))} (standard deviation), which no number of passes changes; {Unseen}";
        }
        // One device group, or nobody knows how many: passes are the units then.
        var first = Math.Max(FirstPasses, SteinReplication.FirstStagePasses(Plan.Replication, 1));
        var alone = Groups is null ? "on one device: " : "";
        if (first < 2) return $"{alone}no interval: one pass shows no scatter (passes: max 5 or more)";
        var most = Math.Max(first, Plan.Replication.Max);
        var more = most > first ? $", {most} passes if by at most {NumberText.Percent(LargestScatter(most, first))}" : "";
        return $"{alone}{what} needs {first} passes if they scatter by at most {NumberText.Percent(LargestScatter(first, first))} (standard deviation){more}; {Unseen}";
    }
}
