using EnergyGrid.Node;

namespace EnergyGrid.Silo.Tests.Power;

/// <summary>When nodes speak and readers look, within the second.</summary>
public sealed class BeatTests
{
    [Fact]
    public void Whoever_waits_wakes_at_their_place_once_in_a_period_even_if_the_timer_rings_early()
    {
        var random = new Random(3);
        for (var i = 0; i < 1000; i++)
        {
            var period = TimeSpan.FromSeconds(random.Next(1, 5));
            var place = random.NextDouble();
            var now = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero) + TimeSpan.FromSeconds(1e6 * random.NextDouble());
            var wait = Beat.Wait(now, period, place);
            Assert.InRange(wait, period / 4, period * 1.25);
            var part = (now + wait).Ticks % period.Ticks / (double)period.Ticks;
            Assert.InRange(Math.Abs(part - place), 0, 1e-6);
            // The next one is a whole period later, whether this one rang 2 ms early or 20 ms late.
            var (early, late) = (now + wait - TimeSpan.FromMilliseconds(2), now + wait + TimeSpan.FromMilliseconds(20));
            Assert.Equal(now + wait + period, early + Beat.Wait(early, period, place));
            Assert.Equal(now + wait + period, late + Beat.Wait(late, period, place));
        }
    }

    [Fact]
    public void Nodes_speak_before_readers_look_and_not_all_at_once()
    {
        var places = Enumerable.Range(0, 1000).Select(n => Beat.Of($"node-{n}")).ToArray();
        Assert.All(places, p => Assert.InRange(p, 0.2, 0.7));
        Assert.True(Beat.Reader > places.Max() + 0.1);
        // In every tenth of the period no more than three times its share.
        Assert.True(places.GroupBy(p => (int)(p * 10)).Max(g => g.Count()) < 3 * places.Length / 5);
    }
}
