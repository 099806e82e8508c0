using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace EnergyGrid.Contracts;

/// <summary>Many times of one kind, ms: percentiles to three digits. All but the count are NaN where there are none.</summary>
/// <param name="Count">How many.</param>
/// <param name="MeanMilliseconds">ms.</param>
/// <param name="P50Milliseconds">ms.</param>
/// <param name="P90Milliseconds">ms.</param>
/// <param name="P99Milliseconds">ms.</param>
/// <param name="MostMilliseconds">ms.</param>
[GenerateSerializer, Immutable, Alias("LatencyLine")]
public sealed record LatencyLine(
    [property: Id(0)] long Count,
    [property: Id(1)] double MeanMilliseconds,
    [property: Id(2)] double P50Milliseconds,
    [property: Id(3)] double P90Milliseconds,
    [property: Id(4)] double P99Milliseconds,
    [property: Id(5)] double MostMilliseconds)
{
    /// <summary>Of nothing.</summary>
    public static LatencyLine None { get; } = new(0, double.NaN, double.NaN, double.NaN, double.NaN, double.NaN);
}

/// <summary>The four times of a served token, over one window.</summary>
/// <param name="FirstToken">From sending to the first output, of requests whose first output came within the window.</param>
/// <param name="PerToken">(last − first)/(tokens − 1), of requests whose last output came within the window.</param>
/// <param name="BetweenTokens">Between one token and the next, of tokens that came within the window; a chunk of k tokens counts as k equal gaps.</param>
/// <param name="EndToEnd">From sending to the last output, of requests whose last output came within the window.</param>
[GenerateSerializer, Immutable, Alias("ServedLatencies")]
public sealed record ServedLatencies(
    [property: Id(0)] LatencyLine FirstToken,
    [property: Id(1)] LatencyLine PerToken,
    [property: Id(2)] LatencyLine BetweenTokens,
    [property: Id(3)] LatencyLine EndToEnd);

/// <summary>What was sent to an engine over the whole trial: sent = ended + failed + cut off.</summary>
/// <param name="Sent">Requests.</param>
/// <param name="Ended">With a reason to finish.</param>
/// <param name="Failed">Not so.</param>
/// <param name="CutOff">Given up by the client when the window was over.</param>
/// <param name="OutputTokens">Of all of them, as far as the client knows.</param>
/// <param name="CutOffMost">What those cut off, and those that failed, may have had beside it: an engine may count what nobody read any more.</param>
/// <param name="EngineTokens">By how much the engine's own counter moved; NaN where it has none.</param>
/// <param name="EngineCounter">That counter's name; empty where it has none.</param>
/// <param name="TokenIds">Ids of tokens that streams held; −1 where they held none.</param>
/// <param name="Words">How the two agree, in a sentence.</param>
[GenerateSerializer, Immutable, Alias("ServedAccount")]
public sealed record ServedAccount(
    [property: Id(0)] long Sent,
    [property: Id(1)] long Ended,
    [property: Id(2)] long Failed,
    [property: Id(3)] long CutOff,
    [property: Id(4)] double OutputTokens,
    [property: Id(5)] double CutOffMost,
    [property: Id(6)] double EngineTokens,
    [property: Id(7)] string EngineCounter,
    [property: Id(8)] long TokenIds,
    [property: Id(9)] string Words);

/// <summary>What one trial of a serving engine adds to what every trial has.</summary>
/// <param name="Stack">As the plan names it.</param>
/// <param name="Version">As the engine tells it.</param>
/// <param name="Arguments">As it was launched; empty where it was found running.</param>
/// <param name="ModelSha256">Of the model, as docs/results.md says; empty where it cannot be read.</param>
/// <param name="Launched">Whether it was started anew for this trial.</param>
/// <param name="Requests">File with a row a request below <c>requests/</c>; empty if it was not kept.</param>
/// <param name="RequestsSha256">Of that file, lower-case hex.</param>
/// <param name="PromptTokens">Of requests whose first output came within the window, as the engine counts.</param>
/// <param name="CachedTokens">Of those, found in a cache; NaN where the engine does not say.</param>
/// <param name="EndedRequests">Whose last output came within the window.</param>
/// <param name="GoodRequests">Of those, within all limits of s*; NaN where the plan has none for requests.</param>
/// <param name="Latencies">Over the window.</param>
/// <param name="TokenTiming">How it is known when tokens came: <c>chunks</c>, <c>onePerChunk</c>, <c>byText</c>, or a mix of them.</param>
/// <param name="Account">Over the whole trial.</param>
/// <param name="MeanRunning">Requests in work, as the engine says, mean over the window; NaN where it does not.</param>
/// <param name="MeanWaiting">Requests in its queue, likewise.</param>
/// <param name="KvUse">Share of its KV cache in use, likewise, 0–1.</param>
/// <param name="AddedMilliseconds">What the client itself adds to a time, p99 over the window, ms.</param>
/// <param name="LatenessMilliseconds">By how much it sends later than was due, p99 over the window, ms.</param>
[GenerateSerializer, Immutable, Alias("ServedTrial")]
public sealed record ServedTrial(
    [property: Id(0)] string Stack,
    [property: Id(1)] string Version,
    [property: Id(2)] ImmutableArray<string> Arguments,
    [property: Id(3)] string ModelSha256,
    [property: Id(4)] bool Launched,
    [property: Id(5)] string Requests,
    [property: Id(6)] string RequestsSha256,
    [property: Id(7)] double PromptTokens,
    [property: Id(8)] double CachedTokens,
    [property: Id(9)] long EndedRequests,
    [property: Id(10)] double GoodRequests,
    [property: Id(11)] ServedLatencies Latencies,
    [property: Id(12)] string TokenTiming,
    [property: Id(13)] ServedAccount Account,
    [property: Id(14)] double MeanRunning,
    [property: Id(15)] double MeanWaiting,
    [property: Id(16)] double KvUse,
    [property: Id(17)] double AddedMilliseconds,
    [property: Id(18)] double LatenessMilliseconds);
