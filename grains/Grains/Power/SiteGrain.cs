using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Grains;

/// <summary>What a site keeps: everything but the buckets that <see cref="SiteDay"/> has.</summary>
public sealed class SiteState
{
    public SiteSnapshot? Snapshot { get; set; }
}

/// <summary>Buckets of the past day that no snapshot's window can change any more: written once an hour, because there are many.</summary>
public sealed class SiteDay
{
    public ImmutableArray<SiteBucket> Past { get; set; } = [];

    /// <summary>The first bucket that is not here.</summary>
    public long To { get; set; }
}

/// <summary>
/// One site: racks and facility meters into P_IT and its ratios. Its sums are kept twice a minute, so that a period goes on in the next activation; what was not kept yet the
/// racks and meters tell again, and what nobody tells is the period's gap.
/// </summary>
[ControlPlacement, KeepAlive]
public sealed partial class SiteGrain(
    WindowPace pace,
    TimeProvider time,
    ILogger<SiteGrain> log,
    [PersistentState("site", "grid")] IPersistentState<SiteState> state,
    [PersistentState("day", "grid")] IPersistentState<SiteDay> day) : Grain, ISiteGrain
{
    private const long HourBuckets = 3600 / SiteMerge.BucketWindows;

    // Data that runs this far ahead of the wall's clock is of a clock that may begin anew: a simulation whose time runs faster.
    private const long AheadSeconds = 60;

    private static readonly TimeSpan LastPatience = TimeSpan.FromSeconds(3);

    private SiteMerge _merge = null!;
    private long _incarnation;
    private long _keptHigh;
    private bool _keeping;
    private bool _toldTrouble;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _incarnation = time.GetUtcNow().ToUnixTimeMilliseconds();
        _merge = new SiteMerge(this.GetPrimaryKeyString(), category: 3, pace.SiteLateness, pace.Kept, pace.Ahead);
        if (state.State.Snapshot is { } kept)
        {
            var own = kept.Past.Select(b => b.Bucket).ToHashSet();
            var whole = kept with { Past = [.. day.State.Past.Where(b => !own.Contains(b.Bucket)), .. kept.Past] };
            _merge.Restore(whole, mayGoBack: kept.High > time.GetUtcNow().ToUnixTimeSeconds() + AheadSeconds);
            _keptHigh = kept.High;
        }
        // Beside the calls, not between them: a store that is slow or away must not hold up what is live.
        this.RegisterGrainTimer(Keep, new GrainTimerCreationOptions(pace.SitePeriod, pace.SitePeriod) { Interleave = true });
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) =>
        // A store that is away must not hold up the end of the silo: what was kept last and what racks tell again is enough.
        await Keep(cancellationToken).WaitAsync(LastPatience, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);

    public ValueTask Announce(string rack)
    {
        _merge.ExpectRack(rack);
        return default;
    }

    public ValueTask AnnounceFacility(ImmutableArray<MeterInfo> meters)
    {
        _merge.AddFacilityMeters(meters);
        return default;
    }

    public ValueTask<ReportAnswer> Report(RackReport report)
    {
        var closed = _merge.WindowsClosed;
        LookAtTheWall();
        _merge.Apply(report);
        GridTelemetry.WindowsClosed.Add(Math.Max(0, _merge.WindowsClosed - closed));
        return ValueTask.FromResult(new ReportAnswer(false, _incarnation + _merge.Moves));
    }

    public ValueTask<ReportAnswer> ReportFacility(FacilityReport report)
    {
        var unknown = _merge.UnknownSources;
        LookAtTheWall();
        _merge.Apply(report);
        return ValueTask.FromResult(new ReportAnswer(_merge.UnknownSources > unknown, _incarnation + _merge.Moves));
    }

    public ValueTask<SiteView> View() => ValueTask.FromResult(_merge.View());

    public ValueTask<FacilityRatio?> Ratio(long fromWindow, long toWindow) => ValueTask.FromResult(_merge.Ratio(fromWindow, toWindow));

    public ValueTask<FacilityAccount?> Account(long fromWindow, long toWindow) =>
        ValueTask.FromResult(_merge.Ratio(fromWindow, toWindow) is { } ratio ? new FacilityAccount(Alone(ratio), _merge.Stretches(ratio.FromWindow, ratio.ToWindow)) : null);

    private void LookAtTheWall()
    {
        if (pace.IsOfTheWall) _merge.WallWindow = time.GetUtcNow().ToUnixTimeSeconds();
    }

    private async Task Keep(CancellationToken stop)
    {
        if (_keeping || _merge.Latest == _keptHigh || _merge.Snapshot() is not { } now) return;
        _keeping = true;
        try
        {
            await KeepDay(now);
            state.State.Snapshot = now with { Past = now.Past.RemoveAll(b => b.Bucket < day.State.To) };
            await state.WriteStateAsync(stop);
            (_keptHigh, _toldTrouble) = (now.High, false);
        }
        catch (InconsistentStateException)
        {
            // Another activation of this site has written: this one is the past.
            DeactivateOnIdle();
        }
        catch (Exception e) when (e is StorageTroubleException or OperationCanceledException)
        {
            // What is live goes on; the next one keeps more.
            if (!_toldTrouble && e is StorageTroubleException) LogNotKept(this.GetPrimaryKeyString(), FaultText.Of(e));
            _toldTrouble = true;
        }
        finally
        {
            _keeping = false;
        }
    }

    // Only buckets of which the latest kept snapshot has no open window: whichever of the two records is the older one, none is counted twice.
    private async Task KeepDay(SiteSnapshot now)
    {
        // The data's clock went back: a period of its own, and none of the day's buckets is its.
        if (day.State.To * SiteMerge.BucketWindows > now.High) await KeepDay(new SiteDay());
        var to = (_keptHigh - pace.Kept) / SiteMerge.BucketWindows / HourBuckets * HourBuckets;
        if (to <= day.State.To || !now.Past.Any(b => b.Bucket < to)) return;
        await KeepDay(new SiteDay { To = to, Past = [.. now.Past.Where(b => b.Bucket < to)] });
    }

    private async Task KeepDay(SiteDay next)
    {
        var before = day.State;
        day.State = next;
        try
        {
            await day.WriteStateAsync();
        }
        catch
        {
            day.State = before;
            throw;
        }
    }

    // In documents a value stands alone; only where there is none stands what it may have been (docs/results.md).
    private static FacilityRatio Alone(FacilityRatio ratio) => double.IsFinite(ratio.Value) ? ratio with { Low = null, High = null } : ratio;

    [LoggerMessage(Level = LogLevel.Warning, Message = "Site {Site}: its sums could not be kept; it is tried again: {Reason}")]
    private partial void LogNotKept(string site, string reason);
}
