using System.Collections.Immutable;
using System.Text.Json;
using EnergyGrid.Contracts;

namespace EnergyGrid.Devices.Evidence;

/// <summary>How a section ended, best first. The worst of all sections decides the exit code.</summary>
public enum SectionVerdict
{
    /// <summary>Everything that was to be shown was shown.</summary>
    Shown,

    /// <summary>It could not run here, and says why: no PyTorch, nothing to compare.</summary>
    NotRun,

    /// <summary>A bar was not reached.</summary>
    BarMissed,

    /// <summary>Something is wrong: a kernel's result, a fault, a refusal.</summary>
    Wrong,
}

/// <summary>A table with units; the same data as Markdown and as JSON.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="Columns">Headings, units in brackets.</param>
/// <param name="Rows">Cells as they are printed, as many as columns.</param>
public sealed record EvidenceTable(string Title, ImmutableArray<string> Columns, ImmutableArray<ImmutableArray<string>> Rows);

/// <summary>What a section has to say.</summary>
/// <param name="Verdict">How it ended.</param>
/// <param name="Headline">In one sentence.</param>
/// <param name="Tables">Figures.</param>
/// <param name="Notes">What a reader must know.</param>
/// <param name="Figures">The numbers behind the tables, by name, for programs.</param>
public sealed record SectionReport(
    SectionVerdict Verdict, string Headline, ImmutableArray<EvidenceTable> Tables, ImmutableArray<string> Notes, ImmutableSortedDictionary<string, double> Figures)
{
    /// <summary>A report without figures.</summary>
    public static SectionReport Plain(SectionVerdict verdict, string headline, params ImmutableArray<string> notes) =>
        new(verdict, headline, [], notes, ImmutableSortedDictionary<string, double>.Empty);
}

/// <summary>The smallest piece that is done whole or not at all.</summary>
/// <param name="Id">Unique in its section.</param>
/// <param name="Seconds">About how long, s of the device's time.</param>
/// <param name="Run">Makes its document; null where it has more to do and there was no time: it is asked again in the next call.</param>
/// <param name="Afterwards">What can go once the document is kept; done again in a later call, so it must not mind being done twice.</param>
public sealed record EvidenceUnit(string Id, double Seconds, Func<CancellationToken, Task<object?>> Run, Action? Afterwards = null);

/// <summary>The documents of a section's finished units.</summary>
public sealed class UnitDocuments(IReadOnlyDictionary<string, JsonElement> documents)
{
    public int Count => documents.Count;

    /// <summary>A unit's document, or null where it has not run.</summary>
    public T? Of<T>(string id) where T : class => documents.TryGetValue(id, out var document) && !IsFault(document) ? document.Deserialize<T>(DocumentJson.Compact) : null;

    /// <summary>Why a unit failed, or null.</summary>
    public string? FaultOf(string id) => documents.TryGetValue(id, out var document) && IsFault(document) ? document.GetProperty("fault").GetString() : null;

    /// <summary>Every unit that failed, with the reason.</summary>
    public IEnumerable<(string Id, string Fault)> Faults => documents.Where(d => IsFault(d.Value)).Select(d => (d.Key, d.Value.GetProperty("fault").GetString()!)).OrderBy(d => d.Key, StringComparer.Ordinal);

    private static bool IsFault(JsonElement document) => document.ValueKind == JsonValueKind.Object && document.TryGetProperty("fault", out _);
}

/// <summary>What the sections share.</summary>
/// <param name="Bench">The device.</param>
/// <param name="Settings">How long and how often.</param>
/// <param name="Directory">Where the results lie.</param>
/// <param name="Deadline">When a unit that can pause should, by the wall.</param>
/// <param name="Earlier">Documents of another section of the same directory.</param>
public sealed record EvidenceContext(IEvidenceBench Bench, EvidenceSettings Settings, string Directory, CancellationToken Deadline, Func<string, UnitDocuments> Earlier);

/// <summary>One part of the evidence: a list of units and a report over what they left.</summary>
public interface IEvidenceSection
{
    /// <summary>For <c>--only</c> and file names.</summary>
    string Name { get; }

    /// <summary>What it shows.</summary>
    string Title { get; }

    /// <summary>Its units in order. Pure: the same on every call of one run.</summary>
    IReadOnlyList<EvidenceUnit> Units(EvidenceContext context);

    /// <summary>The report over finished units, of which some may be missing or failed.</summary>
    SectionReport Report(EvidenceContext context, UnitDocuments documents);
}
