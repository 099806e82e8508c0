using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Grains;

// From committed trials to documents: the second stage, the matrix, the manifest, the end.
public sealed partial class SweepGrain
{
    // Every block has its passes. The first stage fixes the second; after the second the sweep has ended.
    private async Task StageDone(CancellationToken stop)
    {
        var s = state.State;
        // Planned again until there is nothing left to run: values of later passes never change the answer, but trials that were lost meanwhile,
        // or that completed the first stage, can raise it.
        var plans = MatrixBuilder.Replicate(_course!.Plan, _course.Results.Values, s.Passes);
        var targets = s.Targets.ToImmutableDictionary(t => t.Key, t => Math.Max(t.Value, plans[t.Key].Passes));
        var more = targets.Where(t => t.Value > s.Targets[t.Key]).Select(t => $"{t.Key}: {s.Targets[t.Key]} → {t.Value} passes").Order(StringComparer.Ordinal).ToArray();
        if (s.Stage == 1 || more.Length > 0)
        {
            await Keep(k => (k.Stage, k.Targets) = (2, targets));
            await Tell("stage", more.Length == 0 ? "the first stage suffices" : "second stage: " + string.Join(", ", more));
            if (more.Length > 0) return;
        }
        var failed = _course!.Plan.Groups.SelectMany(g => g.Cells.Where(c => !_course.Results.Values.Any(r => r.Outcome == TrialOutcome.Valid && r.Trial.Group == g.Name && r.Trial.Label == c.Label)).Select(c => $"{g.Name}/{c.Label}")).ToArray();
        await End(failed.Length == 0 ? SweepPhase.Finished : SweepPhase.FinishedWithFailures, failed.Length == 0 ? "" : $"no valid trial of {string.Join(", ", failed)}");
    }

    private async Task PublishNowAndThen(CancellationToken stop)
    {
        if (_course!.Results.Count == _publishedTrials || (_publishedTrials >= 0 && time.GetElapsedTime(_publishedAt) < pace.Publish)) return;
        await Publish(complete: false, state.State.Phase, null, stop);
    }

    private async Task Publish(bool complete, SweepPhase phase, DateTimeOffset? endedUtc, CancellationToken stop)
    {
        if (_course is null) return;
        var s = state.State;
        ImmutableArray<TrialResult> results = [.. _course.Results.Values];
        var (facility, closure) = await Facility(results);
        var record = new SweepRecord(s.Name, phase, s.SubmittedBy, s.SubmittedUtc, endedUtc, time.GetUtcNow(), identity.Version, identity.Runtime, complete, s.Devices,
            s.Blocks.ToImmutableSortedDictionary(b => b.Block, b => b.Devices), s.Passes, facility, closure);
        await store.Publish(Id, Writer, record, stop);
        (_publishedAt, _publishedTrials) = (time.GetTimestamp(), results.Length);
    }

    // The site's own ratio over the period of the trials, in the devices' time. Without an answer the matrix says so; it does not wait.
    private async Task<(FacilityRatio?, ImmutableArray<ClosureResidual>)> Facility(ImmutableArray<TrialResult> results)
    {
        if (results.IsEmpty) return (null, []);
        try
        {
            // The ratio of one site says nothing of another's energy.
            if (results.Any(r => r.Site != results[0].Site)) return (null, []);
            var site = GrainFactory.GetGrain<ISiteGrain>(results[0].Site);
            var view = await site.View();
            var ratio = _course!.Plan.Pue?.Source == "site"
                ? await site.Ratio(results.Min(r => r.StartedUtc).ToUnixTimeSeconds(), Math.Min(view.Window + 1, results.Max(r => r.EndedUtc).ToUnixTimeSeconds() + 1))
                : null;
            return (ratio, view.Closure);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogNoAnswer(e, Id, results[0].Site);
            return (null, []);
        }
    }
}
