using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using MessagePack;

namespace EnergyGrid.Results;

/// <summary>How a sweep stands: a <see cref="SweepRecord"/> as Redis keeps it.</summary>
[MessagePackObject]
public sealed record StandingRecord(
    [property: Key(0)] string Name,
    [property: Key(1)] int Phase,
    [property: Key(2)] string SubmittedBy,
    [property: Key(3)] Instant Submitted,
    [property: Key(4)] Instant? Ended,
    [property: Key(5)] Instant At,
    [property: Key(6)] string Version,
    [property: Key(7)] string Runtime,
    [property: Key(8)] bool Complete,
    [property: Key(9)] DeviceRecord[] Devices,
    [property: Key(10)] GroupRecord[] Groups,
    [property: Key(11)] PassRecord[] Passes,
    [property: Key(12)] FacilityRecord? Facility,
    [property: Key(13)] ClosureRecord[] Closure,
    [property: Key(14)] StretchRecord[]? Stretches)
{
    public static StandingRecord Of(SweepRecord r) => new(
        r.Name, (int)r.Phase, r.SubmittedBy, Instant.Of(r.SubmittedUtc), r.EndedUtc is { } ended ? Instant.Of(ended) : null, Instant.Of(r.AtUtc), r.Version, r.Runtime, r.Complete,
        [.. r.Devices.Select(DeviceRecord.Of)], [.. r.Groups.Select(g => new GroupRecord(g.Key, [.. g.Value]))], [.. r.Passes.Select(PassRecord.Of)], r.Facility is { } facility ? FacilityRecord.Of(facility) : null,
        [.. r.Closure.Select(c => new ClosureRecord(c.Level, c.UpperJoules, c.LowerJoules))], [.. r.Stretches.Select(StretchRecord.Of)]);

    public SweepRecord ToRecord() => new(
        Name, (SweepPhase)Phase, SubmittedBy, Submitted.ToOffset(), Ended?.ToOffset(), At.ToOffset(), Version, Runtime, Complete,
        [.. Devices.Select(d => d.ToDevice())], Groups.ToImmutableSortedDictionary(g => g.Group, g => g.Devices.ToImmutableArray()), [.. Passes.Select(p => p.ToPass())], Facility?.ToFacility(),
        [.. Closure.Select(c => new ClosureResidual(c.Level, c.UpperJoules, c.LowerJoules))], [.. (Stretches ?? []).Select(s => s.ToStretch())]);
}

/// <summary>A device group: keys of its devices.</summary>
[MessagePackObject]
public sealed record GroupRecord([property: Key(0)] int Group, [property: Key(1)] string[] Devices);

/// <summary>A <see cref="ClosureResidual"/>.</summary>
[MessagePackObject]
public sealed record ClosureRecord([property: Key(0)] string Level, [property: Key(1)] double UpperJoules, [property: Key(2)] double LowerJoules);

/// <summary>A <see cref="PassRow"/>.</summary>
[MessagePackObject]
public sealed record PassRecord(
    [property: Key(0)] string Group,
    [property: Key(1)] int Block,
    [property: Key(2)] int Pass,
    [property: Key(3)] int Phase,
    [property: Key(4)] int Leases,
    [property: Key(5)] string Reason)
{
    public static PassRecord Of(PassRow p) => new(p.Group, p.Block, p.Pass, (int)p.Phase, p.Leases, p.Reason);

    public PassRow ToPass() => new(Group, Block, Pass, (PassPhase)Phase, Leases, Reason);
}

/// <summary>A <see cref="DeviceInfo"/>.</summary>
[MessagePackObject]
public sealed record DeviceRecord(
    [property: Key(0)] string Host,
    [property: Key(1)] string Uuid,
    [property: Key(2)] string Model,
    [property: Key(3)] int Kind,
    [property: Key(4)] string Site,
    [property: Key(5)] string Rack,
    [property: Key(6)] int Index,
    [property: Key(7)] double MemoryBytes,
    [property: Key(8)] double BandwidthBytesPerSecond,
    [property: Key(9)] int BandwidthProvenance,
    [property: Key(10)] double PeakFlopsPerSecond,
    [property: Key(11)] double RatedWatts,
    [property: Key(12)] double PowerLimitWatts,
    [property: Key(13)] string Driver,
    [property: Key(14)] string EnergySource,
    [property: Key(15)] int EnergyProvenance,
    [property: Key(16)] QualificationRecord? Qualification)
{
    public static DeviceRecord Of(DeviceInfo d) => new(
        d.Host, d.Uuid, d.Model, (int)d.Kind, d.Site, d.Rack, d.Index, d.MemoryBytes, d.BandwidthBytesPerSecond, (int)d.BandwidthProvenance, d.PeakFlopsPerSecond, d.RatedWatts, d.PowerLimitWatts,
        d.Driver, d.EnergySource, (int)d.EnergyProvenance, d.Qualification is { } q ? QualificationRecord.Of(q) : null);

    public DeviceInfo ToDevice() => new(
        Host, Uuid, Model, (DeviceKind)Kind, Site, Rack, Index, MemoryBytes, BandwidthBytesPerSecond, (Provenance)BandwidthProvenance, PeakFlopsPerSecond, RatedWatts, PowerLimitWatts,
        Driver, EnergySource, (Provenance)EnergyProvenance, Qualification?.ToQualification());
}

/// <summary>A <see cref="SensorQualification"/>.</summary>
[MessagePackObject]
public sealed record QualificationRecord(
    [property: Key(0)] double UpdatePeriodSeconds,
    [property: Key(1)] double Alias,
    [property: Key(2)] double CounterResidual,
    [property: Key(3)] double OffsetWatts,
    [property: Key(4)] string OffsetSource,
    [property: Key(5)] double RatedWatts,
    [property: Key(6)] Instant At,
    [property: Key(7)] string Method,
    [property: Key(8)] double NonLinearityWatts)
{
    public static QualificationRecord Of(SensorQualification q) => new(
        q.UpdatePeriodSeconds, q.Alias, q.CounterResidual, q.OffsetWatts, q.OffsetSource, q.RatedWatts, Instant.Of(q.AtUtc), q.Method, q.NonLinearityWatts);

    public SensorQualification ToQualification() => new(
        UpdatePeriodSeconds, Alias, CounterResidual, OffsetWatts, OffsetSource, RatedWatts, At.ToOffset(), Method, NonLinearityWatts);
}

/// <summary>A <see cref="FacilityRatio"/>.</summary>
[MessagePackObject]
public sealed record FacilityRecord(
    [property: Key(0)] string Name,
    [property: Key(1)] double Value,
    [property: Key(2)] double? Low,
    [property: Key(3)] double? High,
    [property: Key(4)] int Category,
    [property: Key(5)] long FromWindow,
    [property: Key(6)] long ToWindow,
    [property: Key(7)] double FacilityKilowattHours,
    [property: Key(8)] double ItKilowattHours,
    [property: Key(9)] double TimeCoverage,
    [property: Key(10)] double ItCoverage,
    [property: Key(11)] string[] MissingMeters,
    [property: Key(12)] string[] Flags,
    [property: Key(13)] int Provenance,
    [property: Key(14)] string Edition)
{
    public static FacilityRecord Of(FacilityRatio f) => new(
        f.Name, f.Value, f.Low, f.High, f.Category, f.FromWindow, f.ToWindow, f.FacilityKilowattHours, f.ItKilowattHours, f.TimeCoverage, f.ItCoverage,
        [.. f.MissingMeters], [.. f.Flags], (int)f.Provenance, f.Edition);

    public FacilityRatio ToFacility() => new(
        Name, Value, Low, High, Category, FromWindow, ToWindow, FacilityKilowattHours, ItKilowattHours, TimeCoverage, ItCoverage,
        [.. MissingMeters], [.. Flags], (Provenance)Provenance, Edition);
}

/// <summary>A <see cref="FacilityStretch"/>.</summary>
[MessagePackObject]
public sealed record StretchRecord(
    [property: Key(0)] long FromWindow,
    [property: Key(1)] long ToWindow,
    [property: Key(2)] long Windows,
    [property: Key(3)] bool Whole,
    [property: Key(4)] double FacilityJoules,
    [property: Key(5)] double FacilityLowJoules,
    [property: Key(6)] double FacilityHighJoules,
    [property: Key(7)] double FacilityCoveredWeight,
    [property: Key(8)] double FacilityWeight,
    [property: Key(9)] double ItJoules,
    [property: Key(10)] double ItLowJoules,
    [property: Key(11)] double ItHighJoules,
    [property: Key(12)] double ItUnmeteredRatedJoules)
{
    public static StretchRecord Of(FacilityStretch s) => new(
        s.FromWindow, s.ToWindow, s.Windows, s.Whole, s.FacilityJoules, s.FacilityLowJoules, s.FacilityHighJoules, s.FacilityCoveredWeight, s.FacilityWeight, s.ItJoules, s.ItLowJoules, s.ItHighJoules, s.ItUnmeteredRatedJoules);

    public FacilityStretch ToStretch() => new(
        FromWindow, ToWindow, Windows, Whole, FacilityJoules, FacilityLowJoules, FacilityHighJoules, FacilityCoveredWeight, FacilityWeight, ItJoules, ItLowJoules, ItHighJoules, ItUnmeteredRatedJoules);
}
