using EnergyGrid.Contracts;
using MessagePack;

namespace EnergyGrid.Results;

/// <summary>A committed <see cref="TrialResult"/> as Redis keeps it. Units as there; enumerations by their number.</summary>
[MessagePackObject]
public sealed record TrialRecord(
    [property: Key(0)] string Sweep,
    [property: Key(1)] string Group,
    [property: Key(2)] string Label,
    [property: Key(3)] string Configuration,
    [property: Key(4)] int Block,
    [property: Key(5)] int Pass,
    [property: Key(6)] int Outcome,
    [property: Key(7)] string[] Reasons,
    [property: Key(8)] string Host,
    [property: Key(9)] string Site,
    [property: Key(10)] string Rack,
    [property: Key(11)] string[] Devices,
    [property: Key(12)] string Model,
    [property: Key(13)] string Driver,
    [property: Key(14)] double PowerLimitWatts,
    [property: Key(15)] long Epoch,
    [property: Key(16)] int Attempt,
    [property: Key(17)] Instant Started,
    [property: Key(18)] Instant Ended,
    [property: Key(19)] double StartCelsius,
    [property: Key(20)] LegRecord[] Legs,
    [property: Key(21)] double IdleContextWatts,
    [property: Key(22)] string[] Flags,
    [property: Key(23)] string Trace,
    [property: Key(24)] string TraceSha256,
    [property: Key(25)] string? PlanSha256,
    [property: Key(26)] Instant? Origin,
    [property: Key(27)] double TimeScale,
    [property: Key(28)] Instant? StartedWall,
    [property: Key(29)] Instant? EndedWall,
    [property: Key(30)] EvidenceRecord? Idle,
    [property: Key(31)] ServedRecord? Served)
{
    public static TrialRecord Of(TrialResult r) => new(
        r.Trial.Sweep, r.Trial.Group, r.Trial.Label, r.Trial.Configuration, r.Trial.Block, r.Trial.Pass, (int)r.Outcome, [.. r.Reasons], r.Host, r.Site, r.Rack, [.. r.Devices], r.Model, r.Driver,
        r.PowerLimitWatts, r.Epoch, r.Attempt, Instant.Of(r.StartedUtc), Instant.Of(r.EndedUtc), r.StartCelsius, [.. r.Legs.Select(LegRecord.Of)], r.IdleContextWatts, [.. r.Flags], r.Trace, r.TraceSha256,
        r.PlanSha256, Instant.OfNullable(r.OriginUtc), r.TimeScale, Instant.OfNullable(r.StartedWallUtc), Instant.OfNullable(r.EndedWallUtc), EvidenceRecord.Of(r.Idle), ServedRecord.Of(r.Served));

    public TrialResult ToResult() => new(
        new(Sweep, Group, Label, Configuration, Block, Pass), (TrialOutcome)Outcome, [.. Reasons], Host, Site, Rack, [.. Devices], Model, Driver,
        PowerLimitWatts, Epoch, Attempt, Started.ToOffset(), Ended.ToOffset(), StartCelsius, [.. Legs.Select(l => l.ToLeg())], IdleContextWatts, [.. Flags], Trace, TraceSha256,
        // Records of before end earlier: what is not there has its type's default.
        PlanSha256 ?? "", Origin?.ToOffset(), TimeScale > 0 ? TimeScale : 1, StartedWall?.ToOffset(), EndedWall?.ToOffset(), Idle?.ToEvidence(), Served: Served?.ToServed());
}

/// <summary>A <see cref="Leg"/>.</summary>
[MessagePackObject]
public sealed record LegRecord(
    [property: Key(0)] int Layers,
    [property: Key(1)] Instant Started,
    [property: Key(2)] double WindowSeconds,
    [property: Key(3)] double Steps,
    [property: Key(4)] double Tokens,
    [property: Key(5)] EnergyRecord Gpu,
    [property: Key(6)] EnergyRecord? Node,
    [property: Key(7)] double NodeGpuJoules,
    [property: Key(8)] int NodeGpus,
    [property: Key(9)] int SameCellGpus,
    [property: Key(10)] double CounterResidual,
    [property: Key(11)] double PowerCapFraction,
    [property: Key(12)] double ThermalFraction,
    [property: Key(13)] double WarmupSeconds,
    [property: Key(14)] double MeanCelsius,
    [property: Key(15)] double MeanMegahertz,
    [property: Key(16)] double P50StepSeconds,
    [property: Key(17)] double P99StepSeconds,
    [property: Key(18)] string[] Flags,
    [property: Key(19)] EvidenceRecord? Evidence)
{
    public static LegRecord Of(Leg l) => new(
        l.Layers, Instant.Of(l.StartedUtc), l.WindowSeconds, l.Steps, l.Tokens, EnergyRecord.Of(l.Gpu), l.Node is { } node ? EnergyRecord.Of(node) : null, l.NodeGpuJoules, l.NodeGpus, l.SameCellGpus,
        l.CounterResidual, l.PowerCapFraction, l.ThermalFraction, l.WarmupSeconds, l.MeanCelsius, l.MeanMegahertz, l.P50StepSeconds, l.P99StepSeconds, [.. l.Flags], EvidenceRecord.Of(l.Evidence));

    public Leg ToLeg() => new(
        Layers, Started.ToOffset(), WindowSeconds, Steps, Tokens, Gpu.ToEnergy(), Node?.ToEnergy(), NodeGpuJoules, NodeGpus, SameCellGpus,
        CounterResidual, PowerCapFraction, ThermalFraction, WarmupSeconds, MeanCelsius, MeanMegahertz, P50StepSeconds, P99StepSeconds, [.. Flags], Evidence?.ToEvidence());
}

/// <summary>An <see cref="Energy"/>.</summary>
[MessagePackObject]
public sealed record EnergyRecord(
    [property: Key(0)] double Joules,
    [property: Key(1)] double CoveredSeconds,
    [property: Key(2)] double ExpectedSeconds,
    [property: Key(3)] double LowGapJoules,
    [property: Key(4)] double HighGapJoules,
    [property: Key(5)] double EdgeUncertaintyJoules,
    [property: Key(6)] string Method,
    [property: Key(7)] int Provenance)
{
    public static EnergyRecord Of(Energy e) => new(e.Joules, e.CoveredSeconds, e.ExpectedSeconds, e.LowGapJoules, e.HighGapJoules, e.EdgeUncertaintyJoules, e.Method, (int)e.Provenance);

    public Energy ToEnergy() => new(Joules, CoveredSeconds, ExpectedSeconds, LowGapJoules, HighGapJoules, EdgeUncertaintyJoules, Method, (Provenance)Provenance);
}
