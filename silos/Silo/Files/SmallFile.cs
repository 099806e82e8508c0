using System.Text;

namespace EnergyGrid.Silo;

/// <summary>Files that people write by hand: tokens, a connection string, certificates.</summary>
public static class SmallFile
{
    private const int MostBytes = 1 << 20;

    /// <summary>The whole text, in UTF-8. A pipe is read to its end; a device that has none is not.</summary>
    /// <exception cref="IOException">It is a directory, is longer than 1 MiB, or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">Not by this user.</exception>
    public static string Text(string path)
    {
        if (Directory.Exists(path)) throw new IOException("it is a directory");
        using var file = File.OpenRead(path);
        var bytes = new byte[MostBytes + 1];
        var read = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return read > MostBytes ? throw new IOException("it is longer than 1 MiB") : Encoding.UTF8.GetString(bytes, 0, read).TrimStart('\uFEFF');
    }

    /// <summary>The first line, without blanks around it.</summary>
    /// <inheritdoc cref="Text"/>
    public static string FirstLine(string path) => Text(path).Split('\n', 2)[0].Trim();
}
