using System.Collections.Immutable;

namespace EnergyGrid.Contracts;

/// <summary>A value with the interval around it and what the interval speaks of.</summary>
/// <param name="Value">The estimate; for ratios the exponential of the mean log ratio. NaN if there is none.</param>
/// <param name="Low">Lower end of the 95 % interval; null if there is none.</param>
/// <param name="High">Upper end; null if there is none.</param>
/// <param name="Scope"><c>nodes</c>, <c>this node</c>, <c>this device</c> or <c>none</c>.</param>
/// <param name="Units">How many independent units the interval rests on.</param>
public sealed record Estimate(double Value, double? Low, double? High, string Scope, int Units);

/// <summary>A quantity that may not have been estimated. Exactly one of value and reason is present.</summary>
/// <param name="Value">Null: not estimated.</param>
/// <param name="Estimator">Its name and source.</param>
/// <param name="Reason">Why not, where there is no value; a flag where there is one.</param>
public sealed record Figure(double? Value, string Estimator, string? Reason);

/// <summary>The ratio of a cell to its match group's baseline.</summary>
/// <param name="Baseline">The baseline's label.</param>
/// <param name="Ratio">J/token of the cell over that of the baseline, pairwise 95 % interval.</param>
/// <param name="HolmLow">Lower end, adjusted for all ratios of the matrix (Holm).</param>
/// <param name="HolmHigh">Upper end, adjusted.</param>
/// <param name="TypeB">Standard uncertainty of the log ratio from sensor offset, alias and counter residual.</param>
/// <param name="Resolved">Whether the log ratio exceeds the resolution and its interval, adjusted where there is a family, excludes no difference.</param>
public sealed record RatioToBaseline(string Baseline, Estimate Ratio, double? HolmLow, double? HolmHigh, double TypeB, bool Resolved);

/// <summary>Spread of the log J/token by level, as standard deviations; null where a level has one member.</summary>
public sealed record Spread(double? Pass, double? Device, double? Node);

/// <summary>One cell on one hardware class.</summary>
/// <param name="Label">In its group.</param>
/// <param name="TwinOf">The A/A twin's original.</param>
/// <param name="Configuration">Resolved.</param>
/// <param name="ConfigurationSha256">Identity.</param>
/// <param name="TokenKind"><c>token-equivalent</c> for kernel workloads, <c>token</c> for serving stacks.</param>
/// <param name="Tokens">Tokens of all valid windows.</param>
/// <param name="JoulesPerTokenLayer">Gross, GPU boundary, per layer: the slope over L' ÷ batch. With gain uncertainty apart.</param>
/// <param name="NetJoulesPerTokenLayer">The same net of idle with context; null if idle was not measured.</param>
/// <param name="InterceptJoulesPerStep">Energy of a step at L' = 0, J.</param>
/// <param name="Linearity"><c>two points</c> or <c>unchecked</c>.</param>
/// <param name="JoulesPerToken">Gross at each boundary for the whole model, projected ("layers only"); keys <c>gpu</c>, <c>node</c>, <c>facility</c>.</param>
/// <param name="BoundaryNotes">For each boundary why it is absent, modelled or excluded from claims.</param>
/// <param name="GainUncertainty">Relative standard uncertainty of absolute values from the sensor's gain; replication does not reduce it. NaN where energy is made from declared watts: nobody bounds those.</param>
/// <param name="Ratio">To the baseline; null for cells without one.</param>
/// <param name="Passes">Valid passes.</param>
/// <param name="Devices">Devices they ran on.</param>
/// <param name="Nodes">Nodes they ran on.</param>
/// <param name="Spread">Variance components.</param>
/// <param name="Invalidations">Count by reason.</param>
/// <param name="KEffRealized">FLOP/s.</param>
/// <param name="KEffPeak">FLOP/s, upper bound only.</param>
/// <param name="FlopsPerToken">c_tok of the executed layers per layer, FLOP.</param>
/// <param name="ParametersPerLayer">P.</param>
/// <param name="PowerHeadroomRealized">rho/rho* with realized K_eff.</param>
/// <param name="PowerHeadroomPeak">rho/rho* with peak K_eff.</param>
/// <param name="Constraint">The verdict of (3): <c>compute scarce</c>, <c>power scarce</c> or <c>not determined</c>, and why.</param>
/// <param name="Ceilings">Ceiling evidence: power_cap, hbm, compute, latency, unresolved.</param>
/// <param name="Phi">Every Phi by name.</param>
/// <param name="Utilization">U.</param>
/// <param name="TokensPerSecond">Per device, for the executed layers as if they were the whole model's share: projected to the whole model.</param>
/// <param name="LayerTokensPerSecond">Tokens × layers per second and device as run.</param>
/// <param name="StepMillisecondsProjected">Latency of a whole-model step, ms, projected from the slope of step time.</param>
/// <param name="MeetsService">Whether s* is met; null if it does not apply.</param>
/// <param name="Quality">Evidence for q*.</param>
/// <param name="PueAdjustedJoulesPerToken">Node-input J/token × PUE, with the note that says what it is.</param>
/// <param name="CostPerMillionTokens">Energy cost of a million tokens, null without a price.</param>
/// <param name="Coverage">Least coverage of any valid window.</param>
/// <param name="MeanWatts">Mean power of the device group per device, W.</param>
/// <param name="PowerCapFraction">Largest share of a window under the power cap.</param>
/// <param name="Flags">What a reader must know.</param>
/// <param name="Provenance">The worst of any part of the energy.</param>
public sealed record MatrixRow(
    string Label,
    string? TwinOf,
    Configuration Configuration,
    string ConfigurationSha256,
    string TokenKind,
    double Tokens,
    Estimate JoulesPerTokenLayer,
    Estimate? NetJoulesPerTokenLayer,
    double InterceptJoulesPerStep,
    string Linearity,
    ImmutableSortedDictionary<string, Figure> JoulesPerToken,
    ImmutableSortedDictionary<string, string> BoundaryNotes,
    double GainUncertainty,
    RatioToBaseline? Ratio,
    int Passes,
    int Devices,
    int Nodes,
    Spread Spread,
    ImmutableSortedDictionary<string, int> Invalidations,
    double KEffRealized,
    double KEffPeak,
    double FlopsPerToken,
    double ParametersPerLayer,
    double? PowerHeadroomRealized,
    double? PowerHeadroomPeak,
    string Constraint,
    ImmutableArray<string> Ceilings,
    ImmutableSortedDictionary<string, Figure> Phi,
    Figure Utilization,
    double TokensPerSecond,
    double LayerTokensPerSecond,
    double StepMillisecondsProjected,
    bool? MeetsService,
    string Quality,
    Figure PueAdjustedJoulesPerToken,
    double? CostPerMillionTokens,
    double Coverage,
    double MeanWatts,
    double PowerCapFraction,
    ImmutableArray<string> Flags,
    Provenance Provenance);

/// <summary>Repeatability of the whole chain: the same configuration under two labels.</summary>
/// <param name="Label">The original.</param>
/// <param name="Twin">Its twin.</param>
/// <param name="Ratio">Twin over original with its 90 % interval.</param>
/// <param name="Delta">δ, log ratio.</param>
/// <param name="Passed">Whether the interval lies within ±δ; null if there is no interval.</param>
/// <param name="Resolution">max(half-width, 2·u_B), log ratio; NaN if unknown.</param>
public sealed record RepeatabilityTest(string Label, string Twin, Estimate Ratio, double Delta, bool? Passed, double Resolution);

/// <summary>Second-stage replication as it was decided.</summary>
/// <param name="Units">What is replicated: passes, devices or nodes.</param>
/// <param name="FirstStage">n0.</param>
/// <param name="Required">Fixed once from the first stage.</param>
/// <param name="Reached">What there is.</param>
/// <param name="Verdict">For example <c>reached</c>, <c>more devices needed</c>, <c>stopped at max</c>.</param>
public sealed record ReplicationOutcome(string Units, int FirstStage, int Required, int Reached, string Verdict);

/// <summary>One match group.</summary>
public sealed record MatrixGroup(
    string Name,
    string? Baseline,
    string Hardware,
    ImmutableArray<MatrixRow> Rows,
    RepeatabilityTest? Repeatability,
    ReplicationOutcome Replication,
    int VoidedPasses);

/// <summary>A line of an unmatched panel: absolute values, and a ratio that is not a controlled comparison.</summary>
public sealed record PanelRow(string Group, string Label, double JoulesPerToken, double UnmatchedRatio, double? PublishedJoulesPerToken);

/// <summary>The paper's layout or another that is not matched: no intervals, and it says so.</summary>
public sealed record MatrixPanel(string Title, ImmutableArray<PanelRow> Rows);

/// <summary>A line of the disclosure checklist of the paper's reporting agenda.</summary>
/// <param name="Item">What must be disclosed.</param>
/// <param name="Value">What was disclosed.</param>
/// <param name="Present">Whether it is there.</param>
public sealed record ChecklistItem(string Item, string Value, bool Present);

/// <summary>The controlled J/token matrix of one sweep: <c>matrix.json</c>.</summary>
/// <param name="Format">Version of this document's form.</param>
/// <param name="Sweep">Its id.</param>
/// <param name="Plan">The plan's name.</param>
/// <param name="PlanSha256">Its identity.</param>
/// <param name="GeneratedUtc">When.</param>
/// <param name="Complete">Whether the sweep had ended.</param>
/// <param name="Provenance">The worst of any row's.</param>
/// <param name="Disclosure">The six dimensions.</param>
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
    Provenance Provenance,
    Disclosure Disclosure,
    ImmutableArray<MatrixGroup> Groups,
    ImmutableArray<MatrixPanel> Panels,
    FacilityRatio? Facility,
    ImmutableArray<ClosureResidual> Closure,
    ImmutableArray<ChecklistItem> Checklist,
    ImmutableArray<string> Notes);
