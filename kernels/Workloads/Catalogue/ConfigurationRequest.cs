namespace EnergyGrid.Workloads;

/// <summary>What a plan says of a configuration. What is null takes the catalogue's value.</summary>
/// <param name="Workload">Catalogue code, upper case.</param>
/// <param name="Weights">One of <see cref="WeightFormat"/>; the workload's own when null, and for llama.cpp the format in blocks beside it.</param>
/// <param name="Batch">Sequences, 1 to 1024.</param>
/// <param name="Context">Tokens of context of each sequence, the new one included.</param>
/// <param name="ModelWidth">d_model, a multiple of 128.</param>
/// <param name="Heads">Query heads; d_model / 128 when null.</param>
/// <param name="KeyValueHeads">KV heads of grouped layers; must divide the heads.</param>
/// <param name="FeedForwardWidth">d_ff, a multiple of 4.</param>
/// <param name="ModelLayers">Layers of the whole model, in whole units.</param>
/// <param name="ShortLayers">The smaller L'; chosen from residency when null.</param>
/// <param name="LongLayers">The larger L'; chosen from residency when null.</param>
/// <param name="Vocabulary">Rows of the LM head, 0 for none.</param>
/// <param name="Stack">What executes.</param>
/// <param name="DataSeed">Seed of weights, activations and KV.</param>
/// <param name="Data"><c>normal</c>, <c>zeros</c>, or <c>safetensors:SHA256:PATTERN</c> (<see cref="WeightFile"/>).</param>
/// <param name="MiddleLayers">A third L' between the two; none when null.</param>
/// <param name="WeightsPath">Where the device finds the file that <paramref name="Data"/> names; null without one.</param>
public sealed record ConfigurationRequest(
    string Workload,
    string? Weights = null,
    int? Batch = null,
    int? Context = null,
    int? ModelWidth = null,
    int? Heads = null,
    int? KeyValueHeads = null,
    int? FeedForwardWidth = null,
    int? ModelLayers = null,
    int? ShortLayers = null,
    int? LongLayers = null,
    int? Vocabulary = null,
    string? Stack = null,
    long? DataSeed = null,
    string? Data = null,
    int? MiddleLayers = null,
    string? WeightsPath = null);
