namespace EnergyGrid.Engine.Tests;

/// <summary>One turn at a time, and what may interleave.</summary>
[Collection("engine")]
public sealed class TurnTests(GridCluster cluster)
{
    private ITurnGrain Grain(string kind = "t") => cluster.Grains.GetGrain<ITurnGrain>(Fresh.Key(kind));

    [Fact]
    public async Task Requests_do_not_overlap()
    {
        var grain = Grain();
        await grain.Look(); // active already: the queue before activation is another path
        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => grain.Work(20)));
        Assert.Equal(new Probe(1, 50), await grain.Look());
    }

    [Fact]
    public async Task Requests_that_wait_for_an_activation_do_not_overlap()
    {
        var grain = Grain();
        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => grain.Work(20)));
        Assert.Equal(new Probe(1, 50), await grain.Look());
    }

    [Fact]
    public async Task Turns_do_not_overlap_even_when_requests_interleave()
    {
        var grain = Grain();
        await grain.Look();
        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => grain.Churn(400))));
        Assert.Equal(new Probe(0, 6400), await grain.Look());
    }

    [Fact]
    public async Task An_interleaving_call_passes_a_waiting_one()
    {
        var grain = Grain();
        var waiting = grain.Wait();
        var behind = grain.Work(1);
        Assert.Equal(new Probe(0, 0), await grain.Look());
        Assert.False(waiting.IsCompleted);
        await grain.Open();
        await waiting;
        await behind;
        Assert.Equal(new Probe(1, 1), await grain.Look());
    }

    [Fact]
    public async Task An_interleaving_call_passes_the_others_that_wait_for_the_activation()
    {
        var grain = Grain("gated");
        var (waiting, behind, passing) = (grain.Wait(), grain.Work(1), grain.Open());
        Lives.GateOf(grain.GetPrimaryKeyString()).SetResult();
        await passing; // nothing else ends the first
        await waiting;
        await behind;
        Assert.Equal(new Probe(1, 1), await grain.Look());
    }

    [Fact]
    public async Task Reads_run_beside_each_other()
    {
        var grain = Grain();
        Assert.All(await Task.WhenAll(grain.Meet(), grain.Meet()), Assert.True);
    }

    [Fact]
    public async Task Ordinary_calls_do_not()
    {
        var grain = Grain();
        Assert.All(await Task.WhenAll(grain.MeetAlone(), grain.MeetAlone()), Assert.False);
    }

    [Fact]
    public async Task A_timer_ticks_one_at_a_time()
    {
        var seen = await Grain("tick").Ticks(20);
        Assert.Equal(1, seen.Highest);
        Assert.True(seen.Total >= 20);
    }
}
