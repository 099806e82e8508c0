using System.Security.Cryptography;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>A file that a plan names by its SHA-256: it is the one that was meant, or it is not used.</summary>
internal static class PlannedFile
{
    /// <summary>All of it.</summary>
    /// <param name="path">Where it lies.</param>
    /// <param name="sha256">What its SHA-256 must be, hex.</param>
    /// <param name="most">Bytes at most.</param>
    /// <exception cref="InvalidDataException">It is another, or too long.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static byte[] Read(string path, string sha256, long most)
    {
        using var file = File.OpenRead(path);
        if (file.Length > most) throw new InvalidDataException($"{Name(path)} has {file.Length} bytes, and at most {most} are read");
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        var is256 = Convert.ToHexStringLower(SHA256.HashData(bytes));
        if (!is256.Equals(sha256, StringComparison.OrdinalIgnoreCase)) throw new InvalidDataException($"{Name(path)} has the SHA-256 {is256}, and the plan means {(sha256.Length > 0 ? sha256 : "none")}");
        return bytes;
    }

    /// <summary>Of a file, as messages say it.</summary>
    public static string Name(string path) => Unprintable.Clean(Path.GetFileName(path));
}
