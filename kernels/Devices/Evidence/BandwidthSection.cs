using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Metrology;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Evidence;

/// <summary>One configuration's step at its two L', between two measurements of the stream ceiling.</summary>
/// <param name="Configuration">With its pair of L'.</param>
/// <param name="StreamBefore">Stream ceiling before, B/s.</param>
/// <param name="StreamAfter">And after, B/s.</param>
/// <param name="Long">Stretches at the larger L'.</param>
/// <param name="Short">And at the smaller one; empty where only one L' fits.</param>
public sealed record StepMeasurement(Configuration Configuration, double StreamBefore, double StreamAfter, ImmutableArray<StepStretch> Long, ImmutableArray<StepStretch> Short)
{
    /// <summary>B/s: what the step is held against.</summary>
    public double Stream => (StreamBefore + StreamAfter) / 2;

    /// <summary>Time of one layer by each pair of stretches, s: the slope over L', or the step's time spread over its layers.</summary>
    public ImmutableArray<double> LayerSeconds => Short.IsEmpty
        ? [.. Long.Select(s => s.SecondsPerStep / s.Layers)]
        : [.. Long.Zip(Short, (l, s) => (l.SecondsPerStep - s.SecondsPerStep) / (l.Layers - s.Layers))];
}

/// <summary>Achieved bytes per second of every step of the catalogue, by the slope over two L', against the stream ceiling of the same run.</summary>
public sealed class BandwidthSection : IEvidenceSection
{
    /// <summary>Above it a share of the ceiling is not believed: the ceiling was measured badly, or the working set sits in cache.</summary>
    public const double MostShare = 1.02;

    private static readonly ImmutableSortedDictionary<string, double> Bars = new (string Codes, double Bar)[] { ("A B C G I J", 0.90), ("D", 0.85), ("E F H K", 0.75) }
        .SelectMany(b => b.Codes.Split(' ').Select(code => KeyValuePair.Create(code, b.Bar))).ToImmutableSortedDictionary(StringComparer.Ordinal);

    public string Name => "bandwidth";

    public string Title => "Bytes per second of each step against the stream ceiling of the same run";

    /// <summary>The share of the stream ceiling that a configuration is to reach; null where none was set.</summary>
    public static double? Bar(string code) => Bars.TryGetValue(code, out var bar) ? bar : null;

    public IReadOnlyList<EvidenceUnit> Units(EvidenceContext context)
    {
        var s = context.Settings;
        var seconds = 2 * (s.LoadSeconds + s.StreamSeconds + s.Repeats * s.StepSeconds);
        return [.. Codes(s).Select(code => new EvidenceUnit(code, seconds, stop => Task.FromResult<object?>(Measure(context, code, stop))))];
    }

    public SectionReport Report(EvidenceContext context, UnitDocuments documents)
    {
        var judged = SummaryPage.Banner(context.Bench.Identity.Kind) is null;
        var peak = new CeilingSection().Report(context, context.Earlier("ceilings")).Figures.GetValueOrDefault("matrix_flops_per_second", double.NaN);
        var figures = ImmutableSortedDictionary.CreateBuilder<string, double>(StringComparer.Ordinal);
        var (rows, missed, notes) = (ImmutableArray.CreateBuilder<ImmutableArray<string>>(), new List<string>(), ImmutableArray.CreateBuilder<string>());
        foreach (var code in Catalogue.Codes)
        {
            if (documents.Of<StepMeasurement>(code) is not { } m) continue;
            var cost = Catalogue.Cost(m.Configuration);
            var layer = Mean(m.LayerSeconds);
            var share = cost.Bytes / layer.Mean / m.Stream;
            var bar = Bar(code);
            figures[$"{code}_layer_microseconds"] = layer.Mean * 1e6;
            figures[$"{code}_share_of_stream"] = share;
            if (judged && bar is { } least && !(share >= least)) missed.Add(code);
            if (share > MostShare) notes.Add($"{code}: more than {Text.Percent(MostShare)} of the ceiling is not believed; the ceiling was measured badly or the working set sits in cache.");
            if (m.Short.IsEmpty) notes.Add($"{code}: {LayerSlope.LinearityUnchecked}, only L' = {m.Long[0].Layers} fits.");
            var floor = double.IsFinite(peak) ? Catalogue.FloorPhasesSeconds(m.Configuration, new DeviceProfile("", m.Stream, peak, peak, 0, 0)) : double.NaN;
            rows.Add([
                code, m.Configuration.Weights, Text.Count(m.Configuration.Batch), Text.Count(m.Configuration.Context), m.Short.IsEmpty ? Text.Count(m.Long[0].Layers) : $"{m.Short[0].Layers}, {m.Long[0].Layers}",
                Text.Number(cost.Bytes / 1e6), Text.Number(layer.Mean * 1e6), layer.Interval is { } i ? $"{Text.Number(i.Low * 1e6)} – {Text.Number(i.High * 1e6)}" : "—",
                Text.Number(cost.Bytes / layer.Mean / 1e12), Text.Number(m.Stream / 1e12), Text.Percent(share), judged && bar is { } b ? Text.Percent(b, "0") : "—",
                !judged || bar is null ? "—" : share >= bar ? "reached" : "NOT REACHED", Text.Percent(floor / layer.Mean)]);
        }
        var table = new EvidenceTable(
            "Per layer and step, whole batch", ["step", "weights", "batch", "context", "L'", "MB", "µs", "95 % (µs)", "TB/s", "stream (TB/s)", "of stream", "bar", "", "of both ceilings' floor"], rows.ToImmutable());
        if (!judged) notes.Add("No bar is judged on a device that is not a GPU.");
        notes.Add("Bytes are those that the step must move (weights, KV, state), not what the kernels happen to touch. Floor: the longer of bytes over stream and FLOP over the matrix ceiling, in the weight and the attention phase.");
        var headline = rows.Count == 0 ? "No step ran."
            : !judged ? $"{rows.Count} steps ran; {SummaryPage.Banner(context.Bench.Identity.Kind)}."
            : missed.Count == 0 ? $"All {rows.Count(r => r[12] == "reached")} bars are reached." : $"Not at its bar: {string.Join(", ", missed)}.";
        return new(rows.Count == 0 ? SectionVerdict.Wrong : missed.Count > 0 ? SectionVerdict.BarMissed : SectionVerdict.Shown, headline, [table], notes.ToImmutable(), figures.ToImmutable());
    }

    /// <summary>The catalogue's, those with a bar first where time is short.</summary>
    internal static IEnumerable<string> Codes(EvidenceSettings settings) => settings.Brief ? Catalogue.Codes.OrderBy(code => Bar(code) is null) : Catalogue.Codes;

    internal static (double Mean, ConfidenceInterval? Interval) Mean(IEnumerable<double> values)
    {
        var estimate = NestedSample.Of(values.Select((v, i) => new PassValue("this node", "this device", i, v))).Summarise();
        return (estimate?.Mean ?? double.NaN, estimate?.Interval(0.95));
    }

    private static StepMeasurement Measure(EvidenceContext context, string code, CancellationToken stop)
    {
        var (bench, s) = (context.Bench, context.Settings);
        var configuration = s.Step(code, bench.Identity);
        if (bench.Refusal(configuration, configuration.LongLayers) is { } refusal) throw new EvidenceFaultException(refusal);
        double Stream()
        {
            var window = bench.RunCeiling(CeilingKernel.Stream, 1, s.StreamSeconds, stop);
            return window.Bytes / window.BusySeconds;
        }
        ImmutableArray<StepStretch> Stretches(int layers)
        {
            bench.Load(configuration, layers, stop);
            bench.RunSteps(s.StepSeconds, metered: true, stop);
            return [.. Enumerable.Range(0, s.Repeats).Select(_ => bench.RunSteps(s.StepSeconds, metered: true, stop))];
        }
        var before = Stream();
        var longer = Stretches(configuration.LongLayers);
        var shorter = configuration.ShortLayers == configuration.LongLayers ? [] : Stretches(configuration.ShortLayers);
        return new(configuration, before, Stream(), longer, shorter);
    }
}
