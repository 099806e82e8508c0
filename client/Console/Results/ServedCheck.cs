using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Stacks;

namespace EnergyGrid.Console;

/// <summary>The figures of a trial of a serving engine against its rows of requests (docs/results.md, Serving engines).</summary>
internal static class ServedCheck
{
    private const double Tolerance = 1e-9;

    /// <summary>A sentence for each figure that does not follow from the rows.</summary>
    /// <param name="trial">As it stands in the journal.</param>
    /// <param name="rows">Of its file.</param>
    /// <param name="limits">Of s*; null if the plan is not known: what rests on them is then taken as stated.</param>
    public static IEnumerable<string> Of(TrialResult trial, ImmutableArray<RequestRow> rows, ServiceLimits? limits)
    {
        if (trial.Served is not { } served || trial.Legs is not [{ Evidence: { } evidence } leg]) return ["it is of a serving engine, and has not one window with its readings"];
        var (from, to) = (evidence.FromNanoseconds / 1e3, evidence.ToNanoseconds / 1e3);
        var window = ServedWindow.Of(rows, from, to, limits is null ? null : new RequestLimits(limits.FirstTokenMilliseconds is { } first ? TimeSpan.FromMilliseconds(first) : null, TimeSpan.FromMilliseconds(limits.PerTokenMilliseconds)));
        var account = Reconciliation.Of(rows, null, "");
        var lateness = ClientFigures.Of(rows, new LatencyFigures(), from, to).Lateness.Line().P99Milliseconds;
        var (said, l) = (served.Account, served.Latencies);
        (string Name, double Said, double Found)[] numbers =
        [
            ("tokens", leg.Tokens, window.OutputTokens), ("steps", leg.Steps, window.OutputTokens), ("promptTokens", served.PromptTokens, window.PromptTokens ?? double.NaN), ("cachedTokens", served.CachedTokens, window.CachedTokens ?? double.NaN),
            ("endedRequests", served.EndedRequests, window.EndedRequests), ("goodRequests", served.GoodRequests, limits is null ? served.GoodRequests : window.GoodRequests ?? double.NaN), ("latenessMilliseconds", served.LatenessMilliseconds, lateness),
            ("account.sent", said.Sent, account.Sent), ("account.ended", said.Ended, account.Ended), ("account.failed", said.Failed, account.Failed), ("account.cutOff", said.CutOff, account.CutOff),
            ("account.outputTokens", said.OutputTokens, account.OutputTokens), ("account.cutOffMost", said.CutOffMost, account.CutOffMost), ("account.tokenIds", said.TokenIds, account.TokenIds ?? -1),
            .. Line("firstToken", l.FirstToken, window.FirstToken), .. Line("perToken", l.PerToken, window.PerToken), .. Line("betweenTokens", l.BetweenTokens, window.BetweenTokens), .. Line("endToEnd", l.EndToEnd, window.EndToEnd),
        ];
        var timing = string.Join(", ", window.Timings.Select(t => t.Name()).DefaultIfEmpty(TokenTiming.Unknown.Name()));
        var engine = served.Account.EngineTokens;
        string[] others =
        [
            .. timing == served.TokenTiming ? [] : new[] { $"tokenTiming is '{served.TokenTiming}', its rows give '{timing}'" },
            .. trial.Outcome == TrialOutcome.Valid && double.IsFinite(engine) && !(engine >= account.OutputTokens * (1 - Reconciliation.Tolerance) && engine <= (account.OutputTokens + account.CutOffMost) * (1 + Reconciliation.Tolerance))
                ? new[] { string.Create(CultureInfo.InvariantCulture, $"it is valid, and the engine's counter moved by {engine:R} where the rows have {account.OutputTokens:R} output tokens") } : [],
        ];
        return numbers.Where(n => !Same(n.Said, n.Found)).Select(n => string.Create(CultureInfo.InvariantCulture, $"{n.Name} is {n.Said:R}, its rows give {n.Found:R}")).Concat(others);
    }

    private static IEnumerable<(string, double, double)> Line(string name, LatencyLine said, LatencyFigures figures)
    {
        var found = figures.Line();
        return
        [
            ($"{name}.count", said.Count, found.Count), ($"{name}.mean", said.MeanMilliseconds, found.MeanMilliseconds), ($"{name}.p50", said.P50Milliseconds, found.P50Milliseconds), ($"{name}.p90", said.P90Milliseconds, found.P90Milliseconds),
            ($"{name}.p99", said.P99Milliseconds, found.P99Milliseconds), ($"{name}.most", said.MostMilliseconds, found.MostMilliseconds),
        ];
    }

    private static bool Same(double a, double b) => a == b || (double.IsNaN(a) && double.IsNaN(b)) || Math.Abs(a - b) <= Tolerance * Math.Max(Math.Abs(a), Math.Abs(b));
}
