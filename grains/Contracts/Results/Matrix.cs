using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace EnergyGrid.Contracts;

/// <summary>A value with the interval around it and what the interval speaks of.</summary>
/// <param name="Value">The estimate; for ratios the exponential of the mean log ratio. NaN if there is none.</param>
/// <param name="Low">Lower end of the 95 % interval, the sensor's bounds included where <see cref="Uncertainty"/> stands beside it; null if there is none.</param>
/// <param name="High">Upper end; null if there is none.</param>
/// <param name="Scope"><c>nodes</c>, <c>this node</c>, <c>this device</c> or <c>none</c>.</param>
/// <param name="Units">How many independent units the interval rests on.</param>
public sealed record Estimate(double Value, double? Low, double? High, string Scope, int Units);

/// <summary>The parts of an interval, all of the logarithm: scatter that replication reduces (type A), and what the sensors may hide (type B), which it does not.</summary>
/// <param name="StandardError">Type A: of the mean log; null without an interval.</param>
/// <param name="DegreesOfFreedom">Of the standard error; 0 without one.</param>
/// <param name="OffsetTerm">Standard uncertainty from the sensor's offset, bound ÷ √3; null where powers are unknown, as are the others.</param>
/// <param name="NonLinearityTerm">From its non-linearity, bound ÷ √3.</param>
/// <param name="AliasTerm">From part-time sampling.</param>
/// <param name="CounterTerm">From counter against integrated power.</param>
/// <param name="GainTerm">From its gain, bound ÷ √3: absolute values only, 0 in ratios of the same devices.</param>
/// <param name="TypeB">u_B: all terms in quadrature.</param>
/// <param name="Bound">Of the bias that they may amount to: the bounds' linear sum. The interval is se · cv(5 %, ν, bound ÷ se) wide on either side.</param>
public sealed record Uncertainty(
    double? StandardError, int DegreesOfFreedom, double? OffsetTerm, double? NonLinearityTerm, double? AliasTerm, double? CounterTerm, double? GainTerm, double? TypeB, double? Bound);

/// <summary>A quantity that may not have been estimated. Exactly one of value and reason is present.</summary>
/// <param name="Value">Null: not estimated.</param>
/// <param name="Estimator">Its name and source.</param>
/// <param name="Reason">Why not, where there is no value; a flag where there is one.</param>
public sealed record Figure(double? Value, string Estimator, string? Reason);

/// <summary>What a ratio may be called.</summary>
public enum RatioStanding
{
    /// <summary>A measured difference: beyond the resolution, and "no difference" is refused after Holm's adjustment.</summary>
    Resolved,

    /// <summary>A ratio without a claim of a difference.</summary>
    NotResolved,

    /// <summary>A cell or its baseline misses its s*: not at the operating point that is compared. In no headline.</summary>
    OutsideOperatingPoint,

    /// <summary>Its energies are not measured: nothing is claimed of hardware.</summary>
    NotMeasured,
}

/// <summary>The ratio of a cell to its match group's baseline.</summary>
/// <param name="Baseline">The baseline's label.</param>
/// <param name="Ratio">J/token of the cell over that of the baseline; the interval is pairwise, 95 %, the sensor's bounds included.</param>
/// <param name="SimultaneousLow">Lower end of the interval that holds for all ratios of the matrix together with 95 % (Bonferroni), the sensor's bounds included; null outside the family (A/A twins) or without an interval.</param>
/// <param name="SimultaneousHigh">Upper end.</param>
/// <param name="Uncertainty">What both are made of.</param>
/// <param name="PValue">Of "no difference", the sensor's bounds included; null without an interval.</param>
/// <param name="HolmPValue">The same adjusted for all ratios of the matrix (Holm): it decides whether a ratio is resolved, and makes no interval.</param>
/// <param name="Resolution">max(A/A half-width, 2·u_B), log ratio; null if unknown.</param>
/// <param name="ResolutionFrom">The match group whose A/A pair it rests on; null if it rests on none.</param>
/// <param name="Standing">What it may be called.</param>
/// <param name="StandingReason">Why; empty where it is resolved.</param>
/// <param name="AchievedOverFloor">Step time over the floor of its shape, of this cell over the same of the baseline: what of the ratio the kernels' quality may be; null if unknown.</param>
/// <param name="Confounds">In what else the two differ, for example <c>parameters per layer +23 %</c>.</param>
/// <param name="TimeRatio">Time per token of the cell over that of the baseline, over the same passes, with the interval of its scatter; null in formats before 4.</param>
public sealed record RatioToBaseline(
    string Baseline,
    Estimate Ratio,
    double? SimultaneousLow,
    double? SimultaneousHigh,
    Uncertainty Uncertainty,
    double? PValue,
    double? HolmPValue,
    double? Resolution,
    string? ResolutionFrom,
    RatioStanding Standing,
    string StandingReason,
    double? AchievedOverFloor,
    ImmutableArray<string> Confounds,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Estimate? TimeRatio = null)
{
    /// <summary>Whether a difference is claimed.</summary>
    public bool Resolved => Standing == RatioStanding.Resolved;
}

/// <summary>Spread of the log J/token by level, as standard deviations; null where a level has one member.</summary>
/// <param name="Pass">Between passes of a device.</param>
/// <param name="Device">Between devices of a node.</param>
/// <param name="Node">Between nodes.</param>
/// <param name="DeviceAndNode">Of both together, where each node has one device group and they cannot be told apart.</param>
public sealed record Spread(double? Pass, double? Device, double? Node, double? DeviceAndNode = null);

/// <summary>How straight step energy runs over L', from the values between the common pair.</summary>
/// <param name="Departure">Energy of the step at the middle L' over the straight line between the outer two, minus 1: mean over trials with its 95 % interval (type A).</param>
/// <param name="Layers">The middle L' that it was looked at.</param>
/// <param name="Straight">Whether the interval contains 0; null without an interval.</param>
public sealed record LinearityCheck(Estimate Departure, int Layers, bool? Straight);

/// <summary>(3) for one cell: which input is scarce under the declared envelope, and by how much.</summary>
/// <param name="Verdict"><c>not power-bound</c>, <c>power-bound</c>, <c>at the boundary</c> or <c>not determined</c>.</param>
/// <param name="Text">In a sentence, with headroom and what else limits.</param>
/// <param name="Reason">Why it is not determined; empty otherwise.</param>
/// <param name="Limit">What limits it at its own draw: memory bandwidth, matrix units, the board's power limit, or not found.</param>
/// <param name="Boundary">Where envelope, e_tok and power are taken.</param>
/// <param name="Devices">That share the envelope.</param>
/// <param name="BudgetWatts">Of one device, W.</param>
/// <param name="DrawnWatts">e_tok · rate of one device at that boundary, W.</param>
/// <param name="Rho">P_IT / K_eff, J/FLOP.</param>
/// <param name="RhoStar">e_tok / c_tok, J/FLOP.</param>
/// <param name="Headroom">rho / rho* with realized K_eff, with its 95 % interval; the sensor's gain is in it.</param>
/// <param name="HeadroomPeak">The same with peak K_eff: an upper bound on compute only.</param>
/// <param name="BreakEvenWatts">The envelope at which the verdict changes with realized K_eff, W over all devices.</param>
/// <param name="BreakEvenWattsPeak">With peak K_eff, W.</param>
public sealed record PowerVerdict(
    string Verdict,
    string Text,
    string Reason,
    string Limit,
    Boundary Boundary,
    int Devices,
    double? BudgetWatts,
    double? DrawnWatts,
    double? Rho,
    double? RhoStar,
    Estimate? Headroom,
    double? HeadroomPeak,
    double? BreakEvenWatts,
    double? BreakEvenWattsPeak);

/// <summary>One cell on one hardware class. Everything of one row is for one device and follows from the same slope over L'.</summary>
/// <param name="Label">In its group.</param>
/// <param name="TwinOf">The A/A twin's original.</param>
/// <param name="Configuration">Resolved.</param>
/// <param name="ConfigurationSha256">Identity.</param>
/// <param name="Cost">What a step must move and compute, from shape alone, for one layer and the whole batch.</param>
/// <param name="TokenKind"><c>token-equivalent</c> for kernel workloads, <c>token</c> for serving stacks.</param>
/// <param name="Tokens">Tokens of all valid windows.</param>
/// <param name="Boundary">Where <paramref name="JoulesPerTokenLayer"/> is accounted.</param>
/// <param name="Estimator">How it was made: <c>slope over two L'</c>, or <c>one L', intercept included</c>.</param>
/// <param name="JoulesPerTokenLayer">Gross, per token and layer, J: the slope of step energy over L' ÷ batch; the interval holds gain, offset and non-linearity of the sensor.</param>
/// <param name="Uncertainty">What that interval is made of.</param>
/// <param name="NetJoulesPerTokenLayer">The same net of idle with context, type A interval; null if idle was not measured.</param>
/// <param name="InterceptJoulesPerStep">Energy of a step at L' = 0, J.</param>
/// <param name="Linearity">Null where no third L' was run.</param>
/// <param name="HeadJoulesPerToken">The LM head alone, J per token, GPU boundary.</param>
/// <param name="ProjectedJoulesPerToken">Gross at each boundary for the whole model, projected; keys <c>gpu</c>, <c>node</c>, <c>facility</c>.</param>
/// <param name="BoundaryNotes">For each boundary why it is absent, modelled or excluded from claims.</param>
/// <param name="Ratio">To the baseline; null for cells without one.</param>
/// <param name="Passes">Valid passes.</param>
/// <param name="Devices">Devices they ran on.</param>
/// <param name="Nodes">Nodes they ran on.</param>
/// <param name="Spread">Variance components.</param>
/// <param name="Invalidations">Count by reason.</param>
/// <param name="KEffRealized">c_tok · rate, FLOP/s, over trials without power-cap time.</param>
/// <param name="KEffPeak">FLOP/s, upper bound only.</param>
/// <param name="FlopsPerTokenLayer">c_tok of one layer, FLOP.</param>
/// <param name="TokenLayersPerSecond">Rate, tokens × layers per second: batch ÷ slope of step time.</param>
/// <param name="WattsPerDevice">JoulesPerTokenLayer × TokenLayersPerSecond, W: power of the layers, per device.</param>
/// <param name="AchievedOverFloor">Slope of step time over the floor max(bytes ÷ bandwidth, FLOP ÷ peak) of a layer; null if unknown.</param>
/// <param name="Constraint">The verdict of (3).</param>
/// <param name="Ceilings">Ceiling evidence: power_cap, hbm, compute, latency, unresolved.</param>
/// <param name="Phi">Every Phi by name.</param>
/// <param name="Utilization">U.</param>
/// <param name="ProjectedTokensPerSecond">TokenLayersPerSecond ÷ layers of the model.</param>
/// <param name="ProjectedStepMilliseconds">Latency of a whole-model step, ms, from the slope of step time.</param>
/// <param name="ServiceMilliseconds">s* of this cell, ms per token.</param>
/// <param name="ServiceStatistic">Which statistic must meet it.</param>
/// <param name="MeetsService">Whether s* is met; null if it is not judged.</param>
/// <param name="Quality">Evidence for q*.</param>
/// <param name="PueAdjustedJoulesPerToken">Node-input J/token × PUE, with the note that says what it is.</param>
/// <param name="CostPerMillionTokens">Energy cost of a million tokens, null without a price.</param>
/// <param name="Currency">Of the cost.</param>
/// <param name="Coverage">Least coverage of any valid window.</param>
/// <param name="MeanWatts">Mean power of one device over all windows, as it ran, W.</param>
/// <param name="PowerCapFraction">Largest share of a window under the power cap.</param>
/// <param name="Flags">What a reader must know.</param>
/// <param name="Provenance">The worst of any part of the energy; null without a valid trial: nothing has a provenance then.</param>
/// <param name="Absent">For every number of the row that is null: why, by its name.</param>
/// <param name="SecondsPerTokenLayer">Time per token and layer, s: slope of step time ÷ batch, with the interval of its scatter; null in formats before 4 and of a serving engine.</param>
/// <param name="Serving">What a serving engine's row has; null of a decode step. What is a decode step's alone is absent where it is there.</param>
public sealed record MatrixRow(
    string Label,
    string? TwinOf,
    Configuration Configuration,
    string ConfigurationSha256,
    StepCost Cost,
    string TokenKind,
    double Tokens,
    Boundary Boundary,
    string Estimator,
    Estimate JoulesPerTokenLayer,
    Uncertainty Uncertainty,
    Estimate? NetJoulesPerTokenLayer,
    double InterceptJoulesPerStep,
    LinearityCheck? Linearity,
    Figure HeadJoulesPerToken,
    ImmutableSortedDictionary<string, Figure> ProjectedJoulesPerToken,
    ImmutableSortedDictionary<string, string> BoundaryNotes,
    RatioToBaseline? Ratio,
    int Passes,
    int Devices,
    int Nodes,
    Spread Spread,
    ImmutableSortedDictionary<string, int> Invalidations,
    double KEffRealized,
    double KEffPeak,
    double FlopsPerTokenLayer,
    double TokenLayersPerSecond,
    double WattsPerDevice,
    double? AchievedOverFloor,
    PowerVerdict Constraint,
    ImmutableArray<string> Ceilings,
    ImmutableSortedDictionary<string, Figure> Phi,
    Figure Utilization,
    double ProjectedTokensPerSecond,
    double ProjectedStepMilliseconds,
    double ServiceMilliseconds,
    string ServiceStatistic,
    bool? MeetsService,
    string Quality,
    Figure PueAdjustedJoulesPerToken,
    double? CostPerMillionTokens,
    string? Currency,
    double Coverage,
    double MeanWatts,
    double PowerCapFraction,
    ImmutableArray<string> Flags,
    Provenance? Provenance,
    ImmutableSortedDictionary<string, string> Absent,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Estimate? SecondsPerTokenLayer = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] ServingFigures? Serving = null)
{
    /// <summary>The headline net of idle; null where that was not measured.</summary>
    [JsonIgnore]
    public Estimate? NetHeadline => Serving is { } serving ? serving.NetJoulesPerToken : NetJoulesPerTokenLayer;

    /// <summary>Time per token, s: of the whole group of a serving engine, per layer of a decode step; null in formats before 4.</summary>
    [JsonIgnore]
    public Estimate? Time => Serving?.SecondsPerToken ?? SecondsPerTokenLayer;


    /// <summary>What a row is about, J: per token of a serving engine, per token and layer of a decode step.</summary>
    [JsonIgnore]
    public Estimate Headline => Serving?.JoulesPerToken ?? JoulesPerTokenLayer;
}

/// <summary>Repeatability of the whole chain: the same configuration under two labels.</summary>
/// <param name="Label">The original.</param>
/// <param name="Twin">Its twin.</param>
/// <param name="Ratio">Twin over original with its 90 % interval.</param>
/// <param name="Delta">δ, log ratio.</param>
/// <param name="Passed">Whether the interval lies within ±δ; null if there is no interval.</param>
/// <param name="HalfWidth95">Half-width of its 95 % interval, log ratio: it enters the resolution; NaN without one.</param>
public sealed record RepeatabilityTest(string Label, string Twin, Estimate Ratio, double Delta, bool? Passed, double HalfWidth95);

/// <summary>Second-stage replication as it was decided.</summary>
/// <param name="Units">What is replicated: passes, devices or nodes.</param>
/// <param name="FirstStage">n0.</param>
/// <param name="Required">Fixed once from the first stage.</param>
/// <param name="Reached">What there is.</param>
/// <param name="Verdict">For example <c>reached</c>, <c>more devices needed</c>, <c>stopped at max</c>.</param>
public sealed record ReplicationOutcome(string Units, int FirstStage, int Required, int Reached, string Verdict);

/// <summary>What was taken of the sensors of a match group's devices.</summary>
/// <param name="OffsetWatts">Bound of the offset of a device's power, W.</param>
/// <param name="NonLinearityWatts">Bound of its departure from a straight line over 0 to the rated power, W.</param>
/// <param name="RatedWatts">Rated power of a device, W.</param>
/// <param name="Alias">Relative standard uncertainty of a window's energy from part-time sampling.</param>
/// <param name="CounterResidual">Relative standard uncertainty from counter against integrated power.</param>
/// <param name="Gain">Bound of the gain, relative.</param>
/// <param name="Source">Where these come from, for example <c>assumed</c>.</param>
public sealed record SensorLine(double OffsetWatts, double NonLinearityWatts, double RatedWatts, double Alias, double CounterResidual, double Gain, string Source);

/// <summary>One match group.</summary>
/// <param name="Name">Unique in the plan.</param>
/// <param name="Baseline">Label of the baseline; null for absolute values only.</param>
/// <param name="Hardware">Hardware class.</param>
/// <param name="Sensor">What was taken of its sensors.</param>
/// <param name="Rows">Its cells.</param>
/// <param name="Repeatability">Its own A/A pair; null if it has none.</param>
/// <param name="Replication">Second-stage replication as it was decided.</param>
/// <param name="VoidedPasses">Passes that were begun and are not used.</param>
public sealed record MatrixGroup(
    string Name,
    string? Baseline,
    string Hardware,
    SensorLine Sensor,
    ImmutableArray<MatrixRow> Rows,
    RepeatabilityTest? Repeatability,
    ReplicationOutcome Replication,
    int VoidedPasses);

/// <summary>A line of an unmatched panel: absolute values, and a ratio that is not a controlled comparison.</summary>
/// <param name="Group">The match group.</param>
/// <param name="Label">The cell.</param>
/// <param name="ProjectedJoulesPerToken">Whole model, GPU boundary, J; NaN if there is none.</param>
/// <param name="UnmatchedRatio">To the panel's first cell; NaN if there is none.</param>
/// <param name="PublishedJoulesPerToken">What others printed for it; null beside a figure that is not measured, which it must not seem to confirm.</param>
/// <param name="Notes">How many devices the model needs, and by what it differs from the panel's baseline.</param>
public sealed record PanelRow(string Group, string Label, double ProjectedJoulesPerToken, double UnmatchedRatio, double? PublishedJoulesPerToken, ImmutableArray<string> Notes);

/// <summary>The paper's layout or another that is not matched: no intervals, and it says so.</summary>
public sealed record MatrixPanel(string Title, ImmutableArray<PanelRow> Rows);

/// <summary>Whether an item of the checklist is disclosed.</summary>
public enum DisclosureState
{
    /// <summary>It is there.</summary>
    Disclosed,

    /// <summary>It is not.</summary>
    Missing,

    /// <summary>It has no meaning here: neither disclosed nor missing.</summary>
    NotApplicable,
}

/// <summary>A line of the disclosure checklist of the paper's reporting agenda.</summary>
/// <param name="Item">What must be disclosed.</param>
/// <param name="Value">What was disclosed, or why it does not apply.</param>
/// <param name="State">Whether it is there.</param>
public sealed record ChecklistItem(string Item, string Value, DisclosureState State);

/// <summary>What the valid trials of a matrix ran on, beside what the plan discloses.</summary>
/// <param name="Devices">Devices.</param>
/// <param name="Nodes">Nodes.</param>
/// <param name="Racks">Racks.</param>
/// <param name="Models">Hardware classes.</param>
/// <param name="Drivers">Drivers and their versions.</param>
/// <param name="PowerLimitsWatts">Enforced limits, W.</param>
/// <param name="DevicesDisclosed">The most that the plan names; null if it names none.</param>
/// <param name="Difference">In what it differs from what the plan discloses; empty if in nothing.</param>
public sealed record RanOn(
    int Devices, int Nodes, int Racks, ImmutableArray<string> Models, ImmutableArray<string> Drivers, ImmutableArray<double> PowerLimitsWatts, int? DevicesDisclosed, string Difference);

/// <summary>The controlled J/token matrix of one sweep: <c>matrix.json</c>.</summary>
/// <param name="Format">Version of this document's form.</param>
/// <param name="Sweep">Its id.</param>
/// <param name="Plan">The plan's name.</param>
/// <param name="PlanSha256">Its identity.</param>
/// <param name="GeneratedUtc">When.</param>
/// <param name="Complete">Whether the sweep had ended.</param>
/// <param name="Provenance">The worst of any row's; null where no row has a valid trial.</param>
/// <param name="Disclosure">The six dimensions, as the plan states them.</param>
/// <param name="RanOn">What really ran.</param>
/// <param name="Family">How many ratios the simultaneous intervals and Holm's adjustment hold for: all of the matrix but A/A twins.</param>
/// <param name="Groups">Match groups.</param>
/// <param name="Panels">Unmatched layouts.</param>
/// <param name="Facility">Facility ratio used, if any.</param>
/// <param name="Closure">Closure of the site over its last windows, those that could still change when the matrix was made.</param>
/// <param name="Checklist">The reporting agenda.</param>
/// <param name="Notes">What a reader must know of all rows.</param>
public sealed record Matrix(
    int Format,
    string Sweep,
    string Plan,
    string PlanSha256,
    DateTimeOffset GeneratedUtc,
    bool Complete,
    Provenance? Provenance,
    Disclosure Disclosure,
    RanOn RanOn,
    int Family,
    ImmutableArray<MatrixGroup> Groups,
    ImmutableArray<MatrixPanel> Panels,
    FacilityRatio? Facility,
    ImmutableArray<ClosureResidual> Closure,
    ImmutableArray<ChecklistItem> Checklist,
    ImmutableArray<string> Notes);
