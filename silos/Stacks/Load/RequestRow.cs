using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>
/// One request as its file has it: times are whole microseconds since the trial's origin, its arrivals' too. Everything that is computed of requests is computed of these, so that who has only the file
/// computes the same.
/// </summary>
/// <param name="Id">The request's number.</param>
/// <param name="Scheduled">When it was to be sent, µs.</param>
/// <param name="Sent">When it was, µs.</param>
/// <param name="Headers">When the answer began, µs; null where none did.</param>
/// <param name="End">When its end was seen, µs.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Status">HTTP status; null where none came.</param>
/// <param name="Error">Why it failed; empty if it did not.</param>
/// <param name="AskedTokens">Output tokens that it asked for at most.</param>
/// <param name="Output">When its tokens came: timestamps in µs, tokens −1 where nobody told.</param>
/// <param name="PromptTokens">As the engine counts; null where it does not say, as the next three.</param>
/// <param name="CachedTokens">Of the prompt, found in a cache.</param>
/// <param name="ReasoningTokens">Of the output.</param>
/// <param name="TokenIds">Ids of output tokens that the stream held.</param>
/// <param name="FinishReason">As the engine says; empty where it did not.</param>
public sealed record RequestRow(
    long Id, long Scheduled, long Sent, long? Headers, long End, RequestOutcome Outcome, int? Status, string Error, int AskedTokens, TokenTimeline Output, int? PromptTokens, int? CachedTokens,
    int? ReasoningTokens, int? TokenIds, string FinishReason)
{
    /// <summary>Characters of a reason at most: an engine said it.</summary>
    public const int LongestReason = 400;

    /// <summary>Output tokens as the engine counts them; null where it did not say.</summary>
    public int? OutputTokens => Output.Tokens >= 0 ? Output.Tokens : null;

    /// <summary>From sending to the first output, µs; null if none came.</summary>
    public long? FirstToken => Output.First - Sent;

    /// <summary>(last − first)/(tokens − 1), µs; null with fewer than two tokens.</summary>
    public double? PerToken => Output is { First: { } first, Last: { } last, Tokens: > 1 } ? (double)(last - first) / (Output.Tokens - 1) : null;

    /// <summary>From sending to the last output, µs; null if none came.</summary>
    public long? EndToEnd => Output.Last - Sent;

    /// <summary>Whether output came of which nobody told how many tokens it was.</summary>
    public bool IsUntold => Output is { Tokens: < 0, Arrivals.IsEmpty: false };

    /// <summary>Of a request as it was measured.</summary>
    /// <param name="sent">It.</param>
    /// <param name="microseconds">Timestamps to whole microseconds since the trial's origin; never falling. See <see cref="Microseconds.Since"/>.</param>
    public static RequestRow Of(SentRequest sent, Func<long, long> microseconds)
    {
        var record = sent.Record;
        var began = microseconds(record.Sent);
        // The client never tells what came before it sent; a clock that is set anew in between might.
        var arrivals = record.Output.Arrivals.Select(a => new TokenArrival(Math.Max(began, microseconds(a.Timestamp)), a.Tokens)).ToImmutableArray();
        return new RequestRow(sent.Number, microseconds(record.Scheduled), began, record.Headers == 0 ? null : Math.Max(began, microseconds(record.Headers)), Math.Max(began, microseconds(record.Closed)), record.Outcome,
            record.Status == 0 ? null : record.Status, Text(record.Error), sent.AskedTokens, record.Output with { Arrivals = arrivals }, Told(record.PromptTokens), Told(record.CachedTokens), Told(record.ReasoningTokens),
            Told(record.TokenIds), Text(record.FinishReason));
    }

    private static int? Told(int count) => count >= 0 ? count : null;

    private static string Text(string text) => Unprintable.Clean(text.Length <= LongestReason ? text : text[..LongestReason]);
}
