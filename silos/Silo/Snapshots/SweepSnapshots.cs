using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;

namespace EnergyGrid.Silo;

/// <summary>Sweeps as they stood at most half a second ago, read only while somebody looks.</summary>
internal sealed class SweepSnapshots
{
    public static readonly TimeSpan Freshness = TimeSpan.FromMilliseconds(500);

    /// <summary>A sweep that is silent for longer keeps nobody waiting who asks for all of them.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _time;
    private readonly Coalesced<string, SweepStatus> _status;
    private readonly Coalesced<string, ImmutableArray<SweepLine>> _index;

    public SweepSnapshots(IGrainFactory grains, IResultStore store, IResultFiles files, TimeProvider time)
    {
        _time = time;
        _status = new(async id =>
        {
            try { return await grains.GetGrain<ISweepGrain>(id).Status(); }
            catch (RefusedException)
            {
                // Listed and never run here: its results were taken in.
                if (await files.Manifest(id) is { } manifest) return Adopted(manifest, await store.Results(id));
                throw;
            }
        }, Freshness, time);
        _index = new(key => grains.GetGrain<ISweepIndexGrain>(key).List(), Freshness, time);
    }

    /// <summary>All sweeps, newest first.</summary>
    public async Task<ImmutableArray<SweepLine>> List(CancellationToken stop) =>
        [.. (await _index.Get("grid", stop)).OrderByDescending(l => l.SubmittedUtc).ThenBy(l => l.Id, StringComparer.Ordinal)];

    /// <summary>Whether there is such a sweep. An id that the last look did not show may be half a second old, so the index is read again before it is denied.</summary>
    public async Task<bool> Knows(string id, CancellationToken stop)
    {
        if ((await _index.Get("grid", stop)).Any(l => l.Id == id)) return true;
        _index.Forget("grid");
        return (await _index.Get("grid", stop)).Any(l => l.Id == id);
    }

    /// <exception cref="UnknownException">There is no such sweep.</exception>
    public async Task Require(string id, CancellationToken stop)
    {
        if (!await Knows(id, stop)) throw new UnknownException($"There is no sweep '{id}'; 'energygrid status' and GET /v1/sweeps list them.");
    }

    /// <exception cref="UnknownException">There is no such sweep.</exception>
    public async Task<SweepStatus> Status(string id, CancellationToken stop)
    {
        await Require(id, stop);
        return await _status.Get(id, stop);
    }

    /// <summary>Those that have not ended, as far as they answer: one that does not takes nobody with it.</summary>
    public async Task<SweepStatus[]> Live(CancellationToken stop)
    {
        var asked = (await _index.Get("grid", stop)).Where(l => !l.Ended).Select(l => _status.Get(l.Id, stop).WaitAsync(Patience, _time, stop)).ToArray();
        await ((Task)Task.WhenAll(asked)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.ThrowIfCancellationRequested();
        return [.. asked.Where(a => a.IsCompletedSuccessfully).Select(a => a.Result)];
    }

    private static SweepStatus Adopted(Manifest manifest, ImmutableArray<TrialResult> trials)
    {
        var valid = trials.Count(t => t.Outcome == TrialOutcome.Valid);
        return new(manifest.Sweep, manifest.Plan, manifest.Phase, "taken in from a directory of results", trials.Length, trials.Length, valid, trials.Length - valid,
            manifest.Passes.Count(p => p.State == "void"), 2, 0, [], manifest.SubmittedUtc, manifest.EndedUtc, SubmittedBy: manifest.SubmittedBy);
    }

    /// <summary>Something was changed through this silo: the next look is a new one.</summary>
    public void Changed(string id)
    {
        _status.Forget(id);
        _index.Forget("grid");
    }
}
