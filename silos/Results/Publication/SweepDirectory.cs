using System.Collections.Immutable;
using System.Text.Json;
using EnergyGrid.Contracts;

namespace EnergyGrid.Results;

/// <summary>A directory of an ended sweep that holds against its manifest, file by file, and the manifest against its seal.</summary>
/// <param name="Manifest">What it says.</param>
/// <param name="ManifestBytes"><c>manifest.json</c>.</param>
/// <param name="Trials">Of its journal, in their order.</param>
/// <param name="Events">Of its journal, in their order.</param>
/// <param name="Paths">Every file by its name, the manifest included.</param>
public sealed record SweepDirectory(Manifest Manifest, ReadOnlyMemory<byte> ManifestBytes, ImmutableArray<TrialResult> Trials, ImmutableArray<EventLine> Events, ImmutableSortedDictionary<string, string> Paths)
{
    /// <exception cref="RefusedException">It does not hold, or the sweep had not ended: says which file and why.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static SweepDirectory Read(string directory)
    {
        var found = Directory.Exists(directory)
            ? Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).ToImmutableSortedDictionary(p => Path.GetRelativePath(directory, p).Replace('\\', '/'), p => p, StringComparer.Ordinal)
            : throw new RefusedException($"'{directory}' is no directory.");
        if (!found.TryGetValue(SweepDocuments.ManifestName, out var path)) throw new RefusedException($"'{directory}' has no {SweepDocuments.ManifestName}: it is no directory of results.");
        var bytes = File.ReadAllBytes(path);
        var seal = ManifestSeal.Of(bytes);
        if (!seal.Whole || seal.Found != seal.Said) throw Damaged(SweepDocuments.ManifestName, "its seal is broken");
        Manifest manifest;
        try { manifest = JsonSerializer.Deserialize<Manifest>(bytes, DocumentJson.Compact) ?? throw new JsonException("it is null"); }
        catch (JsonException e) { throw Damaged(SweepDocuments.ManifestName, e.Message); }
        if (!SweepFileName.IsPlain(manifest.Sweep)) throw Damaged(SweepDocuments.ManifestName, $"'{manifest.Sweep}' is no id of a sweep");
        if (manifest.Phase is not (SweepPhase.Finished or SweepPhase.FinishedWithFailures or SweepPhase.Cancelled))
            throw new RefusedException($"Sweep '{manifest.Sweep}' had not ended when this was written ({manifest.Phase}): only what has ended can be taken in.");

        foreach (var file in manifest.Files)
        {
            if (!found.TryGetValue(file.Name, out var at)) throw Damaged(file.Name, "it is missing");
            using var content = File.OpenRead(at);
            var sha256 = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(content));
            if (sha256 != file.Sha256) throw Damaged(file.Name, $"its SHA-256 is {sha256}, the manifest says {file.Sha256}");
        }
        var known = manifest.Files.Select(f => f.Name).Append(SweepDocuments.ManifestName).ToHashSet(StringComparer.Ordinal);
        if (found.Keys.FirstOrDefault(n => !known.Contains(n)) is { } unknown) throw Damaged(unknown, "the manifest does not know this file");
        try
        {
            var trials = Lines(found, Journals.TrialsName).Select(Journals.Trial).ToImmutableArray();
            var events = Lines(found, Journals.EventsName).Select(Journals.Event).ToImmutableArray();
            if (trials.Select(t => t.Trial).Distinct().Count() != trials.Length) throw Damaged(Journals.TrialsName, "a trial stands twice");
            if (trials.FirstOrDefault(t => t.Trial.Sweep != manifest.Sweep) is { } foreign) throw Damaged(Journals.TrialsName, $"{foreign.Trial} is of sweep '{foreign.Trial.Sweep}'");
            for (var i = 0; i < events.Length; i++)
                if (events[i].Sequence != i) throw Damaged(Journals.EventsName, $"line {i + 1} has sequence {events[i].Sequence}");
            return new(manifest, bytes, trials, events, found);
        }
        catch (InvalidDataException e)
        {
            throw new RefusedException($"It cannot be taken in: {e.Message}");
        }
    }

    private static IEnumerable<string> Lines(ImmutableSortedDictionary<string, string> found, string name) => found.TryGetValue(name, out var path) ? JournalLine.Documents(File.ReadAllBytes(path), name) : [];

    private static RefusedException Damaged(string file, string why) => new($"It cannot be taken in: {file}: {why}.");
}
