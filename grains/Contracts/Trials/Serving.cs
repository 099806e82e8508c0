using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace EnergyGrid.Contracts;

/// <summary>How requests come to a serving engine.</summary>
[GenerateSerializer, Alias("ArrivalProcess")]
public enum ArrivalProcess
{
    /// <summary>A fixed number of slots: each sends its next request when its last one has ended.</summary>
    Closed,

    /// <summary>Independent of the engine, with exponential gaps.</summary>
    Poisson,

    /// <summary>Independent of the engine, with gamma-distributed gaps of the same mean: burstier below a shape of 1.</summary>
    Gamma,

    /// <summary>One request each 1/rate seconds.</summary>
    Constant,

    /// <summary>As a file says.</summary>
    Trace,
}

/// <summary>What arrives at a serving engine.</summary>
/// <param name="Arrivals">Which process.</param>
/// <param name="Concurrency">Slots of a closed loop; 0 for the others.</param>
/// <param name="RequestsPerSecond">Mean rate of an open loop, 1/s; 0 for a closed one and for a trace.</param>
/// <param name="Shape">Of the gamma distribution; 0 for the others.</param>
/// <param name="TraceSha256">Of the trace's file, lower-case hex; empty for the others.</param>
/// <param name="TracePath">Where the node finds it; no part of the identity.</param>
[GenerateSerializer, Immutable, Alias("ServeLoad")]
public sealed record ServeLoad(
    [property: Id(0)] ArrivalProcess Arrivals,
    [property: Id(1)] int Concurrency,
    [property: Id(2)] double RequestsPerSecond = 0,
    [property: Id(3)] double Shape = 0,
    [property: Id(4)] string TraceSha256 = "",
    [property: Id(5), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] string? TracePath = null);

/// <summary>How a length is drawn.</summary>
[GenerateSerializer, Alias("LengthKind")]
public enum LengthKind
{
    /// <summary>Always the same.</summary>
    Constant,

    /// <summary>Every whole number from the least to the most alike.</summary>
    Uniform,

    /// <summary>Normal, rounded, and cut at the least and the most.</summary>
    Normal,

    /// <summary>The logarithm is normal; mean and deviation are those of the length itself; rounded and cut likewise.</summary>
    LogNormal,
}

/// <summary>A distribution of lengths, tokens.</summary>
/// <param name="Kind">Which.</param>
/// <param name="Least">Tokens.</param>
/// <param name="Most">Tokens.</param>
/// <param name="Mean">Tokens, before cutting; (least + most)/2 for the first two kinds.</param>
/// <param name="Deviation">Standard deviation before cutting, tokens; 0 for the first two kinds.</param>
[GenerateSerializer, Immutable, Alias("LengthSpread")]
public sealed record LengthSpread(
    [property: Id(0)] LengthKind Kind,
    [property: Id(1)] int Least,
    [property: Id(2)] int Most,
    [property: Id(3)] double Mean,
    [property: Id(4)] double Deviation)
{
    /// <summary>Always <paramref name="tokens"/>.</summary>
    public static LengthSpread Constant(int tokens) => new(LengthKind.Constant, tokens, tokens, tokens, 0);
}

/// <summary>What an engine is asked. A request's base prompt follows from seed, pass and its number, so it is the same in every arm of a pass; a salt of the trial in front makes it new to every engine.</summary>
/// <param name="Input">Lengths of prompts; of synthetic ones only.</param>
/// <param name="Output">Lengths of answers: the most tokens that a request asks for.</param>
/// <param name="SharedShare">Of each synthetic prompt, the share at its beginning that all requests of a trial have in common, 0–1.</param>
/// <param name="FileSha256">Of a file with prompts (JSON, a line each), lower-case hex; empty for synthetic ones.</param>
/// <param name="FilePath">Where the node finds it; no part of the identity.</param>
[GenerateSerializer, Immutable, Alias("PromptMix")]
public sealed record PromptMix(
    [property: Id(0)] LengthSpread Input,
    [property: Id(1)] LengthSpread Output,
    [property: Id(2)] double SharedShare = 0,
    [property: Id(3)] string FileSha256 = "",
    [property: Id(4), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] string? FilePath = null);

/// <summary>Which of the two OpenAI-compatible protocols a request uses.</summary>
[GenerateSerializer, Alias("GenerationApi")]
public enum GenerationApi
{
    /// <summary><c>/v1/completions</c>: the prompt as it stands.</summary>
    Completions,

    /// <summary><c>/v1/chat/completions</c>: the prompt as a user's message, in the engine's template.</summary>
    Chat,
}

/// <summary>How answers are generated.</summary>
/// <param name="Api">Which protocol.</param>
/// <param name="IgnoreEndOfSequence">Whether an answer goes on to its last token.</param>
/// <param name="LeastTokens">Output tokens at least; 0 where nothing is said.</param>
/// <param name="Temperature">0 for greedy.</param>
/// <param name="Seed">Of sampling; null where nothing is said.</param>
[GenerateSerializer, Immutable, Alias("Generation")]
public sealed record Generation(
    [property: Id(0)] GenerationApi Api,
    [property: Id(1)] bool IgnoreEndOfSequence,
    [property: Id(2)] int LeastTokens,
    [property: Id(3)] double Temperature,
    [property: Id(4)] long? Seed);

/// <summary>The part of a configuration that a serving engine has and a decode step has not: a whole model under load.</summary>
/// <param name="Model">As the node's <c>stacks.yaml</c> names it.</param>
/// <param name="Parameters">Of the engine, by the names that <c>stacks.yaml</c> has for them; only what differs from its defaults.</param>
/// <param name="Load">What arrives.</param>
/// <param name="Prompts">What is asked.</param>
/// <param name="Generation">How it is answered.</param>
[GenerateSerializer, Immutable, Alias("ServeConfiguration")]
public sealed record ServeConfiguration(
    [property: Id(0)] string Model,
    [property: Id(1)] ImmutableSortedDictionary<string, string> Parameters,
    [property: Id(2)] ServeLoad Load,
    [property: Id(3)] PromptMix Prompts,
    [property: Id(4)] Generation Generation)
{
    /// <summary>By what it says: a dictionary by itself is compared by its place in memory.</summary>
    public bool Equals(ServeConfiguration? other) =>
        other is not null && Model == other.Model && Parameters.SequenceEqual(other.Parameters) && Load == other.Load && Prompts == other.Prompts && Generation == other.Generation;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Model, Parameters.Count, Load, Prompts, Generation);
}
