using System.Collections.Immutable;
using System.Security.Cryptography;
using EnergyGrid.Contracts;
using EnergyGrid.Results;

namespace EnergyGrid.Console;

/// <summary>The files of a directory of results as such: which there are, whether each is what the manifest says, whether the manifest is what its seal says. What is in them is another matter.</summary>
internal static class SealedFiles
{
    /// <summary>What is made from the trials.</summary>
    public static readonly ImmutableArray<string> Rendered = [SweepDocuments.MatrixName, SweepDocuments.CellsName, SweepDocuments.ReportName, FacilitySeries.Name];

    /// <summary>The files of a directory by their names in it, and what in it is no plain file. Links are not followed.</summary>
    public static (ImmutableArray<string> Names, ImmutableArray<Discrepancy> Refused) Entries(string directory)
    {
        var (names, refused) = (ImmutableArray.CreateBuilder<string>(), ImmutableArray.CreateBuilder<Discrepancy>());
        Walk(new DirectoryInfo(directory));
        return (names.ToImmutable(), refused.ToImmutable());

        void Walk(DirectoryInfo at)
        {
            foreach (var entry in at.EnumerateFileSystemInfos())
            {
                var name = Path.GetRelativePath(directory, entry.FullName).Replace('\\', '/');
                if (PlainFiles.Refusal(entry.FullName) is { } refusal) refused.Add(new(name, refusal));
                else if (entry is DirectoryInfo inner) Walk(inner);
                else if (entry is FileInfo { Length: > int.MaxValue }) refused.Add(new(name, "it is longer than 2 GiB, as no file of results is"));
                else names.Add(name);
            }
        }
    }

    /// <summary>The manifest vouches for all other files, and by its seal for itself: with a broken one, nothing that it says counts. Null if it holds.</summary>
    public static Discrepancy? BrokenSeal(string directory)
    {
        const string Name = "manifest.json";
        var path = Path.Combine(directory, Name);
        if (!File.Exists(path)) return null;
        var (found, said, whole) = ManifestSeal.Of(File.ReadAllBytes(path));
        return whole && found == said ? null : new(Name, $"SHA-256 of what it says is {found}, its seal says {said}{(whole ? "" : " and is itself damaged or missing")}");
    }

    /// <summary>Holds a file against the manifest; documents of a sweep that goes on may be newer, and are told to <paramref name="renewed"/>.</summary>
    public static void Check(string directory, ManifestFile file, bool ended, HashSet<string> renewed, ImmutableArray<Discrepancy>.Builder wrong, ImmutableArray<string>.Builder notes)
    {
        if (PathOf(directory, file.Name) is not { } path)
        {
            wrong.Add(new(file.Name, "the name leads out of the directory"));
            return;
        }
        if (!File.Exists(path))
        {
            wrong.Add(new(file.Name, $"missing; the manifest has it with {file.Bytes} bytes, SHA-256 {file.Sha256}"));
            return;
        }
        // While a sweep runs its journals grow, and their later lines carry checksums of their own: the manifest vouches for the beginning.
        var grown = !ended && file.Name.EndsWith(".ndjson", StringComparison.Ordinal) && new FileInfo(path).Length > file.Bytes;
        var found = grown ? Sha256(path, file.Bytes) : Sha256(path);
        if (found == file.Sha256 && grown) notes.Add($"{file.Name} has grown by {new FileInfo(path).Length - file.Bytes} bytes since the manifest was written");
        if (found != file.Sha256 && !ended && Rendered.Contains(file.Name))
        {
            // The process was ended between them and the manifest: whoever goes on writes both anew.
            renewed.Add(file.Name);
            notes.Add($"{file.Name} is newer than the manifest");
        }
        else if (found != file.Sha256) wrong.Add(new(file.Name, $"SHA-256 is {found}, the manifest says {file.Sha256} ({new FileInfo(path).Length} bytes against {file.Bytes})"));
    }

    /// <summary>Where a file of a directory is; null where its name leads out of it.</summary>
    public static string? PathOf(string directory, string name)
    {
        if (name.Contains('\0', StringComparison.Ordinal)) return null;
        var root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)) + Path.DirectorySeparatorChar;
        var path = Path.GetFullPath(Path.Combine(root, name));
        return path.StartsWith(root, StringComparison.Ordinal) ? path : null;
    }

    /// <summary>As hexadecimal digits.</summary>
    public static string Sha256(string path)
    {
        using var content = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(content));
    }

    private static string Sha256(string path, long first)
    {
        using var content = File.OpenRead(path);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 16];
        for (var left = first; left > 0;)
        {
            var read = content.Read(buffer, 0, (int)Math.Min(left, buffer.Length));
            if (read == 0) break;
            hash.AppendData(buffer, 0, read);
            left -= read;
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
