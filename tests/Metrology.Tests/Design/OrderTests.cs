using System.Collections.Immutable;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Metrology.Tests;

public class OrderTests
{
    public static TheoryData<int> Sizes => [.. Enumerable.Range(1, 12)];

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Every_treatment_stands_equally_often_at_every_position(int treatments)
    {
        var sequences = All(treatments);
        var each = sequences.Length / treatments;
        for (var position = 0; position < treatments; position++)
        {
            Assert.All(
                Enumerable.Range(0, treatments),
                treatment => Assert.Equal(each, sequences.Count(sequence => sequence[position] == treatment)));
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Every_ordered_pair_follows_directly_once_if_n_is_even_and_twice_if_odd(int treatments)
    {
        var pairs = All(treatments)
            .SelectMany(sequence => sequence.Zip(sequence.Skip(1)))
            .CountBy(pair => pair)
            .ToDictionary();
        Assert.Equal(treatments * (treatments - 1), pairs.Count);
        Assert.All(pairs, pair => Assert.Equal(treatments % 2 == 0 ? 1 : 2, pair.Value));
        Assert.DoesNotContain(pairs.Keys, pair => pair.First == pair.Second);
    }

    [Fact]
    public void Odd_numbers_need_twice_the_sequences()
    {
        Assert.Equal([1, 2, 6, 4, 10, 6, 14], Enumerable.Range(1, 7).Select(WilliamsDesign.SequenceCount));
    }

    [Fact]
    public void Orders_are_permutations_and_a_full_set_is_balanced_whatever_the_seed()
    {
        var arbitrary = (from seed in ArbMap.Default.GeneratorFor<long>()
                         from size in Gen.Choose(1, 12)
                         from block in Gen.Choose(0, 63)
                         select (seed, size, block)).ToArbitrary();
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(arbitrary, drawn =>
        {
            var sequences = WilliamsDesign.SequenceCount(drawn.size);
            // The second set: a set drawn anew is as balanced as the first.
            var orders = Enumerable.Range(sequences, sequences).Select(pass => PassOrders.Of(drawn.seed, "g", drawn.size, drawn.block, pass).Order).ToArray();
            return orders.All(order => order.Order().SequenceEqual(Enumerable.Range(0, drawn.size)))
                && PassOrders.Imbalance(drawn.size, orders) == 0;
        }));
    }

    [Fact]
    public void Fewer_passes_than_sequences_are_unbalanced_and_say_so()
    {
        Assert.Equal("carry-over unbalanced", PassOrders.Flag(7, 13));
        Assert.Null(PassOrders.Flag(7, 14));
        Assert.True(PassOrders.Imbalance(7, Enumerable.Range(0, 13).Select(pass => PassOrders.Of(5, "g", 7, 0, pass).Order)) > 0);
    }

    [Fact]
    public void Orders_are_the_same_on_every_platform()
    {
        Assert.Equal(Golden, Enumerable.Range(0, 4).Select(pass => string.Join(' ', PassOrders.Of(20260514, "A-F b8", 4, 1, pass).Order)));
    }

    [Fact]
    public void Blocks_and_groups_get_orders_of_their_own()
    {
        static string All(string group, int block) =>
            string.Join(';', Enumerable.Range(0, 12).Select(pass => string.Join(' ', PassOrders.Of(3, group, 6, block, pass).Order)));
        Assert.Equal(4, new[] { All("x", 0), All("x", 1), All("y", 0), All("y", 1) }.Distinct().Count());
    }

    private static ImmutableArray<ImmutableArray<int>> All(int treatments) =>
        [.. Enumerable.Range(0, WilliamsDesign.SequenceCount(treatments)).Select(index => WilliamsDesign.Sequence(treatments, index))];

    private static readonly string[] Golden = ["3 0 1 2", "0 2 3 1", "2 1 0 3", "1 3 2 0"];
}
