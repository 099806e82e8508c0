using System.Collections.Immutable;

namespace EnergyGrid.Contracts;

/// <summary>
/// The energy of one source over one window of one second, <c>[Window, Window + 1)</c> seconds since the Unix epoch.
/// A later revision replaces an earlier one, it never adds to it.
/// </summary>
/// <param name="Source"><c>node/uuid</c> of a device, or <c>node/name</c>, <c>rack/name</c>, <c>site/name</c> of a meter.</param>
/// <param name="Kind">What the source is.</param>
/// <param name="Window">Seconds since the Unix epoch, UTC.</param>
/// <param name="Revision">0 for the first statement; the highest wins.</param>
/// <param name="Joules">Energy over the covered part, J.</param>
/// <param name="CoveredSeconds">How much of the second was covered by readings, s, at most 1.</param>
/// <param name="LowJoules">Lower bound of the energy of the uncovered part, from rated limits, J.</param>
/// <param name="HighJoules">Upper bound of the energy of the uncovered part, J.</param>
/// <param name="MinWatts">Lowest power seen, W.</param>
/// <param name="MaxWatts">Highest power seen, W.</param>
/// <param name="Samples">How many readings it rests on.</param>
/// <param name="CounterEpoch">Counts the resets of the source's energy counter; 0 if it has none.</param>
/// <param name="ClockErrorSeconds">How far the node's clock may be from UTC, s.</param>
/// <param name="Provenance">How the energy came about.</param>
[GenerateSerializer, Immutable, Alias("PowerWindow")]
public sealed record PowerWindow(
    [property: Id(0)] string Source,
    [property: Id(1)] SourceKind Kind,
    [property: Id(2)] long Window,
    [property: Id(3)] int Revision,
    [property: Id(4)] double Joules,
    [property: Id(5)] double CoveredSeconds,
    [property: Id(6)] double LowJoules,
    [property: Id(7)] double HighJoules,
    [property: Id(8)] double MinWatts,
    [property: Id(9)] double MaxWatts,
    [property: Id(10)] int Samples,
    [property: Id(11)] int CounterEpoch,
    [property: Id(12)] double ClockErrorSeconds,
    [property: Id(13)] Provenance Provenance);

/// <summary>Everything one node says in one second: the windows it closed since it last spoke, late and revised ones included.</summary>
[GenerateSerializer, Immutable, Alias("NodeReport")]
public sealed record NodeReport(
    [property: Id(0)] string Node,
    [property: Id(1)] long Sequence,
    [property: Id(2)] ImmutableArray<PowerWindow> Windows);

/// <summary>What a rack or a site answers to a report.</summary>
/// <param name="WantsInventory">It does not know a source of the report: announce what stands there, and say the same windows again.</param>
/// <param name="Incarnation">Which activation answers. Another number than before means that it has forgotten what it was told: say the latest windows again.</param>
[GenerateSerializer, Immutable, Alias("ReportAnswer")]
public readonly record struct ReportAnswer(
    [property: Id(0)] bool WantsInventory,
    [property: Id(1)] long Incarnation);

/// <summary>Energy by kind of source over one window, J. A kind without any source is NaN, not zero.</summary>
[GenerateSerializer, Immutable, Alias("EnergyByKind")]
public readonly record struct EnergyByKind(
    [property: Id(0)] double Gpu,
    [property: Id(1)] double CpuAndDram,
    [property: Id(2)] double NodeInput,
    [property: Id(3)] double RackInput);

/// <summary>One rack over one closed window.</summary>
/// <param name="Rack"><c>site/rack</c>.</param>
/// <param name="Window">Seconds since the Unix epoch.</param>
/// <param name="Revision">Grows with every late or revised part.</param>
/// <param name="ItJoules">Energy at the accounting meter of each path, summed, J: the rack's share of P_IT.</param>
/// <param name="CoveredWeightSeconds">Σ over accounting meters of covered seconds × rated watts: the numerator of energy-weighted IT coverage.</param>
/// <param name="ExpectedWeightSeconds">The same with full coverage and the whole inventory.</param>
/// <param name="LowJoules">Bounds of what was not covered, J.</param>
/// <param name="HighJoules">Bounds of what was not covered, J.</param>
/// <param name="ByKind">All sources, whether they account or not, for closure.</param>
/// <param name="Sources">How many sources had a window.</param>
/// <param name="Missing">Sources of the inventory without one.</param>
/// <param name="ClockErrorSeconds">The worst clock error of any part, s.</param>
/// <param name="Provenance">The worst of any part.</param>
/// <param name="Incarnation">Which activation of the rack says it: revisions are counted anew by each, and one that was told less must not replace what another knew.</param>
[GenerateSerializer, Immutable, Alias("RackWindow")]
public sealed record RackWindow(
    [property: Id(0)] string Rack,
    [property: Id(1)] long Window,
    [property: Id(2)] int Revision,
    [property: Id(3)] double ItJoules,
    [property: Id(4)] double CoveredWeightSeconds,
    [property: Id(5)] double ExpectedWeightSeconds,
    [property: Id(6)] double LowJoules,
    [property: Id(7)] double HighJoules,
    [property: Id(8)] EnergyByKind ByKind,
    [property: Id(9)] int Sources,
    [property: Id(10)] ImmutableArray<string> Missing,
    [property: Id(11)] double ClockErrorSeconds,
    [property: Id(12)] Provenance Provenance,
    [property: Id(13)] long Incarnation = 0);

/// <summary>What one rack tells its site: windows closed or revised since it last spoke.</summary>
[GenerateSerializer, Immutable, Alias("RackReport")]
public sealed record RackReport(
    [property: Id(0)] string Rack,
    [property: Id(1)] ImmutableArray<RackWindow> Windows);

/// <summary>What the facility's own meters say: windows of kind <see cref="SourceKind.FacilityInput"/>.</summary>
[GenerateSerializer, Immutable, Alias("FacilityReport")]
public sealed record FacilityReport(
    [property: Id(0)] string Site,
    [property: Id(1)] ImmutableArray<PowerWindow> Windows);
