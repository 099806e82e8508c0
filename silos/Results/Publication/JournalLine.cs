using System.Security.Cryptography;
using System.Text;

namespace EnergyGrid.Results;

/// <summary>
/// A line of <c>trials.ndjson</c> and <c>events.ndjson</c>: a JSON document with its own SHA-256, <c>{"sha256":"…","document":{…}}</c>.
/// The same document is always the same line.
/// </summary>
public static class JournalLine
{
    private const string Head = "{\"sha256\":\"";
    private const string Middle = "\",\"document\":";

    /// <summary>The line of a document (JSON without line breaks), its line break included.</summary>
    public static byte[] Of(string document) => Encoding.UTF8.GetBytes($"{Head}{Sha256(document)}{Middle}{document}}}\n");

    /// <summary>The documents of whole lines. Throws <see cref="InvalidDataException"/> naming the line that is damaged.</summary>
    public static IEnumerable<string> Documents(ReadOnlySpan<byte> lines, string path)
    {
        var documents = new List<string>();
        var number = 0;
        foreach (var range in lines.Split((byte)'\n'))
        {
            number++;
            var line = Encoding.UTF8.GetString(lines[range]);
            if (line.Length == 0) continue;
            var at = Head.Length + 64;
            if (!line.StartsWith(Head, StringComparison.Ordinal) || line.Length < at + Middle.Length + 1 || !line.AsSpan(at).StartsWith(Middle) || line[^1] != '}')
                throw new InvalidDataException($"{path}:{number}: the line is damaged: it is not {{\"sha256\":…,\"document\":…}}.");
            var document = line[(at + Middle.Length)..^1];
            if (Sha256(document) != line.Substring(Head.Length, 64))
                throw new InvalidDataException($"{path}:{number}: the line is damaged: the SHA-256 of its document is {Sha256(document)}, not {line.Substring(Head.Length, 64)}.");
            documents.Add(document);
        }
        return documents;
    }

    private static string Sha256(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
