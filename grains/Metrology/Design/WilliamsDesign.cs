using System.Collections.Immutable;

namespace EnergyGrid.Metrology;

/// <summary>
/// Williams' Latin squares (1949): sequences of n treatments in which every treatment stands once at every position and every ordered pair of
/// different treatments stands side by side equally often, so that what one configuration leaves behind (heat) falls on every other alike.
/// Even n need n sequences (each ordered pair once); odd n need 2n (each ordered pair twice).
/// </summary>
public static class WilliamsDesign
{
    /// <summary>How many sequences a balanced set of <paramref name="treatments"/> has: n if even, 2n if odd, 1 for a single one.</summary>
    public static int SequenceCount(int treatments)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(treatments);
        return treatments == 1 ? 1 : treatments % 2 == 0 ? treatments : 2 * treatments;
    }

    /// <summary>Sequence <paramref name="index"/> (from 0) over the treatments 0 … n − 1.</summary>
    public static ImmutableArray<int> Sequence(int treatments, int index)
    {
        var count = SequenceCount(treatments);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, count);
        var shift = index % treatments;
        var sequence = new int[treatments];
        for (var position = 0; position < treatments; position++)
        {
            // The zigzag 0, 1, n−1, 2, n−2, …: its neighbouring differences are all different, so shifting it meets each pair once.
            var zigzag = position % 2 == 1 ? (position + 1) / 2 : (treatments - position / 2) % treatments;
            sequence[position] = (zigzag + shift) % treatments;
        }
        if (index >= treatments)
        {
            // Odd n: the zigzag's differences come in equal pairs; the mirrored half supplies the others.
            Array.Reverse(sequence);
        }
        return [.. sequence];
    }
}
