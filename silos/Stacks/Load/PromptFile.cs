using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;

namespace EnergyGrid.Stacks;

/// <summary>Prompts from a file: a JSON object a line (<c>{"prompt": …, "output_tokens": …}</c>), or conversations in ShareGPT's form, a line each or all in one array; of a conversation its first human turn.</summary>
internal sealed class PromptFile
{
    private const long MostBytes = 4L << 30;
    private const int MostLine = 16 << 20;

    private readonly ImmutableArray<(string Prompt, int? OutputTokens)> _prompts;
    private readonly Lock _gate = new();
    private (long Seed, int Pass, int[] Order)? _order;

    private PromptFile(ImmutableArray<(string, int?)> prompts) => _prompts = prompts;

    /// <summary>How many there are.</summary>
    public int Count => _prompts.Length;

    /// <param name="path">Where it lies.</param>
    /// <param name="sha256">Which one it must be, lower-case hex.</param>
    /// <exception cref="InvalidDataException">It is not there, is another one, or holds no prompts.</exception>
    public static PromptFile Read(string? path, string sha256)
    {
        if (path is null) throw new InvalidDataException("the plan names no path of its file of prompts");
        try
        {
            using var file = File.OpenRead(path);
            if (file.Length > MostBytes) throw new InvalidDataException($"'{path}' has {file.Length} bytes: at most {MostBytes} are read");
            var found = Convert.ToHexStringLower(SHA256.HashData(file));
            if (found != sha256) throw new InvalidDataException($"'{path}' has SHA-256 {found}, the plan says {sha256}");
            file.Position = 0;
            return new(Parse(file, path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException && e is not InvalidDataException)
        {
            throw new InvalidDataException($"the file of prompts cannot be read: {e.Message}", e);
        }
    }

    /// <summary>The prompt of a request, in an order that follows from seed and pass; after the last one they begin anew.</summary>
    public (string Prompt, int? OutputTokens) At(long number, long seed, int pass) => _prompts[Order(seed, pass)[(int)(number % _prompts.Length)]];

    internal static ImmutableArray<(string, int?)> Parse(Stream file, string name)
    {
        var first = file.ReadByte();
        while (first is ' ' or '\n' or '\r' or '\t') first = file.ReadByte();
        if (first < 0) throw new InvalidDataException($"'{name}' is empty");
        file.Position -= 1;
        var prompts = ImmutableArray.CreateBuilder<(string, int?)>();
        if (first == '[')
        {
            var place = 0;
            foreach (var item in Array(file, name))
            {
                place++;
                prompts.Add(Prompt(item, $"'{name}', conversation {place}"));
            }
        }
        else
        {
            using var lines = new StreamReader(file);
            for (var number = 1; lines.ReadLine() is { } line; number++)
            {
                if (line.Length > MostLine) throw new InvalidDataException($"'{name}' line {number} has {line.Length} characters: at most {MostLine} are read");
                if (string.IsNullOrWhiteSpace(line)) continue;
                try
                {
                    using var document = JsonDocument.Parse(line);
                    prompts.Add(Prompt(document.RootElement, $"'{name}' line {number}"));
                }
                catch (JsonException e)
                {
                    throw new InvalidDataException($"'{name}' line {number} is no JSON: {e.Message}", e);
                }
            }
        }

        return prompts.Count > 0 ? prompts.ToImmutable() : throw new InvalidDataException($"'{name}' holds no prompts");
    }

    private static IEnumerable<JsonElement> Array(Stream file, string name)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(file);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"'{name}' is no JSON: {e.Message}", e);
        }

        using (document)
            foreach (var item in document.RootElement.EnumerateArray())
                yield return item;
    }

    private static (string, int?) Prompt(JsonElement item, string where)
    {
        if (item.ValueKind != JsonValueKind.Object) throw new InvalidDataException($"{where} is no object");
        if (item.TryGetProperty("prompt", out var prompt) && prompt.ValueKind == JsonValueKind.String)
        {
            if (!item.TryGetProperty("output_tokens", out var output)) return (prompt.GetString()!, null);
            return output.ValueKind == JsonValueKind.Number && output.TryGetInt32(out var tokens) && tokens is > 0 and <= 1 << 24 ? (prompt.GetString()!, tokens) : throw new InvalidDataException($"{where}: output_tokens is no number of tokens");
        }

        if (item.TryGetProperty("conversations", out var turns) && turns.ValueKind == JsonValueKind.Array)
            foreach (var turn in turns.EnumerateArray())
                if (turn.ValueKind == JsonValueKind.Object && turn.TryGetProperty("from", out var from) && from.ValueKind == JsonValueKind.String && from.GetString() is "human" or "user"
                    && turn.TryGetProperty("value", out var value) && value.ValueKind == JsonValueKind.String) return (value.GetString()!, null);
        throw new InvalidDataException($"{where} has neither a prompt nor a conversation with a human turn");
    }

    private int[] Order(long seed, int pass)
    {
        lock (_gate)
        {
            if (_order is { } known && (known.Seed, known.Pass) == (seed, pass)) return known.Order;
            var order = Enumerable.Range(0, _prompts.Length).ToArray();
            var draws = new Draws(seed, pass, DrawPurpose.FileOrder, 0);
            for (var i = order.Length - 1; i > 0; i--)
            {
                var other = draws.Below(i + 1);
                (order[i], order[other]) = (order[other], order[i]);
            }

            _order = (seed, pass, order);
            return order;
        }
    }
}
