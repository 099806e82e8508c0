using System.Text.Json;

namespace EnergyGrid.HostileEngine;

/// <summary>What a request asks to be generated.</summary>
/// <param name="Model">Empty where it does not say.</param>
/// <param name="IsChat">Which protocol.</param>
/// <param name="PromptTokens">Words of the prompt.</param>
/// <param name="MostTokens">Of the answer.</param>
/// <param name="IsStream">Whether in pieces.</param>
/// <param name="WantsUsage">Whether the stream is to say how many tokens there were.</param>
internal sealed record Ask(string Model, bool IsChat, int PromptTokens, int MostTokens, bool IsStream, bool WantsUsage)
{
    private const int DefaultTokens = 16, LongestAnswer = 1 << 20;

    /// <summary>Reads it; null with what is wrong.</summary>
    public static Ask? Parse(byte[] body, bool isChat, out string wrong)
    {
        wrong = "";
        try
        {
            using var json = JsonDocument.Parse(body);
            var root = json.RootElement;
            var prompt = isChat
                ? string.Join(' ', root.GetProperty("messages").EnumerateArray().Select(m => m.GetProperty("content").GetString()))
                : root.GetProperty("prompt").GetString() ?? "";
            var most = Whole(root, "max_completion_tokens") ?? Whole(root, "max_tokens") ?? DefaultTokens;
            if (most is < 1 or > LongestAnswer) wrong = $"max_tokens is not from 1 to {LongestAnswer}";
            var usage = root.TryGetProperty("stream_options", out var options) && options.TryGetProperty("include_usage", out var include) && include.ValueKind == JsonValueKind.True;
            return wrong.Length > 0 ? null : new Ask(
                root.TryGetProperty("model", out var model) ? model.GetString() ?? "" : "", isChat, Math.Max(1, prompt.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length), most,
                root.TryGetProperty("stream", out var stream) && stream.ValueKind == JsonValueKind.True, usage);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            wrong = "the body is no request of this protocol";
            return null;
        }
    }

    private static int? Whole(JsonElement root, string name) => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : null;
}
