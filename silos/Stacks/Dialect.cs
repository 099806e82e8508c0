using System.Collections.Immutable;

namespace EnergyGrid.Stacks;

/// <summary>
/// What a serving engine takes beside what every OpenAI-compatible endpoint takes. An engine that refuses what it does not know (TensorRT-LLM) must not be sent another's options, and one that ignores
/// it (llama.cpp) would let a plan believe that it was heeded.
/// </summary>
/// <param name="Name">As a plan's <c>stack</c> names it.</param>
/// <param name="IgnoresEndOfSequence">Whether <c>ignore_eos</c> lets it go on to the last token.</param>
/// <param name="HasLeastTokens">Whether <c>min_tokens</c> is heeded.</param>
/// <param name="HasContinuousUsage">Whether <c>stream_options.continuous_usage_stats</c> makes every chunk say how many tokens there are so far.</param>
/// <param name="KeepsConnections">Whether another request may follow on a connection whose stream has ended. llama-server says so in its headers and closes it all the same, so that a request that is on its way then is lost.</param>
public sealed record Dialect(string Name, bool IgnoresEndOfSequence, bool HasLeastTokens, bool HasContinuousUsage, bool KeepsConnections)
{
    /// <summary>Usage at the end only.</summary>
    public static Dialect LlamaCpp { get; } = new("llama.cpp", true, false, false, false);

    public static Dialect Vllm { get; } = new("vllm", true, true, true, true);

    public static Dialect Sglang { get; } = new("sglang", true, true, true, true);

    public static Dialect TensorRtLlm { get; } = new("tensorrt-llm", true, true, true, true);

    /// <summary>Of which nothing is known but that it speaks the protocol.</summary>
    public static Dialect Endpoint { get; } = new("endpoint", false, false, false, false);

    /// <summary>All of them.</summary>
    public static ImmutableArray<Dialect> All { get; } = [LlamaCpp, Vllm, Sglang, TensorRtLlm, Endpoint];

    /// <summary>By its name; null for another.</summary>
    public static Dialect? Of(string name) => All.FirstOrDefault(d => d.Name == name);

    /// <summary>Why it cannot do that, with what would be right; null if it can.</summary>
    public string? Refusal(GenerationRequest request)
    {
        if (request.IgnoreEndOfSequence && !IgnoresEndOfSequence) return $"stack {Name} knows no ignore_eos: outputs end where the model ends them, so the plan must not say ignore_eos: true";
        return request.LeastTokens > 0 && !HasLeastTokens ? $"stack {Name} knows no min_tokens: leave min_tokens out{(IgnoresEndOfSequence ? ", and say ignore_eos: true for outputs of a given length" : "")}" : null;
    }
}
