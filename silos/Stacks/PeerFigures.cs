using System.Collections.Immutable;

namespace EnergyGrid.Stacks;

/// <summary>Times as another tool would have them.</summary>
/// <param name="Sorted">All of them, rising.</param>
/// <param name="WhereNone">What it prints where there are none; null where it prints nothing.</param>
public sealed record PeerTimes(ImmutableArray<TimeSpan> Sorted, TimeSpan? WhereNone)
{
    public int Count => Sorted.Length;

    public TimeSpan? Mean => Sorted.IsEmpty ? WhereNone : TimeSpan.FromTicks((long)Math.Round(Sorted.Average(t => t.Ticks)));

    /// <summary>As numpy does: between the two neighbours of rank p/100·(n − 1), in proportion.</summary>
    /// <param name="percent">0–100.</param>
    public TimeSpan? Percentile(double percent)
    {
        if (Sorted.IsEmpty) return WhereNone;
        var rank = Math.Clamp(percent, 0, 100) / 100 * (Sorted.Length - 1);
        var (below, above) = (Sorted[(int)Math.Floor(rank)], Sorted[(int)Math.Ceiling(rank)]);
        return below + (above - below) * (rank - Math.Floor(rank));
    }
}

/// <summary>
/// What <c>vllm bench serve</c> and AIPerf would report of the same streams, by their published formulas (vLLM <c>vllm/benchmarks/serve.py</c> at 009e6d4 and <c>lib/endpoint_request_func.py</c> at
/// 02cfb53; AIPerf <c>src/aiperf/metrics</c> of 2026): so that a difference between a figure of theirs and one of ours can be told from a difference between two engines. What they do before a stream (how
/// requests are drawn and timed) is not told here.
/// </summary>
/// <param name="Tool">Which one.</param>
/// <param name="Completed">Requests that it takes for successes.</param>
/// <param name="Failed">The others.</param>
/// <param name="Retokenised">Successes whose tokens it would count by tokenising their text; what the engine says stands here in their place.</param>
/// <param name="Uncounted">Of those, where the engine says nothing, either: their tokens are in none of the figures.</param>
/// <param name="Duration">By which it divides: ramp and drain are in it.</param>
/// <param name="OutputTokens">Of the successes.</param>
/// <param name="TimeToFirstToken">Of each success.</param>
/// <param name="TimePerOutputToken">Of each success with two tokens or more; AIPerf calls it inter-token latency.</param>
/// <param name="BetweenChunks">Gaps of all successes; vLLM calls it inter-token latency, AIPerf inter-chunk latency.</param>
/// <param name="EndToEnd">Of each success.</param>
public sealed record PeerFigures(
    string Tool, int Completed, int Failed, int Retokenised, int Uncounted, TimeSpan Duration, long OutputTokens, PeerTimes TimeToFirstToken, PeerTimes TimePerOutputToken, PeerTimes BetweenChunks,
    PeerTimes EndToEnd)
{
    /// <summary>1/s; 0 where nothing lasted.</summary>
    public double RequestsPerSecond => Duration > TimeSpan.Zero ? Completed / Duration.TotalSeconds : 0;

    /// <summary>Output tokens, 1/s; 0 where nothing lasted.</summary>
    public double OutputTokensPerSecond => Duration > TimeSpan.Zero ? OutputTokens / Duration.TotalSeconds : 0;

    /// <summary>
    /// vLLM's client: every chunk with a choice is a token's, the role and the reason to finish included; an answer that was read to its end is a success, whatever is missing in it; tokens from a chunk
    /// with usage and no choice, else from the text; from the first request to the last answer.
    /// </summary>
    /// <param name="records">Of all requests, in any order.</param>
    /// <param name="time">Whose timestamps they hold.</param>
    /// <param name="endsAtUsage">Whether a chunk of usage alone prolongs an answer: so it did for chats in earlier versions, and does in copies of them.</param>
    public static PeerFigures OfVllm(IReadOnlyCollection<RequestRecord> records, TimeProvider time, bool endsAtUsage = false)
    {
        var answers = new List<Answer>();
        foreach (var record in records)
        {
            if (record.Status != 200 || !record.Facts.IsWhole) continue;
            var chunks = record.Output.Arrivals.Select(a => a.Timestamp).Concat(record.Facts.Silent).Order().ToArray();
            if (chunks.Length == 0) continue;
            var end = endsAtUsage && record.Facts.LoneUsageAt > chunks[^1] ? record.Facts.LoneUsageAt : chunks[^1];
            answers.Add(new Answer(record.Sent, chunks, end, record.Facts.LoneUsage > 0 ? record.Facts.LoneUsage : record.Output.Tokens, record.Facts.LoneUsage <= 0));
        }

        // Every request is waited for, failed ones too.
        var duration = records.Count == 0 ? TimeSpan.Zero : time.GetElapsedTime(records.Min(r => r.Sent), records.Max(r => r.Closed));
        return Of("vllm bench serve", records.Count, answers, duration, TimeSpan.Zero, time);
    }

    /// <summary>
    /// AIPerf, with the server's token counts (<c>--use-server-token-count</c>): chunks with text, reasoning or a tool; an answer that was read to its end and has one is a success; from the first
    /// success's request to the last one's last chunk.
    /// </summary>
    /// <param name="records">Of all requests, in any order.</param>
    /// <param name="time">Whose timestamps they hold.</param>
    public static PeerFigures OfAiPerf(IReadOnlyCollection<RequestRecord> records, TimeProvider time)
    {
        var answers = records.Where(r => r.Status == 200 && r.Facts.IsWhole && !r.Output.Arrivals.IsEmpty)
            .Select(r => new Answer(r.Sent, [.. r.Output.Arrivals.Select(a => a.Timestamp)], r.Output.Last!.Value, r.Output.Tokens, false)).ToList();
        var duration = answers.Count == 0 ? TimeSpan.Zero : time.GetElapsedTime(answers.Min(a => a.Sent), answers.Max(a => a.End));
        return Of("AIPerf", records.Count, answers, duration, null, time);
    }

    private static PeerFigures Of(string tool, int requests, List<Answer> answers, TimeSpan duration, TimeSpan? whereNone, TimeProvider time) => new(
        tool, answers.Count, requests - answers.Count, answers.Count(a => a.IsRetokenised), answers.Count(a => a.Tokens < 0), duration, answers.Sum(a => (long)Math.Max(0, a.Tokens)),
        Times(answers.Select(a => time.GetElapsedTime(a.Sent, a.Chunks[0])), whereNone),
        Times(answers.Where(a => a.Tokens > 1).Select(a => time.GetElapsedTime(a.Chunks[0], a.End) / (a.Tokens - 1)), whereNone),
        Times(answers.SelectMany(a => a.Chunks.Skip(1).Zip(a.Chunks, (now, before) => time.GetElapsedTime(before, now))), whereNone),
        Times(answers.Select(a => time.GetElapsedTime(a.Sent, a.End)), whereNone));

    private static PeerTimes Times(IEnumerable<TimeSpan> times, TimeSpan? whereNone) => new([.. times.Order()], whereNone);

    /// <summary>A success as a tool sees it.</summary>
    private sealed record Answer(long Sent, long[] Chunks, long End, int Tokens, bool IsRetokenised);
}
