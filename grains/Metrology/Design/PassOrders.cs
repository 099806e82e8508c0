using System.Collections.Immutable;

namespace EnergyGrid.Metrology;

/// <summary>The order of one pass.</summary>
/// <param name="Block">Which device group.</param>
/// <param name="Pass">Which pass on it, from 0.</param>
/// <param name="Order">Indices of the match group's configurations, first to last.</param>
public sealed record PassOrder(int Block, int Pass, ImmutableArray<int> Order);

/// <summary>
/// In which order the configurations of a match group run in each pass: a randomised Williams design (measurement.md, "A trial", 3).
/// The order of a pass depends on the plan's seed, the match group's name, the block and the pass alone, so passes that replication adds later
/// leave the earlier ones as they were, and every platform gets the same orders.
/// Each block goes through its own random relabelling of the configurations and its own random order of the sequences; after a full set it draws anew.
/// </summary>
public static class PassOrders
{
    /// <summary>What is printed when a block has fewer passes than the design has sequences.</summary>
    public const string Unbalanced = "carry-over unbalanced";

    /// <summary>The order of one pass of <paramref name="configurations"/> configurations.</summary>
    public static PassOrder Of(long seed, string group, int configurations, int block, int pass)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(configurations);
        ArgumentOutOfRangeException.ThrowIfNegative(block);
        ArgumentOutOfRangeException.ThrowIfNegative(pass);
        var sequences = WilliamsDesign.SequenceCount(configurations);
        var random = new SplitMix64(SplitMix64.Derive((ulong)seed, group, block, pass / sequences));
        var labels = Enumerable.Range(0, configurations).ToArray();
        var order = Enumerable.Range(0, sequences).ToArray();
        random.Shuffle<int>(labels);
        random.Shuffle<int>(order);
        var sequence = WilliamsDesign.Sequence(configurations, order[pass % sequences]);
        return new PassOrder(block, pass, [.. sequence.Select(treatment => labels[treatment])]);
    }

    /// <summary>The flag of a block of that many passes: <see cref="Unbalanced"/> when fewer than the design's sequences, otherwise null.</summary>
    public static string? Flag(int configurations, int passes) =>
        passes < WilliamsDesign.SequenceCount(configurations) ? Unbalanced : null;

    /// <summary>
    /// How far from balance a set of orders is: the largest minus the smallest number of times that any ordered pair of different configurations
    /// follows directly. 0 is balanced for first-order carry-over.
    /// </summary>
    public static int Imbalance(int configurations, IEnumerable<ImmutableArray<int>> orders)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(configurations);
        ArgumentNullException.ThrowIfNull(orders);
        if (configurations == 1)
        {
            return 0;
        }
        var follows = new int[configurations, configurations];
        foreach (var order in orders)
        {
            for (var i = 1; i < order.Length; i++)
            {
                follows[order[i - 1], order[i]]++;
            }
        }
        var (least, most) = (int.MaxValue, 0);
        for (var a = 0; a < configurations; a++)
        {
            for (var b = 0; b < configurations; b++)
            {
                if (a != b)
                {
                    least = Math.Min(least, follows[a, b]);
                    most = Math.Max(most, follows[a, b]);
                }
            }
        }
        return most - least;
    }
}
