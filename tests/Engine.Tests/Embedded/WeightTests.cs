using EnergyGrid.Engine.Embedded;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Engine.Tests;

[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class AloneCollection;

/// <summary>What an activation weighs. Alone, since it measures the whole process.</summary>
[Collection("alone")]
public sealed class WeightTests
{
    [Fact]
    public async Task Ten_thousand_activations_take_less_than_20_megabytes()
    {
        const int Count = 10_000;
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.AddGridEngine(o => o.GrainAssemblies.Add(typeof(TurnGrain).Assembly));
        builder.Services.AddSingleton(new Hardware("local"));
        using var host = builder.Build();
        await host.StartAsync();
        var runtime = host.Services.GetRequiredService<GridRuntime>();
        await runtime.GetGrain<IStayGrain>("first").Who(); // what is made once

        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 0; i < Count; i++) await runtime.GetGrain<IStayGrain>($"grain-{i}").Who();
        var bytes = GC.GetTotalMemory(forceFullCollection: true) - before;

        Assert.Equal(Count + 1, runtime.ActivationCount);
        Assert.InRange(bytes, Count * 50L, 20_000_000L); // the lower bound: they are there
        await host.StopAsync();
        Assert.Equal(0, runtime.ActivationCount);
    }
}
