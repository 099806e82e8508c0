using System.Collections.Immutable;

namespace EnergyGrid.Contracts;

/// <summary>The stacks that execute decode steps of a configuration, so many layers at a time; what serves a whole model is none of them.</summary>
public static class KernelStacks
{
    /// <summary>Decode steps in C#, on a cpu device: the oracle of the others.</summary>
    public const string Reference = "reference";

    /// <summary>The same layers in llama.cpp, on a cpu device.</summary>
    public const string LlamaCpp = "llama.cpp";

    /// <summary>A model of a device, on a simulated one.</summary>
    public const string Simulated = "simulated";

    /// <summary>This project's kernels, on an NVIDIA GPU.</summary>
    public const string Cuda = "cuda";

    /// <summary>All of them.</summary>
    public static ImmutableArray<string> All { get; } = [Reference, LlamaCpp, Simulated, Cuda];
}
