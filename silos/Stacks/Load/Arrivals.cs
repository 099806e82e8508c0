using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>When a request is to be sent, and how long it is where a trace says so.</summary>
/// <param name="Seconds">Since the load began, s.</param>
/// <param name="InputTokens">Null where the mix of prompts says it.</param>
/// <param name="OutputTokens">Likewise.</param>
public readonly record struct Arrival(double Seconds, int? InputTokens = null, int? OutputTokens = null);

/// <summary>When requests of an open loop arrive: what the process draws, by seed and pass, or what a trace says. Never rescaled.</summary>
public static class Arrivals
{
    private const long MostBytes = 1L << 30;

    /// <summary>In order, without an end but for a trace.</summary>
    /// <exception cref="InvalidDataException">The trace is not there, is another one or is none.</exception>
    /// <exception cref="ArgumentException">A closed loop has none.</exception>
    public static IEnumerable<Arrival> Of(ServeLoad load, long seed, int pass) => load.Arrivals switch
    {
        ArrivalProcess.Closed => throw new ArgumentException("a closed loop has no arrivals of its own", nameof(load)),
        ArrivalProcess.Trace => Trace(load.TracePath, load.TraceSha256),
        _ => Drawn(load, seed, pass),
    };

    private static IEnumerable<Arrival> Drawn(ServeLoad load, long seed, int pass)
    {
        var at = 0.0;
        for (var number = 0L; ; number++)
        {
            var draws = new Draws(seed, pass, DrawPurpose.Arrival, number);
            at += load.Arrivals switch
            {
                ArrivalProcess.Poisson => -Math.Log(1 - draws.Uniform()),
                ArrivalProcess.Gamma => draws.Gamma(load.Shape),
                _ => 1,
            } / load.RequestsPerSecond;
            yield return new Arrival(at);
        }
    }

    private static ImmutableArray<Arrival> Trace(string? path, string sha256)
    {
        if (path is null) throw new InvalidDataException("the plan names no path of its trace");
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > MostBytes and var length }) throw new InvalidDataException($"'{path}' has {length} bytes: at most {MostBytes} are read");
            var bytes = File.ReadAllBytes(path);
            var found = Convert.ToHexStringLower(SHA256.HashData(bytes));
            if (found != sha256) throw new InvalidDataException($"'{path}' has SHA-256 {found}, the plan says {sha256}");
            using var text = new StreamReader(new MemoryStream(bytes));
            return Parse(text, path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException && e is not InvalidDataException)
        {
            throw new InvalidDataException($"the trace cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Mooncake's JSON lines (<c>timestamp</c> in ms, <c>input_length</c>, <c>output_length</c>) or Azure's CSV (<c>TIMESTAMP,ContextTokens,GeneratedTokens</c>), from its beginning.</summary>
    internal static ImmutableArray<Arrival> Parse(TextReader text, string name)
    {
        var arrivals = ImmutableArray.CreateBuilder<Arrival>();
        double? start = null;
        var (number, isCsv) = (0, false);
        while (text.ReadLine() is { } line)
        {
            number++;
            if (string.IsNullOrWhiteSpace(line)) continue;
            if (arrivals.Count == 0 && !isCsv && line.StartsWith("TIMESTAMP,", StringComparison.OrdinalIgnoreCase))
            {
                isCsv = true;
                continue;
            }

            var (seconds, input, output) = isCsv ? Row(line, name, number) : Line(line, name, number);
            start ??= seconds;
            if (seconds < (arrivals.Count > 0 ? arrivals[^1].Seconds + start : start)) throw new InvalidDataException($"'{name}' line {number} is earlier than the line before it");
            arrivals.Add(new Arrival(seconds - start.Value, input, output));
        }

        return arrivals.Count > 0 ? arrivals.ToImmutable() : throw new InvalidDataException($"'{name}' holds no arrivals");
    }

    private static (double Seconds, int Input, int Output) Line(string line, string name, int number)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var item = document.RootElement;
            if (item.ValueKind == JsonValueKind.Object && item.TryGetProperty("timestamp", out var at) && at.TryGetDouble(out var milliseconds) && double.IsFinite(milliseconds)
                && item.TryGetProperty("input_length", out var input) && input.TryGetInt32(out var asked) && item.TryGetProperty("output_length", out var output) && output.TryGetInt32(out var answered) && asked > 0 && answered > 0)
                return (milliseconds / 1e3, asked, answered);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"'{name}' line {number} is no line of a trace: {e.Message}", e);
        }

        throw new InvalidDataException($"'{name}' line {number} lacks timestamp (ms), input_length and output_length");
    }

    private static (double Seconds, int Input, int Output) Row(string line, string name, int number)
    {
        var fields = line.Split(',');
        return fields.Length >= 3 && DateTime.TryParse(fields[0], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at)
            && int.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out var asked) && int.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out var answered) && asked > 0 && answered > 0
            ? ((at - DateTime.UnixEpoch).TotalSeconds, asked, answered)
            : throw new InvalidDataException($"'{name}' line {number} is no TIMESTAMP,ContextTokens,GeneratedTokens");
    }
}
