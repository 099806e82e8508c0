using System.Collections.Immutable;

namespace EnergyGrid.Stacks;

/// <summary>How a request came to its end.</summary>
public enum RequestOutcome
{
    /// <summary>With a reason to finish.</summary>
    Ended,

    /// <summary>Not so, for the reason that is told.</summary>
    Failed,

    /// <summary>Given up by who sent it.</summary>
    Cancelled,
}

/// <summary>What was seen of a stream beside its output: nothing of it is a token, but other tools count it.</summary>
/// <param name="Silent">When chunks came that had a choice and no output in it: the role, the reason to finish, and those in which an engine had nothing to show.</param>
/// <param name="LoneUsage">Output tokens as the last chunk without a choice said; −1 where none did.</param>
/// <param name="LoneUsageAt">When that was; 0 where it was not.</param>
/// <param name="IsWhole">Whether the answer was read to its end, whatever was missing in it.</param>
public sealed record StreamFacts(ImmutableArray<long> Silent, int LoneUsage, long LoneUsageAt, bool IsWhole)
{
    /// <summary>Of what was no stream.</summary>
    public static StreamFacts None { get; } = new([], -1, 0, false);
}

/// <summary>What became of one request. Times are monotonic timestamps.</summary>
/// <param name="Id">What it is called.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Error">Why it failed; empty if it did not.</param>
/// <param name="Status">HTTP status; 0 where none came.</param>
/// <param name="Scheduled">When it was to be sent.</param>
/// <param name="Sent">When it was.</param>
/// <param name="Headers">When the answer began: engines send headers before they work, so this is no time to first token; 0 where none came.</param>
/// <param name="Closed">When its end was seen.</param>
/// <param name="Output">When its tokens came.</param>
/// <param name="PromptTokens">As the engine counts; −1 where it does not say, as the next three.</param>
/// <param name="CachedTokens">Of the prompt, found in a cache.</param>
/// <param name="ReasoningTokens">Of the output.</param>
/// <param name="TokenIds">Ids of output tokens that the stream itself held: a count that usage can be held against.</param>
/// <param name="FinishReason">As the engine says; empty where it did not.</param>
public sealed record RequestRecord(
    string Id, RequestOutcome Outcome, string Error, int Status, long Scheduled, long Sent, long Headers, long Closed, TokenTimeline Output, int PromptTokens, int CachedTokens, int ReasoningTokens,
    int TokenIds, string FinishReason)
{
    /// <summary>What was seen beside its output.</summary>
    public StreamFacts Facts { get; init; } = StreamFacts.None;

    /// <summary>From sending to the first output; null if none came.</summary>
    public TimeSpan? TimeToFirstToken(TimeProvider time) => Output.First is { } first ? time.GetElapsedTime(Sent, first) : null;

    /// <summary>(last − first) / (tokens − 1); null with fewer than two tokens.</summary>
    public TimeSpan? TimePerOutputToken(TimeProvider time) => Output is { First: { } first, Last: { } last, Tokens: > 1 } ? time.GetElapsedTime(first, last) / (Output.Tokens - 1) : null;

    /// <summary>From sending to the last output, usage and end left out; null if none came.</summary>
    public TimeSpan? EndToEnd(TimeProvider time) => Output.Last is { } last ? time.GetElapsedTime(Sent, last) : null;
}
