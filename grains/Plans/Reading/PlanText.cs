using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Plans;

/// <summary>From a path or bytes to text, or to the reason why not.</summary>
internal static class PlanText
{
    /// <summary>Largest plan, bytes of UTF-8.</summary>
    public const int MostBytes = 1 << 20;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static string? ReadFile(string path, PlanProblems problems)
    {
        try
        {
            if (Directory.Exists(path))
            {
                problems.Add(0, 0, "", "is a directory", "a plan file, for example " + Path.Combine(path, "my.yaml"));
                return null;
            }

            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var buffer = new byte[MostBytes + 1];
            var length = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            return Decode(buffer.AsSpan(0, length), problems);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            problems.Add(0, 0, "", "does not exist", "the path of a plan file; the current directory is where relative paths begin");
        }
        catch (UnauthorizedAccessException)
        {
            problems.Add(0, 0, "", "may not be read by this user", "a file that this user may read (chmod u+r)");
        }
        catch (Exception e) when (e is IOException or ArgumentException or NotSupportedException)
        {
            problems.Add(0, 0, "", $"cannot be read: {PlanNode.Short(e.Message)}", "a readable plan file");
        }

        return null;
    }

    public static string? Decode(ReadOnlySpan<byte> bytes, PlanProblems problems)
    {
        if (bytes.Length > MostBytes)
        {
            TooLarge(problems);
            return null;
        }

        if (bytes.IndexOf((byte)0) is var zero and >= 0)
        {
            Binary(problems, bytes[..zero], "a NUL byte");
            return null;
        }

        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            var at = Math.Clamp(e.Index, 0, bytes.Length);
            Binary(problems, bytes[..at], $"byte 0x{bytes[Math.Min(at, bytes.Length - 1)]:X2}, which is not UTF-8,");
            return null;
        }
    }

    /// <summary>Size, control characters and lone surrogates of text that did not come through <see cref="Decode"/>.</summary>
    public static bool Check(string text, PlanProblems problems)
    {
        if (text.Length > MostBytes || Encoding.UTF8.GetByteCount(text) > MostBytes)
        {
            TooLarge(problems);
            return false;
        }

        var (line, column) = (1, 1);
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            var pair = char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]);
            if ((char.IsControl(c) && c is not ('\n' or '\r' or '\t' or '\u0085')) || (char.IsSurrogate(c) && !pair))
            {
                problems.Add(line, column, "", $"holds the character U+{(int)c:X4}: this is not a text file", "a plan as YAML or JSON text in UTF-8");
                return false;
            }

            if (pair)
            {
                (i, column) = (i + 1, column + 1);
            }

            (line, column) = c == '\n' ? (line + 1, 1) : (line, column + 1);
        }

        return true;
    }

    /// <summary>Characters that change the direction of text where no value holds them, so in a comment: the file would not say what it shows.</summary>
    public static void CheckDirections(string text, PlanProblems problems)
    {
        var (line, column) = (1, 1);
        foreach (var c in text)
        {
            if (Unprintable.IsDirectional(c))
            {
                problems.Add(line, column, "", $"holds {Unprintable.Named(c)}", "a file whose lines read as they are stored");
                return;
            }

            (line, column) = c == '\n' ? (line + 1, 1) : (line, column + 1);
        }
    }

    private static void TooLarge(PlanProblems problems) =>
        problems.Add(0, 0, "", $"is larger than {MostBytes} bytes", "a plan of at most 1 MiB; sweeps are written as lists of values, not cell by cell");

    private static void Binary(PlanProblems problems, ReadOnlySpan<byte> before, string what)
    {
        var start = before.LastIndexOf((byte)'\n') + 1;
        problems.Add(before.Count((byte)'\n') + 1, before.Length - start + 1, "", $"holds {what} at offset {before.Length}: this is not a text file", "a plan as YAML or JSON text in UTF-8");
    }
}
