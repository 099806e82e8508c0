using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>Both sides of a facility ratio over one and the same period.</summary>
/// <param name="FromWindow">First second, since the Unix epoch.</param>
/// <param name="ToWindow">One past the last.</param>
/// <param name="CoveredSeconds">Seconds of the period in which both sides were metered and which the energies are of.</param>
/// <param name="FacilityJoules">E_facility over those seconds, J.</param>
/// <param name="FacilityLowJoules">Lower bound of what facility meters missed, J.</param>
/// <param name="FacilityHighJoules">Upper bound of it, J; infinite where no rating bounds it.</param>
/// <param name="FacilityCoverage">Covered share of the facility side, 0–1.</param>
/// <param name="ItJoules">E_IT over the same seconds, J.</param>
/// <param name="ItLowJoules">Lower bound of what IT meters missed, J.</param>
/// <param name="ItHighJoules">Upper bound of it, J.</param>
/// <param name="ItUnmeteredRatedJoules">Rated power × time of what IT meters missed, J: it weighs in the coverage.</param>
/// <param name="Category">1 UPS output, 2 PDU output, 3 IT equipment input.</param>
/// <param name="IsSubBoundary">Whether the upper side is a part of the facility only.</param>
/// <param name="MissingMeters">Meters of the inventory that were silent.</param>
/// <param name="Provenance">The worst of any part.</param>
public sealed record FacilityPeriod(
    long FromWindow, long ToWindow, double CoveredSeconds,
    double FacilityJoules, double FacilityLowJoules, double FacilityHighJoules, double FacilityCoverage,
    double ItJoules, double ItLowJoules, double ItHighJoules, double ItUnmeteredRatedJoules,
    int Category, bool IsSubBoundary, ImmutableArray<string> MissingMeters, Provenance Provenance);

/// <summary>PUE and what may and may not bear its name (ISO/IEC 30134-2).</summary>
public static class FacilityRatios
{
    /// <summary>The edition that names and categories follow. It is being replaced, so each value cites it.</summary>
    public const string Edition = "ISO/IEC 30134-2:2016";

    /// <summary>A year: the shortest period of a PUE, s.</summary>
    public const double YearSeconds = 365.0 * 86400;

    /// <summary>Below this coverage of either side only bounds are published.</summary>
    public const double MinCoverage = 0.95;

    /// <summary>Flag of a value below 1.</summary>
    public const string BelowOne = "boundary violation: below 1";

    /// <summary>Joules in a kilowatt-hour.</summary>
    public const double JoulesPerKilowattHour = 3.6e6;

    /// <summary>
    /// <c>pue</c> for the whole facility over a year at least, <c>ipue</c> for less, <c>ppue</c> for a sub-boundary. The ratio of two live
    /// powers is none of these: <c>power_ratio</c>.
    /// </summary>
    public static string Name(double periodSeconds, bool isSubBoundary) =>
        isSubBoundary ? "ppue" : periodSeconds >= YearSeconds ? "pue" : "ipue";

    /// <summary>
    /// E_facility / E_IT with all that must be said beside it. IT coverage is energy-weighted: metered joules over metered joules plus rated
    /// power × time of what is unmetered. Unmetered IT inflates the ratio and missing facility meters deflate it, so below 95 % of either the
    /// value is NaN and only bounds stand. A value below 1 is flagged and shown raw.
    /// </summary>
    /// <exception cref="ArgumentException">A category other than 1, 2 or 3, or an empty period.</exception>
    public static FacilityRatio Of(FacilityPeriod period)
    {
        if (period.Category is < 1 or > 3) throw new ArgumentException($"PUE category is {period.Category}; it must be 1 (UPS output), 2 (PDU output) or 3 (IT equipment input).");
        if (period.ToWindow <= period.FromWindow) throw new ArgumentException($"The period [{period.FromWindow}, {period.ToWindow}) is empty.");
        var seconds = (double)(period.ToWindow - period.FromWindow);
        var itCoverage = ItCoverage(period.ItJoules, period.ItUnmeteredRatedJoules);
        var timeCoverage = Math.Min(1, period.CoveredSeconds / seconds);
        var flags = ImmutableArray.CreateBuilder<string>();
        var raw = period.ItJoules > 0 ? period.FacilityJoules / period.ItJoules : double.NaN;
        var isPublished = itCoverage >= MinCoverage && period.FacilityCoverage >= MinCoverage && !double.IsNaN(raw);
        if (itCoverage < MinCoverage) flags.Add("IT coverage below 95 %: the ratio is inflated, bounds only");
        if (period.FacilityCoverage < MinCoverage) flags.Add("facility meters missing: the ratio is deflated, bounds only");
        if (timeCoverage < MinCoverage) flags.Add("time coverage below 95 %");
        if (raw < 1 && period.FacilityCoverage >= MinCoverage) flags.Add(BelowOne);
        double? low = null, high = null;
        if (period.ItHighJoules > 0 || period.FacilityHighJoules > 0)
        {
            var mostIt = period.ItJoules + period.ItHighJoules;
            var leastIt = period.ItJoules + period.ItLowJoules;
            if (mostIt > 0) low = (period.FacilityJoules + period.FacilityLowJoules) / mostIt;
            if (leastIt > 0 && double.IsFinite(period.FacilityHighJoules)) high = (period.FacilityJoules + period.FacilityHighJoules) / leastIt;
        }
        return new FacilityRatio(
            Name(seconds, period.IsSubBoundary), isPublished ? raw : double.NaN, low, high, period.Category, period.FromWindow, period.ToWindow,
            period.FacilityJoules / JoulesPerKilowattHour, period.ItJoules / JoulesPerKilowattHour, timeCoverage, itCoverage,
            period.MissingMeters, flags.DrainToImmutable(), period.Provenance, Edition);
    }

    /// <summary>Energy-weighted IT coverage, 0–1: what is metered counts by its energy, what is not by its rated power.</summary>
    public static double ItCoverage(double meteredJoules, double unmeteredRatedJoules) =>
        meteredJoules + unmeteredRatedJoules > 0 ? meteredJoules / (meteredJoules + Math.Max(0, unmeteredRatedJoules)) : 0;

    /// <summary>The paper's equation (2): P_IT = P_facility / PUE, W.</summary>
    /// <exception cref="ArgumentException">A PUE that is not a number of at least 1: a boundary violation is not divided by.</exception>
    public static double ItWatts(double facilityWatts, double pue) =>
        pue >= 1 && double.IsFinite(pue) ? facilityWatts / pue : throw new ArgumentException($"PUE is {pue}; it must be at least 1.");

    /// <summary>The ratio of two powers at one instant or over one window: <c>power_ratio</c>, never PUE or ipue. Null where P_IT is not positive.</summary>
    public static double? PowerRatio(double facilityWatts, double itWatts) => itWatts > 0 ? facilityWatts / itWatts : null;
}
