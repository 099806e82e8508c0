using System.Collections.Immutable;

namespace EnergyGrid.Stacks;

/// <summary>What an engine counts itself, at one moment. Null wherever it has no such counter, or one that is no number: never 0.</summary>
/// <param name="Timestamp">Monotonic, of the answer's arrival.</param>
/// <param name="GeneratedTokens">Output tokens since it started.</param>
/// <param name="LiveTokens">The same, where another counter moves with every step while that one moves when requests end.</param>
/// <param name="PromptTokens">Of prompts since it started; whether those found in a cache are among them, <see cref="EngineMetrics.PromptTokensHaveCached"/> says.</param>
/// <param name="CachedTokens">Of prompts, found in a cache.</param>
/// <param name="CacheQueries">Tokens of prompts that were looked up there.</param>
/// <param name="Running">Requests that it works on.</param>
/// <param name="Waiting">Requests that wait.</param>
/// <param name="KvUse">Share of the KV cache in use, 0–1; the mean where there are several.</param>
/// <param name="DecodeCalls">Steps since it started.</param>
/// <param name="Sources">By the name of a counter here, how the engine calls it.</param>
public sealed record EngineCounters(
    long Timestamp, double? GeneratedTokens, double? LiveTokens, double? PromptTokens, double? CachedTokens, double? CacheQueries, double? Running, double? Waiting, double? KvUse, double? DecodeCalls,
    ImmutableSortedDictionary<string, string> Sources);
