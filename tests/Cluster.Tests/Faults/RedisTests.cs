using System.Collections.Immutable;
using EnergyGrid.Cluster.Tests.Fixtures;
using EnergyGrid.Contracts;
using Xunit.Abstractions;

namespace EnergyGrid.Cluster.Tests.Faults;

/// <summary>What becomes of a sweep whose Redis dies, is away, or has forgotten everything.</summary>
public sealed class RedisTests(ITestOutputHelper output)
{
    [Theory]
    [Transports]
    public async Task A_redis_that_was_killed_and_started_again_costs_nothing(bool tls)
    {
        await using var grid = await GridOfSilos.Start(new(Tls: tls, RedisTls: tls));
        var sweep = await grid.KeepSweeping(tls ? 3 : 5);
        await grid.UntilCommitted(sweep, 10);
        await grid.Redis.Kill();
        await grid.Redis.Start();
        var back = TimeProvider.System.GetUtcNow();
        new Figures(output).Say($"Redis killed and restarted{(tls ? ", TLS" : "")}: back to the next trial", await grid.UntilMoving(back), "s");
        await grid.Settle();
        await BlamesNobody(grid, sweep);
    }

    [Theory]
    [Transports(60)]
    public async Task While_redis_is_away_sampling_and_running_trials_go_on_and_the_sweep_tells_why_it_waits_and_then_goes_on_by_itself(int seconds, bool tls)
    {
        await using var grid = await GridOfSilos.Start(new(Tls: tls, RedisTls: tls));
        var sweep = await grid.KeepSweeping(tls ? 3 : 5);
        await grid.UntilCommitted(sweep, 10);
        await grid.UntilMoving(TimeProvider.System.GetUtcNow());
        var windows = await Windows(grid);
        await grid.Redis.Kill();
        var gone = TimeProvider.System.GetUtcNow();
        var running = Runs.Of(grid.Silos).Where(r => r.EndedUtc is null).ToArray();
        Assert.NotEmpty(running);

        SweepStatus? told = null;
        await Patience.Until(async () => (told = await grid.Status(sweep))?.Reason.Contains("Redis", StringComparison.OrdinalIgnoreCase) == true, "the sweep tells that Redis is away", 45, () => $"{told}\n{grid.Diary()}");
        foreach (var silo in grid.Silos)
        {
            await Patience.Until(async () => !await silo.IsReady(), $"{silo.Name} is not ready", 30, grid.Diary);
            Assert.NotNull(await silo.Page("livez"));
        }
        // Live power of a device, through the silo that has it.
        foreach (var silo in grid.Silos)
        {
            var device = (await silo.Client.Devices()).First(d => d.Device.Host == silo.Host).Device;
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(15));
            await foreach (var sample in silo.Client.Power(device.Host, device.Uuid, patience.Token))
            {
                Assert.True(sample.Watts > 0);
                break;
            }
        }
        foreach (var begun in running)
        {
            DeviceRun? run = null;
            await Patience.Until(() => (run = Runs.Of(begun.Life).First(r => (r.Trial, r.StartedUtc) == (begun.Trial, begun.StartedUtc))).EndedUtc is not null, $"{begun.Trial} ends", 30, grid.Diary);
            Assert.Equal("valid", run!.Outcome);
        }
        var left = TimeSpan.FromSeconds(seconds) - (TimeProvider.System.GetUtcNow() - gone);
        if (left > TimeSpan.Zero) await Task.Delay(left);
        var now = await Windows(grid);
        // Device time runs faster than the clock: half of what it should be is far more than a site that stood still would show.
        Assert.All(windows, w => Assert.True(now.GetValueOrDefault(w.Key) > w.Value + 0.5 * seconds * grid.Setup.TimeScale, $"{w.Key}: window {w.Value} before, {now.GetValueOrDefault(w.Key)} after {seconds} s\n{grid.Diary()}"));

        await grid.Redis.Start();
        new Figures(output).Say($"Redis away for {seconds} s{(tls ? ", TLS" : "")}: back to the next trial", await grid.UntilMoving(TimeProvider.System.GetUtcNow()), "s");
        // Nobody resumes it.
        await grid.Settle();
        await BlamesNobody(grid, sweep);
        // What ran while Redis was away is what is kept: nothing was thrown away.
        var committed = await grid.Any().Client.Trials(sweep);
        Assert.All(running, r => Assert.Contains(committed, t => (t.Trial, t.Attempt, t.Epoch) == (r.Trial, r.Attempt, r.Epoch)));
    }

    [Fact]
    public async Task A_redis_that_has_lost_its_file_is_told_as_that_and_nothing_is_begun_anew()
    {
        await using var grid = await GridOfSilos.Start();
        var sweep = await grid.KeepSweeping(6);
        await grid.UntilCommitted(sweep, 15);
        grid.Ledger[sweep].IsClosed = true; // what it has seen is lost, and this test is about who says so
        var seen = Runs.Of(grid.Silos).Select(r => r.Trial).ToHashSet();
        await grid.Redis.Kill();
        grid.Redis.LoseFile();
        await grid.Redis.Start();
        var back = TimeProvider.System.GetUtcNow();
        // Either a silo goes on and says it where one looks, or it ends and says it in its last words.
        foreach (var silo in grid.Silos)
        {
            await Patience.Until(async () => Tells(silo.Log) || Tells(await silo.Page("readyz")) || Tells(await silo.Page($"v1/sweeps/{sweep}")), $"{silo.Name} tells that Redis has lost what it kept", 60, grid.Diary);
        }
        await Task.Delay(TimeSpan.FromSeconds(5));
        var anew = Runs.Of(grid.Silos).Where(r => r.StartedUtc > back && seen.Contains(r.Trial)).ToArray();
        Assert.True(anew.Length == 0, $"{anew.Length} trials were run again: {string.Join(", ", anew.Take(5).Select(r => r.Trial))}\n{grid.Diary()}");
        Assert.NotEqual(SweepPhase.Running, (await grid.Status(sweep))?.Phase ?? SweepPhase.Paused);

        // A silo that is started on it says it too, or begins an empty grid of its own; it does not take up a sweep that it cannot know.
        static bool Tells(string? text) => text is not null && text.Contains("Redis", StringComparison.OrdinalIgnoreCase) && text.Contains("lost", StringComparison.OrdinalIgnoreCase);
    }

    private static async Task<Dictionary<string, long>> Windows(GridOfSilos grid)
    {
        var windows = new Dictionary<string, long>();
        foreach (var silo in grid.Silos)
        {
            ImmutableArray<SiteView>? views = null;
            await Patience.Until(async () => (views = await Patience.Ask<object>(async () => await silo.Client.Sites()) as ImmutableArray<SiteView>?) is not null, $"{silo.Name} shows its sites", 30, grid.Diary);
            foreach (var view in views!.Value) windows[$"{silo.Name} {view.Site}"] = view.Window;
        }
        return windows;
    }

    private static async Task BlamesNobody(GridOfSilos grid, string sweep)
    {
        var status = await grid.Status(sweep);
        Assert.Equal(0, status!.VoidedPasses);
        Assert.DoesNotContain(grid.Ledger[sweep].Events, e => e.Text.Contains("does not answer", StringComparison.Ordinal) || e.Text.Contains("not up", StringComparison.Ordinal));
    }
}
