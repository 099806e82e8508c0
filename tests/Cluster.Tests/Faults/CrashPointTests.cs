using EnergyGrid.Cluster.Tests.Fixtures;
using EnergyGrid.Contracts;

namespace EnergyGrid.Cluster.Tests.Faults;

/// <summary>Ends of a process at the instants that matter, by name and not by luck.</summary>
public sealed class CrashPointTests
{
    [Theory]
    [Transports("leased:2,registered:3,trace-written:1")]
    [Transports("committed:3,state-written:4,published:1")]
    public async Task A_silo_that_ends_at_a_named_instant_loses_nothing_and_doubles_nothing(string points, bool tls)
    {
        const int Passes = 4;
        await using var grid = await GridOfSilos.Start(new(Tls: tls), crash: points);
        var sweep = await grid.KeepSweeping(tls ? 3 : Passes);
        var ended = false;
        await Patience.Until(async () =>
        {
            foreach (var silo in grid.Silos.Where(s => !s.IsUp)) await StartAgain(silo, Left(grid, points));
            return ended = (await grid.Status(sweep))?.HasEnded == true && grid.Silos.All(s => s.IsUp);
        }, "the sweep ends", 300, () => $"not yet: {Left(grid, points)}\n{grid.Diary()}");
        Assert.True(ended);
        // A point that nobody came by shows nothing.
        Assert.Equal("", Left(grid, points));
        await grid.Settle();
    }

    private static string Left(GridOfSilos grid, string points) => string.Join(',', points.Split(',').Where(p => !grid.Silos.Any(s => s.Log.Contains($"crash point {p.Split(':')[0]}", StringComparison.Ordinal))));

    private static async Task StartAgain(SiloProcess silo, string points)
    {
        try
        {
            await silo.Start(points);
        }
        catch (InvalidOperationException) when (silo.Log.Contains("crash point", StringComparison.Ordinal))
        {
            // It came by the next one while it started; it is started again at the next look.
        }
    }
}
