using System.Collections.Immutable;
using EnergyGrid.Metrology;

namespace EnergyGrid.Devices.Evidence;

/// <summary>One block of the design: without, with, with, without the sensor thread.</summary>
public sealed record PerturbationBlock(ImmutableArray<StepStretch> Stretches)
{
    /// <summary>ln(time of a step with metering / without): a linear drift over the block cancels.</summary>
    public double LogRatio
    {
        get
        {
            double Log(int i) => Math.Log(Stretches[i].SecondsPerStep);
            return (Log(1) + Log(2) - Log(0) - Log(3)) / 2;
        }
    }
}

/// <summary>Whether reading the sensors at 10 Hz slows the workload: blocks of off, on, on, off on a step that memory limits (A) and on one of many short kernels (F).</summary>
public sealed class PerturbationSection : IEvidenceSection
{
    /// <summary>The bar: metering slows the workload by at most this share.</summary>
    public const double MostSlowdown = 0.005;

    private static readonly string[] Codes = ["A", "F"];

    public string Name => "perturbation";

    public string Title => "What metering costs the workload";

    public IReadOnlyList<EvidenceUnit> Units(EvidenceContext context) =>
        [.. from code in Codes
            from block in Enumerable.Range(1, context.Settings.PerturbationBlocks)
            select new EvidenceUnit(Id(code, block), 4 * context.Settings.PerturbationSeconds + (block == 1 ? context.Settings.LoadSeconds : 0), stop => Task.FromResult<object?>(Measure(context, code, stop)))];

    public SectionReport Report(EvidenceContext context, UnitDocuments documents)
    {
        var judged = SummaryPage.Banner(context.Bench.Identity.Kind) is null;
        var figures = ImmutableSortedDictionary.CreateBuilder<string, double>(StringComparer.Ordinal);
        var rows = ImmutableArray.CreateBuilder<ImmutableArray<string>>();
        var missed = new List<string>();
        var said = new List<string>();
        foreach (var code in Codes)
        {
            var blocks = Enumerable.Range(1, context.Settings.PerturbationBlocks).Select(b => documents.Of<PerturbationBlock>(Id(code, b))).OfType<PerturbationBlock>().ToArray();
            if (blocks.Length == 0) continue;
            var (mean, interval) = BandwidthSection.Mean(blocks.Select(b => b.LogRatio));
            var (slowdown, low, high) = (Math.Exp(mean) - 1, interval is null ? double.NaN : Math.Exp(interval.Low) - 1, interval is null ? double.NaN : Math.Exp(interval.High) - 1);
            figures[$"{code}_slowdown"] = slowdown;
            figures[$"{code}_slowdown_high"] = high;
            // Only an interval that lies below the bar shows it; one that contains it shows nothing.
            var verdict = high <= MostSlowdown ? "reached" : low > MostSlowdown ? "NOT REACHED" : "not shown";
            if (judged && verdict != "reached") missed.Add(code);
            rows.Add([code, Text.Count(blocks.Length), Text.Number(blocks.Average(b => b.Stretches[0].SecondsPerStep) * 1e3), Text.Percent(slowdown, "0.000"), $"{Text.Percent(low, "0.000")} – {Text.Percent(high, "0.000")}", judged ? verdict : "—"]);
            said.Add($"{code} {Text.Percent(slowdown, "0.000")} ({Text.Percent(low, "0.000")} to {Text.Percent(high, "0.000")})");
        }
        var table = new EvidenceTable($"Slowdown by reading at 10 Hz; bar: at most {Text.Percent(MostSlowdown)}", ["step", "blocks", "time of a step (ms)", "slowdown", "95 % interval", ""], rows.ToImmutable());
        var headline = rows.Count == 0 ? "No block ran." : judged ? $"Metering slows {string.Join(", ", said)}." : $"{rows.Count} steps ran; {SummaryPage.Banner(context.Bench.Identity.Kind)}.";
        return new(rows.Count == 0 ? SectionVerdict.Wrong : missed.Count > 0 ? SectionVerdict.BarMissed : SectionVerdict.Shown, headline, [table],
            ["Blocks of four stretches, off, on, on, off; the interval is Student's over blocks, scope \"this device\"."], figures.ToImmutable());
    }

    private static string Id(string code, int block) => $"{code}-{block}";

    private static PerturbationBlock Measure(EvidenceContext context, string code, CancellationToken stop)
    {
        var configuration = context.Settings.Step(code, context.Bench.Identity);
        // The shorter L' loads faster, and a step of many short kernels is what metering would disturb.
        if (context.Bench.Refusal(configuration, configuration.ShortLayers) is { } refusal) throw new EvidenceFaultException(refusal);
        context.Bench.Load(configuration, configuration.ShortLayers, stop);
        context.Bench.RunSteps(context.Settings.PerturbationSeconds / 4, metered: false, stop);
        return new([.. new[] { false, true, true, false }.Select(on => context.Bench.RunSteps(context.Settings.PerturbationSeconds, on, stop))]);
    }
}
