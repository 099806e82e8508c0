using System.Security.Cryptography;
using System.Text;

namespace EnergyGrid.Results;

/// <summary>
/// The manifest vouches for every other file of a sweep; its seal vouches for the manifest: its last member is <c>"sha256"</c>, the SHA-256 of all
/// bytes before that member's comma. It guards against damage, not against somebody who can also compute a SHA-256.
/// </summary>
public static class ManifestSeal
{
    private const string Head = ",\n  \"sha256\": \"";
    private const string Tail = "\"\n}\n";
    private const int DigestLength = 64;

    /// <summary>An indented JSON object with its seal.</summary>
    public static byte[] Put(ReadOnlySpan<byte> document)
    {
        var body = document[..(document.LastIndexOf((byte)'}'))].TrimEnd("\r\n "u8);
        return [.. body, .. Encoding.ASCII.GetBytes($"{Head}{Digest(body)}{Tail}")];
    }

    /// <summary>The SHA-256 of what a sealed document says, what its seal says of it, and whether the seal itself is whole.</summary>
    public static (string Found, string Said, bool Whole) Of(ReadOnlySpan<byte> sealedDocument)
    {
        var length = Head.Length + DigestLength + Tail.Length;
        if (sealedDocument.Length < length) return (Digest(sealedDocument), "nothing", false);
        var body = sealedDocument[..^length];
        var seal = Encoding.UTF8.GetString(sealedDocument[^length..]);
        var whole = seal.Length == length && seal.StartsWith(Head, StringComparison.Ordinal) && seal.EndsWith(Tail, StringComparison.Ordinal);
        return (Digest(body), whole ? seal.Substring(Head.Length, DigestLength) : seal.ReplaceLineEndings(" ").Trim(), whole);
    }

    private static string Digest(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
