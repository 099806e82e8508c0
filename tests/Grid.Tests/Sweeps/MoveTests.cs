using System.Collections.Concurrent;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Grains;
using Orleans.Core.Internal;

namespace EnergyGrid.Grid.Tests.Sweeps;

/// <summary>A sweep whose actors lose their home, whose store goes away, whose host falls silent.</summary>
public sealed class MoveTests
{
    [Fact]
    public async Task Actors_that_are_activated_anew_adopt_what_runs_and_no_trial_is_begun_twice()
    {
        var begun = new ConcurrentQueue<TrialId>();
        await using var grid = await SimulatedGrid.Start(scale: 200, agents: a => new WatchedAgents(a, order => begun.Enqueue(order.Trial)));
        await grid.Sweep("s").Submit(SmallPlan.Of(min: 7, max: 7), "tests");
        var random = new Random(7);
        for (var move = 0; move < 12; move++)
        {
            var before = begun.Count;
            await SimulatedGrid.Until(() => Task.FromResult(begun.Count > before), "another trial has begun", now: () => $"{grid.Sweep("s").Status().Result}");
            await Task.Delay(random.Next(0, 120));
            await ActorOf(grid, move % 3).DeactivateOnIdle();
            await grid.Sweep("s").Wake();
        }
        Assert.Equal(SweepPhase.Finished, (await grid.Ended("s")).Phase);
        Assert.Equal(begun.Distinct().Count(), begun.Count);
        Assert.Equal(begun.Count, (await grid.Store.Results("s")).Length);
    }

    private static IGrainManagementExtension ActorOf(SimulatedGrid grid, int which) => which switch
    {
        0 => grid.Sweep("s").AsReference<IGrainManagementExtension>(),
        var n => grid.Grains.GetGrain<IDeviceGroupGrain>($"s/{n - 1}").AsReference<IGrainManagementExtension>(),
    };

    [Fact]
    public async Task A_store_that_is_away_is_told_as_one_and_blames_no_host_and_everything_goes_on_when_it_is_back()
    {
        AwayStore? away = null;
        var begun = new ConcurrentQueue<TrialId>();
        await using var grid = await SimulatedGrid.Start(store: s => away = new AwayStore(s), agents: a => new WatchedAgents(a, order => begun.Enqueue(order.Trial)),
            pace: new SweepPace { Tick = TimeSpan.FromMilliseconds(20), HostPatience = TimeSpan.FromMilliseconds(300) });
        var sweep = grid.Sweep("s");
        _ = grid.Store; // made when it is first asked for
        await sweep.Submit(SmallPlan.Of(), "tests");
        await SimulatedGrid.Until(async () => (await sweep.Status()).CommittedTrials >= 3, "three trials are committed");
        away!.IsAway = true;
        await SimulatedGrid.Until(async () => (await sweep.Status()).Phase == SweepPhase.Paused, "it is told");
        Assert.Contains("Redis is away", (await sweep.Status()).Reason);
        await Task.Delay(1000); // more than a host's patience
        away.IsAway = false;
        Assert.Equal(SweepPhase.Finished, (await grid.Ended("s")).Phase);
        Assert.Equal(0, (await sweep.Status()).VoidedPasses);
        // What ran when the store went away was kept when it came back: nothing was run again.
        Assert.Equal(begun.Distinct().Count(), begun.Count);
        Assert.DoesNotContain(await grid.Files.Events("s", 0), e => e.Text.Contains("did not answer", StringComparison.Ordinal) || e.Text.Contains("outcome unknown", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_silent_host_holds_up_neither_the_others_nor_pause_and_cancel_and_comes_back_into_the_sweep()
    {
        SilentAgents? agents = null;
        await using var grid = await SimulatedGrid.Start(new SimulatedSiteOptions { Racks = 1, NodesPerRack = 2, GpusPerNode = 1 }, scale: 200, agents: a => agents = new SilentAgents(a),
            pace: new SweepPace { Tick = TimeSpan.FromMilliseconds(20), HostPatience = TimeSpan.FromSeconds(1) });
        var sweep = grid.Sweep("s");
        await sweep.Submit(SmallPlan.Of(min: 6, max: 6), "tests");
        await SimulatedGrid.Until(async () => (await sweep.Status()).CommittedTrials >= 2, "it runs");
        agents!.Silent = (await grid.Nodes())[0].Host;
        await SimulatedGrid.Until(async () => (await sweep.Status()).Waiting.Contains("away", StringComparison.Ordinal), "the host is known to be away", now: () => $"{sweep.Status().Result}");
        // The others go on: they finish all that they have to do.
        var asked = DateTimeOffset.UtcNow;
        await sweep.Pause("a look");
        await sweep.Resume();
        Assert.InRange(DateTimeOffset.UtcNow - asked, TimeSpan.Zero, TimeSpan.FromSeconds(3));
        agents.Silent = null;
        await SimulatedGrid.Until(async () => (await grid.Files.Events("s", 0)).Any(e => e.Text.Contains("is back", StringComparison.Ordinal)), "the host is back in the sweep", now: () => string.Join("\n", grid.Files.Events("s", 0).Result.Select(e => $"{e}")) + $"{sweep.Status().Result}");
        Assert.Equal(SweepPhase.Finished, (await grid.Ended("s")).Phase);
        var results = await grid.Store.Results("s");
        Assert.Equal(results.Length, results.Select(r => r.Trial).Distinct().Count());
        Assert.Equal(1, (await sweep.Status()).VoidedPasses);
        // Both hosts have all of their passes.
        Assert.All((await grid.Files.Matrix("s"))!.Groups[0].Rows, r => Assert.Equal(12, r.Passes));
    }

    [Fact]
    public async Task A_plan_that_this_version_cannot_read_is_told_and_can_be_cancelled()
    {
        var directory = Directory.CreateTempSubdirectory("energygrid-");
        try
        {
            await using (var grid = await SimulatedGrid.Start(scale: 200, directory: directory.FullName))
            {
                await grid.Sweep("s").Submit(SmallPlan.Of(), "tests");
                await SimulatedGrid.Until(async () => (await grid.Sweep("s").Status()).CommittedTrials >= 1, "a trial is committed");
            }
            var state = Assert.Single(Directory.GetFiles(Path.Combine(directory.FullName, "state", "sweep"), "*.json", SearchOption.AllDirectories));
            var text = File.ReadAllText(state);
            Assert.Contains("window_s", text);
            File.WriteAllText(state, text.Replace("window_s", "window_of_tomorrow"));
            await using (var grid = await SimulatedGrid.Start(directory: directory.FullName))
            {
                var sweep = grid.Sweep("s");
                await SimulatedGrid.Until(async () => (await sweep.Status()).Reason.Contains("cannot be read by this version", StringComparison.Ordinal), "it is told");
                Assert.Equal(SweepPhase.Cancelled, (await sweep.Cancel("from another time")).Phase);
                Assert.NotEmpty(await grid.Store.Results("s"));
                Assert.True(Assert.Single(await grid.Grains.GetGrain<ISweepIndexGrain>("grid").List()).Ended);
            }
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Of_two_sweeps_that_want_the_same_devices_the_urgent_one_goes_first_and_the_other_says_whom_it_waits_for()
    {
        await using var grid = await SimulatedGrid.Start(scale: 400);
        await grid.Sweep("patient").Submit(SmallPlan.Of("patient", "A, C", min: 6, max: 6), "tests");
        await SimulatedGrid.Until(async () => (await grid.Sweep("patient").Status()).CommittedTrials >= 1, "the first runs");
        await grid.Sweep("urgent").Submit(SmallPlan.Of("urgent", "A, F", min: 5, max: 5), "tests", priority: 5);
        await SimulatedGrid.Until(async () => (await grid.Sweep("patient").Status()).Waiting.Contains("urgent/", StringComparison.Ordinal), "the first waits for the second",
            now: () => $"{grid.Sweep("patient").Status().Result}");
        Assert.Equal(SweepPhase.Finished, (await grid.Ended("urgent")).Phase);
        Assert.False((await grid.Sweep("patient").Status()).HasEnded);
        Assert.Equal(SweepPhase.Finished, (await grid.Ended("patient")).Phase);
        Assert.Equal((5, 0), ((await grid.Sweep("urgent").Status()).Priority, (await grid.Sweep("patient").Status()).VoidedPasses));
    }

    [Fact]
    public async Task An_end_that_has_begun_stays_what_it_was_whoever_cancels_or_pauses_meanwhile()
    {
        var (publishing, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var grid = await SimulatedGrid.Start(store: s => new AwayStore(s)
        {
            Publishing = async record =>
            {
                if (!record.HasEnded) return;
                publishing.TrySetResult();
                await go.Task;
            },
        });
        var sweep = grid.Sweep("s");
        await sweep.Submit(SmallPlan.Of(workloads: "A, F", min: 2, max: 2), "tests");
        await publishing.Task.WaitAsync(TimeSpan.FromSeconds(60));
        var (cancel, pause) = (sweep.Cancel("too late"), sweep.Pause("too late as well"));
        await Task.Delay(200);
        go.SetResult();
        await cancel;
        try { await pause; }
        catch (RefusedException) { /* It came after the end, and was told so. */ }
        Assert.Equal((SweepPhase.Finished, ""), ((await sweep.Status()).Phase, (await sweep.Status()).Reason));
        Assert.Equal(SweepPhase.Finished, (await grid.Files.Manifest("s"))!.Phase);
    }

    [Fact]
    public async Task An_id_that_was_freed_is_a_new_sweep_whose_every_trial_runs()
    {
        var begun = new System.Collections.Concurrent.ConcurrentQueue<TrialOrder>();
        await using var grid = await SimulatedGrid.Start(agents: a => new WatchedAgents(a, begun.Enqueue));
        for (var round = 1; round <= 2; round++)
        {
            var sweep = grid.Sweep("s");
            await sweep.Submit(SmallPlan.Of(workloads: "A, F", min: 2, max: 2), "tests");
            Assert.Equal(SweepPhase.Finished, (await grid.Ended("s")).Phase);
            Assert.Equal(begun.Count, round * (await grid.Store.Results("s")).Length);
            Assert.Equal(begun.Count, begun.Select(o => o.Id).Distinct().Count());
            var manifest = await File.ReadAllBytesAsync(Path.Combine(grid.Directory, "results", "s", "manifest.json"));
            await sweep.Forget();
            await grid.Files.Remove("s", Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(manifest)));
        }
    }

    [Fact]
    public async Task A_device_group_that_was_not_told_of_the_end_finds_out_before_it_orders_anything()
    {
        var begun = new System.Collections.Concurrent.ConcurrentQueue<TrialOrder>();
        await using var grid = await SimulatedGrid.Start(agents: a => new WatchedAgents(a, begun.Enqueue));
        var plan = SmallPlan.Of(workloads: "A, F", min: 2, max: 2);
        await grid.Sweep("s").Submit(plan, "tests");
        await grid.Ended("s");
        var before = begun.Count;
        var node = (await grid.Nodes())[0];
        var forgotten = grid.Grains.GetGrain<IDeviceGroupGrain>("s/7");
        await forgotten.Drive(new GroupOrders(1, 1, plan, [node.Devices[0]], System.Collections.Immutable.ImmutableDictionary<string, int>.Empty.Add("dense", 2), true, 0, DateTimeOffset.UtcNow, 0));
        await SimulatedGrid.Until(async () => (await forgotten.Report()).Phase == GroupPhase.Ended, "it has ended");
        Assert.Equal(before, begun.Count);
        Assert.Empty((await grid.Grains.GetGrain<INodeGrain>(node.Host).View()).Held);
    }

    /// <summary>A store that can be away, like a Redis that does not answer.</summary>
    private sealed class AwayStore(IResultStore inner) : IResultStore
    {
        public bool IsAway { get; set; }

        /// <summary>Awaited before anything is published.</summary>
        public Func<SweepRecord, Task> Publishing { get; init; } = _ => Task.CompletedTask;

        private IResultStore There => IsAway ? throw new StorageTroubleException("Redis is away") : inner;

        public Task Create(string sweep, string planText, ResolvedPlan plan, CancellationToken stop) => There.Create(sweep, planText, plan, stop);

        public Task<string> Take(string sweep, Fence writer, CancellationToken stop) => There.Take(sweep, writer, stop);

        public Task Register(string sweep, Fence writer, string order, CancellationToken stop) => There.Register(sweep, writer, order, stop);

        public Task<CommitAnswer> Commit(string sweep, string order, TrialResult result, CancellationToken stop) => There.Commit(sweep, order, result, stop);

        public Task<System.Collections.Immutable.ImmutableArray<TrialResult>> Results(string sweep, int from, CancellationToken stop) => There.Results(sweep, from, stop);

        public Task<SweepEvent> Append(string sweep, Fence writer, string key, string kind, string text, CancellationToken stop) => There.Append(sweep, writer, key, kind, text, stop);

        public async Task Publish(string sweep, Fence writer, SweepRecord record, CancellationToken stop)
        {
            await Publishing(record);
            await There.Publish(sweep, writer, record, stop);
        }
    }

    /// <summary>Agents that tell of every trial that really begins.</summary>
    private class WatchedAgents(INodeAgents inner, Action<TrialOrder> begun) : INodeAgents
    {
        public virtual INodeAgent? Find(string host) => inner.Find(host) is { } agent ? new Watched(agent, begun) : null;

        private sealed class Watched(INodeAgent agent, Action<TrialOrder> begun) : INodeAgent
        {
            public string Host => agent.Host;

            public NodeInventory Inventory => agent.Inventory;

            public bool IsOpening => agent.IsOpening;

            public Task<TrialRun> Run(TrialOrder order, Action<TrialProgress> report, CancellationToken stop)
            {
                begun(order);
                return agent.Run(order, report, stop);
            }

            public LatestReading Latest(string uuid) => agent.Latest(uuid);

            public IAsyncEnumerable<PowerSample> Watch(string uuid, double hertz, CancellationToken stop) => agent.Watch(uuid, hertz, stop);
        }
    }

    /// <summary>Agents one of whose hosts can fall silent: its device's status cannot be had, as from a process that is stopped.</summary>
    private sealed class SilentAgents(INodeAgents inner) : INodeAgents
    {
        public string? Silent { get; set; }

        public INodeAgent? Find(string host) => inner.Find(host) is { } agent ? new Mute(this, agent) : null;

        private sealed class Mute(SilentAgents all, INodeAgent agent) : INodeAgent
        {
            public string Host => agent.Host;

            public bool IsOpening => agent.IsOpening;

            public NodeInventory Inventory => all.Silent == Host ? throw new TimeoutException($"{Host} says nothing") : agent.Inventory;

            public Task<TrialRun> Run(TrialOrder order, Action<TrialProgress> report, CancellationToken stop) => agent.Run(order, report, stop);

            public LatestReading Latest(string uuid) => all.Silent == Host ? throw new TimeoutException($"{Host} says nothing") : agent.Latest(uuid);

            public IAsyncEnumerable<PowerSample> Watch(string uuid, double hertz, CancellationToken stop) => agent.Watch(uuid, hertz, stop);
        }
    }
}
