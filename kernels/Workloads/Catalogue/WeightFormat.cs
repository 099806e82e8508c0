using System.Collections.Immutable;

namespace EnergyGrid.Workloads;

/// <summary>The weight formats and what they cost. INT8 and INT4 are weight-only, dequantised before they are multiplied.</summary>
public static class WeightFormat
{
    /// <summary>IEEE binary16.</summary>
    public const string Fp16 = "FP16";

    /// <summary>GPTQ-style symmetric: group 128 along the input dimension, one FP16 scale per group and output, no zeros.</summary>
    public const string Int8 = "INT8";

    /// <summary>AWQ-style: as INT8, with a 4-bit zero per group and output.</summary>
    public const string Int4 = "INT4";

    /// <summary>Elements that share one scale.</summary>
    public const int Group = 128;

    /// <summary>All of them, widest first.</summary>
    public static ImmutableArray<string> All { get; } = [Fp16, Int8, Int4];

    /// <summary>Bits per weight, scales and zeros included: 16, 8.125, 4.15625.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Another format.</exception>
    public static double Bits(string format) => format switch
    {
        Fp16 => 16,
        Int8 => 8 + 16.0 / Group,
        Int4 => 4 + (16.0 + 4) / Group,
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "not FP16, INT8 or INT4"),
    };
}
