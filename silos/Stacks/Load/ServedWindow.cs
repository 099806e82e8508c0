using System.Collections.Immutable;

namespace EnergyGrid.Stacks;

/// <summary>Limits that a request must hold to be a good one.</summary>
/// <param name="FirstToken">From sending to the first output at most; null for none.</param>
/// <param name="PerToken">(last − first)/(tokens − 1) at most; null for none.</param>
public sealed record RequestLimits(TimeSpan? FirstToken, TimeSpan? PerToken);

/// <summary>
/// What an engine did within a window, cut out of a run that went on before and after it. An instant belongs to a window whose beginning is not after it and whose end is: windows side by side have
/// together what one over all of them has.
/// </summary>
/// <param name="From">µs since the trial's origin, included; a fraction where an edge lies between two.</param>
/// <param name="To">µs, excluded.</param>
/// <param name="OutputTokens">That came within it; of a chunk across an edge its share by time.</param>
/// <param name="PromptTokens">Of requests whose first output came within it: their prompts had been read then. Null where one does not tell.</param>
/// <param name="CachedTokens">Of those, found in a cache; null where one does not tell.</param>
/// <param name="FirstTokens">Requests whose first output came within it.</param>
/// <param name="SentRequests">That were sent within it.</param>
/// <param name="SentWithoutOutput">Of those, such as never had any output.</param>
/// <param name="EndedRequests">That ended, their last output within it.</param>
/// <param name="GoodRequests">Of those, within the limits; null where there are no limits. A request of one token has no time per token, and is held against the other alone.</param>
/// <param name="FailedRequests">That failed within it.</param>
/// <param name="UntoldRequests">Whose output reaches into it, and of which nobody told how many tokens it was: unless there are none, <paramref name="OutputTokens"/> is too low.</param>
/// <param name="FirstToken">From sending to the first output, of requests whose first output came within the window.</param>
/// <param name="FirstTokenOfSent">The same of requests that were sent within the window, whenever it came. What had none when the run was stopped is missing: see <paramref name="SentWithoutOutput"/>.</param>
/// <param name="FirstTokenAsScheduled">The same, but from when it was to be sent: what the client was late by is in it.</param>
/// <param name="PerToken">(last − first)/(tokens − 1), of requests of two tokens or more that have ended, their last output within the window.</param>
/// <param name="EndToEnd">From sending to the last output, of requests that have ended, their last output within the window.</param>
/// <param name="BetweenTokens">Between one token and the next, of arrivals within the window but a request's first: one of k tokens (rounded, at least 1) counts as k gaps of 1/k of the time since the one before.</param>
/// <param name="Timings">How it is known when tokens came, each way once, of the requests with output within the window.</param>
public sealed record ServedWindow(
    double From, double To, double OutputTokens, long? PromptTokens, long? CachedTokens, long FirstTokens, long SentRequests, long SentWithoutOutput, long EndedRequests, long? GoodRequests, long FailedRequests, long UntoldRequests,
    LatencyFigures FirstToken, LatencyFigures FirstTokenOfSent, LatencyFigures FirstTokenAsScheduled, LatencyFigures PerToken, LatencyFigures EndToEnd, LatencyFigures BetweenTokens,
    ImmutableArray<TokenTiming> Timings)
{
    /// <summary>Seconds.</summary>
    public double Seconds => (To - From) / 1e6;

    /// <summary>Of prompt tokens, found in a cache; null where nobody tells, or nothing was asked.</summary>
    public double? CachedShare => CachedTokens is { } cached && PromptTokens is > 0 and var prompt ? (double)cached / prompt : null;

    /// <summary>Of requests that ended, within the limits; null without limits, or where none ended.</summary>
    public double? GoodShare => GoodRequests is { } good && EndedRequests > 0 ? (double)good / EndedRequests : null;

    /// <summary>Of a run's requests.</summary>
    /// <param name="rows">All of them, in any order.</param>
    /// <param name="from">µs since the trial's origin, included.</param>
    /// <param name="to">µs, excluded.</param>
    /// <param name="limits">Null where there are none.</param>
    public static ServedWindow Of(IEnumerable<RequestRow> rows, double from, double to, RequestLimits? limits = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(to, from);
        LatencyFigures first = new(), firstOfSent = new(), firstAsScheduled = new(), perToken = new(), endToEnd = new(), between = new();
        var tokens = 0.0;
        long firsts = 0, sent = 0, without = 0, ended = 0, good = 0, failed = 0, untold = 0;
        long? prompt = 0, cached = 0;
        var timings = new SortedSet<TokenTiming>();
        foreach (var row in rows)
        {
            tokens += row.Output.TokensWithin(from, to);
            if (Within(row.Sent))
            {
                sent++;
                if (row.FirstToken is { } time)
                {
                    Add(firstOfSent, time);
                    Add(firstAsScheduled, row.FirstToken.Value + row.Sent - row.Scheduled);
                }
                else
                {
                    without++;
                }
            }

            if (row.Outcome is RequestOutcome.Failed && Within(row.End)) failed++;
            if (row.Output is not { First: { } began, Last: { } last } || last < from || began >= to) continue;
            timings.Add(row.Output.Timing);
            if (row.IsUntold) untold++;
            if (Within(began))
            {
                firsts++;
                Add(first, row.FirstToken!.Value);
                prompt += row.PromptTokens;
                cached += row.CachedTokens;
            }

            Gaps(row.Output.Arrivals);
            if (row.Outcome is not RequestOutcome.Ended || !Within(last)) continue;
            ended++;
            Add(endToEnd, row.EndToEnd!.Value);
            if (row.PerToken is { } each) Add(perToken, each);
            if (IsGood(row, limits)) good++;
        }

        return new ServedWindow(from, to, tokens, prompt, cached, firsts, sent, without, ended, limits is null ? null : good, failed, untold, first, firstOfSent, firstAsScheduled, perToken, endToEnd, between, [.. timings]);

        bool Within(long at) => at >= from && at < to;

        void Gaps(ImmutableArray<TokenArrival> arrivals)
        {
            for (var i = 1; i < arrivals.Length; i++)
            {
                if (!Within(arrivals[i].Timestamp)) continue;
                var count = Math.Max(1, (long)Math.Round(arrivals[i].Tokens));
                between.Add(TimeSpan.FromMicroseconds((double)(arrivals[i].Timestamp - arrivals[i - 1].Timestamp) / count), count);
            }
        }
    }

    private static void Add(LatencyFigures to, double microseconds) => to.Add(TimeSpan.FromMicroseconds(microseconds));

    private static bool IsGood(RequestRow row, RequestLimits? limits) =>
        (limits?.FirstToken is not { } first || row.FirstToken <= first.TotalMicroseconds) && (limits?.PerToken is not { } each || row.PerToken is not { } time || time <= each.TotalMicroseconds);
}
