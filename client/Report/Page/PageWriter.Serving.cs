using EnergyGrid.Contracts;

namespace EnergyGrid.Report;

// What serving engines did: tokens and requests, latencies against s*, and what answered.
internal sealed partial class PageWriter
{
    private bool HasServing => Rows.Any(r => r.Serving is not null);

    private Markup ServingSection() => HasServing ? Markup.Join([ServedEnergy(), ServedLatency(), Engines()], "\n") : Markup.Empty;

    private Markup ServedEnergy()
    {
        var (total, request) = (SiScale.Of(Rows.Select(r => r.Serving?.JoulesPerTotalToken ?? double.NaN)), SiScale.Of(Rows.Select(r => r.Serving?.JoulesPerRequest ?? double.NaN)));
        var (rate, time) = (SiScale.Of(Rows.Select(r => r.Serving?.OutputTokensPerSecond ?? double.NaN)), SiScale.Of(Rows.Select(r => r.Serving?.SecondsPerToken.Value ?? double.NaN)));
        DataColumn[] columns =
        [
            new("load", "", false), new("output tokens", rate.Prefix + "token/s"), new("time", time.Prefix + "s/token"), new("95 % interval", time.Prefix + "s/token"), new("energy", total.Prefix + "J/token, prompt too"), new("energy", request.Prefix + "J/request"),
            new("requests", "1/s"), new("good requests", "1/s"), new("good requests", "1/kJ"), new("prompt cached", "of tokens"), new("sent"), new("failed"), new("energy is", "", false),
        ];
        var notes = new Footnotes();
        return Table("t-served", Markup.Of($"What was served within the windows: everything of the whole device group. Good requests are those within all limits of s*. {Chip(Standing)}"), "cell", columns, PerCell((_, r) =>
        {
            var s = r.Serving!;
            return
            [
                DataCell.Text(Load(r.Configuration.Serve)),
                DataCell.Number(rate.Significant(s.OutputTokensPerSecond), s.OutputTokensPerSecond),
                DataCell.Number(time.Text(s.SecondsPerToken.Value, s.SecondsPerToken.Low, s.SecondsPerToken.High), s.SecondsPerToken.Value),
                DataCell.Number(time.Interval(s.SecondsPerToken.Value, s.SecondsPerToken.Low, s.SecondsPerToken.High), s.SecondsPerToken.High - s.SecondsPerToken.Low),
                DataCell.Number(total.Significant(s.JoulesPerTotalToken), s.JoulesPerTotalToken),
                DataCell.Number(request.Significant(s.JoulesPerRequest), s.JoulesPerRequest),
                DataCell.Number(NumberText.Significant(s.RequestsPerSecond), s.RequestsPerSecond),
                FigureCell(s.GoodRequestsPerSecond, null, notes, null),
                DataCell.Number(NumberText.Significant(1e3 * s.GoodRequestsPerJoule.Value), s.GoodRequestsPerJoule.Value),
                DataCell.Number(NumberText.Percent(s.CachedShare), s.CachedShare),
                DataCell.Number(NumberText.Whole(s.Sent), s.Sent),
                DataCell.Number(NumberText.Whole(s.Failed), s.Failed),
                new DataCell(Chip(r.Provenance)),
            ];
        }, which: (_, r) => r.Serving is not null, own: true), notes);
    }

    private Markup ServedLatency()
    {
        DataColumn[] columns =
        [
            new("first token", "p50, ms"), new("", "p99"), new("per token", "p50, ms"), new("", "p99"), new("between tokens", "p50, ms"), new("", "p99"), new("end to end", "p50, ms"), new("", "p99"),
            new("s*", "", false), new("meets s*", "", false), new("in work"), new("waiting"), new("KV in use"), new("client adds", "p99, ms"), new("sends late", "p99, ms"),
        ];
        return Table("t-latency", Markup.Of($"Latencies within the windows: percentiles of each trial, mean over trials. Time per token is (last − first)/(tokens − 1) of a request; between tokens is a token’s own. Client: what the measuring client itself adds, a guard above 2 ms."), "cell", columns, PerCell((_, r) =>
        {
            var s = r.Serving!;
            return
            [
                .. new[] { s.Latencies.FirstToken, s.Latencies.PerToken, s.Latencies.BetweenTokens, s.Latencies.EndToEnd }.SelectMany(l => new[]
                {
                    DataCell.Number(NumberText.Significant(l.P50Milliseconds), l.P50Milliseconds), DataCell.Number(NumberText.Significant(l.P99Milliseconds), l.P99Milliseconds),
                }),
                DataCell.Text($"{r.ServiceStatistic} ≤ {NumberText.Significant(r.ServiceMilliseconds)} ms"),
                r.MeetsService switch
                {
                    true => DataCell.Text("yes"),
                    false => new DataCell(Markup.Of($"<span class=\"bad\">{Verdicts.MissesService} no</span>")),
                    null => DataCell.Text("not judged"),
                },
                DataCell.Number(NumberText.Significant(s.MeanRunning), s.MeanRunning),
                DataCell.Number(NumberText.Significant(s.MeanWaiting), s.MeanWaiting),
                DataCell.Number(NumberText.Percent(s.KvUse), s.KvUse),
                DataCell.Number(NumberText.Significant(s.AddedMilliseconds), s.AddedMilliseconds),
                DataCell.Number(NumberText.Significant(s.LatenessMilliseconds), s.LatenessMilliseconds),
            ];
        }, which: (_, r) => r.Serving is not null));
    }

    private Markup Engines() => Table("t-engines", Markup.Of($"What answered: as the engine tells itself, as it was launched, and how the client’s tokens agree with the engine’s own counter."), "cell",
        [new("engine", "", false), new("arguments", "", false), new("model", "", false), new("tokens", "", false)],
        PerCell((_, r) => (DataCell[])
        [
            DataCell.Text(Lines(r.Serving!.Versions)), new DataCell(Markup.Of($"<code>{Lines(r.Serving.Arguments)}</code>")),
            new DataCell(Markup.Of($"{Markup.Join(r.Serving.ModelSha256.Select(Hash), ", ")}")), DataCell.Text(Lines(r.Serving.Reconciliation)),
        ], which: (_, r) => r.Serving is not null));

    private static string Lines(IEnumerable<string> texts) => string.Join("; ", texts.Select(t => NumberText.Clean(t))) is { Length: > 0 } all ? all : NumberText.Absent;

    private static string Load(ServeConfiguration? serve) => serve?.Load switch
    {
        null => NumberText.Absent,
        { Arrivals: ArrivalProcess.Closed } load => $"{NumberText.Whole(load.Concurrency)} at once",
        { Arrivals: ArrivalProcess.Trace } => "a trace",
        var load => $"{NumberText.Significant(load.RequestsPerSecond)} requests/s, {load.Arrivals.ToString().ToLowerInvariant()}",
    };
}
