namespace EnergyGrid.Workloads;

/// <summary>FP8 e4m3 (no infinities, largest 448), e8m0 scales and BF16, as H's entries store them.</summary>
internal static class EightBitFloat
{
    public const float Largest = 448;

    private static readonly float[] Values = [.. Enumerable.Range(0, 256).Select(b => Decode((byte)b))];

    /// <summary>All 256 values by their byte; NaN (0x7F, 0xFF) never occurs in our data.</summary>
    public static ReadOnlySpan<float> Table => Values;

    /// <summary>To nearest, ties to even, saturating at ±448.</summary>
    public static byte Encode(float x)
    {
        var sign = (byte)(float.IsNegative(x) ? 0x80 : 0);
        var magnitude = Math.Min(Math.Abs(x), Largest);
        // The spacing is 2^-9 below 2^-6 and an eighth of the binade above.
        var exponent = magnitude < 1f / 64 ? -6 : Math.ILogB(magnitude);
        var steps = (int)MathF.Round(MathF.ScaleB(magnitude, 3 - exponent));
        return (byte)(sign | (steps < 8 ? steps : (exponent + 6) * 8 + steps));
    }

    /// <summary>The least power of two that brings <paramref name="largest"/> to at most 448, as e8m0: 2^(byte − 127).</summary>
    public static byte EncodeScale(float largest) => (byte)Math.Clamp(127 + (largest <= 0 ? 0 : (int)Math.Ceiling(Math.Log2(largest / Largest))), 1, 254);

    public static float DecodeScale(byte scale) => MathF.ScaleB(1, scale - 127);

    public static ushort EncodeBrain(float x)
    {
        var bits = BitConverter.SingleToUInt32Bits(x);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    public static float DecodeBrain(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    private static float Decode(byte b)
    {
        var (exponent, mantissa) = ((b >> 3) & 15, b & 7);
        var magnitude = exponent == 0 ? MathF.ScaleB(mantissa, -9) : MathF.ScaleB(8 + mantissa, exponent - 10);
        return (b & 0x80) == 0 ? magnitude : -magnitude;
    }
}
