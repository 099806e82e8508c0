using System.Collections.Immutable;
using System.Text.Json;

namespace EnergyGrid.Stacks;

/// <summary>
/// Prompts of a file. Either a JSON object a line, <c>{"prompt": "…", "output_tokens": 12}</c> (the second where the answer's length shall not be drawn), or conversations as ShareGPT has them,
/// <c>{"conversations": [{"from": "human", "value": "…"}, …]}</c>, a line each or all in one JSON array, of which the first thing that a human says is taken.
/// </summary>
/// <param name="Prompts">In the file's order; the answer's length is null where the file says none.</param>
/// <param name="Skipped">Conversations in which no human says anything.</param>
public sealed record PromptFile(ImmutableArray<(string Prompt, int? OutputTokens)> Prompts, int Skipped)
{
    private const long MostBytes = 1L << 30;
    private const int LongestLine = 16 << 20, MostPrompts = 2_000_000;

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 32 };

    /// <summary>Reads one.</summary>
    /// <exception cref="InvalidDataException">It is not the file that is meant, or malformed: the line or element is named by its number, from 1.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static PromptFile Read(string path, string sha256)
    {
        var bytes = PlannedFile.Read(path, sha256, MostBytes);
        try
        {
            return Parse(bytes);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{PlannedFile.Name(path)}: {e.Message}", e);
        }
    }

    /// <summary>Of a file's bytes.</summary>
    /// <exception cref="InvalidDataException">As above.</exception>
    public static PromptFile Parse(byte[] bytes)
    {
        var prompts = ImmutableArray.CreateBuilder<(string, int?)>();
        var skipped = 0;
        if (bytes.AsSpan().TrimStart(" \t\r\n"u8).StartsWith("["u8))
        {
            using var all = Document(bytes, "the array");
            var number = 0;
            foreach (var element in all.RootElement.EnumerateArray()) Take(element, $"element {++number}");
        }
        else
        {
            using var stream = new MemoryStream(bytes, writable: false);
            var number = 0;
            foreach (var (line, _) in BoundedLines.Of(stream, LongestLine))
            {
                number++;
                if (line.Span.Trim(" \t\r"u8).IsEmpty) continue;
                using var document = Document(line, $"line {number}");
                Take(document.RootElement, $"line {number}");
            }
        }

        if (prompts.Count == 0) throw new InvalidDataException("there is no prompt in it");
        return new PromptFile(prompts.ToImmutable(), skipped);

        void Take(JsonElement element, string where)
        {
            if (prompts.Count == MostPrompts) throw new InvalidDataException($"{where}: more than {MostPrompts} prompts");
            try
            {
                var taken = Of(element) ?? throw new InvalidDataException($"{where} has neither a prompt nor conversations, or not as text and turns, or output_tokens that are no whole number within 1 … {Stacks.Prompts.MostTokens}");
                if (taken.Prompt.Length > 0) prompts.Add(taken);
                else skipped++;
            }
            catch (InvalidOperationException)
            {
                // Half a surrogate pair, or bytes that are no UTF-8.
                throw new InvalidDataException($"{where} holds text that is no Unicode");
            }
        }
    }

    private static JsonDocument Document(ReadOnlyMemory<byte> bytes, string where)
    {
        try
        {
            return JsonDocument.Parse(bytes, Options);
        }
        catch (JsonException)
        {
            throw new InvalidDataException($"{where} is no JSON");
        }
    }

    // An empty prompt: a conversation in which no human says anything. Null: malformed.
    private static (string Prompt, int? OutputTokens)? Of(JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Object) return null;
        if (element.TryGetProperty("prompt", out var prompt))
        {
            int? tokens = null;
            if (element.TryGetProperty("output_tokens", out var output) && output.ValueKind != JsonValueKind.Null)
            {
                if (output.ValueKind != JsonValueKind.Number || !output.TryGetInt32(out var count) || count < 1 || count > Stacks.Prompts.MostTokens) return null;
                tokens = count;
            }

            return prompt.ValueKind == JsonValueKind.String && prompt.GetString() is { Length: > 0 } text ? (text, tokens) : null;
        }

        if (!element.TryGetProperty("conversations", out var turns) || turns.ValueKind != JsonValueKind.Array) return null;
        foreach (var turn in turns.EnumerateArray())
        {
            if (turn.ValueKind != JsonValueKind.Object || !turn.TryGetProperty("from", out var from) || from.ValueKind != JsonValueKind.String) return null;
            if (!from.ValueEquals("human"u8)) continue;
            return turn.TryGetProperty("value", out var value) && value.ValueKind == JsonValueKind.String ? (value.GetString()!, null) : null;
        }

        return ("", null);
    }
}
