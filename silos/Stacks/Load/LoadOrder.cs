using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks;

/// <summary>What is sent to an engine in one trial.</summary>
/// <param name="Serve">The plan's configuration.</param>
/// <param name="ServedModel">The model as the engine names it.</param>
/// <param name="BytesPerToken">Of synthetic text in the model's tokenizer.</param>
/// <param name="Seed">The plan's.</param>
/// <param name="Pass">Which pass.</param>
/// <param name="Salt">Of the trial; see <see cref="Prompts"/>.</param>
public sealed record LoadOrder(ServeConfiguration Serve, string ServedModel, double BytesPerToken, long Seed, int Pass, string Salt)
{
    /// <summary>What an engine is asked with one of its prompts.</summary>
    public GenerationRequest Ask(DrawnRequest drawn)
    {
        var how = Serve.Generation;
        // Asking for more at least than at most is refused by engines.
        return new GenerationRequest(ServedModel, drawn.Prompt, drawn.OutputTokens, how.Api, Math.Min(how.LeastTokens, drawn.OutputTokens), how.IgnoreEndOfSequence, how.Temperature, how.Seed);
    }
}

/// <summary>One request of a run, and what became of it.</summary>
/// <param name="Number">From 0.</param>
/// <param name="AskedTokens">Output tokens that it asked for at most.</param>
/// <param name="Record">What became of it.</param>
public sealed record SentRequest(long Number, int AskedTokens, RequestRecord Record);

/// <summary>All that a run sent: <c>Sent = Ended + Failed + Cancelled</c>.</summary>
/// <param name="Requests">In order of sending.</param>
/// <param name="Sent">Requests.</param>
/// <param name="Ended">With a reason to finish.</param>
/// <param name="Failed">Not so.</param>
/// <param name="Cancelled">Given up when the run was stopped.</param>
/// <param name="Halted">Why it stopped sending by itself; null if it did not.</param>
public sealed record LoadOutcome(ImmutableArray<SentRequest> Requests, long Sent, long Ended, long Failed, long Cancelled, string? Halted);
