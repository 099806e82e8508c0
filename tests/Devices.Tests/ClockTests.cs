using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Node;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Tests;

/// <summary>A wall clock that is moved while a real device runs: the running trial is lost and says why, and the node goes on by itself.</summary>
public sealed class ClockTests
{
    [Theory]
    [InlineData(3600)]
    [InlineData(-3600)]
    [InlineData(-0.5)]
    public async Task A_step_of_the_wall_clock_costs_the_running_trial_and_no_other(double seconds)
    {
        var wall = new Wall();
        var clock = new NodeClock(wall);
        using var node = new LocalNode("here", "local", "r1", [new CpuDevice("here", "local", "r1", clock, new CpuDeviceOptions { PowercapRoot = "/nonexistent", Threads = 1 })], clock);
        var agent = new NodeAgent(node, clock);
        var grid = new Grid();
        using var stop = new CancellationTokenSource();
        var serving = agent.Serve(grid.Factory, stop.Token);

        Assert.Equal(TrialOutcome.Valid, (await Run(agent, node, 0, static _ => { })).Outcome);
        var moved = false;
        var stepped = await Run(agent, node, 1, p =>
        {
            if (moved || p.Phase != TrialPhase.Measuring) return;
            moved = true;
            wall.Move(seconds);
        });
        Assert.Equal(TrialOutcome.Invalid, stepped.Outcome);
        Assert.Contains(seconds > 0 ? "moved forward by" : "moved back by", Assert.Single(stepped.Reasons));
        Assert.True(stepped.EndedUtc >= stepped.StartedUtc);
        Assert.InRange((stepped.EndedUtc - stepped.StartedUtc).TotalSeconds, 0, 30);

        var after = await Run(agent, node, 2, static _ => { });
        Assert.True(after.Outcome == TrialOutcome.Valid, string.Join("; ", after.Reasons));
        Assert.InRange((after.StartedUtc - wall.GetUtcNow()).TotalSeconds, -30, 1);
        // Windows bear the new time, too.
        var from = wall.GetUtcNow().ToUnixTimeSeconds();
        await Task.Delay(TimeSpan.FromSeconds(4));
        await stop.CancelAsync();
        await serving;
        Assert.Contains(grid.Latest, w => w.Window >= from && w.CoveredSeconds > 0.9);
    }

    [Fact]
    public void A_clock_that_is_slewed_is_followed_only_by_its_error()
    {
        var wall = new Wall();
        var clock = new NodeClock(wall, static () => 0.01);
        wall.Move(0.1);
        Assert.Null(clock.Follow());
        Assert.InRange(clock.ErrorSeconds, 0.109, 0.12);
        wall.Move(0.1);
        Assert.Equal(0.2, clock.Follow()!.Seconds, 0.01);
        Assert.InRange(clock.ErrorSeconds, 0.01, 0.02);
        Assert.Equal((1, null), (clock.LastStep!.Number, clock.Follow()));
    }

    [Fact]
    public void The_kernel_tells_how_far_its_clock_may_be()
    {
        if (!OperatingSystem.IsLinux()) return;
        var error = KernelClock.MaxErrorSeconds()!.Value;
        Assert.InRange(error, 0, 16);
        // Where nobody keeps it, it is as wrong as the kernel counts.
        if (KernelClock.IsKept() == false) Assert.True(error > 0.1, $"{error}");
    }

    private static async Task<TrialResult> Run(NodeAgent agent, LocalNode node, int pass, Action<TrialProgress> report)
    {
        var c = Catalogue.Resolve(new ConfigurationRequest("A", Batch: 2, Context: 64, ModelWidth: 128, Heads: 1, FeedForwardWidth: 256, ShortLayers: 1, LongLayers: 2, Stack: "reference"));
        var order = new TrialOrder(
            new TrialId("test", "g", "A", ConfigurationIdentity.Sha256(c), 0, pass), [node.Devices[0].Info.Uuid], 1, 0, c, Catalogue.Cost(c), [1, 2],
            new TrialTiming(0.2, 0.4, 1.5, 0, null, null, 5), Laboratory.Guards with { MinCoverage = 0.8, MaxClockErrorSeconds = 1 }, KeepTrace: false);
        TrialResult result;
        var tries = 0;
        do
        {
            // What a busy machine does to a window is no matter of clocks.
            (result, _) = await agent.Run(order, report, default);
        }
        while (++tries < 5 && result.Outcome != TrialOutcome.Valid && !result.Reasons.Any(r => r.Contains("wall clock", StringComparison.Ordinal)));
        return result;
    }

    /// <summary>The system's time with a wall clock that can be moved.</summary>
    private sealed class Wall : TimeProvider
    {
        private long _ticks;

        public void Move(double seconds) => Interlocked.Add(ref _ticks, (long)(seconds * TimeSpan.TicksPerSecond));

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow().AddTicks(Interlocked.Read(ref _ticks));
    }
}
