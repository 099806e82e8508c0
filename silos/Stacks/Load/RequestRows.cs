using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;

namespace EnergyGrid.Stacks;

/// <summary>
/// Requests as <c>requests/NAME.ndjson</c> keeps them: whole microseconds since the trial's origin (docs/results.md). Everything that is told of a trial is computed from these, so that whoever reads the
/// file computes the same.
/// </summary>
public static class RequestRows
{
    private const int LongestLine = 64 << 20;

    /// <summary>The same request with its times in whole microseconds. A record that was read from a file is one already.</summary>
    /// <param name="record">Times are monotonic timestamps.</param>
    /// <param name="microseconds">Of a timestamp, since the trial's origin.</param>
    public static RequestRecord Quantised(RequestRecord record, Func<long, long> microseconds) => record with
    {
        Scheduled = microseconds(record.Scheduled),
        Sent = microseconds(record.Sent),
        Headers = record.Headers == 0 ? long.MinValue : microseconds(record.Headers),
        Closed = microseconds(record.Closed),
        Output = record.Output with { Arrivals = [.. record.Output.Arrivals.Select(a => a with { Timestamp = microseconds(a.Timestamp) })] },
    };

    /// <summary>The file.</summary>
    /// <param name="records">Quantised, in the order of sending.</param>
    public static byte[] Write(ImmutableArray<RequestRecord> records)
    {
        using var file = new MemoryStream();
        using var json = new Utf8JsonWriter(file, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        foreach (var r in records)
        {
            json.WriteStartObject();
            json.WriteNumber("id", long.Parse(r.Id, CultureInfo.InvariantCulture));
            json.WriteNumber("scheduledMicroseconds", r.Scheduled);
            json.WriteNumber("sentMicroseconds", r.Sent);
            Number(json, "headersMicroseconds", r.Headers == long.MinValue ? null : r.Headers);
            json.WriteNumber("endMicroseconds", r.Closed);
            json.WriteString("outcome", Word(r.Outcome));
            Number(json, "status", r.Status == 0 ? null : r.Status);
            json.WriteString("error", r.Error);
            json.WriteNumber("askedTokens", r.AskedTokens);
            Number(json, "outputTokens", Told(r.Output.Tokens));
            Number(json, "promptTokens", Told(r.PromptTokens));
            Number(json, "cachedTokens", Told(r.CachedTokens));
            Number(json, "reasoningTokens", Told(r.ReasoningTokens));
            Number(json, "tokenIds", Told(r.TokenIds));
            json.WriteString("finishReason", r.FinishReason);
            json.WriteString("timing", Word(r.Output.Timing));
            json.WriteStartArray("arrivals");
            foreach (var (at, tokens) in r.Output.Arrivals)
            {
                json.WriteStartArray();
                json.WriteNumberValue(at - r.Sent);
                json.WriteNumberValue(tokens);
                json.WriteEndArray();
            }

            json.WriteEndArray();
            json.WriteEndObject();
            json.Flush();
            json.Reset();
            file.WriteByte((byte)'\n');
        }

        return file.ToArray();
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">It holds something else, in the line that is named.</exception>
    public static ImmutableArray<RequestRecord> Read(ReadOnlySpan<byte> file)
    {
        var records = ImmutableArray.CreateBuilder<RequestRecord>();
        for (var number = 1; !file.IsEmpty; number++)
        {
            var end = file.IndexOf((byte)'\n');
            if (end is < 0 or > LongestLine) throw new InvalidDataException($"line {number} has no end");
            try
            {
                var json = new Utf8JsonReader(file[..end]);
                using var document = JsonDocument.ParseValue(ref json);
                if (json.Read()) throw new JsonException("something follows the object");
                records.Add(Row(document.RootElement));
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or OverflowException or ArgumentException)
            {
                throw new InvalidDataException($"line {number} is no request: {e.Message}", e);
            }

            file = file[(end + 1)..];
        }

        return records.ToImmutable();
    }

    private static RequestRecord Row(JsonElement row)
    {
        var sent = row.GetProperty("sentMicroseconds").GetInt64();
        var arrivals = row.GetProperty("arrivals").EnumerateArray().Select(a => a.GetArrayLength() == 2 ? new TokenArrival(checked(sent + a[0].GetInt64()), Finite(a[1])) : throw new FormatException("an arrival is a time and a number of tokens")).ToImmutableArray();
        for (var i = 0; i < arrivals.Length; i++)
            if (arrivals[i].Tokens < 0 || arrivals[i].Timestamp < (i > 0 ? arrivals[i - 1].Timestamp : sent)) throw new FormatException("arrivals are in order, and of no negative number of tokens");
        var timing = Enum.Parse<TokenTiming>(row.GetProperty("timing").GetString()!, ignoreCase: true);
        return new RequestRecord(
            row.GetProperty("id").GetInt64().ToString(CultureInfo.InvariantCulture), Enum.Parse<RequestOutcome>(row.GetProperty("outcome").GetString()!, ignoreCase: true), row.GetProperty("error").GetString()!, (int)(Whole(row, "status") ?? 0),
            row.GetProperty("scheduledMicroseconds").GetInt64(), sent, Whole(row, "headersMicroseconds") ?? long.MinValue, row.GetProperty("endMicroseconds").GetInt64(),
            new TokenTimeline(arrivals, (int)(Whole(row, "outputTokens") ?? -1), timing), (int)(Whole(row, "promptTokens") ?? -1), (int)(Whole(row, "cachedTokens") ?? -1), (int)(Whole(row, "reasoningTokens") ?? -1),
            (int)(Whole(row, "tokenIds") ?? -1), row.GetProperty("finishReason").GetString()!) { AskedTokens = row.GetProperty("askedTokens").GetInt32() };
    }

    private static double Finite(JsonElement value) => value.GetDouble() is var number && double.IsFinite(number) ? number : throw new FormatException("a number of tokens is finite");

    private static long? Whole(JsonElement row, string name) => row.GetProperty(name) is { ValueKind: not JsonValueKind.Null } value
        ? value.GetInt64() is >= 0 and <= int.MaxValue and var whole || name.EndsWith("Microseconds", StringComparison.Ordinal) && value.TryGetInt64(out whole) ? whole : throw new FormatException($"{name} is no count")
        : null;

    private static long? Told(int count) => count >= 0 ? count : null;

    private static void Number(Utf8JsonWriter json, string name, long? value)
    {
        if (value is { } number) json.WriteNumber(name, number);
        else json.WriteNull(name);
    }

    internal static string Word<T>(T value) where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());
}
