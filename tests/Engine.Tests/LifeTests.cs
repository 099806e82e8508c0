using EnergyGrid.Contracts;

namespace EnergyGrid.Engine.Tests;

/// <summary>How activations begin and end.</summary>
[Collection("engine")]
public sealed class LifeTests(GridCluster cluster)
{
    [Fact]
    public async Task A_grain_whose_activation_throws_is_tried_again_at_the_next_call()
    {
        var key = Fresh.Key("late");
        Lives.ActivationsToRefuse[key] = 2;
        var grain = cluster.Grains.GetGrain<IGoGrain>(key);
        Assert.Equal("Not yet: 2 more.", (await Assert.ThrowsAsync<RefusedException>(grain.Who)).Message);
        Assert.Equal("Not yet: 1 more.", (await Assert.ThrowsAsync<RefusedException>(grain.Who)).Message);
        Assert.Equal(await grain.Who(), await grain.Who());
    }

    [Fact]
    public async Task An_idle_grain_goes_and_a_KeepAlive_one_stays()
    {
        var stay = cluster.Grains.GetGrain<IStayGrain>(Fresh.Key());
        var stayed = await stay.Who();
        for (var round = 0; round < 2; round++) // the first pass over all activations has ended when the second one collects
        {
            var go = cluster.Grains.GetGrain<IGoGrain>(Fresh.Key());
            var went = await go.Who();
            cluster.LetIdleTimePass();
            Assert.Equal(DeactivationReasonCode.ActivationIdle, await Lives.EndOf(go.GetPrimaryKeyString()).Task.WaitAsync(TimeSpan.FromSeconds(20)));
            Assert.NotEqual(went, await go.Who());
        }
        Assert.Equal(stayed, await stay.Who());
    }

    [Fact]
    public async Task A_retired_grain_is_told_why_and_lives_again()
    {
        var grain = cluster.Grains.GetGrain<IGoGrain>(Fresh.Key());
        var before = await grain.Who();
        await grain.Retire();
        Assert.NotEqual(before, await grain.Who());
        Assert.Equal(DeactivationReasonCode.ApplicationRequested, await Lives.EndOf(grain.GetPrimaryKeyString()).Task.WaitAsync(TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public async Task No_call_is_lost_while_activations_come_and_go()
    {
        var counter = cluster.Grains.GetGrain<ICounterGrain>(Fresh.Key());
        // One retirement at a time: Orleans forwards a waiting call twice at most, then rejects it (MaxForwardCount).
        for (var round = 0; round < 20; round++)
            await Task.WhenAll(Enumerable.Range(0, 20).Select(i => i == 7 ? counter.Retire() : counter.Add(1)));
        Assert.Equal(380, await counter.Value());
    }

    [Fact]
    public async Task Ten_thousand_grains_each_have_one_activation()
    {
        var prefix = Fresh.Key("many");
        var names = new string[10_000];
        await Parallel.ForEachAsync(Enumerable.Range(0, names.Length), new ParallelOptions { MaxDegreeOfParallelism = 64 },
            async (i, _) => names[i] = await cluster.Grains.GetGrain<IStayGrain>($"{prefix}-{i}").Who());
        Assert.Equal(names.Length, names.Distinct().Count());
        Assert.Equal(names[17], await cluster.Grains.GetGrain<IStayGrain>($"{prefix}-17").Who());
    }
}
