using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>
/// All that a <see cref="SiteMerge"/> knows, to be kept and put into another one. Windows that can still change are here by rack, so that one that is told again
/// replaces its own share and nothing else. Numbers stand in rows because there are many of them.
/// </summary>
/// <param name="High">The highest window told.</param>
/// <param name="Began">The first window of the period.</param>
/// <param name="ClosedTo">The first window that is not closed.</param>
/// <param name="WindowsClosed">How many windows were closed.</param>
/// <param name="Revisions">How often a closed window changed.</param>
/// <param name="Settled">Sums of the windows that can no longer change, as <see cref="SiteBucket.Sums"/>.</param>
/// <param name="Past">The same in buckets, oldest first.</param>
/// <param name="Racks">The racks that were ever told of; rows of <see cref="SiteSlot"/> name them by their place here.</param>
/// <param name="Meters">The facility's own meters.</param>
/// <param name="MeterSpoken">The latest window of each of them.</param>
/// <param name="Slots">The windows that can still change, oldest first.</param>
/// <param name="Gaps">When nobody drove the site.</param>
public sealed record SiteSnapshot(
    long High, long Began, long ClosedTo, long WindowsClosed, long Revisions, ImmutableArray<double> Settled, ImmutableArray<SiteBucket> Past, ImmutableArray<SiteRack> Racks,
    ImmutableArray<MeterInfo> Meters, ImmutableArray<long> MeterSpoken, ImmutableArray<SiteSlot> Slots, ImmutableArray<WindowSpan> Gaps);

/// <summary>Windows from <paramref name="From"/> to before <paramref name="To"/>.</summary>
public readonly record struct WindowSpan(long From, long To);

/// <summary>Sums of <see cref="SiteMerge.BucketWindows"/> windows that can no longer change.</summary>
/// <param name="Bucket">The first window over <see cref="SiteMerge.BucketWindows"/>.</param>
/// <param name="Sums">
/// E_IT (J) and number of windows; then, for the windows in which the facility was metered in full, and for those in part: windows, E_IT, E_facility, lower and upper bound and
/// rated energy of unmetered IT, lower and upper bound of unmetered facility (J), covered and full weight of its meters, provenance. What would be all zeros at the end is left out.
/// </param>
public sealed record SiteBucket(long Bucket, ImmutableArray<double> Sums);

/// <summary>One rack of a site.</summary>
/// <param name="Name"><c>site/rack</c>.</param>
/// <param name="IsExpected">Whether it is waited for.</param>
/// <param name="Spoken">The latest window that it told.</param>
/// <param name="LastExpected">Rated energy of a window when it last told, J.</param>
/// <param name="LastSources">Its sources then.</param>
/// <param name="SettledJoules">Energy in windows that can no longer change, J.</param>
public sealed record SiteRack(string Name, bool IsExpected, long Spoken, double LastExpected, int LastSources, double SettledJoules);

/// <summary>One window that can still change.</summary>
/// <param name="Window">Seconds since the Unix epoch.</param>
/// <param name="IsClosed">Whether it is part of the sums.</param>
/// <param name="IsUndriven">Whether it lies in a gap, unless somebody tells it after all.</param>
/// <param name="Racks">
/// A row for each rack that told it: rack, incarnation, revision, E_IT, covered and expected weight, bounds, energy by kind (4), sources, clock error, provenance.
/// </param>
/// <param name="Missing">Silent sources by rack.</param>
/// <param name="Facility">What the facility's meters told.</param>
public sealed record SiteSlot(
    long Window, bool IsClosed, bool IsUndriven, ImmutableArray<ImmutableArray<double>> Racks, ImmutableSortedDictionary<int, ImmutableArray<string>> Missing, ImmutableArray<PowerWindow> Facility);
