using EnergyGrid.Cluster.Tests.Fixtures;
using Xunit.Abstractions;

namespace EnergyGrid.Cluster.Tests.Faults;

/// <summary>A cut between two silos that both still reach Redis and the third.</summary>
public sealed class NetworkTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(25);

    // Off loopback everything is TLS, so there is no plain form of it.
    [NamespacesFact]
    public async Task Two_silos_that_do_not_see_each_other_for_a_while_lose_nothing_and_double_nothing()
    {
        using var networks = new Networks(3);
        await using var grid = await GridOfSilos.Start(new(Tls: true, RedisTls: true, Networks: networks));
        var sweep = await grid.KeepSweeping(8);
        await grid.UntilCommitted(sweep, 10);
        SiloProcess? holder = null;
        await Patience.Until(async () => (holder = await grid.Holder("SweepGrain", sweep)) is not null, "a silo has the sweep", 30, grid.Diary);
        var one = grid.Silos.IndexOf(holder!);
        var other = (one + 1) % grid.Silos.Length;
        networks.Cut(one, other);
        var cut = TimeProvider.System.GetUtcNow();
        new Figures(output).Say("cut between two of three silos: cut to the next trial", await grid.UntilMoving(cut), "s");
        await Task.Delay(Length);
        networks.Mend(one, other);
        // Whoever was buried meanwhile ends by itself and is started again.
        await grid.UntilCommitted(sweep, grid.Ledger[sweep].Trials + 1, 90);
        await grid.Settle();
    }
}
