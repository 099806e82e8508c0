using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace EnergyGrid.Contracts;

/// <summary>The six dimensions that a controlled comparison must hold fixed and disclose (the paper's reporting agenda). All are required.</summary>
/// <param name="Quality">q*: the quality target; for kernel workloads <c>not applicable: synthetic weights</c>.</param>
/// <param name="QualityCheck">How it was checked. Equal q* means the same target and the same way of checking.</param>
/// <param name="ServiceMilliseconds">s*: latency target per token, ms.</param>
/// <param name="ServiceStatistic">Which statistic must meet it: <c>mean</c>, <c>p50</c>, <c>p99</c>.</param>
/// <param name="WorkloadMix">Context length, input and output lengths, arrivals.</param>
/// <param name="Batching">The batching protocol.</param>
/// <param name="Hardware">The hardware setup in words, beside <see cref="HardwareRequirement"/>.</param>
/// <param name="Boundary">Where energy is accounted.</param>
/// <param name="FirstTokenMilliseconds">s* of a serving engine: the most that the same statistic of the time to the first token may be, ms; null where nothing is asked.</param>
public sealed record Disclosure(
    string Quality,
    string QualityCheck,
    double ServiceMilliseconds,
    string ServiceStatistic,
    string WorkloadMix,
    string Batching,
    string Hardware,
    Boundary Boundary,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? FirstTokenMilliseconds = null);

/// <summary>What the devices must be.</summary>
/// <param name="Model">Hardware class, as in <see cref="DeviceInfo.Model"/>; <c>any-cpu</c> means any device of kind cpu.</param>
/// <param name="Site">Only there; null for anywhere.</param>
/// <param name="Devices">How many devices to use at most; null for all that match.</param>
public sealed record HardwareRequirement(string Model, string? Site, int? Devices);

/// <summary>Whether a device group is one device or all devices of a node.</summary>
public enum Fill { Device, Node }

/// <summary>Two-stage replication (Stein). Passes are per device group in the first stage.</summary>
/// <param name="Min">Passes of every match group on every device group in the first stage.</param>
/// <param name="Max">At most so many in all.</param>
/// <param name="HalfWidth">h: wanted half-width of the 95 % interval of a log ratio.</param>
public sealed record Replication(int Min, int Max, double HalfWidth);

/// <summary>The declared power envelope of (1) and (3): P_IT is exogenous, never what happened to be drawn.</summary>
/// <param name="Watts">W at <paramref name="Boundary"/>.</param>
/// <param name="Boundary">Facility-side is divided by PUE.</param>
/// <param name="Devices">N installed devices that share it.</param>
public sealed record Envelope(double Watts, Boundary Boundary, int Devices);

/// <summary>Where PUE comes from.</summary>
/// <param name="Source"><c>declared</c> or <c>site</c> (the site's own meters over the sweep's period).</param>
/// <param name="Value">If declared.</param>
/// <param name="Category">1, 2 or 3 (ISO/IEC 30134-2).</param>
public sealed record PueChoice(string Source, double? Value, int Category);

/// <summary>What a token costs beside energy: MC_token ≈ p_e · PUE · e_tok + kappa.</summary>
/// <param name="PricePerKilowattHour">p_e, in <paramref name="Currency"/> per kWh.</param>
/// <param name="Kappa">Non-energy cost per token, in <paramref name="Currency"/>.</param>
/// <param name="Currency">For example USD.</param>
public sealed record CostTerms(double PricePerKilowattHour, double Kappa, string Currency);

/// <summary>A cell of a match group: a configuration with its label.</summary>
/// <param name="Label">Unique in its group; the A/A twin has its own.</param>
/// <param name="Configuration">Resolved.</param>
/// <param name="ConfigurationSha256">Its identity.</param>
/// <param name="Cost">Bytes and FLOPs per layer and step (mean layer of a mixed model).</param>
/// <param name="Disclosure">The six dimensions, cell overrides applied.</param>
/// <param name="TwinOf">The label whose twin this is, for A/A; null otherwise.</param>
public sealed record PlannedCell(
    string Label,
    Configuration Configuration,
    string ConfigurationSha256,
    StepCost Cost,
    Disclosure Disclosure,
    string? TwinOf);

/// <summary>Cells that may be compared, with their own baseline.</summary>
/// <param name="Name">Unique in the plan.</param>
/// <param name="Baseline">Label of the baseline; null for absolute values only.</param>
/// <param name="Cells">In the plan's order.</param>
public sealed record MatchGroup(string Name, string? Baseline, ImmutableArray<PlannedCell> Cells)
{
    /// <summary>What results must say of all its cells, for example <c>linearity unchecked</c>. Follows from the rest of the plan; not part of its identity.</summary>
    public ImmutableArray<string> Notes { get; init; } = [];
}

/// <summary>A cell named by its place.</summary>
/// <param name="Group">Name of the match group.</param>
/// <param name="Label">Label in it.</param>
/// <param name="PublishedJoulesPerToken">What others printed for it, J; null if nothing was.</param>
public sealed record CellReference(string Group, string Label, double? PublishedJoulesPerToken = null);

/// <summary>A layout of cells that are not matched, printed without intervals and marked as such.</summary>
public sealed record UnmatchedPanel(string Title, CellReference Baseline, ImmutableArray<CellReference> Cells);

/// <summary>A plan with nothing left open: what a sweep runs.</summary>
/// <param name="Name">The plan's name.</param>
/// <param name="Description">Free text; may be empty.</param>
/// <param name="Disclosure">The six dimensions.</param>
/// <param name="Hardware">What the devices must be.</param>
/// <param name="Match">Keys that must be equal for cells of a group to be compared, for example <c>batch</c>, <c>context</c>.</param>
/// <param name="Groups">Match groups.</param>
/// <param name="Panels">Unmatched layouts.</param>
/// <param name="Replication">Two-stage replication.</param>
/// <param name="Fill">What a device group is.</param>
/// <param name="OrderSeed">Seed of the order of configurations in passes.</param>
/// <param name="Timing">Of every trial.</param>
/// <param name="Guards">What invalidates.</param>
/// <param name="EquivalenceDelta">δ of the A/A test, in log ratio.</param>
/// <param name="Envelope">Null: the verdict of (3) is "not determined".</param>
/// <param name="Pue">Null: nothing is PUE-adjusted.</param>
/// <param name="Cost">Null: no cost is printed.</param>
/// <param name="KeepTraces"><c>none</c>, <c>first-pass</c> or <c>all</c>.</param>
/// <param name="Sha256">Of the canonical JSON of everything above, lower-case hex.</param>
public sealed record ResolvedPlan(
    string Name,
    string Description,
    Disclosure Disclosure,
    HardwareRequirement Hardware,
    ImmutableArray<string> Match,
    ImmutableArray<MatchGroup> Groups,
    ImmutableArray<UnmatchedPanel> Panels,
    Replication Replication,
    Fill Fill,
    long OrderSeed,
    TrialTiming Timing,
    TrialGuards Guards,
    double EquivalenceDelta,
    Envelope? Envelope,
    PueChoice? Pue,
    CostTerms? Cost,
    string KeepTraces,
    string Sha256);
