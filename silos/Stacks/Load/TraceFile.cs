using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace EnergyGrid.Stacks;

/// <summary>A request of a trace.</summary>
/// <param name="Seconds">Since the trace's first one.</param>
/// <param name="InputTokens">Of its prompt.</param>
/// <param name="OutputTokens">Of its answer.</param>
public readonly record struct TracedRequest(double Seconds, int InputTokens, int OutputTokens);

/// <summary>
/// When requests came to somebody's service, and how long they were. Mooncake's form, a JSON object a line with <c>timestamp</c> (ms), <c>input_length</c> and <c>output_length</c>; or Azure's, CSV with the
/// columns <c>TIMESTAMP,ContextTokens,GeneratedTokens</c>. Replayed from its beginning as it stands: a trace that is stretched to fit is another trace.
/// </summary>
/// <param name="Requests">In order.</param>
public sealed record TraceFile(ImmutableArray<TracedRequest> Requests)
{
    private const long MostBytes = 1L << 30;
    private const int LongestLine = 1 << 20, MostRequests = 10_000_000;
    private const string AzureColumns = "TIMESTAMP,ContextTokens,GeneratedTokens";

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 8 };

    /// <summary>Reads one.</summary>
    /// <exception cref="InvalidDataException">It is not the file that is meant, or malformed: the line is named by its number, from 1.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static TraceFile Read(string path, string sha256)
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
    public static TraceFile Parse(byte[] bytes)
    {
        var requests = ImmutableArray.CreateBuilder<TracedRequest>();
        using var stream = new MemoryStream(bytes, writable: false);
        var number = 0;
        var isCsv = false;
        (decimal First, decimal Last)? began = null;
        foreach (var (line, _) in BoundedLines.Of(stream, LongestLine))
        {
            number++;
            var text = line.Trim(" \t\r"u8);
            if (number == 1 && text.Span.SequenceEqual(Encoding.ASCII.GetBytes(AzureColumns)))
            {
                isCsv = true;
                continue;
            }

            if (text.IsEmpty) continue;
            if (requests.Count == MostRequests) throw new InvalidDataException($"line {number}: more than {MostRequests} requests");
            var (at, input, output) = (isCsv ? Azure(text.Span) : Mooncake(text)) ?? throw new InvalidDataException(
                $"line {number} is no request of a trace: {(isCsv ? AzureColumns : "a JSON object with timestamp, input_length and output_length")}, the lengths whole numbers within 1 … {Prompts.MostTokens}");
            began ??= (at, at);
            if (at < began.Value.Last) throw new InvalidDataException($"line {number} comes before the one above it");
            began = (began.Value.First, at);
            requests.Add(new TracedRequest((double)((at - began.Value.First) / 1000), input, output));
        }

        if (requests.Count == 0) throw new InvalidDataException("there is no request in it");
        return new TraceFile(requests.ToImmutable());
    }

    private static (decimal Milliseconds, int Input, int Output)? Mooncake(ReadOnlyMemory<byte> line)
    {
        try
        {
            using var document = JsonDocument.Parse(line, Options);
            var root = document.RootElement;
            return root.ValueKind == JsonValueKind.Object && root.TryGetProperty("timestamp", out var at) && at.ValueKind == JsonValueKind.Number && at.TryGetDecimal(out var milliseconds)
                && Length("input_length", out var input) && Length("output_length", out var output) ? (milliseconds, input, output) : null;

            bool Length(string name, out int tokens)
            {
                tokens = 0;
                return root.TryGetProperty(name, out var length) && length.ValueKind == JsonValueKind.Number && length.TryGetInt32(out tokens) && tokens is >= 1 and <= Prompts.MostTokens;
            }
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static (decimal Milliseconds, int Input, int Output)? Azure(ReadOnlySpan<byte> line)
    {
        var fields = Encoding.UTF8.GetString(line).Split(',');
        return fields.Length == 3 && DateTimeOffset.TryParse(fields[0], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
            && Length(fields[1], out var input) && Length(fields[2], out var output) ? (at.UtcTicks / (decimal)TimeSpan.TicksPerMillisecond, input, output) : null;

        static bool Length(string text, out int tokens) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out tokens) && tokens is >= 1 and <= Prompts.MostTokens;
    }
}
