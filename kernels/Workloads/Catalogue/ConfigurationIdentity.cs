using System.Buffers;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads;

/// <summary>The identity of what is executed: SHA-256 over the canonical JSON of the resolved configuration, data seed included.</summary>
public static class ConfigurationIdentity
{
    /// <summary>
    /// UTF-8 JSON without white space, keys in snake case and ordinal order, integers in decimal (a subset of RFC 8785). <c>middle_layers</c> is there only where
    /// there is a third L', and the path of a weight file never: its SHA-256 stands in <c>data</c>. A serving engine has no members of a shape, and those of its load.
    /// </summary>
    public static byte[] CanonicalJson(Configuration c)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (c.Serve is { } serve)
            {
                WriteServe(json, c, serve);
                json.WriteEndObject();
                json.Flush();
                return buffer.WrittenSpan.ToArray();
            }

            json.WriteNumber("batch", c.Batch);
            json.WriteNumber("context", c.Context);
            json.WriteString("data", c.Data);
            json.WriteNumber("data_seed", c.DataSeed);
            json.WriteNumber("feed_forward_width", c.FeedForwardWidth);
            json.WriteNumber("heads", c.Heads);
            json.WriteNumber("key_value_heads", c.KeyValueHeads);
            json.WriteNumber("long_layers", c.LongLayers);
            if (c.MiddleLayers != 0)
            {
                json.WriteNumber("middle_layers", c.MiddleLayers);
            }

            json.WriteNumber("model_layers", c.ModelLayers);
            json.WriteNumber("model_width", c.ModelWidth);
            json.WriteNumber("short_layers", c.ShortLayers);
            json.WriteString("stack", c.Stack);
            json.WriteNumber("vocabulary", c.Vocabulary);
            json.WriteString("weights", c.Weights);
            json.WriteString("workload", c.Workload);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    // Everything that an engine is asked, and no place of a file. Numbers that need not be whole are written as they round-trip.
    private static void WriteServe(Utf8JsonWriter json, Configuration c, ServeConfiguration serve)
    {
        var (load, prompts, generation) = (serve.Load, serve.Prompts, serve.Generation);
        json.WriteString("api", Word(generation.Api));
        json.WriteString("arrivals", Word(load.Arrivals));
        json.WriteNumber("concurrency", load.Concurrency);
        json.WriteNumber("data_seed", c.DataSeed);
        json.WriteBoolean("ignore_eos", generation.IgnoreEndOfSequence);
        WriteLengths(json, "input_tokens", prompts.Input);
        json.WriteNumber("least_tokens", generation.LeastTokens);
        json.WriteString("model", serve.Model);
        WriteLengths(json, "output_tokens", prompts.Output);
        json.WriteStartObject("parameters");
        foreach (var (name, value) in serve.Parameters.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            json.WriteString(name, value);
        }

        json.WriteEndObject();
        json.WriteString("prompts_sha256", prompts.FileSha256);
        json.WriteNumber("requests_per_second", load.RequestsPerSecond);
        if (generation.Seed is { } seed)
        {
            json.WriteNumber("seed", seed);
        }

        json.WriteNumber("shape", load.Shape);
        json.WriteNumber("shared_share", prompts.SharedShare);
        json.WriteString("stack", c.Stack);
        json.WriteNumber("temperature", generation.Temperature);
        json.WriteString("trace_sha256", load.TraceSha256);
        json.WriteString("workload", c.Workload);
    }

    private static void WriteLengths(Utf8JsonWriter json, string name, LengthSpread lengths)
    {
        json.WriteStartObject(name);
        json.WriteNumber("deviation", lengths.Deviation);
        json.WriteString("kind", Word(lengths.Kind));
        json.WriteNumber("least", lengths.Least);
        json.WriteNumber("mean", lengths.Mean);
        json.WriteNumber("most", lengths.Most);
        json.WriteEndObject();
    }

    private static string Word<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    /// <summary>64 lower-case hexadecimal digits.</summary>
    public static string Sha256(Configuration c) => Convert.ToHexStringLower(SHA256.HashData(CanonicalJson(c)));
}
