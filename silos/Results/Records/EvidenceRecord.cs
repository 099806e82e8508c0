using System.Diagnostics.CodeAnalysis;
using EnergyGrid.Contracts;
using MessagePack;

namespace EnergyGrid.Results;

/// <summary>An <see cref="Evidence"/>.</summary>
[MessagePackObject]
public sealed record EvidenceRecord([property: Key(0)] long From, [property: Key(1)] long To, [property: Key(2)] SourceRecord[] Sources)
{
    [return: NotNullIfNotNull(nameof(evidence))]
    public static EvidenceRecord? Of(Evidence? evidence) => evidence is null ? null : new(evidence.FromNanoseconds, evidence.ToNanoseconds, [.. evidence.Sources.Select(SourceRecord.Of)]);

    public Evidence ToEvidence() => new(From, To, [.. Sources.Select(s => s.ToSource())]);
}

/// <summary>A <see cref="SourceEvidence"/>.</summary>
[MessagePackObject]
public sealed record SourceRecord(
    [property: Key(0)] string Source,
    [property: Key(1)] string Role,
    [property: Key(2)] string Method,
    [property: Key(3)] double Joules,
    [property: Key(4)] double CoveredSeconds,
    [property: Key(5)] BracketRecord? First,
    [property: Key(6)] BracketRecord? Last,
    [property: Key(7)] double WrappedJoules,
    [property: Key(8)] double? PowerJoules,
    [property: Key(9)] BracketRecord? FirstSteps,
    [property: Key(10)] BracketRecord? LastSteps,
    [property: Key(11)] double? PowerCapSeconds,
    [property: Key(12)] double? ThermalSeconds,
    [property: Key(13)] double SlowdownSpanSeconds,
    [property: Key(14)] double PeriodSeconds,
    [property: Key(15)] double? ModulusJoules)
{
    public static SourceRecord Of(SourceEvidence s) => new(
        s.Source, s.Role, s.Method, s.Joules, s.CoveredSeconds, BracketRecord.Of(s.First), BracketRecord.Of(s.Last), s.WrappedJoules, s.PowerJoules, BracketRecord.Of(s.FirstSteps), BracketRecord.Of(s.LastSteps),
        s.PowerCapSeconds, s.ThermalSeconds, s.SlowdownSpanSeconds, s.PeriodSeconds, s.ModulusJoules);

    public SourceEvidence ToSource() => new(
        Source, Role, Method, Joules, CoveredSeconds, First?.ToBracket(), Last?.ToBracket(), WrappedJoules, PowerJoules, FirstSteps?.ToBracket(), LastSteps?.ToBracket(), PowerCapSeconds, ThermalSeconds, SlowdownSpanSeconds, PeriodSeconds, ModulusJoules);
}

/// <summary>A <see cref="Bracket"/>.</summary>
[MessagePackObject]
public sealed record BracketRecord([property: Key(0)] long BeforeNanoseconds, [property: Key(1)] double Before, [property: Key(2)] long AfterNanoseconds, [property: Key(3)] double After)
{
    public static BracketRecord? Of(Bracket? b) => b is null ? null : new(b.BeforeNanoseconds, b.Before, b.AfterNanoseconds, b.After);

    public Bracket ToBracket() => new(BeforeNanoseconds, Before, AfterNanoseconds, After);
}
