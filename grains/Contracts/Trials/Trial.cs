using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace EnergyGrid.Contracts;

/// <summary>The identity of a trial. The label keeps the two halves of an A/A pair apart.</summary>
/// <param name="Sweep">The sweep's id.</param>
/// <param name="Group">The match group's name.</param>
/// <param name="Label">The cell's label in the plan.</param>
/// <param name="Configuration">SHA-256 of the resolved configuration, lower-case hex.</param>
/// <param name="Block">Which device group, by its position in the sweep.</param>
/// <param name="Pass">Which pass on that device group, from 0. A voided pass keeps its number; its successor gets a new one.</param>
[GenerateSerializer, Immutable, Alias("TrialId")]
public sealed record TrialId(
    [property: Id(0)] string Sweep,
    [property: Id(1)] string Group,
    [property: Id(2)] string Label,
    [property: Id(3)] string Configuration,
    [property: Id(4)] int Block,
    [property: Id(5)] int Pass)
{
    /// <summary>For logs, and the name of its trace: no two trials of one sweep share it.</summary>
    public override string ToString() => $"{Group}.{Label}.b{Block}.p{Pass}.{Configuration[..Math.Min(8, Configuration.Length)]}";
}

/// <summary>How long each part of a trial takes, in the device's own time.</summary>
/// <param name="MinWarmupSeconds">At least this long, s.</param>
/// <param name="MaxWarmupSeconds">Flat by then or flagged, s.</param>
/// <param name="WindowSeconds">The measured window of each L', s.</param>
/// <param name="CooldownSeconds">Idle with the context resident after the last window, s; its mean power is P_idle_ctx if at least 10 s.</param>
/// <param name="StartTemperatureLowCelsius">The band in which a trial may start, °C.</param>
/// <param name="StartTemperatureHighCelsius">The band in which a trial may start, °C.</param>
/// <param name="PreconditionTimeoutSeconds">How long to wait for the preconditions before failing with the reason, s.</param>
[GenerateSerializer, Immutable, Alias("TrialTiming")]
public sealed record TrialTiming(
    [property: Id(0)] double MinWarmupSeconds,
    [property: Id(1)] double MaxWarmupSeconds,
    [property: Id(2)] double WindowSeconds,
    [property: Id(3)] double CooldownSeconds,
    [property: Id(4)] double? StartTemperatureLowCelsius,
    [property: Id(5)] double? StartTemperatureHighCelsius,
    [property: Id(6)] double PreconditionTimeoutSeconds);

/// <summary>What invalidates a trial.</summary>
/// <param name="MinCoverage">Of the window, 0–1.</param>
/// <param name="MaxClockErrorSeconds">s.</param>
/// <param name="MaxThermalFraction">Share of the window in thermal slowdown, power brake or hardware slowdown.</param>
/// <param name="MaxCounterResidual">Counter against integrated power; more is flagged, not refused.</param>
/// <param name="MaxClientMilliseconds">Of a serving engine: the most that the client may add to a time, or send late, at p99, ms. Above 2 it is flagged.</param>
[GenerateSerializer, Immutable, Alias("TrialGuards")]
public sealed record TrialGuards(
    [property: Id(0)] double MinCoverage,
    [property: Id(1)] double MaxClockErrorSeconds,
    [property: Id(2)] double MaxThermalFraction,
    [property: Id(3)] double MaxCounterResidual,
    [property: Id(4)] double MaxClientMilliseconds = TrialGuards.ClientMilliseconds)
{
    /// <summary>The client's guard where the plan has none, ms.</summary>
    public const double ClientMilliseconds = 2;
}

/// <summary>
/// An order to run one trial on a device group. It goes to the grain of the group's first device. The epoch fences out every earlier holder of the devices, the
/// fence every earlier activation of this one; under its id alone the result may be committed.
/// </summary>
/// <param name="Trial">Which trial.</param>
/// <param name="Devices">UUIDs of the device group, all on one host, the first one leading. The configuration runs as data-parallel copies on each.</param>
/// <param name="Epoch">Of the lease on the devices.</param>
/// <param name="Attempt">From 0; grows when a trial was lost and is run again.</param>
/// <param name="Configuration">What to run.</param>
/// <param name="Cost">Its bytes and FLOPs per layer and step.</param>
/// <param name="LayerLegs">The values of L' in the order in which they are run.</param>
/// <param name="Timing">How long.</param>
/// <param name="Guards">What invalidates it.</param>
/// <param name="KeepTrace">Whether its raw samples are kept below <c>traces/</c>.</param>
/// <param name="Id">Of the order: no two orders of a sweep share it, and it is registered with the results before it is given.</param>
/// <param name="Holder">The device group that gives it, <c>sweep/n</c>.</param>
/// <param name="Fence">The number of that group's activation.</param>
/// <param name="Number">Grows with every order of one activation: a lower one comes too late.</param>
/// <param name="PlanSha256">Of the plan that it is given for.</param>
/// <param name="Service">What a request to a serving engine may take to be a good one; null for decode steps.</param>
[GenerateSerializer, Immutable, Alias("TrialOrder")]
public sealed record TrialOrder(
    [property: Id(0)] TrialId Trial,
    [property: Id(1)] ImmutableArray<string> Devices,
    [property: Id(2)] long Epoch,
    [property: Id(3)] int Attempt,
    [property: Id(4)] Configuration Configuration,
    [property: Id(5)] StepCost Cost,
    [property: Id(6)] ImmutableArray<int> LayerLegs,
    [property: Id(7)] TrialTiming Timing,
    [property: Id(8)] TrialGuards Guards,
    [property: Id(9)] bool KeepTrace,
    [property: Id(10)] string Id = "",
    [property: Id(11)] string Holder = "",
    [property: Id(12)] long Fence = 0,
    [property: Id(13)] long Number = 0,
    [property: Id(14)] string PlanSha256 = "",
    [property: Id(15)] ServiceLimits? Service = null);

/// <summary>Limits of s* for one request.</summary>
/// <param name="PerTokenMilliseconds">Of its time per output token, ms.</param>
/// <param name="FirstTokenMilliseconds">Of its time to the first token, ms; null where nothing is asked.</param>
[GenerateSerializer, Immutable, Alias("ServiceLimits")]
public sealed record ServiceLimits([property: Id(0)] double PerTokenMilliseconds, [property: Id(1)] double? FirstTokenMilliseconds);

/// <summary>An energy over an interval, with what was not covered kept apart.</summary>
/// <param name="Joules">Over the covered part, J.</param>
/// <param name="CoveredSeconds">s.</param>
/// <param name="ExpectedSeconds">s.</param>
/// <param name="LowGapJoules">Lower bound of the uncovered part, J.</param>
/// <param name="HighGapJoules">Upper bound of the uncovered part, J.</param>
/// <param name="EdgeUncertaintyJoules">Both edges, J.</param>
/// <param name="Method"><c>counter</c> or <c>power</c>.</param>
/// <param name="Provenance">How it came about.</param>
[GenerateSerializer, Immutable, Alias("Energy")]
public sealed record Energy(
    [property: Id(0)] double Joules,
    [property: Id(1)] double CoveredSeconds,
    [property: Id(2)] double ExpectedSeconds,
    [property: Id(3)] double LowGapJoules,
    [property: Id(4)] double HighGapJoules,
    [property: Id(5)] double EdgeUncertaintyJoules,
    [property: Id(6)] string Method,
    [property: Id(7)] Provenance Provenance)
{
    /// <summary>Covered over expected time, 0–1.</summary>
    public double Coverage => ExpectedSeconds > 0 ? CoveredSeconds / ExpectedSeconds : 0;
}

/// <summary>A value read before an instant and after it, from which it is interpolated there.</summary>
/// <param name="BeforeNanoseconds">When the first was read, ns since the trial's origin.</param>
/// <param name="Before">What was read.</param>
/// <param name="AfterNanoseconds">When the second was read; the same as the first where the instant is that of a reading.</param>
/// <param name="After">What was read.</param>
[GenerateSerializer, Immutable, Alias("Bracket")]
public sealed record Bracket(
    [property: Id(0)] long BeforeNanoseconds,
    [property: Id(1)] double Before,
    [property: Id(2)] long AfterNanoseconds,
    [property: Id(3)] double After);

/// <summary>What one source said over one window.</summary>
/// <param name="Source">A device's UUID, or the node meter's name.</param>
/// <param name="Role"><c>device</c> of the trial's group, <c>neighbour</c> (another GPU of the node) or <c>node</c> (its input meter).</param>
/// <param name="Method"><c>counter</c>: its energy is the difference of the two brackets; <c>power</c>: the trapezoid over the readings in the trace.</param>
/// <param name="Joules">Its energy over the covered part, J.</param>
/// <param name="CoveredSeconds">s.</param>
/// <param name="First">The counter around the first edge; null where it has none or did not span it.</param>
/// <param name="Last">The counter around the second edge.</param>
/// <param name="WrappedJoules">The counter's modulus, J, times how often it wrapped from the reading before the first edge to the reading before the second.</param>
/// <param name="PowerJoules">Its power integrated over the same window, J, where it tells both; null otherwise.</param>
/// <param name="FirstSteps">Steps ended, around the first edge; null for what takes no steps.</param>
/// <param name="LastSteps">Around the second edge.</param>
/// <param name="PowerCapSeconds">How far the power-cap time counter moved between its first and last reading within the window, s; null where it cannot tell.</param>
/// <param name="ThermalSeconds">Likewise slowdowns by temperature, power brake or hardware.</param>
/// <param name="SlowdownSpanSeconds">Between those two readings, s.</param>
/// <param name="PeriodSeconds">How often it is read, nominally, s: power is not interpolated over more than three of them.</param>
/// <param name="ModulusJoules">Where its counter wraps, J; null where it does not. A bracket whose second reading is less than its first has a wrap between the two.</param>
[GenerateSerializer, Immutable, Alias("SourceEvidence")]
public sealed record SourceEvidence(
    [property: Id(0)] string Source,
    [property: Id(1)] string Role,
    [property: Id(2)] string Method,
    [property: Id(3)] double Joules,
    [property: Id(4)] double CoveredSeconds,
    [property: Id(5)] Bracket? First,
    [property: Id(6)] Bracket? Last,
    [property: Id(7)] double WrappedJoules,
    [property: Id(8)] double? PowerJoules,
    [property: Id(9)] Bracket? FirstSteps,
    [property: Id(10)] Bracket? LastSteps,
    [property: Id(11)] double? PowerCapSeconds,
    [property: Id(12)] double? ThermalSeconds,
    [property: Id(13)] double SlowdownSpanSeconds,
    [property: Id(14)] double PeriodSeconds,
    [property: Id(15)] double? ModulusJoules = null);

/// <summary>The readings that the figures of a window follow from. All times are the device's, in ns since the trial's origin.</summary>
/// <param name="FromNanoseconds">First edge.</param>
/// <param name="ToNanoseconds">Second edge.</param>
/// <param name="Sources">The group's devices, the leading one first; then what the node's energy is attributed with.</param>
[GenerateSerializer, Immutable, Alias("Evidence")]
public sealed record Evidence(
    [property: Id(0)] long FromNanoseconds,
    [property: Id(1)] long ToNanoseconds,
    [property: Id(2)] ImmutableArray<SourceEvidence> Sources);

/// <summary>One measured window at one L', summed over the device group.</summary>
/// <param name="Layers">L'; 0 for the LM head alone, 1 for a serving engine's whole model.</param>
/// <param name="StartedUtc">The window's first edge.</param>
/// <param name="WindowSeconds">Between the edges, s.</param>
/// <param name="Steps">Steps of one copy between the same two edges, interpolated from step timestamps; summed over the copies. Of a serving engine: its output tokens.</param>
/// <param name="Tokens">Steps × batch.</param>
/// <param name="Gpu">Energy at the GPU boundary.</param>
/// <param name="Node">Energy of the whole node's input over the same window; null without a node meter.</param>
/// <param name="NodeGpuJoules">All GPUs of the node over the same window, J, for attribution; NaN without a node meter.</param>
/// <param name="NodeGpus">GPUs in the node.</param>
/// <param name="SameCellGpus">How many of them ran this same cell with windows overlapping at least 95 %.</param>
/// <param name="CounterResidual">(counter − integrated power) / counter; NaN where there is only one of them.</param>
/// <param name="PowerCapFraction">Share of the window in which the power cap held the clocks down; NaN where the device cannot tell.</param>
/// <param name="ThermalFraction">Share in thermal slowdown, power brake or hardware slowdown; NaN where the device cannot tell.</param>
/// <param name="WarmupSeconds">What the warm-up took, s.</param>
/// <param name="MeanCelsius">Mean temperature, °C; NaN if unknown.</param>
/// <param name="MeanMegahertz">Mean clock, MHz; NaN if unknown.</param>
/// <param name="P50StepSeconds">Median step time, s.</param>
/// <param name="P99StepSeconds">99th percentile of step time, s.</param>
/// <param name="Flags">For example <c>warm-up not flat</c>.</param>
/// <param name="Evidence">The readings that its figures were computed from; null in results of before.</param>
[GenerateSerializer, Immutable, Alias("Leg")]
public sealed record Leg(
    [property: Id(0)] int Layers,
    [property: Id(1)] DateTimeOffset StartedUtc,
    [property: Id(2)] double WindowSeconds,
    [property: Id(3)] double Steps,
    [property: Id(4)] double Tokens,
    [property: Id(5)] Energy Gpu,
    [property: Id(6)] Energy? Node,
    [property: Id(7)] double NodeGpuJoules,
    [property: Id(8)] int NodeGpus,
    [property: Id(9)] int SameCellGpus,
    [property: Id(10)] double CounterResidual,
    [property: Id(11)] double PowerCapFraction,
    [property: Id(12)] double ThermalFraction,
    [property: Id(13)] double WarmupSeconds,
    [property: Id(14)] double MeanCelsius,
    [property: Id(15)] double MeanMegahertz,
    [property: Id(16)] double P50StepSeconds,
    [property: Id(17)] double P99StepSeconds,
    [property: Id(18)] ImmutableArray<string> Flags,
    [property: Id(19)] Evidence? Evidence = null)
{
    /// <summary>For every number that is null: why, by its name.</summary>
    public ImmutableSortedDictionary<string, string> Absent => Absences.Of(
        (nameof(NodeGpuJoules), NodeGpuJoules, "the node has no input meter"),
        (nameof(CounterResidual), CounterResidual, "the device has only one of counter and independent power"),
        (nameof(PowerCapFraction), PowerCapFraction, "the device does not tell"),
        (nameof(ThermalFraction), ThermalFraction, "the device does not tell"),
        (nameof(MeanCelsius), MeanCelsius, "the device tells no temperature"),
        (nameof(MeanMegahertz), MeanMegahertz, "the device tells no clock"),
        (nameof(Steps), Steps, "step marks do not span the window"),
        (nameof(Tokens), Tokens, "step marks do not span the window"),
        (nameof(P50StepSeconds), P50StepSeconds, "no step ended within the window"),
        (nameof(P99StepSeconds), P99StepSeconds, "no step ended within the window"));
}

/// <summary>How a trial ended.</summary>
[GenerateSerializer, Alias("TrialOutcome")]
public enum TrialOutcome
{
    /// <summary>It ran and nothing invalidates it.</summary>
    Valid,

    /// <summary>It ran; a guard invalidates it. Kept, counted and shown.</summary>
    Invalid,

    /// <summary>It could not run: the reason says why.</summary>
    Failed,

    /// <summary>Stopped on request.</summary>
    Cancelled,
}

/// <summary>What came of one trial: a line of <c>trials.ndjson</c>.</summary>
/// <param name="Trial">Which.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Reasons">Why it is not valid; empty if it is.</param>
/// <param name="Host">The node.</param>
/// <param name="Site">The site.</param>
/// <param name="Rack">The rack.</param>
/// <param name="Devices">UUIDs of the device group.</param>
/// <param name="Model">Hardware class.</param>
/// <param name="Driver">Driver version.</param>
/// <param name="PowerLimitWatts">Enforced limit, W.</param>
/// <param name="Epoch">Of the order that was obeyed.</param>
/// <param name="Attempt">Of the order that was obeyed.</param>
/// <param name="StartedUtc">In the device's time.</param>
/// <param name="EndedUtc">In the device's time.</param>
/// <param name="StartCelsius">Temperature at the start, °C; NaN if unknown.</param>
/// <param name="Legs">A window for each L'.</param>
/// <param name="IdleContextWatts">Mean power with context and buffers resident and no kernel, summed over the group, W; NaN if not measured.</param>
/// <param name="Flags">What a reader must know.</param>
/// <param name="Trace">File of its raw samples below <c>traces/</c>; empty if none was kept.</param>
/// <param name="TraceSha256">Of that file, lower-case hex; empty if none was kept.</param>
/// <param name="PlanSha256">Of the plan that it was run for; empty in results of before.</param>
/// <param name="OriginUtc">The instant from which its evidence and its trace count nanoseconds, in the device's time.</param>
/// <param name="TimeScale">How many times faster than the wall the device's time runs: 1 but for a simulation.</param>
/// <param name="StartedWallUtc">By the node's own clock; null in results of before.</param>
/// <param name="EndedWallUtc">By the node's own clock.</param>
/// <param name="Idle">The readings of the idle stretch; null if it was not measured.</param>
/// <param name="Sequence">Its place in the order of commits, from 0: the store's to say; null before, and in results of before.</param>
/// <param name="Served">What a serving engine's trial adds; null for decode steps.</param>
[GenerateSerializer, Immutable, Alias("TrialResult")]
public sealed record TrialResult(
    [property: Id(0)] TrialId Trial,
    [property: Id(1)] TrialOutcome Outcome,
    [property: Id(2)] ImmutableArray<string> Reasons,
    [property: Id(3)] string Host,
    [property: Id(4)] string Site,
    [property: Id(5)] string Rack,
    [property: Id(6)] ImmutableArray<string> Devices,
    [property: Id(7)] string Model,
    [property: Id(8)] string Driver,
    [property: Id(9)] double PowerLimitWatts,
    [property: Id(10)] long Epoch,
    [property: Id(11)] int Attempt,
    [property: Id(12)] DateTimeOffset StartedUtc,
    [property: Id(13)] DateTimeOffset EndedUtc,
    [property: Id(14)] double StartCelsius,
    [property: Id(15)] ImmutableArray<Leg> Legs,
    [property: Id(16)] double IdleContextWatts,
    [property: Id(17)] ImmutableArray<string> Flags,
    [property: Id(18)] string Trace,
    [property: Id(19)] string TraceSha256,
    [property: Id(20)] string PlanSha256 = "",
    [property: Id(21)] DateTimeOffset? OriginUtc = null,
    [property: Id(22)] double TimeScale = 1,
    [property: Id(23)] DateTimeOffset? StartedWallUtc = null,
    [property: Id(24)] DateTimeOffset? EndedWallUtc = null,
    [property: Id(25)] Evidence? Idle = null,
    [property: Id(26)] long? Sequence = null,
    [property: Id(27), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] ServedTrial? Served = null)
{
    /// <summary>For every number that is null: why, by its name.</summary>
    public ImmutableSortedDictionary<string, string> Absent => Absences.Of(
        (nameof(PowerLimitWatts), PowerLimitWatts, "the device has no enforced limit"),
        (nameof(StartCelsius), StartCelsius, "the device tells no temperature"),
        (nameof(IdleContextWatts), IdleContextWatts, "idle with context was not measured"));
}
