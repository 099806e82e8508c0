using System.Globalization;
using EnergyGrid.Cluster.Tests.Fixtures;
using EnergyGrid.Contracts;
using Xunit.Abstractions;

namespace EnergyGrid.Cluster.Tests.Faults;

/// <summary>
/// SIGKILL of silos. <c>ENERGYGRID_KILLS=100 dotnet test tests/Cluster.Tests --filter Kills</c> is the long form; <c>ENERGYGRID_SEED</c> chooses other instants.
/// </summary>
public sealed class RandomKillTests(ITestOutputHelper output)
{
    private const int Passes = 5;
    private const int UsualKills = 6;
    private const int UsualTlsKills = 3;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Kills_at_random_instants_lose_nothing_and_double_nothing(bool tls)
    {
        var (kills, seed) = (Number("ENERGYGRID_KILLS", tls ? UsualTlsKills : UsualKills), Number("ENERGYGRID_SEED", 7));
        var figures = new Figures(output);
        await using var grid = await GridOfSilos.Start(new(Tls: tls), seed);
        for (var kill = 1; kill <= kills; kill++)
        {
            await grid.KeepSweeping(Passes);
            await Task.Delay(grid.Next(3000));
            var victim = grid.Any();
            await victim.Kill();
            // Half of them come back before anybody has missed them, or while they are being missed.
            if (grid.Next(2) == 0) await Task.Delay(grid.Next(5000));
            else figures.Say($"random kill {kill}{(tls ? ", TLS" : "")}: kill to known dead", await grid.UntilKnownDead(victim), "s");
            await victim.Start();
        }
        await grid.Settle();
        figures.Say($"random kills{(tls ? ", TLS" : "")}, nothing lost or doubled", kills, "kills");
    }

    private static int Number(string variable, int usual) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : usual;
}

/// <summary>SIGKILL of the silo that has a certain thing in memory, and of all of them at once.</summary>
public sealed class RoleKillTests(ITestOutputHelper output)
{
    private const int Passes = 16;

    /// <summary>From a death to everybody's knowledge of it, and from there to the next trial, at most, s.</summary>
    private const double Bar = 10;

    [Theory]
    [Transports]
    public async Task The_silo_with_the_sweep_or_a_device_group_or_the_site_or_nothing_dies_and_trials_elsewhere_go_on(bool tls)
    {
        var figures = new Figures(output);
        // The last has devices and may have none of the rest.
        await using var grid = await GridOfSilos.Start(new(Silos: tls ? 3 : 4, Tls: tls));
        foreach (var role in new[] { "sweep", "device group", "site", "nothing" })
        {
            var sweep = await grid.KeepSweeping(Passes);
            await grid.UntilCommitted(sweep, 6);
            SiloProcess? victim = null;
            await Patience.Until(async () => (victim = await Find(grid, role, sweep)) is not null, $"a silo has: {role}", 30, grid.Diary);
            await grid.UntilMoving(TimeProvider.System.GetUtcNow());

            await victim!.Kill();
            var others = Runs.Of(grid.Silos).Where(r => r.EndedUtc is null && r.Host != victim.Host).ToArray();
            var dead = await grid.UntilKnownDead(victim);
            var moving = await grid.UntilMoving(TimeProvider.System.GetUtcNow());
            figures.Say($"silo with the {role}{(tls ? ", TLS" : "")}: kill to known dead", dead, "s");
            figures.Say($"silo with the {role}{(tls ? ", TLS" : "")}: known dead to the next trial", moving, "s");
            Assert.InRange(dead, 0, Bar);
            Assert.InRange(moving, 0, Bar);
            await GoOn(grid, sweep, others);
            await grid.Revive();
        }
        await grid.Settle();
    }

    [Theory]
    [Transports]
    public async Task All_silos_die_at_once_and_the_sweep_goes_on_when_they_are_started_again(bool tls)
    {
        await using var grid = await GridOfSilos.Start(new(Tls: tls));
        var sweep = await grid.KeepSweeping(tls ? 3 : 5);
        await grid.UntilCommitted(sweep, 15);
        await Task.WhenAll(grid.Silos.Select(s => s.Kill()));
        var began = TimeProvider.System.GetUtcNow();
        await grid.Revive();
        new Figures(output).Say($"all silos{(tls ? ", TLS" : "")}: kill to the next trial", await grid.UntilMoving(began), "s");
        await grid.Settle();
    }

    private static async Task<SiloProcess?> Find(GridOfSilos grid, string role, string sweep)
    {
        if (role == "sweep") return await grid.Holder("SweepGrain", sweep);
        if (role == "device group") return await grid.Holder("DeviceGroupGrain", sweep + "/");
        if (role == "site") return await grid.Holder("SiteGrain");
        SiloProcess?[] busy = [await grid.Holder("SweepGrain", sweep), await grid.Holder("SiteGrain")];
        return grid.Silos.LastOrDefault(s => !busy.Contains(s));
    }

    // A trial of another host ends as if nothing had happened, and that run of it is the one that is kept.
    private static async Task GoOn(GridOfSilos grid, string sweep, IEnumerable<DeviceRun> others)
    {
        foreach (var begun in others)
        {
            DeviceRun? run = null;
            await Patience.Until(() => (run = Runs.Of(begun.Life).First(r => (r.Trial, r.Epoch, r.StartedUtc) == (begun.Trial, begun.Epoch, begun.StartedUtc))).EndedUtc is not null, $"{begun.Trial} ends", 30, grid.Diary);
            Assert.Equal("valid", run!.Outcome);
            await Patience.Until(() => grid.Ledger[sweep].SeenAt(run.Trial) is not null, $"{run.Trial} is committed", 30, grid.Diary);
        }
        var committed = await grid.Any().Client.Trials(sweep);
        Assert.All(others, o => Assert.Contains(committed, t => (t.Trial, t.Attempt, t.Epoch) == (o.Trial, o.Attempt, o.Epoch)));
    }
}
