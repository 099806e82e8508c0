using System.Collections.Immutable;

namespace EnergyGrid.Contracts;

/// <summary>One site: racks and facility meters into P_IT and PUE. Key: the site's name.</summary>
[Alias("ISiteGrain")]
public interface ISiteGrain : IGrainWithStringKey
{
    /// <summary>Racks that will report.</summary>
    [Alias("Announce")]
    ValueTask Announce(string rack);

    /// <summary>The facility's own meters: before the first of their windows, and whenever they change.</summary>
    [Alias("AnnounceFacility")]
    ValueTask AnnounceFacility(ImmutableArray<MeterInfo> meters);

    /// <summary>Windows that a rack closed or revised. The answer names the site's activation: to a new one a rack says its latest windows again.</summary>
    [Alias("Report"), ResponseTimeout("00:00:05")]
    ValueTask<ReportAnswer> Report(RackReport report);

    /// <summary>Windows of the facility's own meters. The answer says whether the meters must be announced and those windows said again.</summary>
    [Alias("ReportFacility"), ResponseTimeout("00:00:05")]
    ValueTask<ReportAnswer> ReportFacility(FacilityReport report);

    /// <summary>The latest closed window and what was summed so far.</summary>
    [Alias("View"), ReadOnly]
    ValueTask<SiteView> View();

    /// <summary>ipue over <c>[fromWindow, toWindow)</c>, as far as the site still has the windows; null without facility meters.</summary>
    [Alias("Ratio"), ReadOnly]
    ValueTask<FacilityRatio?> Ratio(long fromWindow, long toWindow);

    /// <summary>The same with the sums that it follows from.</summary>
    [Alias("Account"), ReadOnly]
    ValueTask<FacilityAccount?> Account(long fromWindow, long toWindow);
}
