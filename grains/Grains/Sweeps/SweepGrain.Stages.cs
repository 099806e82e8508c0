using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

// From committed trials to the next stage, to what is published, to the end.
public sealed partial class SweepGrain
{
    private readonly List<TrialResult> _results = [];
    private long _publishedAt;
    private int _publishedTrials = -1;

    private async Task ReadOn() => _results.AddRange(await store.Results(Id, _results.Count));

    // Every device group has its passes. The first stage fixes the second; after the second the sweep has ended.
    private async Task StageDone()
    {
        await ReadOn();
        var s = _kept.Now;
        // Planned again until there is nothing left to run: values of later passes never change the answer, but trials that were lost meanwhile,
        // or that completed the first stage, can raise it.
        var plans = MatrixBuilder.Replicate(_plan!, _results, Passes());
        var targets = s.Targets.ToImmutableDictionary(t => t.Key, t => Math.Max(t.Value, plans[t.Key].Passes));
        var more = targets.Where(t => t.Value > s.Targets[t.Key]).Select(t => $"{t.Key}: {s.Targets[t.Key]} → {t.Value} passes").Order(StringComparer.Ordinal).ToArray();
        if (s.Stage == 1 || more.Length > 0)
        {
            var text = more.Length == 0 ? "the first stage suffices" : "second stage: " + string.Join(", ", more);
            await _kept.Change(k => (k.Stage, k.Targets) = (2, targets));
            await Note($"stage/{text}", "stage", text);
            if (more.Length > 0)
            {
                WantAnew();
                return;
            }
        }
        var failed = _plan!.Groups.SelectMany(g => g.Cells.Where(c => !_results.Any(r => r.Outcome == TrialOutcome.Valid && r.Trial.Group == g.Name && r.Trial.Label == c.Label)).Select(c => $"{g.Name}/{c.Label}")).ToArray();
        await End(failed.Length == 0 ? SweepPhase.Finished : SweepPhase.FinishedWithFailures, failed.Length == 0 ? "" : $"no valid trial of {string.Join(", ", failed)}");
    }

    private ImmutableArray<PassRow> Passes() => [.. _lines.Values.Select(l => l.Report).OfType<GroupReport>().SelectMany(r => r.Passes)];

    private async Task PublishNowAndThen()
    {
        var committed = _lines.Values.Sum(l => l.Report?.Committed ?? 0);
        if (committed == 0 || committed == _publishedTrials || (_publishedTrials >= 0 && time.GetElapsedTime(_publishedAt) < pace.Publish)) return;
        // Noted before: what cannot be written now is not tried as fast as the looks come.
        (_publishedAt, _publishedTrials) = (time.GetTimestamp(), committed);
        await ReadOn();
        await store.Publish(Id, Fence, await Record(_kept.Now.Phase, null, complete: false));
    }

    private async Task<SweepRecord> Record(SweepPhase phase, DateTimeOffset? endedUtc, bool complete)
    {
        var s = _kept.Now;
        var (account, closure) = await Facility();
        return new SweepRecord(s.Name, phase, s.SubmittedBy, s.SubmittedUtc, endedUtc, time.GetUtcNow(), identity.Version, identity.Runtime, complete,
            [.. s.Groups.SelectMany(g => g.Devices)],
            s.Groups.ToImmutableSortedDictionary(g => g.Number, g => g.Devices.Select(d => d.Key).ToImmutableArray()), Passes(), account?.Ratio, closure, account?.Stretches ?? []);
    }

    // The site's own ratio over the period of the trials, in the devices' time. Without an answer the matrix says so; it does not wait.
    private async Task<(FacilityAccount?, ImmutableArray<ClosureResidual>)> Facility()
    {
        // The ratio of one site says nothing of another's energy.
        if (_results.Count == 0 || _results.Any(r => r.Site != _results[0].Site)) return (null, []);
        try
        {
            var site = GrainFactory.GetGrain<ISiteGrain>(_results[0].Site);
            var view = await site.View();
            var account = _plan?.Pue?.Source == "site"
                ? await site.Account(_results.Min(r => r.StartedUtc).ToUnixTimeSeconds(), Math.Min(view.Window + 1, _results.Max(r => r.EndedUtc).ToUnixTimeSeconds() + 1))
                : null;
            return (account, view.Closure);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogNoAnswer(Id, $"site '{_results[0].Site}'", FaultText.Of(e));
            return (null, []);
        }
    }

    // Ended twice, because a crash came between, it has ended once: every step of it is a no-op the second time.
    private async Task End(SweepPhase phase, string reason)
    {
        // Before the groups are ended: from then on they plan no more than they ran.
        var planned = Planned();
        await _kept.Change(s => (s.Ending, s.Reason, s.Planned) = (phase, reason, planned));
        await Task.WhenAll(_kept.Now.Groups.Select(EndGroup));
        await ReadOn();
        var now = time.GetUtcNow();
        var why = reason;
        // The last event before the manifest, which vouches for it; the phase after both, so that a crash between them ends the sweep again.
        await store.Append(Id, Fence, "end", phase == SweepPhase.Cancelled ? "cancelled" : "finished", reason);
        try
        {
            await store.Publish(Id, Fence, await Record(phase, now, complete: phase != SweepPhase.Cancelled));
            CrashPoint.Pass(CrashPoint.Published);
        }
        catch (RefusedException e)
        {
            // Its plan is of another version: its trials stay, and whoever can read the plan can make documents of them.
            why = $"{reason}; without documents: {e.Message}";
        }
        var (committed, valid, voided) = (_results.Count, _results.Count(r => r.Outcome == TrialOutcome.Valid), Passes().Count(p => p.Phase == PassPhase.Void));
        await _kept.Change(s => (s.Phase, s.Reason, s.EndedUtc, s.Committed, s.Valid, s.Voided) = (phase, why, now, committed, valid, voided));
        _looks.End();
        await GrainFactory.GetGrain<ISweepIndexGrain>("grid").End(Id);
    }

    // Every one of them, those that were replaced too: which passes are void, only they know, and one that is not told goes on. Asked again until it answers.
    private async Task EndGroup(GroupRow group)
    {
        try { Hear(await Group(group.Number).End(_kept.Now.Fence, "the sweep has ended")); }
        catch (Exception e) when (e is not (SupersededException or StorageTroubleException))
        {
            LogNoAnswer(Id, $"device group {group.Number}", FaultText.Of(e));
            throw new StorageTroubleException($"device group {group.Number} does not say how it ended: {FaultText.Of(e)}");
        }
    }
}
