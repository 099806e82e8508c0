using System.Collections.Immutable;

namespace EnergyGrid.Devices.Evidence;

/// <summary>Every kernel and every layer on the device against the oracle, with data that nobody has seen before.</summary>
public sealed class KernelSection : IEvidenceSection
{
    private const double AboutSeconds = 6;

    /// <summary>The oracle's share of a comparison at full width, s of one processor: the weights of a layer are some hundred million draws.</summary>
    private const double OracleSeconds = 120;

    public string Name => "kernels";

    public string Title => "Kernels and layers against the oracle, on the device";

    public IReadOnlyList<EvidenceUnit> Units(EvidenceContext context) =>
        [.. Comparisons(context).Select(c => new EvidenceUnit(c.Id, AboutSeconds + (c.Name.EndsWith("full width", StringComparison.Ordinal) ? OracleSeconds / Environment.ProcessorCount : 0), stop => Task.FromResult<object?>(context.Bench.Compare(c.Name, c.Seed, stop))))];

    public SectionReport Report(EvidenceContext context, UnitDocuments documents)
    {
        var found = Comparisons(context).Select(c => documents.Of<KernelComparison>(c.Id)).OfType<KernelComparison>().ToArray();
        var wrong = found.Count(c => !c.IsRight);
        var table = new EvidenceTable("Relative error ‖out − reference‖ / ‖reference‖", ["what", "shape", "seed", "error", "allowed", "", "note"],
            [.. found.Select(c => ImmutableArray.Create(c.Name, c.Shape, c.Seed.ToString(System.Globalization.CultureInfo.InvariantCulture), Text.Number(c.RelativeError), Text.Number(c.Tolerance), c.IsRight ? "right" : "WRONG", c.Note))]);
        var missed = context.Bench.Kernels.Except(found.SelectMany(c => c.Kernels)).ToArray();
        ImmutableArray<string> notes = missed.Length == 0 ? [] : [$"{missed.Length} of {context.Bench.Kernels.Length} kernels ran in no comparison: {string.Join(", ", missed)}."];
        var worst = found.Where(c => double.IsFinite(c.RelativeError)).Select(c => c.RelativeError / c.Tolerance).DefaultIfEmpty(double.NaN).Max();
        return context.Bench.Comparisons.IsEmpty ? SectionReport.Plain(SectionVerdict.NotRun, "Not run: this device has no kernels.")
            : found.Length == 0 ? SectionReport.Plain(SectionVerdict.Wrong, "No comparison ran.")
            : new(wrong == 0 ? SectionVerdict.Shown : SectionVerdict.Wrong,
                wrong == 0 ? $"{found.Length} of {found.Length} comparisons are right, by {context.Bench.Kernels.Length - missed.Length} of {context.Bench.Kernels.Length} kernels; the largest error is {Text.Percent(worst)} of what is allowed." : $"{wrong} of {found.Length} comparisons are WRONG.",
                [table], notes, ImmutableSortedDictionary<string, double>.Empty.Add("comparisons", found.Length).Add("wrong", wrong).Add("largest_error_over_tolerance", worst));
    }

    private static IEnumerable<(string Id, string Name, ulong Seed)> Comparisons(EvidenceContext context) =>
        from round in Enumerable.Range(0, context.Settings.ComparisonSeeds)
        from name in context.Bench.Comparisons
        select ($"{name} #{round + 1}", name, SeededRandom.Mix(context.Settings.Seed, (ulong)round + 1) >> 11);
}
