using EnergyGrid.Engine.Embedded;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Engine.Tests;

/// <summary>A silo that stops leaves nothing behind that still runs: its successor in the same process would meet it at the state files.</summary>
public sealed class StopTests
{
    [Fact]
    public async Task A_call_to_a_stopped_silo_is_refused_and_makes_no_activation()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(new Hardware("local"));
        builder.AddGridEngine(o => o.GrainAssemblies.Add(typeof(TurnGrain).Assembly));
        using var host = builder.Build();
        await host.StartAsync();
        var grains = host.Services.GetRequiredService<GridRuntime>();
        var (known, unknown) = (grains.GetGrain<IGoGrain>(Fresh.Key()), grains.GetGrain<IGoGrain>(Fresh.Key()));
        await known.Who();
        await host.StopAsync();

        Assert.Contains("the silo stops", (await Assert.ThrowsAsync<InvalidOperationException>(known.Who)).Message);
        await Assert.ThrowsAsync<InvalidOperationException>(unknown.Who);
        Assert.Equal(0, grains.ActivationCount);
    }
}
