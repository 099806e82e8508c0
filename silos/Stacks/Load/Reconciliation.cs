using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>What the client counted over a whole load against what the engine counted of itself.</summary>
public static class Reconciliation
{
    /// <summary>They may differ by so much, relative.</summary>
    public const double Tolerance = 0.001;

    /// <summary>The account of a load, and what is wrong with it; null if nothing.</summary>
    /// <param name="records">All of its requests.</param>
    /// <param name="before">The engine's counter before the first; null where it has none, or did not tell.</param>
    /// <param name="after">After the last had left it.</param>
    /// <param name="counter">Its name.</param>
    public static (ServedAccount Account, string? Problem) Of(ImmutableArray<RequestRecord> records, double? before, double? after, string counter)
    {
        long Count(RequestOutcome outcome) => records.Count(r => r.Outcome == outcome);
        var (sent, ended, failed, cut) = (records.Length, Count(RequestOutcome.Ended), Count(RequestOutcome.Failed), Count(RequestOutcome.Cancelled));
        var tokens = records.Sum(r => (double)Math.Max(0, r.Output.Tokens));
        // An engine may count what nobody read any more.
        var most = records.Where(r => r.Outcome != RequestOutcome.Ended || r.Output.Tokens < 0).Sum(r => (double)Math.Max(0, r.AskedTokens - Math.Max(0, r.Output.Tokens)));
        var ids = records.Any(r => r.TokenIds >= 0) ? records.Sum(r => (long)Math.Max(0, r.TokenIds)) : -1;
        var engine = after - before is { } moved && double.IsFinite(moved) ? moved : double.NaN;
        var known = double.IsFinite(engine);
        var problem = !known ? null
            : engine < tokens * (1 - Tolerance) || engine > (tokens + most) * (1 + Tolerance)
                ? string.Create(CultureInfo.InvariantCulture, $"the client counted {tokens:F0} output tokens{(most > 0 ? string.Create(CultureInfo.InvariantCulture, $" and at most {most:F0} of requests that did not end") : "")}, the engine's {counter} moved by {engine:F0}: they differ by more than {Tolerance:P1}")
                : null;
        if (problem is null && ids >= 0 && records.All(r => r.Outcome != RequestOutcome.Ended || r.TokenIds >= 0) && Math.Abs(ids - tokens) > Tolerance * tokens)
            problem = string.Create(CultureInfo.InvariantCulture, $"usage says {tokens:F0} output tokens, the streams held {ids} ids");
        var words = !known ? ids >= 0 ? string.Create(CultureInfo.InvariantCulture, $"{tokens:F0} output tokens, {ids} ids in the streams") : string.Create(CultureInfo.InvariantCulture, $"{tokens:F0} output tokens by usage, which proves nothing by itself")
            : string.Create(CultureInfo.InvariantCulture, $"{tokens:F0} output tokens, {counter} moved by {engine:F0}");
        return (new ServedAccount(sent, ended, failed, cut, tokens, most, engine, known ? counter : "", ids, words), problem);
    }
}
