using System.Collections.Immutable;

namespace EnergyGrid.Contracts;

/// <summary>The part of a row that a serving engine has. Everything is of the whole device group, from valid trials; "mean" is the nested mean over passes, devices and nodes.</summary>
/// <param name="JoulesPerToken">Energy of the window over its output tokens, J: the row's headline, its interval with gain, offset and non-linearity of the sensor; the row's <c>uncertainty</c> and <c>ratio</c> are of it.</param>
/// <param name="SecondsPerToken">Time of the window over its output tokens, s, with the interval of its scatter.</param>
/// <param name="NetJoulesPerToken">The same net of idle with the engine resident, type A interval; null if idle was not measured.</param>
/// <param name="JoulesPerTotalToken">Energy over output and prompt tokens, J: exp of the mean logarithm; NaN if the engine does not tell prompt tokens.</param>
/// <param name="JoulesPerRequest">Energy over requests that ended within the window, J: likewise.</param>
/// <param name="OutputTokensPerSecond">Likewise.</param>
/// <param name="RequestsPerSecond">Likewise.</param>
/// <param name="Latencies">Counts summed, the others the mean over trials of each trial's own.</param>
/// <param name="GoodRequestsPerSecond">Requests within all limits of s*, 1/s: mean; null with the reason where the plan has none.</param>
/// <param name="GoodRequestsPerJoule">Goodput per watt: the same requests over energy, 1/J.</param>
/// <param name="CachedShare">Of prompt tokens, found in a cache; NaN where the engine does not tell.</param>
/// <param name="Sent">Requests over all valid trials.</param>
/// <param name="Failed">Of those.</param>
/// <param name="MeanRunning">Requests in work as the engine says, mean; NaN where it does not.</param>
/// <param name="MeanWaiting">In its queue.</param>
/// <param name="KvUse">Share of its KV cache, 0–1.</param>
/// <param name="AddedMilliseconds">What the client adds, the largest p99 of any trial, ms.</param>
/// <param name="LatenessMilliseconds">By how much it sends late, the largest p99 of any trial, ms.</param>
/// <param name="ServiceMilliseconds">The statistic of s* of the time per output token, mean over trials, ms.</param>
/// <param name="FirstTokenMilliseconds">The same statistic of the time to the first token, ms.</param>
/// <param name="Reconciliation">How client and engine agree, in a sentence for each way that trials had.</param>
/// <param name="Versions">As engines told them.</param>
/// <param name="Arguments">As they were launched, one text for each way.</param>
/// <param name="ModelSha256">Of the models that were served.</param>
public sealed record ServingFigures(
    Estimate JoulesPerToken,
    Estimate SecondsPerToken,
    Estimate? NetJoulesPerToken,
    double JoulesPerTotalToken,
    double JoulesPerRequest,
    double OutputTokensPerSecond,
    double RequestsPerSecond,
    ServedLatencies Latencies,
    Figure GoodRequestsPerSecond,
    Figure GoodRequestsPerJoule,
    double CachedShare,
    long Sent,
    long Failed,
    double MeanRunning,
    double MeanWaiting,
    double KvUse,
    double AddedMilliseconds,
    double LatenessMilliseconds,
    double ServiceMilliseconds,
    double FirstTokenMilliseconds,
    ImmutableArray<string> Reconciliation,
    ImmutableArray<string> Versions,
    ImmutableArray<string> Arguments,
    ImmutableArray<string> ModelSha256);
