using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Grains;
using EnergyGrid.Grid.Tests.Sweeps;

namespace EnergyGrid.Grid.Tests.Faults;

/// <summary>When a trial counts as lost, and what becomes of a sweep that has no device left.</summary>
public sealed class LostTrialTests
{
    [Fact]
    public async Task A_trial_that_reports_its_end_before_its_result_is_there_is_not_taken_for_lost()
    {
        var orders = 0;
        await using var grid = await SimulatedGrid.Start(agents: a => new ChangedAgents(a, async (run, _) =>
        {
            Interlocked.Increment(ref orders);
            var result = await run();
            // Its end was reported before it returned. On a busy machine it takes long from there to the grain: many looks long.
            await Task.Delay(200);
            return result;
        }));
        await grid.Sweep("s").Submit(SmallPlan.Of(workloads: "A, F", min: 2, max: 2), "tests");
        Assert.Equal(SweepPhase.Finished, (await grid.Ended("s")).Phase);
        Assert.DoesNotContain(await grid.Files.Events("s", 0), e => e.Text.Contains("outcome unknown", StringComparison.Ordinal));
        Assert.Equal((await grid.Store.Results("s")).Length, orders);
    }

    [Fact]
    public async Task A_sweep_whose_last_device_is_lost_pauses_with_the_reason_and_goes_on_when_it_is_back()
    {
        var gone = true;
        await using var grid = await SimulatedGrid.Start(new SimulatedSiteOptions { Racks = 1, NodesPerRack = 1, GpusPerNode = 1 },
            agents: a => new ChangedAgents(a, (run, _) => Volatile.Read(ref gone) ? throw new DeviceLostException("it fell off the bus") : run()));
        var sweep = grid.Sweep("s");
        await sweep.Submit(SmallPlan.Of(workloads: "A, F", devices: 1, min: 5, max: 5), "tests");
        SweepStatus? status = null;
        await SimulatedGrid.Until(async () => (status = await sweep.Status()).Phase == SweepPhase.Paused, "the sweep pauses", now: () => $"{status}");
        Assert.Contains("was lost 5 times", status!.Reason);
        Volatile.Write(ref gone, false);
        await sweep.Resume();
        status = await grid.Ended("s");
        Assert.Equal((SweepPhase.Finished, 1), (status.Phase, status.VoidedPasses));
        Assert.Equal(5, (await grid.Files.Matrix("s"))!.Groups[0].Rows.Single(r => r.Label == "A").Passes);
    }

    [Fact]
    public async Task Each_time_that_a_sweep_without_devices_is_resumed_they_are_tried_anew()
    {
        var tries = 0;
        await using var grid = await SimulatedGrid.Start(new SimulatedSiteOptions { Racks = 1, NodesPerRack = 1, GpusPerNode = 1 }, agents: a => new ChangedAgents(a, (_, _) =>
        {
            Interlocked.Increment(ref tries);
            throw new DeviceLostException("it fell off the bus");
        }));
        var sweep = grid.Sweep("s");
        await sweep.Submit(SmallPlan.Of(workloads: "A, F", devices: 1, min: 5, max: 5), "tests");
        for (var round = 1; round <= 20; round++)
        {
            SweepStatus? status = null;
            await SimulatedGrid.Until(async () => (status = await sweep.Status()).Phase == SweepPhase.Paused, $"the sweep pauses, time {round}", now: () => $"{status}");
            Assert.Equal(round, status!.VoidedPasses);
            Assert.Equal(round * 5, Volatile.Read(ref tries));
            await sweep.Resume();
        }
    }

    [Fact]
    public async Task Devices_that_are_still_being_looked_at_after_a_start_are_waited_for_and_nobody_is_given_up()
    {
        var opening = true;
        await using var grid = await SimulatedGrid.Start(new SimulatedSiteOptions { Racks = 1, NodesPerRack = 1, GpusPerNode = 1 },
            agents: a => new ChangedAgents(a, (run, _) => run()) { IsOpening = () => Volatile.Read(ref opening) });
        var sweep = grid.Sweep("s");
        await sweep.Submit(SmallPlan.Of(workloads: "A, F", devices: 1, min: 2, max: 2), "tests");
        SweepStatus? status = null;
        await SimulatedGrid.Until(async () => (status = await sweep.Status()).Waiting.Contains("still being looked at", StringComparison.Ordinal), "it says what it waits for", now: () => $"{status}");
        await Task.Delay(500);
        Assert.Equal(SweepPhase.Running, (await sweep.Status()).Phase);
        Volatile.Write(ref opening, false);
        status = await grid.Ended("s");
        Assert.Equal((SweepPhase.Finished, 0), (status.Phase, status.VoidedPasses));
    }

    /// <summary>Agents whose way of running a trial is the test's.</summary>
    private sealed class ChangedAgents(INodeAgents inner, Func<Func<Task<TrialRun>>, TrialOrder, Task<TrialRun>> run) : INodeAgents
    {
        /// <summary>While it is so, no device is offered yet to whoever leases.</summary>
        public Func<bool> IsOpening { get; init; } = () => false;

        public INodeAgent? Find(string host) => inner.Find(host) is { } agent ? new Changed(run, agent, IsOpening) : null;

        private sealed class Changed(Func<Func<Task<TrialRun>>, TrialOrder, Task<TrialRun>> run, INodeAgent agent, Func<bool> isOpening) : INodeAgent
        {
            public string Host => agent.Host;

            public NodeInventory Inventory => isOpening() ? agent.Inventory with { Devices = [] } : agent.Inventory;

            public bool IsOpening => isOpening();

            public Task<TrialRun> Run(TrialOrder order, Action<TrialProgress> report, CancellationToken stop) => run(() => agent.Run(order, report, stop), order);

            public LatestReading Latest(string uuid) => agent.Latest(uuid);

            public IAsyncEnumerable<PowerSample> Watch(string uuid, double hertz, CancellationToken stop) => agent.Watch(uuid, hertz, stop);
        }
    }
}
