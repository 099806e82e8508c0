namespace EnergyGrid.Stacks;

/// <summary>A serving engine that cannot be had as it was asked for: why, and the last that it said.</summary>
public sealed class EngineStartException(string message, Exception? inner = null) : Exception(message, inner);
