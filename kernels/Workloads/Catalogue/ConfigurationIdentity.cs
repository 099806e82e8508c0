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
    /// there is a third L', and the path of a weight file never: its SHA-256 stands in <c>data</c>.
    /// </summary>
    public static byte[] CanonicalJson(Configuration c)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
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

    /// <summary>64 lower-case hexadecimal digits.</summary>
    public static string Sha256(Configuration c) => Convert.ToHexStringLower(SHA256.HashData(CanonicalJson(c)));
}
