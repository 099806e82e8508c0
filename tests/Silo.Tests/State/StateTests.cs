namespace EnergyGrid.Silo.Tests;

/// <summary>State of grains: kept, cleared, never overwritten blindly.</summary>
[Collection("cluster")]
public sealed class StateTests(GridCluster cluster)
{
    [Fact]
    public async Task State_survives_deactivation_until_it_is_cleared()
    {
        var counter = cluster.Grains.GetGrain<ICounterGrain>(Fresh.Key());
        await counter.Add(7);
        await counter.Keep("half", 0.5);
        await counter.Keep("none", double.NaN);
        await counter.Retire();
        Assert.Equal(8, await counter.Add(1));
        Assert.Equal([("half", 0.5), ("none", double.NaN)], (await counter.Figures()).Select(f => (f.Key, f.Value)).Order());
        Assert.False(await counter.Clear());
        await counter.Retire();
        Assert.Equal(0, await counter.Value());
    }

    [Fact]
    public async Task A_stale_ETag_is_refused_and_the_grain_reads_again()
    {
        var key = Fresh.Key();
        var counter = cluster.Grains.GetGrain<ICounterGrain>(key);
        await counter.Add(1);
        var (etag, _) = await cluster.Files.Read<CounterState>("counter", "counter", key);
        Assert.NotNull(etag);
        await cluster.Files.Write("counter", "counter", key, etag, new CounterState { Value = 100 });
        await Assert.ThrowsAsync<InconsistentStateException>(() => counter.Add(1));
        Assert.Equal(101, await counter.Add(1));
    }
}
