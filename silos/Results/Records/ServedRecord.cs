using System.Diagnostics.CodeAnalysis;
using EnergyGrid.Contracts;
using MessagePack;

namespace EnergyGrid.Results;

/// <summary>A <see cref="ServedTrial"/>.</summary>
[MessagePackObject]
public sealed record ServedRecord(
    [property: Key(0)] string Stack,
    [property: Key(1)] string Version,
    [property: Key(2)] string[] Arguments,
    [property: Key(3)] string ModelSha256,
    [property: Key(4)] bool Launched,
    [property: Key(5)] string Requests,
    [property: Key(6)] string RequestsSha256,
    [property: Key(7)] double PromptTokens,
    [property: Key(8)] double CachedTokens,
    [property: Key(9)] long EndedRequests,
    [property: Key(10)] double GoodRequests,
    [property: Key(11)] LatencyRecord[] Latencies,
    [property: Key(12)] string TokenTiming,
    [property: Key(13)] AccountRecord Account,
    [property: Key(14)] double MeanRunning,
    [property: Key(15)] double MeanWaiting,
    [property: Key(16)] double KvUse,
    [property: Key(17)] double AddedMilliseconds,
    [property: Key(18)] double LatenessMilliseconds)
{
    [return: NotNullIfNotNull(nameof(served))]
    public static ServedRecord? Of(ServedTrial? served) => served is not { } s ? null : new(
        s.Stack, s.Version, [.. s.Arguments], s.ModelSha256, s.Launched, s.Requests, s.RequestsSha256, s.PromptTokens, s.CachedTokens, s.EndedRequests, s.GoodRequests,
        [LatencyRecord.Of(s.Latencies.FirstToken), LatencyRecord.Of(s.Latencies.PerToken), LatencyRecord.Of(s.Latencies.BetweenTokens), LatencyRecord.Of(s.Latencies.EndToEnd)],
        s.TokenTiming, AccountRecord.Of(s.Account), s.MeanRunning, s.MeanWaiting, s.KvUse, s.AddedMilliseconds, s.LatenessMilliseconds);

    /// <summary>Throws <see cref="InvalidDataException"/> where the four times are not there.</summary>
    public ServedTrial ToServed() => Latencies.Length < 4
        ? throw new InvalidDataException("the record of a served trial lacks some of its four times")
        : new(
            Stack, Version, [.. Arguments], ModelSha256, Launched, Requests, RequestsSha256, PromptTokens, CachedTokens, EndedRequests, GoodRequests,
            new(Latencies[0].ToLine(), Latencies[1].ToLine(), Latencies[2].ToLine(), Latencies[3].ToLine()), TokenTiming, Account.ToAccount(), MeanRunning, MeanWaiting, KvUse, AddedMilliseconds, LatenessMilliseconds);
}

/// <summary>A <see cref="LatencyLine"/>.</summary>
[MessagePackObject]
public sealed record LatencyRecord(
    [property: Key(0)] long Count,
    [property: Key(1)] double Mean,
    [property: Key(2)] double P50,
    [property: Key(3)] double P90,
    [property: Key(4)] double P99,
    [property: Key(5)] double Most)
{
    public static LatencyRecord Of(LatencyLine l) => new(l.Count, l.MeanMilliseconds, l.P50Milliseconds, l.P90Milliseconds, l.P99Milliseconds, l.MostMilliseconds);

    public LatencyLine ToLine() => new(Count, Mean, P50, P90, P99, Most);
}

/// <summary>A <see cref="ServedAccount"/>.</summary>
[MessagePackObject]
public sealed record AccountRecord(
    [property: Key(0)] long Sent,
    [property: Key(1)] long Ended,
    [property: Key(2)] long Failed,
    [property: Key(3)] long CutOff,
    [property: Key(4)] double OutputTokens,
    [property: Key(5)] double CutOffMost,
    [property: Key(6)] double EngineTokens,
    [property: Key(7)] string EngineCounter,
    [property: Key(8)] long TokenIds,
    [property: Key(9)] string Words)
{
    public static AccountRecord Of(ServedAccount a) => new(a.Sent, a.Ended, a.Failed, a.CutOff, a.OutputTokens, a.CutOffMost, a.EngineTokens, a.EngineCounter, a.TokenIds, a.Words);

    public ServedAccount ToAccount() => new(Sent, Ended, Failed, CutOff, OutputTokens, CutOffMost, EngineTokens, EngineCounter, TokenIds, Words);
}
