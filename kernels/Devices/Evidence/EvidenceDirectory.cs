using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EnergyGrid.Contracts;

namespace EnergyGrid.Devices.Evidence;

/// <summary>The file of one section: <c>NAME.json</c>. The units in it are what has been done; <c>state.json</c> may lag by one after a kill.</summary>
/// <param name="Format">Version of this document's form.</param>
/// <param name="Section">Its name.</param>
/// <param name="Title">What it shows.</param>
/// <param name="Finished">Whether all units are there.</param>
/// <param name="Units">Document of each finished unit.</param>
/// <param name="Report">Over the units that are there; of an unfinished one it says what is missing.</param>
public sealed record SectionFile(
    int Format, string Section, string Title, bool Finished, ImmutableSortedDictionary<string, JsonElement> Units, SectionReport? Report);

/// <summary>
/// A directory of evidence: files are replaced whole or not at all, so a process may be killed at any instant. One process at a time holds it.
/// </summary>
public sealed class EvidenceDirectory : IDisposable
{
    private const string StateName = "state.json";
    private readonly FileStream _lock;

    private EvidenceDirectory(string path, FileStream held) => (Path, _lock) = (path, held);

    public string Path { get; }

    /// <summary>Opens or creates it.</summary>
    /// <exception cref="EvidenceRefusedException">Another process holds it, it is a file, or it holds something else.</exception>
    public static EvidenceDirectory Open(string path)
    {
        var full = System.IO.Path.GetFullPath(path);
        if (File.Exists(full)) throw new EvidenceRefusedException($"{full} is a file; --out names a directory.");
        if (Directory.Exists(full) && Directory.EnumerateFileSystemEntries(full).Any() && !File.Exists(System.IO.Path.Combine(full, StateName))
            && Directory.EnumerateFileSystemEntries(full).Any(e => System.IO.Path.GetFileName(e) != ".lock"))
            throw new EvidenceRefusedException($"{full} holds other things and no {StateName}; --out names a new directory or one of an earlier call.");
        Directory.CreateDirectory(full);
        try
        {
            return new(full, new FileStream(System.IO.Path.Combine(full, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose));
        }
        catch (IOException)
        {
            throw new EvidenceRefusedException($"Another process is collecting evidence into {full}; wait for it, or name another directory.");
        }
    }

    /// <summary>What has been kept; null in a new directory.</summary>
    /// <exception cref="EvidenceRefusedException">It cannot be read, or is of another version.</exception>
    public EvidenceState? State()
    {
        var path = File_(StateName);
        if (!File.Exists(path)) return null;
        var state = Read<EvidenceState>(path);
        return state.Format == EvidenceState.CurrentFormat ? state : throw new EvidenceRefusedException($"{path} has format {state.Format}; this program writes {EvidenceState.CurrentFormat}. Name another directory.");
    }

    public void Keep(EvidenceState state) => Replace(StateName, JsonSerializer.Serialize(state, DocumentJson.Indented) + "\n");

    /// <summary>The file of a section; empty where it has not begun.</summary>
    /// <exception cref="EvidenceRefusedException">It cannot be read, or a finished one was changed.</exception>
    public SectionFile Section(IEvidenceSection section, SectionState? kept)
    {
        var path = File_(section.Name + ".json");
        if (!File.Exists(path))
        {
            return kept?.FinishedUtc is null
                ? new(EvidenceState.CurrentFormat, section.Name, section.Title, false, ImmutableSortedDictionary.Create<string, JsonElement>(StringComparer.Ordinal), null)
                : throw new EvidenceRefusedException($"{path} is missing, and {StateName} says that the section is finished. Put it back, or begin anew in another directory.");
        }
        if (kept?.Sha256 is { } sha256 && Sha256(path) != sha256)
            throw new EvidenceRefusedException($"{path} was changed after it was finished (its SHA-256 is not the one in {StateName}). Put it back, or begin anew in another directory.");
        var file = Read<SectionFile>(path);
        return file with { Units = file.Units.WithComparers(StringComparer.Ordinal) };
    }

    /// <summary>Replaces a section's file; returns its SHA-256.</summary>
    public string Keep(SectionFile file, BenchKind kind)
    {
        Replace(file.Section + ".json", JsonSerializer.Serialize(file, DocumentJson.Indented) + "\n");
        if (file.Report is { } report) Replace(file.Section + ".md", SummaryPage.OfSection(file.Title, report, kind, file.Finished));
        return Sha256(File_(file.Section + ".json"));
    }

    /// <summary>Replaces a file whole: another name first, flushed, then renamed over it.</summary>
    public void Replace(string name, string text)
    {
        var path = File_(name);
        using (var stream = new FileStream(path + ".part", FileMode.Create, FileAccess.Write, FileShare.None))
        {
            stream.Write(Encoding.UTF8.GetBytes(text));
            stream.Flush(flushToDisk: true);
        }
        File.Move(path + ".part", path, overwrite: true);
    }

    public void Dispose() => _lock.Dispose();

    private string File_(string name) => System.IO.Path.Combine(Path, name);

    private static string Sha256(string path) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));

    private static T Read<T>(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(File.ReadAllBytes(path), DocumentJson.Compact) ?? throw new JsonException("it holds null");
        }
        catch (JsonException e)
        {
            throw new EvidenceRefusedException($"{path} is no document of this program: {e.Message}");
        }
    }
}
