using System.Collections.Immutable;

namespace EnergyGrid.Workloads;

/// <summary>The weight formats and what they cost. INT8 and INT4 are weight-only, dequantised before they are multiplied; Q8_0 and Q4_0 multiply integers.</summary>
public static class WeightFormat
{
    /// <summary>IEEE binary16.</summary>
    public const string Fp16 = "FP16";

    /// <summary>GPTQ-style symmetric: group 128 along the input dimension, one FP16 scale per group and output, no zeros.</summary>
    public const string Int8 = "INT8";

    /// <summary>AWQ-style: as INT8, with a 4-bit zero per group and output.</summary>
    public const string Int4 = "INT4";

    /// <summary>
    /// llama.cpp's Q8_0: blocks of 32 along the input dimension, symmetric, one FP16 scale per block and output. Activations are quantised to 8 bits in the same blocks before they are
    /// multiplied, so this is another arithmetic than <see cref="Int8"/>, with an error of its own.
    /// </summary>
    public const string Q8 = "Q8_0";

    /// <summary>llama.cpp's Q4_0: as Q8_0, with 4 bits for a weight.</summary>
    public const string Q4 = "Q4_0";

    /// <summary>Elements that share one scale.</summary>
    public const int Group = 128;

    /// <summary>Elements that share one scale in Q8_0 and Q4_0.</summary>
    public const int Block = 32;

    /// <summary>All of them: weight-only formats, widest first, then those in blocks.</summary>
    public static ImmutableArray<string> All { get; } = [Fp16, Int8, Int4, Q8, Q4];

    /// <summary>Whether weights and activations are both integers in blocks of 32.</summary>
    public static bool IsInBlocks(string format) => format is Q8 or Q4;

    /// <summary>The format in blocks that has about as many bits as a weight-only one; FP16 is its own.</summary>
    public static string InBlocks(string format) => format switch { Int8 => Q8, Int4 => Q4, _ => format };

    /// <summary>Bits per weight, scales and zeros included: 16, 8.125, 4.15625, 8.5, 4.5.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Another format.</exception>
    public static double Bits(string format) => format switch
    {
        Fp16 => 16,
        Int8 => 8 + 16.0 / Group,
        Int4 => 4 + (16.0 + 4) / Group,
        Q8 => 8 + 16.0 / Block,
        Q4 => 4 + 16.0 / Block,
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, $"not {string.Join(", ", All)}"),
    };
}
