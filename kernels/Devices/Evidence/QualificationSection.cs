using System.Collections.Immutable;

namespace EnergyGrid.Devices.Evidence;

/// <summary>What the device's sensors are worth: period, cost of a read, counter against integrated power, phase alias, idle.</summary>
public sealed class QualificationSection : IEvidenceSection
{
    private const string Unit = "sensors";

    /// <summary>The longest of it: 10 s of counter against power, the alias test, idle with and without a context.</summary>
    private const double AboutSeconds = 60;

    public string Name => "qualification";

    public string Title => "Qualification of the sensors";

    public IReadOnlyList<EvidenceUnit> Units(EvidenceContext context) => [new(Unit, AboutSeconds, stop => Task.FromResult<object?>(context.Bench.Qualify(stop)))];

    public SectionReport Report(EvidenceContext context, UnitDocuments documents)
    {
        if (documents.Of<SensorFindings>(Unit) is not { } found) return SectionReport.Plain(SectionVerdict.Wrong, "The sensors could not be qualified.");
        var table = new EvidenceTable("Sensors", ["property", "value", "unit", "note"],
            [.. found.Properties.Select(p => ImmutableArray.Create(p.Name, Text.Number(p.Value), p.Unit, p.Note))]);
        return new(SectionVerdict.Shown, found.Metering, [table], [], found.Properties.Where(p => double.IsFinite(p.Value)).DistinctBy(p => p.Name).ToImmutableSortedDictionary(p => $"{p.Name} ({p.Unit})", p => p.Value, StringComparer.Ordinal));
    }
}
