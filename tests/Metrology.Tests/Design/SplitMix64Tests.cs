namespace EnergyGrid.Metrology.Tests;

public class SplitMix64Tests
{
    [Fact]
    public void The_generator_gives_the_published_sequence()
    {
        var random = new SplitMix64(1234567);
        Assert.Equal(
            [6457827717110365317UL, 3203168211198807973UL, 9817491932198370423UL, 4593380528125082431UL, 16408922859458223821UL],
            Enumerable.Range(0, 5).Select(_ => random.Next()));
    }

    [Fact]
    public void Bounded_draws_are_uniform()
    {
        var random = new SplitMix64(1);
        var counts = new int[7];
        for (var i = 0; i < 70_000; i++)
        {
            counts[random.NextBelow(7)]++;
        }
        // 10,000 expected each, binomial SD 93: five of them.
        Assert.All(counts, count => Assert.InRange(count, 9_535, 10_465));
    }

    [Fact]
    public void Streams_differ_by_seed_name_and_every_index()
    {
        ulong[] streams =
        [
            SplitMix64.Derive(1, "a", 0, 0), SplitMix64.Derive(2, "a", 0, 0), SplitMix64.Derive(1, "b", 0, 0),
            SplitMix64.Derive(1, "a", 1, 0), SplitMix64.Derive(1, "a", 0, 1), SplitMix64.Derive(1, "a", 0), SplitMix64.Derive(1, "a"),
        ];
        Assert.Equal(streams.Length, streams.Distinct().Count());
    }
}
