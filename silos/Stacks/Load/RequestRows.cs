using System.Buffers;
using System.Collections.Immutable;
using System.Text.Json;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>
/// <c>requests/*.ndjson</c>: a JSON object a request, in order of sending, UTF-8, each line ended by LF. What was not told is null. <c>arrivals</c> are <c>[µs since sent, tokens]</c>, a pair a chunk with
/// output.
/// </summary>
public static class RequestRows
{
    private const int LongestLine = 64 << 20;
    private const long MostMicroseconds = 1_000_000_000_000_000;

    private static readonly string[] Outcomes = ["ended", "failed", "cancelled"];
    private static readonly string[] Timings = ["unknown", "chunks", "onePerChunk", "byText"];

    private static readonly string[] Members =
    [
        "id", "scheduledMicroseconds", "sentMicroseconds", "headersMicroseconds", "endMicroseconds", "outcome", "status", "error", "askedTokens", "outputTokens", "promptTokens", "cachedTokens",
        "reasoningTokens", "tokenIds", "finishReason", "timing", "arrivals",
    ];

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 4 };

    /// <summary>How a file says how times of tokens are known.</summary>
    public static string Name(this TokenTiming timing) => Timings[(int)timing];

    /// <summary>Writes them in order of sending.</summary>
    public static void Write(Stream to, IEnumerable<RequestRow> rows)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using var json = new Utf8JsonWriter(buffer);
        foreach (var row in rows.OrderBy(r => r.Sent).ThenBy(r => r.Id))
        {
            Write(json, row);
            json.Flush();
            buffer.Write("\n"u8);
            to.Write(buffer.WrittenSpan);
            buffer.ResetWrittenCount();
            json.Reset();
        }
    }

    /// <summary>Reads them.</summary>
    /// <exception cref="InvalidDataException">A line is not a row as it is written here: it is named by its number, from 1, and what is wrong with it.</exception>
    public static ImmutableArray<RequestRow> Read(Stream from)
    {
        var rows = ImmutableArray.CreateBuilder<RequestRow>();
        var number = 0;
        foreach (var (line, isWhole) in BoundedLines.Of(from, LongestLine))
        {
            number++;
            if (number > LoadRun.MostRequests) throw new InvalidDataException($"line {number}: no run has more than {LoadRun.MostRequests} requests");
            if (!isWhole) throw new InvalidDataException($"line {number} is cut off: no LF ends it");
            try
            {
                using var document = JsonDocument.Parse(line, Options);
                var row = Of(document.RootElement);
                if (rows.Count > 0 && (row.Sent, row.Id).CompareTo((rows[^1].Sent, rows[^1].Id)) <= 0) throw new InvalidDataException("it was sent before the one above it, or is that one");
                rows.Add(row);
            }
            catch (JsonException)
            {
                throw new InvalidDataException($"line {number} is no JSON");
            }
            catch (InvalidOperationException)
            {
                throw new InvalidDataException($"line {number} holds text that is no Unicode");
            }
            catch (InvalidDataException e)
            {
                throw new InvalidDataException($"line {number}: {e.Message}");
            }
        }

        return rows.ToImmutable();
    }

    private static void Write(Utf8JsonWriter json, RequestRow row)
    {
        json.WriteStartObject();
        json.WriteNumber("id", row.Id);
        json.WriteNumber("scheduledMicroseconds", row.Scheduled);
        json.WriteNumber("sentMicroseconds", row.Sent);
        Number("headersMicroseconds", row.Headers);
        json.WriteNumber("endMicroseconds", row.End);
        json.WriteString("outcome", Outcomes[(int)row.Outcome]);
        Number("status", row.Status);
        Text("error", row.Error);
        json.WriteNumber("askedTokens", row.AskedTokens);
        Number("outputTokens", row.OutputTokens);
        Number("promptTokens", row.PromptTokens);
        Number("cachedTokens", row.CachedTokens);
        Number("reasoningTokens", row.ReasoningTokens);
        Number("tokenIds", row.TokenIds);
        Text("finishReason", row.FinishReason);
        json.WriteString("timing", row.Output.Timing.Name());
        json.WriteStartArray("arrivals");
        foreach (var (at, tokens) in row.Output.Arrivals)
        {
            json.WriteStartArray();
            json.WriteNumberValue(at - row.Sent);
            json.WriteNumberValue(tokens);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();

        void Number(string name, long? value)
        {
            if (value is { } told) json.WriteNumber(name, told);
            else json.WriteNull(name);
        }

        void Text(string name, string value)
        {
            if (value.Length > 0) json.WriteString(name, value);
            else json.WriteNull(name);
        }
    }

    private static RequestRow Of(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object) throw new InvalidDataException("it is no object");
        var values = new JsonElement[Members.Length];
        foreach (var member in json.EnumerateObject())
        {
            var index = Array.IndexOf(Members, member.Name);
            if (index < 0) throw new InvalidDataException($"'{Cut(member.Name)}' is no member of a request");
            if (values[index].ValueKind != JsonValueKind.Undefined) throw new InvalidDataException($"'{Members[index]}' is there twice");
            values[index] = member.Value;
        }

        if (Array.FindIndex(values, v => v.ValueKind == JsonValueKind.Undefined) is var missing && missing >= 0) throw new InvalidDataException($"'{Members[missing]}' is missing");
        var sent = Number("sentMicroseconds", -MostMicroseconds, MostMicroseconds);
        var timing = (TokenTiming)Choice("timing", Timings);
        var outcome = (RequestOutcome)Choice("outcome", Outcomes);
        var arrivals = Arrivals(Value("arrivals"), sent);
        return new RequestRow(
            Number("id", 0, long.MaxValue), Number("scheduledMicroseconds", -MostMicroseconds, MostMicroseconds), sent, Maybe("headersMicroseconds", sent, MostMicroseconds), Number("endMicroseconds", sent, MostMicroseconds),
            outcome, Count("status", 100, 999), Text("error"), (int)Number("askedTokens", 1, int.MaxValue), new TokenTimeline(arrivals, Count("outputTokens", 0, int.MaxValue) ?? -1, timing),
            Count("promptTokens", 0, int.MaxValue), Count("cachedTokens", 0, int.MaxValue), Count("reasoningTokens", 0, int.MaxValue), Count("tokenIds", 0, int.MaxValue), Text("finishReason"));

        JsonElement Value(string name) => values[Array.IndexOf(Members, name)];

        long Number(string name, long least, long most) => Maybe(name, least, most) ?? throw new InvalidDataException($"'{name}' is null");

        int? Count(string name, int least, int most) => (int?)Maybe(name, least, most);

        long? Maybe(string name, long least, long most)
        {
            var value = Value(name);
            if (value.ValueKind == JsonValueKind.Null) return null;
            return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) && number >= least && number <= most ? number : throw new InvalidDataException($"'{name}' is no whole number within {least} … {most}");
        }

        string Text(string name)
        {
            var value = Value(name);
            if (value.ValueKind == JsonValueKind.Null) return "";
            var text = value.ValueKind == JsonValueKind.String ? value.GetString()! : throw new InvalidDataException($"'{name}' is no text");
            return text.Length is > 0 and <= RequestRow.LongestReason && Unprintable.In(text, lines: false) is null ? text : throw new InvalidDataException($"'{name}' is empty, longer than {RequestRow.LongestReason} characters, or cannot be printed");
        }

        int Choice(string name, string[] of)
        {
            var value = Value(name);
            return value.ValueKind == JsonValueKind.String && Array.IndexOf(of, value.GetString()) is >= 0 and var index ? index : throw new InvalidDataException($"'{name}' is none of {string.Join(", ", of)}");
        }
    }

    private static ImmutableArray<TokenArrival> Arrivals(JsonElement json, long sent)
    {
        if (json.ValueKind != JsonValueKind.Array) throw new InvalidDataException("'arrivals' is no array");
        var arrivals = ImmutableArray.CreateBuilder<TokenArrival>(json.GetArrayLength());
        foreach (var pair in json.EnumerateArray())
        {
            if (pair.ValueKind != JsonValueKind.Array || pair.GetArrayLength() != 2 || pair[0].ValueKind != JsonValueKind.Number || pair[1].ValueKind != JsonValueKind.Number
                || !pair[0].TryGetInt64(out var since) || since is < 0 or > MostMicroseconds || !pair[1].TryGetDouble(out var tokens) || !(tokens >= 0 && double.IsFinite(tokens)))
            {
                throw new InvalidDataException($"arrival {arrivals.Count + 1} is no pair of microseconds and tokens");
            }

            if (arrivals.Count > 0 && sent + since < arrivals[^1].Timestamp) throw new InvalidDataException($"arrival {arrivals.Count + 1} comes before the one before it");
            arrivals.Add(new TokenArrival(sent + since, tokens));
        }

        return arrivals.ToImmutable();
    }

    private static string Cut(string name) => Unprintable.Clean(name.Length <= 40 ? name : name[..40]);
}
