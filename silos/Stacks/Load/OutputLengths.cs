using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>Whether answers were as long as was asked: an engine that answers short does less than the one beside it.</summary>
/// <param name="Ended">Requests that ended.</param>
/// <param name="AsAsked">Of those, with exactly the most tokens that they asked for.</param>
/// <param name="Shorter">With fewer.</param>
/// <param name="Longer">With more.</param>
/// <param name="Untold">Of which nobody told.</param>
/// <param name="AskedTokens">Sum over those of which it was told.</param>
/// <param name="OutputTokens">Likewise.</param>
/// <param name="Refusal">What is wrong; null if nothing is.</param>
public sealed record OutputLengths(long Ended, long AsAsked, long Shorter, long Longer, long Untold, long AskedTokens, long OutputTokens, string? Refusal)
{
    /// <summary>Of requests.</summary>
    /// <param name="rows">Any; those that ended count.</param>
    /// <param name="generation">How answers were generated: whether they may end before the last token.</param>
    public static OutputLengths Of(IEnumerable<RequestRow> rows, Generation generation)
    {
        long ended = 0, asAsked = 0, shorter = 0, longer = 0, untold = 0, asked = 0, output = 0;
        RequestRow? wrong = null;
        foreach (var row in rows.Where(r => r.Outcome is RequestOutcome.Ended))
        {
            ended++;
            if (row.OutputTokens is not { } tokens)
            {
                untold++;
                continue;
            }

            (asked, output) = (asked + row.AskedTokens, output + tokens);
            if (tokens == row.AskedTokens) asAsked++;
            else if (tokens > row.AskedTokens) longer++;
            else shorter++;
            if (tokens > row.AskedTokens || (tokens < row.AskedTokens && (generation.IgnoreEndOfSequence || tokens < generation.LeastTokens))) wrong ??= row;
        }

        var refusal = wrong is null ? null : FormattableString.Invariant($"answers are not as long as was asked: request {wrong.Id} has {wrong.OutputTokens} tokens of {wrong.AskedTokens}; of {ended} that ended {shorter} are shorter and {longer} longer");
        return new OutputLengths(ended, asAsked, shorter, longer, untold, asked, output, refusal);
    }
}
