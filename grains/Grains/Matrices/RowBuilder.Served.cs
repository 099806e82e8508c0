using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;

namespace EnergyGrid.Grains;

/// <summary>The part of a row that a serving engine has.</summary>
internal sealed partial class RowBuilder
{
    private const string OfDecodeSteps = "of a decode step; this is a serving engine";

    // What every row has is there already; what follows from layers and shapes goes, and what requests and engine say comes.
    private static MatrixRow Served(CellWork cell, MatrixRow row)
    {
        var unknown = row.Phi.ToImmutableSortedDictionary(p => p.Key, p => Figures.NotEstimated(p.Value.Estimator, PhiReason(p.Key)), StringComparer.Ordinal);
        var figures = FiguresOf(cell, row);
        return row with
        {
            // Why it is none stands in its scope.
            JoulesPerTokenLayer = NoEstimate with { Scope = OfDecodeSteps },
            SecondsPerTokenLayer = null,
            NetJoulesPerTokenLayer = null,
            InterceptJoulesPerStep = double.NaN,
            ProjectedTokensPerSecond = double.NaN,
            ProjectedStepMilliseconds = double.NaN,
            TokenLayersPerSecond = double.NaN,
            Phi = unknown,
            Serving = figures,
            Absent = row.Absent.SetItems(
            [
                Absence(nameof(MatrixRow.NetJoulesPerTokenLayer)), Absence(nameof(MatrixRow.InterceptJoulesPerStep)), Absence(nameof(MatrixRow.Linearity)),
                Absence(nameof(MatrixRow.AchievedOverFloor)), Absence(nameof(MatrixRow.ProjectedTokensPerSecond)), Absence(nameof(MatrixRow.ProjectedStepMilliseconds)), Absence(nameof(MatrixRow.TokenLayersPerSecond)),
                Absence(nameof(MatrixRow.FlopsPerTokenLayer)),
                .. cell.MeetsService is null ? [KeyValuePair.Create("meetsService", cell.Valid.IsEmpty ? "no valid trial" : "no request told the time that s* asks for")] : Array.Empty<KeyValuePair<string, string>>(),
                .. ServingAbsences(cell, figures),
            ]),
        };
    }

    private static ServingFigures FiguresOf(CellWork cell, MatrixRow row)
    {
        var valid = cell.Valid.Where(t => t.Result.Served is not null).ToImmutableArray();
        var served = valid.Select(t => t.Result.Served!).ToArray();
        // Of covered time, as the headline is: what of a window has no energy has no tokens either.
        double Geometric(Func<TrialFigures, double> value) => cell.Nested(valid.Where(t => value(t) > 0), t => Math.Log(value(t))) is { } mean ? Math.Exp(mean.Mean) : double.NaN;
        double Mean(Func<ServedTrial, double> value) => cell.Nested(valid.Where(t => double.IsFinite(value(t.Result.Served!))), t => value(t.Result.Served!))?.Mean ?? double.NaN;
        double Largest(Func<ServedTrial, double> value) => served.Select(value).Where(double.IsFinite).DefaultIfEmpty(double.NaN).Max();
        LatencyLine Line(Func<ServedLatencies, LatencyLine> of) => new(
            served.Sum(s => of(s.Latencies).Count), Mean(s => of(s.Latencies).MeanMilliseconds), Mean(s => of(s.Latencies).P50Milliseconds), Mean(s => of(s.Latencies).P90Milliseconds),
            Mean(s => of(s.Latencies).P99Milliseconds), Largest(s => of(s.Latencies).MostMilliseconds));
        static double Seconds(TrialFigures t) => t.Longest.WindowSeconds;
        double JoulesPerToken(TrialFigures t) => t.Gross!.JoulesPerTokenLayer;
        var good = cell.Nested(valid.Where(t => double.IsFinite(t.Result.Served!.GoodRequests)), t => t.Result.Served!.GoodRequests / Seconds(t));
        var goodPerJoule = cell.Nested(valid.Where(t => double.IsFinite(t.Result.Served!.GoodRequests)), t => t.Result.Served!.GoodRequests / (JoulesPerToken(t) * t.Longest.Tokens));
        const string Good = "requests within all limits of s* ÷ time of the window";
        const string PerJoule = "requests within all limits of s* ÷ energy of the window";
        Figure Of(NestedEstimate? mean, string estimator) => mean is { } m ? Figures.Of(m.Mean, estimator) : Figures.NotEstimated(estimator, valid.IsEmpty ? "no valid trial" : "no request told the times that s* asks for");
        var prompts = served.Sum(s => s.PromptTokens);
        return new ServingFigures(
            row.JoulesPerTokenLayer, row.SecondsPerTokenLayer ?? NoEstimate, row.NetJoulesPerTokenLayer,
            Geometric(t => JoulesPerToken(t) * t.Longest.Tokens / (t.Longest.Tokens + t.Result.Served!.PromptTokens)), Geometric(t => JoulesPerToken(t) * t.Longest.Tokens / t.Result.Served!.EndedRequests),
            Geometric(t => t.Longest.Tokens / Seconds(t)), Geometric(t => t.Result.Served!.EndedRequests / Seconds(t)),
            new(Line(l => l.FirstToken), Line(l => l.PerToken), Line(l => l.BetweenTokens), Line(l => l.EndToEnd)),
            Of(good, Good), Of(goodPerJoule, PerJoule),
            served.Length > 0 && served.All(s => double.IsFinite(s.CachedTokens)) && prompts > 0 ? served.Sum(s => s.CachedTokens) / prompts : double.NaN,
            served.Sum(s => s.Account.Sent), served.Sum(s => s.Account.Failed), Mean(s => s.MeanRunning), Mean(s => s.MeanWaiting), Mean(s => s.KvUse), Largest(s => s.AddedMilliseconds), Largest(s => s.LatenessMilliseconds),
            cell.ServedMilliseconds(l => l.PerToken), cell.ServedMilliseconds(l => l.FirstToken),
            [.. served.Select(s => s.Account.EngineCounter.Length > 0 ? $"within 0.1 % of the engine's {s.Account.EngineCounter}" : "the engine counts nothing that tokens could be held against").Distinct().Order(StringComparer.Ordinal)],
            [.. served.Select(s => s.Version).Where(v => v.Length > 0).Distinct().Order(StringComparer.Ordinal)], [.. served.Select(s => string.Join(' ', s.Arguments)).Where(a => a.Length > 0).Distinct().Order(StringComparer.Ordinal)],
            [.. served.Select(s => s.ModelSha256).Where(h => h.Length > 0).Distinct().Order(StringComparer.Ordinal)]);
    }

    private static IEnumerable<KeyValuePair<string, string>> ServingAbsences(CellWork cell, ServingFigures f)
    {
        var none = cell.Valid.IsEmpty;
        return Absences.Of(
            ("serving." + Camel(nameof(ServingFigures.NetJoulesPerToken)), f.NetJoulesPerToken?.Value, none ? "no valid trial" : cell.Boundary == Boundary.Gpu ? "idle with the engine resident was not measured" : "net energy is known at the gpu boundary only"),
            ("serving." + Camel(nameof(ServingFigures.JoulesPerTotalToken)), f.JoulesPerTotalToken, none ? "no valid trial" : "the engine tells no prompt tokens"),
            ("serving." + Camel(nameof(ServingFigures.JoulesPerRequest)), f.JoulesPerRequest, none ? "no valid trial" : "no request ended within a window"),
            ("serving." + Camel(nameof(ServingFigures.OutputTokensPerSecond)), f.OutputTokensPerSecond, "no valid trial"),
            ("serving." + Camel(nameof(ServingFigures.RequestsPerSecond)), f.RequestsPerSecond, none ? "no valid trial" : "no request ended within a window"),
            ("serving." + Camel(nameof(ServingFigures.CachedShare)), f.CachedShare, none ? "no valid trial" : "the engine does not tell"),
            ("serving." + Camel(nameof(ServingFigures.MeanRunning)), f.MeanRunning, none ? "no valid trial" : "the engine does not tell"),
            ("serving." + Camel(nameof(ServingFigures.MeanWaiting)), f.MeanWaiting, none ? "no valid trial" : "the engine does not tell"),
            ("serving." + Camel(nameof(ServingFigures.KvUse)), f.KvUse, none ? "no valid trial" : "the engine does not tell"),
            ("serving." + Camel(nameof(ServingFigures.AddedMilliseconds)), f.AddedMilliseconds, none ? "no valid trial" : "it was not measured"),
            ("serving." + Camel(nameof(ServingFigures.LatenessMilliseconds)), f.LatenessMilliseconds, none ? "no valid trial" : "nothing was sent within a window"),
            ("serving." + Camel(nameof(ServingFigures.ServiceMilliseconds)), f.ServiceMilliseconds, none ? "no valid trial" : "no request of two tokens ended within a window"),
            ("serving." + Camel(nameof(ServingFigures.FirstTokenMilliseconds)), f.FirstTokenMilliseconds, none ? "no valid trial" : "no first token came within a window"));
    }

    private static KeyValuePair<string, string> Absence(string member) => new(Camel(member), OfDecodeSteps);

    private static string Camel(string member) => System.Text.Json.JsonNamingPolicy.CamelCase.ConvertName(member);

    private static string PhiReason(string phi) => phi switch
    {
        "phi_sched" => "nothing here reads the activity of multiprocessors",
        "phi_prefill" or "phi_decode" => "prefill and decode ran together: only cells in which one of them runs alone tell them apart",
        "phi_route" => "nothing routes here",
        _ => "the model's shape is not declared",
    };
}
