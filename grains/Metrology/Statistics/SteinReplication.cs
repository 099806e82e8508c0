using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>What one cell of a match group asks for.</summary>
/// <param name="Cell">Its label.</param>
/// <param name="Scope">The kind of the interval's units.</param>
/// <param name="FirstStageUnits">n0; fewer than planned if trials were invalid.</param>
/// <param name="FirstStageDeviation">s0: SD of the first stage's units, log ratio; NaN without two of them.</param>
/// <param name="RequiredUnits">⌈(t(0.975, n0−1)·s0/h)²⌉ before clamping; null without s0.</param>
/// <param name="Passes">Passes per device group that this cell wants, those included that it lost, clamped to max.</param>
/// <param name="MoreDevicesNeeded">Units are devices or nodes and t·s_between/√n &gt; h: passes cannot help.</param>
/// <param name="Note">What a reader must know; empty if nothing.</param>
public sealed record CellReplication(
    string Cell,
    IntervalScope Scope,
    int FirstStageUnits,
    double FirstStageDeviation,
    int? RequiredUnits,
    int Passes,
    bool MoreDevicesNeeded,
    string Note);

/// <summary>The second stage of a match group.</summary>
/// <param name="Passes">Passes per device group in all, for every configuration of the group; at least the first stage's. Run up to them and plan again
/// until there is nothing left to run: only trials that were lost in the meantime, or that completed the first stage, can raise it.</param>
/// <param name="FirstStagePasses">Per device group.</param>
/// <param name="FirstStageComplete">False: some cell still lacks usable passes of the first stage and max is not reached.</param>
/// <param name="MoreDevicesNeeded">Of any cell.</param>
/// <param name="Cells">In ordinal order of labels.</param>
public sealed record ReplicationPlan(
    int Passes, int FirstStagePasses, bool FirstStageComplete, bool MoreDevicesNeeded, ImmutableArray<CellReplication> Cells);

/// <summary>
/// Stein's two-stage replication (1945), fixed once from the first stage so that the final interval keeps its level.
/// <para>One device group: units are passes, n0 = min but at least 5, <c>n = clamp(⌈(t(0.975, n0−1)·s0/h)²⌉, min, max)</c>; the interval uses s0 and
/// n0 − 1 (<see cref="NestedSample.Summarise"/> with <see cref="FirstStagePasses"/>).</para>
/// <para>Several device groups or nodes: their number is fixed and is n0. Passes are then planned from the scatter <i>within</i> devices alone:
/// m such that t(0.975, n0−1)·s_pass·√(w/m) ≤ h, where w/m·s_pass² is the variance that passes contribute to the mean (w = 1/devices if every
/// node has as many). That scatter is independent of the device means, so the interval of the final device or node means stays exact;
/// planning on the scatter between them would not. If t·s_between/√n &gt; h remains, more devices are needed.</para>
/// The mean of a sample is independent of all its variances and covariances, so taking the maximum over the cells of a group costs no coverage.
/// <para>Only type A is planned and judged: h is compared with the Student half-width, since no number of passes narrows what a sensor's bounds add to the
/// interval that is printed.</para>
/// </summary>
public static class SteinReplication
{
    /// <summary>Fewest passes of a first stage on a single device group.</summary>
    public const int FewestPasses = 5;

    /// <summary>What is printed where passes cannot help.</summary>
    public const string MoreDevices = "more devices needed";

    /// <summary>Passes per device group in the first stage: min, but at least 5 on a single device group, and never above max.</summary>
    public static int FirstStagePasses(Replication replication, int deviceGroups)
    {
        Check(replication);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(deviceGroups);
        return deviceGroups == 1 ? Math.Min(Math.Max(FewestPasses, replication.Min), replication.Max) : replication.Min;
    }

    /// <summary>⌈(t·s/h)²⌉, the units that a half-width h asks for; <see cref="int.MaxValue"/> if beyond counting.</summary>
    public static int RequiredUnits(double deviation, int degreesOfFreedom, double halfWidth)
    {
        var units = Math.Ceiling(Math.Pow(StudentDistribution.Quantile(0.975, degreesOfFreedom) * deviation / halfWidth, 2));
        return units >= int.MaxValue ? int.MaxValue : Math.Max(1, (int)units);
    }

    /// <summary>
    /// Plans from the first stage's observations: of every device group the first passes that are usable. Call it when every device group has run the
    /// first stage's passes. Values of later passes never change the answer; a lost trial is run again, since whether it was lost says nothing of
    /// what it would have shown. A cell without any usable pass on a device group is not helped by more and asks for none there.
    /// Cells without a baseline are planned on their own log J/token.
    /// </summary>
    /// <param name="observations">Of one match group.</param>
    /// <param name="baseline">Its baseline's label; null if it has none.</param>
    /// <param name="replication">min, max and h.</param>
    public static ReplicationPlan Plan(IReadOnlyCollection<Observation> observations, string? baseline, Replication replication)
    {
        ArgumentNullException.ThrowIfNull(observations);
        Check(replication);
        var run = observations
            .GroupBy(observation => observation.Device, StringComparer.Ordinal)
            .ToDictionary(device => device.Key, device => device.Select(observation => observation.Pass).Distinct().Count(), StringComparer.Ordinal);
        var first = FirstStagePasses(replication, Math.Max(1, run.Count));
        var byCell = observations.ToLookup(observation => observation.Cell, StringComparer.Ordinal);
        var cells = byCell.Select(cell => cell.Key)
            .Where(cell => cell != baseline)
            .Order(StringComparer.Ordinal)
            .Select(cell => PlanCell(cell, LogValues.OfCell(byCell, cell, baseline).ToArray(), run, first, replication))
            .ToImmutableArray();
        var reached = run.Count > 0 && run.Values.Min() >= replication.Max;
        var complete = reached || cells.All(cell => cell.Note.Length == 0);
        return new ReplicationPlan(
            cells.Aggregate(first, (passes, cell) => Math.Max(passes, cell.Passes)), first, complete, cells.Any(cell => cell.MoreDevicesNeeded), cells);
    }

    /// <summary>
    /// The verdict on a final interval: empty if its type A half-width is at most h, otherwise what is missing: "more devices needed" where the units
    /// are devices or nodes, "stopped at max" where they are passes, "no interval" where there is none.
    /// </summary>
    public static string Verdict(NestedEstimate? final, double halfWidth) => final switch
    {
        null or { Scope: IntervalScope.None } => "no interval",
        // Stein's n makes this an equality at best: leave room for rounding.
        _ when final.Interval(0.95)!.HalfWidth <= halfWidth * (1 + 1e-9) => "",
        { Scope: IntervalScope.ThisDevice } => "stopped at max",
        _ => MoreDevices,
    };

    private static CellReplication PlanCell(
        string cell, PassValue[] values, Dictionary<string, int> run, int first, Replication replication)
    {
        var devices = values
            .GroupBy(value => value.Device, StringComparer.Ordinal)
            .Select(device => device.OrderBy(value => value.Pass).ToArray())
            .ToArray();
        var sample = NestedSample.Of(devices.SelectMany(device => device.Take(first)));
        var summary = sample.Summarise();
        var fewest = devices.Select(device => device.Length).DefaultIfEmpty(0).Min();
        var lost = devices.Select(device => run[device[0].Device] - device.Length).DefaultIfEmpty(0).Max();
        var note = devices.Length > 0 && fewest < first ? $"first stage incomplete: {fewest} of {first} passes are usable on some device group" : "";
        var wanted = first;
        int? required = null;
        if (summary is { Scope: not IntervalScope.None })
        {
            required = RequiredUnits(summary.UnitDeviation, summary.DegreesOfFreedom, replication.HalfWidth);
            // Fixed once, and not before the first stage is there.
            var complete = note.Length == 0;
            if (complete && summary.Scope == IntervalScope.ThisDevice)
            {
                wanted = required.Value;
            }
            else if (complete && VarianceComponents.Of(sample).Pass is { } variance)
            {
                var share = sample.Nodes.Sum(node => 1.0 / node.Devices.Length) / Math.Pow(sample.Nodes.Length, 2);
                wanted = RequiredUnits(Math.Sqrt(variance * share), summary.DegreesOfFreedom, replication.HalfWidth);
            }
        }
        // Clamped before what was lost is added, which then cannot overflow.
        var passes = Math.Min(Math.Clamp(wanted, first, Math.Max(first, replication.Max)) + lost, Math.Max(first, replication.Max));
        return new CellReplication(
            cell,
            summary?.Scope ?? IntervalScope.None,
            summary?.Units ?? 0,
            summary?.UnitDeviation ?? double.NaN,
            required,
            passes,
            summary is { Scope: IntervalScope.ThisNode or IntervalScope.Nodes } && required > summary.Units,
            note);
    }

    private static void Check(Replication replication)
    {
        ArgumentNullException.ThrowIfNull(replication);
        if (replication.Min < 1 || replication.Max < replication.Min)
        {
            throw new ArgumentException($"Passes need 1 ≤ min ≤ max, not min {replication.Min} and max {replication.Max}.", nameof(replication));
        }
        if (!(replication.HalfWidth > 0 && double.IsFinite(replication.HalfWidth)))
        {
            throw new ArgumentException($"The half-width must be a positive log ratio, not {replication.HalfWidth}.", nameof(replication));
        }
    }
}
