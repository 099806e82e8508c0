namespace EnergyGrid.Stacks;

/// <summary>
/// Whether the client's tokens are the engine's: over a whole run, from a moment before the first request to one after the last had left the engine. What requests that were given up or failed had beside
/// what came is not known to the client, so the engine's count must lie between what came and what was asked for; where all ended, there is nothing between.
/// </summary>
/// <param name="Sent">Requests.</param>
/// <param name="Ended">With a reason to finish.</param>
/// <param name="Failed">Not so.</param>
/// <param name="CutOff">Given up by the client.</param>
/// <param name="OutputTokens">Of all of them, as far as the client knows.</param>
/// <param name="CutOffMost">What those that did not end, or of which nobody told, may have had beside it: what they asked for less what came.</param>
/// <param name="EngineTokens">By how much the engine's counter moved; null where it has none.</param>
/// <param name="EngineCounter">The counter's name; empty where there is none.</param>
/// <param name="TokenIds">Ids of output tokens that streams held; null where none did.</param>
/// <param name="Agrees">Null where there is nothing but what the engine's own usage says twice.</param>
/// <param name="Words">How they agree, in a sentence with both numbers.</param>
public sealed record Reconciliation(
    long Sent, long Ended, long Failed, long CutOff, double OutputTokens, double CutOffMost, double? EngineTokens, string EngineCounter, long? TokenIds, bool? Agrees, string Words)
{
    /// <summary>What the two may differ by, as a share.</summary>
    public const double Tolerance = 0.001;

    /// <summary>Of a run.</summary>
    /// <param name="rows">All of its requests.</param>
    /// <param name="counter">The engine's counter of output tokens, before and after; null where it has none.</param>
    /// <param name="name">Of the counter.</param>
    public static Reconciliation Of(IReadOnlyCollection<RequestRow> rows, (double Before, double After)? counter, string name)
    {
        double had = 0, most = 0;
        long ids = 0, ofIds = 0;
        foreach (var row in rows)
        {
            var came = row.OutputTokens ?? row.Output.Arrivals.Sum(a => a.Tokens);
            had += came;
            if (row.Outcome is not RequestOutcome.Ended || row.OutputTokens is null) most += Math.Max(0, row.AskedTokens - came);
            if (row.TokenIds is not { } held) continue;
            ids += held;
            ofIds += (long)Math.Round(came);
        }

        var moved = counter is { } c ? c.After - c.Before : (double?)null;
        bool? agrees = moved is { } m ? m >= had * (1 - Tolerance) && m <= (had + most) * (1 + Tolerance)
            : ids > 0 ? Math.Abs(ids - ofIds) <= Tolerance * ofIds : null;
        return new Reconciliation(
            rows.Count, Count(RequestOutcome.Ended), Count(RequestOutcome.Failed), Count(RequestOutcome.Cancelled), had, most, moved, counter is null ? "" : name, ids > 0 ? ids : null, agrees, Say());

        long Count(RequestOutcome outcome) => rows.LongCount(r => r.Outcome == outcome);

        string Say()
        {
            var told = ids > 0 ? FormattableString.Invariant($"; streams held {ids} ids of {ofIds} tokens that usage counts") : "";
            if (moved is not { } by)
            {
                return FormattableString.Invariant($"the client has {had:0.###} output tokens, and the engine no counter to hold them against") + (ids > 0 ? told : ": usage against usage proves nothing");
            }

            var client = FormattableString.Invariant($"the client has {had:0.###} output tokens{(most > 0 ? FormattableString.Invariant($", and at most {most:0.###} more of requests that did not end or did not tell") : "")}");
            var engine = by < 0 ? FormattableString.Invariant($"{name} fell by {-by:0.###}: the engine began anew") : FormattableString.Invariant($"{name} rose by {by:0.###}");
            return $"{client}; {engine}{(agrees is true ? "" : FormattableString.Invariant($", which is not within {100 * Tolerance:0.#} %"))}{told}";
        }
    }
}
