using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EnergyGrid.Contracts;

namespace EnergyGrid.Silo;

/// <summary>What a caller may do: a viewer reads, an operator also submits and steers.</summary>
public static class Roles
{
    public const string Viewer = "viewer";
    public const string Operator = "operator";
}

/// <summary>One line of a token file.</summary>
/// <param name="Sha256">Of the token's UTF-8 bytes.</param>
/// <param name="Role">See <see cref="Roles"/>.</param>
/// <param name="Name">Who holds it: written into manifests as the submitter.</param>
public sealed record TokenEntry(ImmutableArray<byte> Sha256, string Role, string Name);

/// <summary>
/// Who may do what. A line is <c>SHA256-OF-TOKEN ROLE NAME</c>, or the same as JSON:
/// <c>{"tokenSha256": "…", "role": "operator", "name": "ci"}</c>. Empty lines and lines that begin with <c>#</c> are passed over.
/// The file holds no secret: <c>openssl rand -hex 32 | tee token | tr -d '\n' | sha256sum</c> makes a token and its first column.
/// </summary>
public sealed class TokenFile
{
    private readonly ImmutableArray<TokenEntry> _entries;

    private TokenFile(ImmutableArray<TokenEntry> entries) => _entries = entries;

    /// <summary>Reads a token file.</summary>
    /// <exception cref="SiloRefusedException">It cannot be read, or a line is wrong: the message names the file and the line.</exception>
    public static TokenFile Read(string path)
    {
        string[] lines;
        try
        {
            lines = SmallFile.Text(path).Split('\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SiloRefusedException($"The token file {path} cannot be read: {FileFault.Words(e)}", e);
        }
        return Parse(lines, path);
    }

    /// <summary>The same from lines.</summary>
    public static TokenFile Parse(IReadOnlyList<string> lines, string path)
    {
        var entries = ImmutableArray.CreateBuilder<TokenEntry>();
        for (var i = 0; i < lines.Count; i++)
        {
            var line = lines[i].Trim();
            if (line.Length == 0 || line[0] == '#') continue;
            var entry = line[0] == '{' ? FromJson(line, path, i + 1) : FromWords(line, path, i + 1);
            if (entries.Any(e => e.Sha256.AsSpan().SequenceEqual(entry.Sha256.AsSpan()))) throw Wrong(path, i + 1, "the same token stands on an earlier line; give each holder a token of their own");
            entries.Add(entry);
        }
        return entries.Count > 0 ? new(entries.ToImmutable()) : throw new SiloRefusedException($"{path}: no token in it; write a line 'SHA256-OF-TOKEN ROLE NAME' for each holder.");
    }

    /// <summary>The holder of a token, or null. The time it takes tells nothing of how close a guess came.</summary>
    public TokenEntry? Find(string token)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(token), hash);
        TokenEntry? found = null;
        foreach (var entry in _entries)
            if (CryptographicOperations.FixedTimeEquals(entry.Sha256.AsSpan(), hash)) found = entry;
        return found;
    }

    private static TokenEntry FromWords(string line, string path, int number)
    {
        var words = line.Split((char[]?)null, 3, StringSplitOptions.RemoveEmptyEntries);
        return words.Length == 3 ? Entry(words[0], words[1], words[2], path, number) : throw Wrong(path, number, $"{words.Length} words; a line is 'SHA256-OF-TOKEN ROLE NAME'");
    }

    private static TokenEntry FromJson(string line, string path, int number)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            string Field(string name) => document.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
                ? value.GetString()! : throw Wrong(path, number, $"no \"{name}\"; a JSON line is {{\"tokenSha256\": \"…\", \"role\": \"viewer\", \"name\": \"…\"}}");
            return Entry(Field("tokenSha256"), Field("role"), Field("name"), path, number);
        }
        catch (JsonException e)
        {
            throw Wrong(path, number, $"no JSON ({e.Message})");
        }
    }

    private static TokenEntry Entry(string hash, string role, string name, string path, int number)
    {
        if (hash.Length != 64 || !hash.All(char.IsAsciiHexDigit)) throw Wrong(path, number, "the first word is no SHA-256: 64 hexadecimal digits are wanted, the hash and never the token itself");
        if (role is not (Roles.Viewer or Roles.Operator)) throw Wrong(path, number, $"role '{role}'; it is viewer or operator");
        if (string.IsNullOrWhiteSpace(name)) throw Wrong(path, number, "the name is empty");
        // It is shown to everybody, as the owner of a sweep and as who paused it.
        if (Unprintable.In(name.Trim(), lines: false) is { } unprintable) throw Wrong(path, number, $"the name {unprintable}; a name is printable text");
        return new([.. Convert.FromHexString(hash)], role, name.Trim());
    }

    private static SiloRefusedException Wrong(string path, int line, string what) => new($"{path}:{line}: {what}.");
}
