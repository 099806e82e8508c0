using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>What happened within a window, whatever the load did before and after.</summary>
/// <param name="OutputTokens">That came within it.</param>
/// <param name="PromptTokens">Of requests whose first output came within it; NaN if one of them does not tell.</param>
/// <param name="CachedTokens">Of those, found in a cache; NaN if one of them does not tell.</param>
/// <param name="MeanPromptTokens">Of those; null without one that tells.</param>
/// <param name="Ended">Requests that ended, with their last output within it.</param>
/// <param name="Good">Of those, within all limits.</param>
/// <param name="Failed">Requests whose failure was seen within it.</param>
/// <param name="FirstError">Of those; empty without.</param>
/// <param name="Latencies">See docs/results.md.</param>
/// <param name="Timing">How it is known when its tokens came.</param>
/// <param name="LatenessMilliseconds">Sent − scheduled of requests sent within it, p99, ms; NaN without.</param>
/// <param name="Uncounted">Requests with output within it of which nobody said how many tokens it was.</param>
/// <param name="LeastInFlight">Fewest requests in flight at any moment of it.</param>
/// <param name="WrongLengths">What is wrong with the lengths of answers; empty if nothing.</param>
public sealed record ServedWindow(
    double OutputTokens, double PromptTokens, double CachedTokens, double? MeanPromptTokens, long Ended, double Good, long Failed, string FirstError, ServedLatencies Latencies, string Timing,
    double LatenessMilliseconds, long Uncounted, int LeastInFlight, string WrongLengths)
{
    /// <summary>Of one window.</summary>
    /// <param name="records">Quantised: times in µs.</param>
    /// <param name="from">First edge, µs, included; a fraction where an edge lies between two.</param>
    /// <param name="to">Second edge, µs, not included.</param>
    /// <param name="limits">Of s*; null for none.</param>
    /// <param name="mustBeWhole">Whether every answer must have all tokens that it was asked for.</param>
    public static ServedWindow Of(ImmutableArray<RequestRecord> records, double from, double to, ServiceLimits? limits, bool mustBeWhole = false)
    {
        bool Within(double at) => at >= from && at < to;
        var (first, perToken, between, whole, late) = (new LatencyFigures(), new LatencyFigures(), new LatencyFigures(), new LatencyFigures(), new LatencyFigures());
        var (tokens, prompt, cached, told, ended, good, failed, wrong, uncounted) = (0.0, 0.0, 0.0, 0, 0L, 0L, 0L, 0L, 0L);
        var (error, example) = ("", "");
        var timings = new SortedSet<TokenTiming>();
        foreach (var r in records)
        {
            var output = r.Output;
            tokens += output.TokensWithin(from, to);
            if (Within(r.Sent)) late.Add(TimeSpan.FromMicroseconds(r.Sent - r.Scheduled));
            if (r.Outcome == RequestOutcome.Failed && Within(r.Closed))
            {
                failed++;
                if (error.Length == 0) error = r.Error;
            }

            if (output.Arrivals.Any(a => Within(a.Timestamp)))
            {
                timings.Add(output.Timing);
                if (output.Timing == TokenTiming.Unknown) uncounted++;
            }

            for (var i = 1; i < output.Arrivals.Length; i++)
            {
                var (at, k) = output.Arrivals[i];
                var count = Math.Max(1, (long)Math.Round(k));
                if (Within(at)) between.Add(TimeSpan.FromMicroseconds((at - output.Arrivals[i - 1].Timestamp) / (double)count), count);
            }

            if (output.First is { } begin && Within(begin))
            {
                first.Add(TimeSpan.FromMicroseconds(begin - r.Sent));
                prompt += r.PromptTokens >= 0 ? r.PromptTokens : double.NaN;
                cached += r.CachedTokens >= 0 ? r.CachedTokens : double.NaN;
                told++;
            }

            if (r.Outcome != RequestOutcome.Ended || output.Last is not { } end || !Within(end)) continue;
            ended++;
            whole.Add(TimeSpan.FromMicroseconds(end - r.Sent));
            double? each = output.Tokens > 1 ? (end - output.First!.Value) / 1e3 / (output.Tokens - 1) : null;
            if (each is { } milliseconds) perToken.Add(TimeSpan.FromMilliseconds(milliseconds));
            if (limits is not null && !(each > limits.PerTokenMilliseconds) && !((output.First!.Value - r.Sent) / 1e3 > limits.FirstTokenMilliseconds)) good++;
            if (mustBeWhole ? output.Tokens == r.AskedTokens : output.Tokens <= r.AskedTokens) continue;
            wrong++;
            if (example.Length == 0) example = string.Create(CultureInfo.InvariantCulture, $"{output.Tokens} of {r.AskedTokens}");
        }

        return new ServedWindow(
            tokens, prompt, cached, told > 0 && double.IsFinite(prompt) ? prompt / told : null, ended, limits is null ? double.NaN : good, failed, error,
            new(first.Line(), perToken.Line(), between.Line(), whole.Line()), string.Join(", ", timings.Select(RequestRows.Word).DefaultIfEmpty(RequestRows.Word(TokenTiming.Unknown))),
            late.Line().P99Milliseconds, uncounted, Least(records, from, to),
            wrong == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{wrong} of {ended} answers do not have the tokens that were asked for ({example})"));
    }

    // In flight from sending to the last output: what follows (usage, the end of the stream) keeps no slot of the engine.
    private static int Least(ImmutableArray<RequestRecord> records, double from, double to)
    {
        var changes = new List<(double At, int Change)>();
        var now = 0;
        foreach (var r in records)
        {
            // To the next request's sending a slot has what its client does between two: that is no idle slot.
            var (begin, end) = ((double)r.Sent, (double)r.Closed);
            if (begin <= from && end > from) now++;
            if (begin > from && begin < to) changes.Add((begin, 1));
            if (end > from && end < to) changes.Add((end + Grace, -1));
        }

        var least = now;
        foreach (var (_, change) in changes.Where(c => c.At < to).OrderBy(c => c.At).ThenByDescending(c => c.Change)) least = Math.Min(least, now += change);
        return least;
    }

    // µs.
    private const double Grace = 5_000;
}
