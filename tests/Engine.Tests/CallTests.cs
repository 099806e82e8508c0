using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Engine.Tests;

/// <summary>What crosses a call: values, references, exceptions, cancellation, enumerations.</summary>
[Collection("engine")]
public sealed class CallTests(GridCluster cluster)
{
    private ICallGrain Grain(string kind = "c") => cluster.Grains.GetGrain<ICallGrain>(Fresh.Key(kind));

    [Fact]
    public async Task A_record_comes_back_as_it_went()
    {
        var sent = new Parcel("p", [new(1, 2.5), new(2, double.NaN)], new byte[] { 1, 2, 3 }, new Dictionary<string, double> { ["a"] = 1 }.ToImmutableDictionary(), null, DateTimeOffset.UnixEpoch);
        var back = await Grain().Echo(sent);
        Assert.Equal((sent.Name, sent.Limit, sent.At), (back.Name, back.Limit, back.At));
        Assert.Equal(sent.Items.AsEnumerable(), back.Items.AsEnumerable());
        Assert.Equal(sent.Samples.ToArray(), back.Samples.ToArray());
        Assert.Equal(sent.Figures.AsEnumerable(), back.Figures.AsEnumerable());
    }

    [Fact]
    public async Task Calls_without_a_result_are_merged_in_the_grain()
    {
        var grain = Grain();
        var parcel = new Parcel("p", [new(1, 1), new(2, 2)], default, ImmutableDictionary<string, double>.Empty, 3, default);
        await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => grain.Take(parcel).AsTask()));
        Assert.Equal(20, await grain.Taken());
    }

    [Fact]
    public void References_to_one_grain_are_equal()
    {
        Assert.Equal<object>(cluster.Grains.GetGrain<IGoGrain>("e"), cluster.Grains.GetGrain<IGoGrain>("e"));
        Assert.NotEqual<object>(cluster.Grains.GetGrain<IGoGrain>("e"), cluster.Grains.GetGrain<IGoGrain>("f"));
        Assert.Equal("e", cluster.Grains.GetGrain<IGoGrain>("e").GetPrimaryKeyString());
    }

    [Fact]
    public async Task A_reference_crosses()
    {
        var (one, other) = (Grain(), Grain());
        Assert.Equal(other.GetPrimaryKeyString(), await one.KeyOf(other));
        Assert.Equal<object>(one, await one.Self());
    }

    [Fact]
    public async Task A_ring_of_calls_ends_in_a_timeout()
    {
        var (a, b) = (Fresh.Key("ring"), Fresh.Key("ring"));
        var grain = cluster.Grains.GetGrain<ICallGrain>(a);
        await Assert.ThrowsAsync<TimeoutException>(() => grain.Ring(b, a).WaitAsync(TimeSpan.FromSeconds(8)));
        Assert.Equal(0, await grain.Taken()); // an ordinary call: the grain is free again
    }

    [Fact]
    public async Task A_typed_exception_crosses_with_its_members()
    {
        var stale = await Assert.ThrowsAsync<StaleEpochException>(() => Grain().Stale(3, 7));
        Assert.Equal((3, 7, "Epoch 3 is below 7."), (stale.Offered, stale.Current, stale.Message));
    }

    [Fact]
    public async Task An_exception_that_cannot_travel_still_says_what_it_said()
    {
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => Grain().FailForeign());
        Assert.Contains("outer", e.Message);
        Assert.Contains(nameof(UndeclaredException), e.Message);
        Assert.Null(e.InnerException);
    }

    [Fact]
    public async Task Ambient_values_stay_with_the_caller()
    {
        Ambient.Value.Value = "caller";
        Assert.Null(await Grain().AmbientSeen());
    }

    [Fact]
    public async Task Cancellation_crosses()
    {
        var grain = Grain();
        using var stop = new CancellationTokenSource();
        var held = grain.Hold(stop.Token);
        await grain.Held();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => held.WaitAsync(TimeSpan.FromSeconds(8)));
        await grain.Released().WaitAsync(TimeSpan.FromSeconds(8));
    }

    [Fact]
    public async Task A_call_with_a_token_already_cancelled_never_reaches_the_grain()
    {
        var grain = Grain();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => grain.Hold(new CancellationToken(canceled: true)));
        Assert.Equal(0, await grain.Taken()); // an ordinary call: nothing holds the grain
    }

    [Fact]
    public async Task A_timeout_cancels_what_it_gave_up()
    {
        var grain = Grain();
        await Assert.ThrowsAsync<TimeoutException>(() => grain.HoldShortly().WaitAsync(TimeSpan.FromSeconds(8)));
        await grain.Released().WaitAsync(TimeSpan.FromSeconds(8));
    }

    [Fact]
    public async Task An_enumeration_streams_and_ends_early()
    {
        var grain = Grain();
        var all = new List<int>();
        await foreach (var i in grain.Count(20)) all.Add(i);
        Assert.Equal(Enumerable.Range(0, 20), all);
        await foreach (var i in grain.Count(1000)) if (i == 3) break;
        await grain.CountsEnded(2).WaitAsync(TimeSpan.FromSeconds(8));
    }

    [Fact]
    public async Task An_enumeration_is_cancelled_by_its_argument_or_by_its_reader()
    {
        var grain = Grain();
        using var argument = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var i in grain.Count(100_000, argument.Token)) if (i == 5) await argument.CancelAsync();
        });
        using var reader = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var i in grain.Count(100_000).WithCancellation(reader.Token)) if (i == 5) await reader.CancelAsync();
        });
        await grain.CountsEnded(2).WaitAsync(TimeSpan.FromSeconds(8));
    }

    [Fact]
    public async Task An_enumeration_ends_when_its_grain_does()
    {
        var grain = Grain();
        await Assert.ThrowsAsync<EnumerationAbortedException>(async () =>
        {
            await foreach (var i in grain.Count(100_000)) if (i == 5) await grain.Retire();
        });
    }

    [Fact]
    public async Task An_enumeration_brings_its_typed_exception()
    {
        var seen = 0;
        var stale = await Assert.ThrowsAsync<StaleEpochException>(async () =>
        {
            await foreach (var _ in Grain().CountThenFail()) seen++;
        });
        Assert.Equal((3, 4), (stale.Offered, stale.Current));
    }
}
