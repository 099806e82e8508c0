using EnergyGrid.Cluster.Tests.Fixtures;
using Xunit.Abstractions;

namespace EnergyGrid.Cluster.Tests.Faults;

/// <summary>A silo that stands still and then goes on as if it had not: SIGSTOP and SIGCONT.</summary>
public sealed class PauseTests(ITestOutputHelper output)
{
    [Theory]
    [Transports]
    public async Task A_silo_that_stood_still_until_it_was_given_up_commits_nothing_any_more_and_comes_back_as_a_new_one(bool tls)
    {
        await using var grid = await GridOfSilos.Start(new(Tls: tls));
        var sweep = await grid.KeepSweeping(tls ? 6 : 8);
        await grid.UntilCommitted(sweep, 10);
        SiloProcess? held = null;
        await Patience.Until(async () => (held = await grid.Holder("SweepGrain", sweep)) is not null, "a silo has the sweep", 30, grid.Diary);
        var life = held!.Life;
        held.Pause();
        var stopped = TimeProvider.System.GetUtcNow();
        // Whoever is asked meanwhile is one of the others: the held one takes connections, through the kernel, and answers nothing.
        new Figures(output).Say($"SIGSTOP{(tls ? ", TLS" : "")}: stop to the next trial of another host", await grid.UntilMoving(stopped), "s");
        // Until then what it measures is still wanted, and kept if it comes.
        new Figures(output).Say($"SIGSTOP{(tls ? ", TLS" : "")}: stop to both its device groups given up", await grid.UntilAway(held, sweep, stopped), "s");
        var resumed = TimeProvider.System.GetUtcNow();
        held.Continue();
        // It learns that the others have buried it and ends by itself; who supervises it starts it again.
        Assert.NotEqual(0, await held.Exit());
        await grid.Settle();

        var committed = await grid.Any().Client.Trials(sweep);
        var late = Runs.Of(life).Where(r => r.StartedUtc < resumed && (r.Outcome is null || r.EndedUtc > resumed)).ToArray();
        Assert.NotEmpty(late);
        Assert.All(late, run => Assert.DoesNotContain(committed, t => (t.Trial, t.Attempt, t.Epoch) == (run.Trial, run.Attempt, run.Epoch)));
    }
}
