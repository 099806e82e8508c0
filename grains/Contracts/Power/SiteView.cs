using System.Collections.Immutable;

namespace EnergyGrid.Contracts;

/// <summary>A difference between a meter and the sum of what lies below it.</summary>
/// <param name="Level">For example <c>node input − (gpu + cpu + dram)</c>.</param>
/// <param name="UpperJoules">What the upper meter says, J.</param>
/// <param name="LowerJoules">The sum below it, J.</param>
[GenerateSerializer, Immutable, Alias("ClosureResidual")]
public sealed record ClosureResidual(
    [property: Id(0)] string Level,
    [property: Id(1)] double UpperJoules,
    [property: Id(2)] double LowerJoules)
{
    /// <summary>(upper − lower) / upper.</summary>
    public double Fraction => (UpperJoules - LowerJoules) / UpperJoules;
}

/// <summary>A facility ratio and all that must be said with it. Never clamped; null bounds when coverage is full.</summary>
/// <param name="Name"><c>pue</c> (a year or more, same period), <c>ipue</c> (shorter), <c>ppue</c> (a sub-boundary).</param>
/// <param name="Value">E_facility / E_IT; NaN where coverage is below 95 % and only bounds may be published.</param>
/// <param name="Low">Lower bound.</param>
/// <param name="High">Upper bound.</param>
/// <param name="Category">1 UPS output, 2 PDU output, 3 IT equipment input.</param>
/// <param name="FromWindow">First window, seconds since the Unix epoch.</param>
/// <param name="ToWindow">One past the last window.</param>
/// <param name="FacilityKilowattHours">E_facility, kWh.</param>
/// <param name="ItKilowattHours">E_IT, kWh.</param>
/// <param name="TimeCoverage">Covered over expected time, 0–1.</param>
/// <param name="ItCoverage">Energy-weighted metered share of the inventory, 0–1.</param>
/// <param name="MissingMeters">Meters of the inventory that were silent.</param>
/// <param name="Flags">For example <c>boundary violation: below 1</c>.</param>
/// <param name="Provenance">The worst of any part.</param>
/// <param name="Edition">The edition of the standard that the name follows.</param>
[GenerateSerializer, Immutable, Alias("FacilityRatio")]
public sealed record FacilityRatio(
    [property: Id(0)] string Name,
    [property: Id(1)] double Value,
    [property: Id(2)] double? Low,
    [property: Id(3)] double? High,
    [property: Id(4)] int Category,
    [property: Id(5)] long FromWindow,
    [property: Id(6)] long ToWindow,
    [property: Id(7)] double FacilityKilowattHours,
    [property: Id(8)] double ItKilowattHours,
    [property: Id(9)] double TimeCoverage,
    [property: Id(10)] double ItCoverage,
    [property: Id(11)] ImmutableArray<string> MissingMeters,
    [property: Id(12)] ImmutableArray<string> Flags,
    [property: Id(13)] Provenance Provenance,
    [property: Id(14)] string Edition);

/// <summary>Both sides of a facility ratio summed over the windows of a stretch, apart for those in which every facility meter was covered in full.</summary>
/// <param name="FromWindow">First window of the stretch, seconds since the Unix epoch.</param>
/// <param name="ToWindow">One past the last.</param>
/// <param name="Windows">How many windows of it are summed here.</param>
/// <param name="Whole">Whether those are the ones with full facility meters.</param>
/// <param name="FacilityJoules">J.</param>
/// <param name="FacilityLowJoules">Lower bound of what its meters missed, J.</param>
/// <param name="FacilityHighJoules">Upper bound, J; infinite where no rating bounds it.</param>
/// <param name="FacilityCoveredWeight">Covered seconds × rated power of its meters, J.</param>
/// <param name="FacilityWeight">Seconds × rated power, J.</param>
/// <param name="ItJoules">J.</param>
/// <param name="ItLowJoules">Lower bound of what IT meters missed, J.</param>
/// <param name="ItHighJoules">Upper bound, J.</param>
/// <param name="ItUnmeteredRatedJoules">Rated power × time of what IT meters missed, J.</param>
[GenerateSerializer, Immutable, Alias("FacilityStretch")]
public sealed record FacilityStretch(
    [property: Id(0)] long FromWindow,
    [property: Id(1)] long ToWindow,
    [property: Id(2)] long Windows,
    [property: Id(3)] bool Whole,
    [property: Id(4)] double FacilityJoules,
    [property: Id(5)] double FacilityLowJoules,
    [property: Id(6)] double FacilityHighJoules,
    [property: Id(7)] double FacilityCoveredWeight,
    [property: Id(8)] double FacilityWeight,
    [property: Id(9)] double ItJoules,
    [property: Id(10)] double ItLowJoules,
    [property: Id(11)] double ItHighJoules,
    [property: Id(12)] double ItUnmeteredRatedJoules);

/// <summary>A facility ratio and the sums that it follows from.</summary>
/// <param name="Ratio">Over the period.</param>
/// <param name="Stretches">In time order; together they are the period's windows.</param>
[GenerateSerializer, Immutable, Alias("FacilityAccount")]
public sealed record FacilityAccount(
    [property: Id(0)] FacilityRatio Ratio,
    [property: Id(1)] ImmutableArray<FacilityStretch> Stretches);

/// <summary>One rack as its site sees it.</summary>
/// <param name="Rack">Its name.</param>
/// <param name="ItWatts">P_IT of what was read over the latest window, W: a lower bound where the coverage is below 1; NaN (null in JSON) where nothing was.</param>
/// <param name="Coverage">Energy-weighted, 0–1.</param>
/// <param name="Sources">How many sources had a window.</param>
/// <param name="Missing">How many had none.</param>
[GenerateSerializer, Immutable, Alias("RackLine")]
public sealed record RackLine(
    [property: Id(0)] string Rack,
    [property: Id(1)] double ItWatts,
    [property: Id(2)] double Coverage,
    [property: Id(3)] int Sources,
    [property: Id(4)] int Missing);

/// <summary>A site at its latest closed window: what the API, the event stream and /metrics serve.</summary>
/// <param name="Site">Its name.</param>
/// <param name="Window">The latest closed window, seconds since the Unix epoch; 0 before the first.</param>
/// <param name="ItWatts">P_IT of what was read over that window, W: a lower bound where the coverage is below 1; NaN (null in JSON) where nothing was.</param>
/// <param name="FacilityWatts">P_facility over that window, W; null without facility meters.</param>
/// <param name="PowerRatio">P_facility / P_IT over this one window: a ratio of powers, neither PUE nor ipue.</param>
/// <param name="Ipue">Over all closed windows of the period.</param>
/// <param name="Coverage">Energy-weighted IT coverage of the window, 0–1.</param>
/// <param name="TotalItJoules">Since the period began, J.</param>
/// <param name="Windows">How many windows were closed.</param>
/// <param name="Revisions">How many times a closed window was revised.</param>
/// <param name="Closure">Residuals at each level.</param>
/// <param name="Racks">Its racks.</param>
/// <param name="MissingMeters">Meters that were silent in the window.</param>
/// <param name="Provenance">The worst of any part; null where nothing was read in the window.</param>
/// <param name="PeriodFromUtc">When the period of the sums began; null before the first window.</param>
/// <param name="GapSeconds">How much of the period nobody drove the site: no window of it was told by anyone, s.</param>
[GenerateSerializer, Immutable, Alias("SiteView")]
public sealed record SiteView(
    [property: Id(0)] string Site,
    [property: Id(1)] long Window,
    [property: Id(2)] double ItWatts,
    [property: Id(3)] double? FacilityWatts,
    [property: Id(4)] double? PowerRatio,
    [property: Id(5)] FacilityRatio? Ipue,
    [property: Id(6)] double Coverage,
    [property: Id(7)] double TotalItJoules,
    [property: Id(8)] long Windows,
    [property: Id(9)] long Revisions,
    [property: Id(10)] ImmutableArray<ClosureResidual> Closure,
    [property: Id(11)] ImmutableArray<RackLine> Racks,
    [property: Id(12)] ImmutableArray<string> MissingMeters,
    [property: Id(13)] Provenance? Provenance,
    [property: Id(14)] DateTimeOffset? PeriodFromUtc = null,
    [property: Id(15)] long GapSeconds = 0)
{
    /// <summary>Below this coverage P_IT is said to be a lower bound wherever people read it: what is shown has three digits.</summary>
    public const double WholeCoverage = 0.995;
}
