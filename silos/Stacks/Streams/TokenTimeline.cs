using System.Collections.Immutable;

namespace EnergyGrid.Stacks;

/// <summary>How it is known when a request's tokens came.</summary>
public enum TokenTiming
{
    /// <summary>Nothing came, or nobody said how many it were.</summary>
    Unknown,

    /// <summary>Each chunk said how many there were so far, or had its tokens' ids.</summary>
    Chunks,

    /// <summary>As many chunks as tokens: each had one.</summary>
    OnePerChunk,

    /// <summary>Only the total is known: it lies over the chunks by the bytes of their text.</summary>
    ByText,
}

/// <summary>Tokens that came with one chunk.</summary>
/// <param name="Timestamp">When.</param>
/// <param name="Tokens">How many; a fraction where they are spread by text.</param>
public readonly record struct TokenArrival(long Timestamp, double Tokens);

/// <summary>
/// When a stream's tokens came. Tokens are counted by the engine, never by chunks: one chunk may hold none or many. A chunk's tokens came one after the other since the chunk before it, so a window
/// gets its share of them.
/// </summary>
/// <param name="Arrivals">Chunks with output, in order.</param>
/// <param name="Tokens">Output tokens as the engine counts them; −1 where it does not say.</param>
/// <param name="Timing">How the arrivals' counts are known.</param>
public sealed record TokenTimeline(ImmutableArray<TokenArrival> Arrivals, int Tokens, TokenTiming Timing)
{
    /// <summary>Of a stream without output.</summary>
    public static TokenTimeline Empty { get; } = new([], 0, TokenTiming.Unknown);

    /// <summary>Of what was seen.</summary>
    /// <param name="chunks">Chunks with output: when, bytes of text, and how many tokens there were by then (−1 where it was not said).</param>
    /// <param name="total">Output tokens at the end; −1 where it was not said.</param>
    public static TokenTimeline Of(IReadOnlyList<(long Timestamp, int Bytes, int TokensSoFar)> chunks, int total)
    {
        if (chunks.Count == 0) return Empty with { Tokens = total };
        // Counted at every chunk, and by the end all of them: otherwise something came that was not told.
        if (chunks.All(c => c.TokensSoFar >= 0) && (total < 0 || chunks[^1].TokensSoFar <= total))
        {
            var before = 0;
            var arrivals = ImmutableArray.CreateBuilder<TokenArrival>(chunks.Count);
            foreach (var chunk in chunks)
            {
                arrivals.Add(new TokenArrival(chunk.Timestamp, Math.Max(0, chunk.TokensSoFar - before)));
                before = Math.Max(before, chunk.TokensSoFar);
            }

            // A last token without text (an end that is not shown) came with the last chunk.
            if (total > before) arrivals[^1] = arrivals[^1] with { Tokens = arrivals[^1].Tokens + total - before };
            return new TokenTimeline(arrivals.MoveToImmutable(), total < 0 ? before : total, TokenTiming.Chunks);
        }

        if (total < 0) return new TokenTimeline([.. chunks.Select(c => new TokenArrival(c.Timestamp, 0))], -1, TokenTiming.Unknown);
        if (total == chunks.Count) return new TokenTimeline([.. chunks.Select(c => new TokenArrival(c.Timestamp, 1))], total, TokenTiming.OnePerChunk);
        var bytes = chunks.Sum(c => (double)c.Bytes);
        return new TokenTimeline([.. chunks.Select(c => new TokenArrival(c.Timestamp, bytes > 0 ? total * c.Bytes / bytes : (double)total / chunks.Count))], total, TokenTiming.ByText);
    }

    /// <summary>When the first output came; null if none did.</summary>
    public long? First => Arrivals.IsEmpty ? null : Arrivals[0].Timestamp;

    /// <summary>When the last output came; null if none did. What follows (usage, the end) is not output.</summary>
    public long? Last => Arrivals.IsEmpty ? null : Arrivals[^1].Timestamp;

    /// <summary>Tokens within a window: those of a chunk lie evenly between the chunk before and its own arrival, the first chunk's at its arrival.</summary>
    /// <param name="from">Timestamp, included; a fraction where an edge lies between two.</param>
    /// <param name="to">Timestamp, excluded.</param>
    public double TokensWithin(double from, double to)
    {
        var sum = 0.0;
        for (var i = 0; i < Arrivals.Length; i++)
        {
            var (at, tokens) = Arrivals[i];
            var since = i == 0 ? at : Arrivals[i - 1].Timestamp;
            if (at == since) sum += at >= from && at < to ? tokens : 0;
            else sum += tokens * Math.Max(0, Math.Min(at, to) - Math.Max(since, from)) / (at - since);
        }

        return sum;
    }
}
