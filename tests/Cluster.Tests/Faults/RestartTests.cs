using EnergyGrid.Cluster.Tests.Fixtures;
using Xunit.Abstractions;

namespace EnergyGrid.Cluster.Tests.Faults;

/// <summary>What every upgrade does: one silo after the other is stopped and started while a sweep runs.</summary>
public sealed class RestartTests(ITestOutputHelper output)
{
    [Theory]
    [Transports]
    public async Task A_rolling_restart_of_all_silos_does_not_use_up_the_sweep(bool tls)
    {
        var figures = new Figures(output);
        await using var grid = await GridOfSilos.Start(new(Tls: tls));
        var sweep = await grid.KeepSweeping(tls ? 5 : 8);
        foreach (var silo in grid.Silos)
        {
            await grid.UntilCommitted(sweep, grid.Ledger[sweep].Trials + 4);
            var began = TimeProvider.System.GetUtcNow();
            Assert.Equal(0, await silo.Terminate());
            figures.Say($"rolling restart{(tls ? ", TLS" : "")}: SIGTERM to the end of silo {silo.Name}", (TimeProvider.System.GetUtcNow() - began).TotalSeconds, "s");
            await silo.Start();
            await grid.UntilWhole();
            figures.Say($"rolling restart{(tls ? ", TLS" : "")}: SIGTERM to all ready again", (TimeProvider.System.GetUtcNow() - began).TotalSeconds, "s");
        }
        await grid.Settle();
    }

    [Theory]
    [Transports]
    public async Task Silos_over_one_redis_show_one_grid_and_answer_the_same(bool tls)
    {
        await using var grid = await GridOfSilos.Start(new(Tls: tls, RedisTls: tls));
        await grid.KeepSweeping(2);
        await grid.Settle();
        var versions = await Task.WhenAll(grid.Silos.Select(s => s.Client.Version()));
        Assert.Equal(grid.Silos.Select(s => s.Name), versions.Select(v => v.Silo));
    }
}
