using System.Text;
using System.Text.Json;

namespace EnergyGrid.Stacks;

/// <summary>
/// One <c>data:</c> of a stream, as far as it is read: text is counted, not kept. What the engines really send is in the tests: content null or empty beside the role, usage in a chunk of its own or
/// in the last one with choices, errors within the object or as the object, in mid-stream.
/// </summary>
/// <param name="IsEnd">The stream's last line, <c>[DONE]</c>.</param>
/// <param name="ContentBytes">Of text, UTF-8.</param>
/// <param name="ReasoningBytes">Of reasoning, UTF-8: it is output, too.</param>
/// <param name="HasToolCall">Whether a tool is called.</param>
/// <param name="Tokens">Ids of the tokens in it, where the engine gives them; −1 where it does not.</param>
/// <param name="FinishReason">Why it ended; null before.</param>
/// <param name="Usage">What the engine counts so far; null where it does not say.</param>
/// <param name="Error">What the engine says went wrong; null if nothing.</param>
/// <param name="HasChoice">Whether there is a choice in it, though it may hold nothing.</param>
internal readonly record struct StreamChunk(bool IsEnd, int ContentBytes, int ReasoningBytes, bool HasToolCall, int Tokens, string? FinishReason, StreamUsage? Usage, string? Error, bool HasChoice = false)
{
    /// <summary>Whether there is output in it: a role alone is none.</summary>
    public bool HasOutput => ContentBytes > 0 || ReasoningBytes > 0 || HasToolCall || Tokens > 0;

    /// <summary>Reads it.</summary>
    /// <exception cref="JsonException">It is no object of that kind.</exception>
    public static StreamChunk Parse(ReadOnlySpan<byte> data)
    {
        // TensorRT-LLM ends its lines with a blank.
        data = data.Trim(" \t\r"u8);
        if (data.SequenceEqual("[DONE]"u8)) return new(true, 0, 0, false, -1, null, null, null);
        var json = new Utf8JsonReader(data, new JsonReaderOptions { MaxDepth = 64 });
        if (!json.Read() || json.TokenType != JsonTokenType.StartObject) throw new JsonException("a line of a stream that is no object");
        var chunk = new StreamChunk(false, 0, 0, false, -1, null, null, null);
        string? message = null;
        var isError = false;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("choices"u8)) Choices(ref json, ref chunk);
            else if (json.ValueTextEquals("usage"u8)) chunk = chunk with { Usage = StreamUsage.Read(ref json) ?? chunk.Usage };
            else if (json.ValueTextEquals("error"u8)) chunk = chunk with { Error = ErrorOf(ref json) ?? chunk.Error };
            else if (json.ValueTextEquals("object"u8)) isError |= IsText(ref json, "error"u8);
            else if (json.ValueTextEquals("message"u8)) message = Text(ref json);
            else Skip(ref json);
        }

        if (json.TokenType != JsonTokenType.EndObject) throw new JsonException("a line of a stream that is cut off");
        // SGLang, TensorRT-LLM and older vLLM: the object itself is the error.
        return isError && chunk.Error is null ? chunk with { Error = message ?? "an error without a message" } : chunk;
    }

    /// <summary>The message of an error body, whichever way the engine wraps it; null if it is none.</summary>
    public static string? ErrorOf(ReadOnlySpan<byte> body)
    {
        try
        {
            return Parse(body).Error;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // Only the first of several: a request asks for one.
    private static void Choices(ref Utf8JsonReader json, ref StreamChunk chunk)
    {
        if (!json.Read() || json.TokenType != JsonTokenType.StartArray)
        {
            SkipValue(ref json);
            return;
        }

        var isFirst = true;
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (json.TokenType == JsonTokenType.StartObject && isFirst)
            {
                chunk = chunk with { HasChoice = true };
                Choice(ref json, ref chunk);
            }
            else
            {
                SkipValue(ref json);
            }

            isFirst = false;
        }
    }

    private static void Choice(ref Utf8JsonReader json, ref StreamChunk chunk)
    {
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("text"u8)) chunk = chunk with { ContentBytes = chunk.ContentBytes + TextBytes(ref json) };
            else if (json.ValueTextEquals("delta"u8)) Delta(ref json, ref chunk);
            else if (json.ValueTextEquals("finish_reason"u8)) chunk = chunk with { FinishReason = Text(ref json) ?? chunk.FinishReason };
            else if (json.ValueTextEquals("token_ids"u8)) chunk = chunk with { Tokens = Length(ref json) };
            else Skip(ref json);
        }
    }

    private static void Delta(ref Utf8JsonReader json, ref StreamChunk chunk)
    {
        if (!json.Read() || json.TokenType != JsonTokenType.StartObject)
        {
            SkipValue(ref json);
            return;
        }

        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("content"u8)) chunk = chunk with { ContentBytes = chunk.ContentBytes + TextBytes(ref json) };
            else if (json.ValueTextEquals("reasoning_content"u8) || json.ValueTextEquals("reasoning"u8)) chunk = chunk with { ReasoningBytes = Math.Max(chunk.ReasoningBytes, TextBytes(ref json)) };
            else if (json.ValueTextEquals("tool_calls"u8)) chunk = chunk with { HasToolCall = Length(ref json) > 0 };
            else Skip(ref json);
        }
    }

    // An object with a message, a text, or nothing (null).
    private static string? ErrorOf(ref Utf8JsonReader json)
    {
        if (!json.Read()) return null;
        switch (json.TokenType)
        {
            case JsonTokenType.Null:
                return null;
            case JsonTokenType.String:
                return json.GetString();
            case JsonTokenType.StartObject:
                string? message = null, type = null;
                while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
                {
                    if (json.ValueTextEquals("message"u8)) message = Text(ref json);
                    else if (json.ValueTextEquals("type"u8)) type = Text(ref json);
                    else Skip(ref json);
                }

                return message ?? type ?? "an error without a message";
            default:
                SkipValue(ref json);
                return "an error without a message";
        }
    }

    private static string? Text(ref Utf8JsonReader json)
    {
        if (!json.Read()) return null;
        if (json.TokenType == JsonTokenType.String) return json.GetString();
        SkipValue(ref json);
        return null;
    }

    private static bool IsText(ref Utf8JsonReader json, ReadOnlySpan<byte> text)
    {
        if (json.Read() && json.TokenType == JsonTokenType.String) return json.ValueTextEquals(text);
        SkipValue(ref json);
        return false;
    }

    private static int TextBytes(ref Utf8JsonReader json)
    {
        if (!json.Read()) return 0;
        if (json.TokenType == JsonTokenType.String) return json.ValueIsEscaped ? Encoding.UTF8.GetByteCount(json.GetString()!) : json.ValueSpan.Length;
        SkipValue(ref json);
        return 0;
    }

    /// <summary>Elements of an array; −1 of what is none.</summary>
    private static int Length(ref Utf8JsonReader json)
    {
        if (!json.Read()) return -1;
        if (json.TokenType != JsonTokenType.StartArray)
        {
            SkipValue(ref json);
            return -1;
        }

        var count = 0;
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            SkipValue(ref json);
            count++;
        }

        return count;
    }

    /// <summary>Past the value of the property that stands here.</summary>
    private static void Skip(ref Utf8JsonReader json)
    {
        json.Read();
        SkipValue(ref json);
    }

    /// <summary>To the end of the value that stands here.</summary>
    internal static void SkipValue(ref Utf8JsonReader json)
    {
        if (json.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray) json.Skip();
    }
}

/// <summary>What an engine counts of a request.</summary>
/// <param name="PromptTokens">−1 where it does not say, as the others.</param>
/// <param name="CompletionTokens">Output, reasoning included.</param>
/// <param name="CachedTokens">Of the prompt, found in a cache.</param>
/// <param name="ReasoningTokens">Of the output.</param>
internal readonly record struct StreamUsage(int PromptTokens, int CompletionTokens, int CachedTokens, int ReasoningTokens)
{
    /// <summary>The value of the property that stands here; null where it is null.</summary>
    public static StreamUsage? Read(ref Utf8JsonReader json)
    {
        if (!json.Read() || json.TokenType != JsonTokenType.StartObject)
        {
            StreamChunk.SkipValue(ref json);
            return null;
        }

        var usage = new StreamUsage(-1, -1, -1, -1);
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("prompt_tokens"u8)) usage = usage with { PromptTokens = Count(ref json) };
            else if (json.ValueTextEquals("completion_tokens"u8)) usage = usage with { CompletionTokens = Count(ref json) };
            else if (json.ValueTextEquals("prompt_tokens_details"u8)) usage = usage with { CachedTokens = Detail(ref json, "cached_tokens"u8) };
            else if (json.ValueTextEquals("completion_tokens_details"u8)) usage = usage with { ReasoningTokens = Detail(ref json, "reasoning_tokens"u8) };
            else
            {
                json.Read();
                StreamChunk.SkipValue(ref json);
            }
        }

        return usage;
    }

    private static int Detail(ref Utf8JsonReader json, ReadOnlySpan<byte> name)
    {
        if (!json.Read() || json.TokenType != JsonTokenType.StartObject)
        {
            StreamChunk.SkipValue(ref json);
            return -1;
        }

        var found = -1;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals(name)) found = Count(ref json);
            else
            {
                json.Read();
                StreamChunk.SkipValue(ref json);
            }
        }

        return found;
    }

    private static int Count(ref Utf8JsonReader json)
    {
        json.Read();
        if (json.TokenType == JsonTokenType.Number && json.TryGetInt32(out var count) && count >= 0) return count;
        StreamChunk.SkipValue(ref json);
        return -1;
    }
}
