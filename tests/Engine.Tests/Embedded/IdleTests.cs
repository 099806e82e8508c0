using EnergyGrid.Engine.Embedded;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Engine.Tests;

/// <summary>What counts as use, to the second: the time is the test's own.</summary>
public sealed class IdleTests : IAsyncLifetime
{
    private readonly JumpingTime _time = new();
    private IHost _host = null!;

    private GridRuntime Grains => _host.Services.GetRequiredService<GridRuntime>();

    public async Task InitializeAsync()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<TimeProvider>(_time);
        builder.Services.AddSingleton(new Hardware("local"));
        builder.AddGridEngine(o =>
        {
            // The response timeout is longer than every jump; the collector looks only when a jump makes it due.
            (o.IdleAfter, o.IdleScan, o.ResponseTimeout) = (TimeSpan.FromMinutes(15), TimeSpan.FromMinutes(1), TimeSpan.FromDays(1));
            o.GrainAssemblies.Add(typeof(TurnGrain).Assembly);
        });
        _host = builder.Build();
        await _host.StartAsync();
    }

    [Fact]
    public async Task An_activation_goes_after_its_age_and_not_before()
    {
        var (used, unused, witness) = (Grains.GetGrain<IGoGrain>(Fresh.Key()), Grains.GetGrain<IGoGrain>(Fresh.Key()), Grains.GetGrain<IGoGrain>(Fresh.Key()));
        var before = await used.Who();
        await unused.Who();
        _time.Jump(TimeSpan.FromMinutes(14));
        Assert.Equal(before, await used.Who()); // and this is use
        _time.Jump(TimeSpan.FromMinutes(14));
        await Ended(unused);
        Assert.False(Lives.EndOf(used.GetPrimaryKeyString()).Task.IsCompleted);
        await witness.Who();
        _time.Jump(TimeSpan.FromMinutes(16));
        await Ended(witness);
        await Ended(used);
    }

    [Fact]
    public async Task A_running_request_and_an_open_enumeration_keep_their_activations()
    {
        var (busy, read) = (Grains.GetGrain<ITurnGrain>(Fresh.Key()), Grains.GetGrain<ICallGrain>(Fresh.Key()));
        var waiting = busy.Wait();
        await using var items = read.Count(100_000).GetAsyncEnumerator();
        Assert.True(await items.MoveNextAsync());
        for (var round = 0; round < 2; round++) // the first pass over all activations has ended when the second one collects
        {
            var witness = Grains.GetGrain<IGoGrain>(Fresh.Key());
            await witness.Who();
            _time.Jump(TimeSpan.FromMinutes(20));
            await Ended(witness);
        }
        Assert.True(await items.MoveNextAsync());
        await busy.Open();
        await waiting;
    }

    private static async Task Ended(IGoGrain grain)
        => Assert.Equal(DeactivationReasonCode.ActivationIdle, await Lives.EndOf(grain.GetPrimaryKeyString()).Task.WaitAsync(TimeSpan.FromSeconds(20)));

    public async Task DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }
}
