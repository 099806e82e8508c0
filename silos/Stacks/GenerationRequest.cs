using System.Text.Json;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>What an engine is asked to generate. Always streamed, always with usage.</summary>
/// <param name="Model">As the engine names it.</param>
/// <param name="Prompt">Text, its salt included.</param>
/// <param name="MostTokens">Output tokens at most.</param>
/// <param name="Api">Which protocol.</param>
/// <param name="LeastTokens">Output tokens at least; 0 where nothing is said.</param>
/// <param name="IgnoreEndOfSequence">Whether it goes on to <paramref name="MostTokens"/>.</param>
/// <param name="Temperature">0 for greedy.</param>
/// <param name="Seed">Of sampling; null where nothing is said.</param>
public sealed record GenerationRequest(
    string Model, string Prompt, int MostTokens, GenerationApi Api = GenerationApi.Completions, int LeastTokens = 0, bool IgnoreEndOfSequence = false, double Temperature = 0, long? Seed = null)
{
    /// <summary>Path below the engine's base address.</summary>
    public string Path => Api == GenerationApi.Chat ? "v1/chat/completions" : "v1/completions";

    /// <summary>The body in UTF-8 JSON, in the engine's dialect.</summary>
    /// <exception cref="ArgumentException">The dialect cannot say it.</exception>
    public byte[] ToJson(Dialect dialect)
    {
        if (dialect.Refusal(this) is { } refusal) throw new ArgumentException(refusal, nameof(dialect));
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("model", Model);
            if (Api == GenerationApi.Chat)
            {
                json.WriteStartArray("messages");
                json.WriteStartObject();
                json.WriteString("role", "user");
                json.WriteString("content", Prompt);
                json.WriteEndObject();
                json.WriteEndArray();
            }
            else
            {
                json.WriteString("prompt", Prompt);
            }

            json.WriteNumber("max_tokens", MostTokens);
            json.WriteNumber("temperature", Temperature);
            if (Seed is { } seed) json.WriteNumber("seed", seed);
            if (IgnoreEndOfSequence) json.WriteBoolean("ignore_eos", true);
            if (LeastTokens > 0) json.WriteNumber("min_tokens", LeastTokens);
            json.WriteBoolean("stream", true);
            json.WriteStartObject("stream_options");
            json.WriteBoolean("include_usage", true);
            if (dialect.HasContinuousUsage) json.WriteBoolean("continuous_usage_stats", true);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return buffer.ToArray();
    }
}
