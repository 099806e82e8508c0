using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Grains;

/// <summary>One site: racks and facility meters into P_IT and its ratios. Keeps nothing on disk: a site that restarts begins a new period.</summary>
[ControlPlacement, KeepAlive]
public sealed class SiteGrain(WindowPace pace) : Grain, ISiteGrain
{
    private SiteMerge _merge = null!;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _merge = new SiteMerge(this.GetPrimaryKeyString(), category: 3, pace.SiteLateness, pace.Kept);
        return Task.CompletedTask;
    }

    public ValueTask Announce(string rack)
    {
        _merge.ExpectRack(rack);
        return default;
    }

    public ValueTask AnnounceFacility(ImmutableArray<MeterInfo> meters)
    {
        _merge.SetFacilityMeters(meters);
        return default;
    }

    public ValueTask Report(RackReport report)
    {
        _merge.Apply(report);
        return default;
    }

    public ValueTask ReportFacility(FacilityReport report)
    {
        _merge.Apply(report);
        return default;
    }

    public ValueTask<SiteView> View() => ValueTask.FromResult(_merge.View());

    public ValueTask<FacilityRatio?> Ratio(long fromWindow, long toWindow) => ValueTask.FromResult(_merge.Ratio(fromWindow, toWindow));
}
