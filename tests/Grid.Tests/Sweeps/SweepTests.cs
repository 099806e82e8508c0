using System.Collections.Concurrent;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Grains;

namespace EnergyGrid.Grid.Tests.Sweeps;

public sealed class SweepTests
{
    [Fact]
    public async Task A_sweep_runs_every_cell_of_every_pass_once_and_ends_in_a_matrix_that_says_modelled()
    {
        await using var grid = await SimulatedGrid.Start();
        await grid.Sweep("s").Submit(SmallPlan.Of(), "tests");
        var status = await grid.Ended("s");
        Assert.Equal(SweepPhase.Finished, status.Phase);

        var results = await grid.Store.Results("s");
        Assert.Equal(results.Length, results.Select(r => r.Trial).Distinct().Count());
        var passes = results.GroupBy(r => (r.Trial.Block, r.Trial.Pass)).ToArray();
        Assert.True(passes.Length >= 2 * 2, $"{passes.Length} passes");
        Assert.All(passes, p => Assert.Equal(4, p.Count())); // A, C, F and the A/A twin
        Assert.All(results, r => Assert.Equal(TrialOutcome.Valid, r.Outcome));

        var matrix = (await grid.Files.Matrix("s"))!;
        Assert.Equal(Provenance.Modelled, matrix.Provenance);
        Assert.True(matrix.Complete);
        var rows = matrix.Groups.Single().Rows.ToDictionary(r => r.Label);
        Assert.All(rows.Values, r => Assert.Equal(Provenance.Modelled, r.Provenance));
        // Half the bits and more of A are weights: C and F must come out below it, in this order.
        Assert.InRange(rows["C"].Ratio!.Ratio.Value, 0.3, 0.9);
        Assert.InRange(rows["F"].Ratio!.Ratio.Value, 0.05, rows["C"].Ratio!.Ratio.Value);
        Assert.NotNull(matrix.Groups.Single().Repeatability);
        Assert.Equal("not applicable: synthetic weights", matrix.Disclosure.Quality);
        foreach (var file in new[] { "plan.yaml", "plan.resolved.yaml", "manifest.json", "trials.ndjson", "cells.csv", "matrix.json", "events.ndjson", "report.html" })
            Assert.Contains(await grid.Files.Files("s"), f => f.Name == file && f.Bytes > 0);
    }

    [Fact]
    public async Task Two_sweeps_on_the_same_devices_take_turns_and_both_finish()
    {
        await using var grid = await SimulatedGrid.Start();
        await grid.Sweep("one").Submit(SmallPlan.Of("one", "A, C"), "tests");
        await grid.Sweep("two").Submit(SmallPlan.Of("two", "A, F"), "tests");
        Assert.Equal(SweepPhase.Finished, (await grid.Ended("one")).Phase);
        Assert.Equal(SweepPhase.Finished, (await grid.Ended("two")).Phase);
        // No two trials of one device overlap.
        foreach (var device in (await grid.Store.Results("one")).Concat(await grid.Store.Results("two")).GroupBy(r => r.Devices[0]))
        {
            var last = DateTimeOffset.MinValue;
            foreach (var trial in device.OrderBy(t => t.StartedUtc))
            {
                Assert.True(trial.StartedUtc >= last, $"{trial.Trial} began while another trial ran on {device.Key}");
                last = trial.EndedUtc;
            }
        }
    }

    [Fact]
    public async Task A_paused_sweep_starts_nothing_and_a_resumed_one_finishes()
    {
        await using var grid = await SimulatedGrid.Start(scale: 200);
        var sweep = grid.Sweep("s");
        await sweep.Submit(SmallPlan.Of(), "tests");
        await SimulatedGrid.Until(async () => (await sweep.Status()).CommittedTrials >= 2, "two trials are committed");
        await sweep.Pause("a look at the cooling");
        await SimulatedGrid.Until(async () => (await sweep.Status()).Running.IsEmpty, "running trials have ended");
        var committed = (await sweep.Status()).CommittedTrials;
        await Task.Delay(500); // more than a trial takes at this scale
        var status = await sweep.Status();
        Assert.Equal((SweepPhase.Paused, "a look at the cooling", committed), (status.Phase, status.Reason, status.CommittedTrials));
        await sweep.Resume();
        Assert.Equal(SweepPhase.Finished, (await grid.Ended("s")).Phase);
        Assert.Equal(0, (await sweep.Status()).VoidedPasses);
    }

    [Fact]
    public async Task A_cancelled_sweep_gives_its_devices_back_and_keeps_what_was_committed()
    {
        await using var grid = await SimulatedGrid.Start(scale: 200);
        var sweep = grid.Sweep("s");
        await sweep.Submit(SmallPlan.Of(), "tests");
        await SimulatedGrid.Until(async () => (await sweep.Status()).CommittedTrials >= 1, "a trial is committed");
        var planned = (await sweep.Status()).PlannedTrials;
        var cancelled = await sweep.Cancel("enough");
        Assert.Equal(SweepPhase.Cancelled, cancelled.Phase);
        // What it was to be stays what it was: nobody takes it for complete.
        Assert.Equal((planned, true), (cancelled.PlannedTrials, cancelled.CommittedTrials < planned));
        var device = grid.Grains.GetGrain<IGpuGrain>((await grid.Nodes())[0].Devices[0].Key);
        Assert.Empty((await grid.Grains.GetGrain<INodeGrain>(device.GetPrimaryKeyString().Split('/')[0]).View()).Held);
        Assert.NotEmpty(await grid.Store.Results("s"));
        Assert.False((await grid.Files.Matrix("s"))!.Complete);
        await Assert.ThrowsAsync<RefusedException>(() => sweep.Resume());
    }

    [Fact]
    public async Task A_trial_whose_outcome_is_unknown_is_run_again_under_another_order()
    {
        var runs = new ConcurrentQueue<(TrialId Trial, string Order, int Attempt)>();
        await using var grid = await SimulatedGrid.Start(agents: a => new FaultyAgents(a, (order, n) =>
        {
            runs.Enqueue((order.Trial, order.Id, order.Attempt));
            if (n == 3) throw new IOException("the device fell off the bus");
        }));
        await grid.Sweep("s").Submit(SmallPlan.Of(), "tests");
        Assert.Equal(SweepPhase.Finished, (await grid.Ended("s")).Phase);
        var again = runs.GroupBy(r => r.Trial).Single(g => g.Count() > 1).ToArray();
        Assert.NotEqual(again[0].Order, again[1].Order);
        Assert.Equal(again[0].Attempt + 1, again[1].Attempt);
        Assert.Single(await grid.Store.Results("s"), r => r.Trial == again[0].Trial);
    }

    [Fact]
    public async Task A_trial_whose_work_is_done_and_whose_result_is_still_written_is_not_lost()
    {
        var runs = new ConcurrentQueue<TrialId>();
        await using var grid = await SimulatedGrid.Start(agents: a => new FaultyAgents(a, (order, _) => runs.Enqueue(order.Trial), seenBeforeResult: true));
        await grid.Sweep("s").Submit(SmallPlan.Of(), "tests");
        Assert.Equal(SweepPhase.Finished, (await grid.Ended("s")).Phase);
        Assert.Equal(runs.Count, runs.Distinct().Count());
    }

    [Fact]
    public async Task A_lost_device_voids_its_pass_and_another_takes_its_place()
    {
        string? broken = null;
        await using var grid = await SimulatedGrid.Start(new SimulatedSiteOptions { Racks = 1, NodesPerRack = 2, GpusPerNode = 1 },
            pace: new SweepPace { Tick = TimeSpan.FromMilliseconds(20), HostPatience = TimeSpan.FromSeconds(1) },
            agents: a => new FaultyAgents(a, (order, n) =>
            {
                if (n == 2) broken = order.Devices[0];
                if (order.Devices[0] == broken) throw new IOException("the device is gone");
            }));
        await grid.Sweep("s").Submit(SmallPlan.Of(devices: 1, min: 5, max: 5), "tests");
        var status = await grid.Ended("s");
        Assert.Equal(SweepPhase.Finished, status.Phase);
        Assert.Equal(1, status.VoidedPasses);
        var matrix = (await grid.Files.Matrix("s"))!;
        // What the voided pass had committed is counted and not used.
        Assert.Equal(5, matrix.Groups[0].Rows.Single(r => r.Label == "A").Passes);
        Assert.Equal(1, matrix.Groups[0].VoidedPasses);
    }

    [Fact]
    public async Task The_only_device_is_lost_and_the_sweep_waits_for_somebody_to_see_to_it()
    {
        await using var grid = await SimulatedGrid.Start(new SimulatedSiteOptions { Racks = 1, NodesPerRack = 1, GpusPerNode = 1 },
            agents: a => new FaultyAgents(a, (_, n) =>
            {
                if (n is >= 2 and < 8) throw new IOException("the device is gone");
            }));
        var sweep = grid.Sweep("s");
        await sweep.Submit(SmallPlan.Of(devices: 1), "tests");
        await SimulatedGrid.Until(async () => (await sweep.Status()).Phase == SweepPhase.Paused, "the sweep pauses");
        var status = await sweep.Status();
        Assert.Equal((1, 1), (status.CommittedTrials, status.VoidedPasses));
        Assert.Contains("the last one", status.Reason);
        // Resumed too early it pauses again; once the device is back it goes on to the end.
        await SimulatedGrid.Until(async () =>
        {
            if ((await sweep.Status()).Phase == SweepPhase.Paused) await sweep.Resume();
            return (await sweep.Status()).HasEnded;
        }, "the sweep ends");
        Assert.Equal(SweepPhase.Finished, (await sweep.Status()).Phase);
    }

    [Fact]
    public async Task A_full_disk_pauses_the_sweep_with_the_reason_and_nothing_committed_is_lost()
    {
        FullDisk? disk = null;
        await using var grid = await SimulatedGrid.Start(store: s => disk = new FullDisk(s));
        var sweep = grid.Sweep("s");
        _ = grid.Store; // made when it is first asked for
        disk!.FullAfter = 3;
        await sweep.Submit(SmallPlan.Of(), "tests");
        await SimulatedGrid.Until(async () => (await sweep.Status()).Phase == SweepPhase.Paused, "the sweep pauses");
        Assert.Contains("No space left on device", (await sweep.Status()).Reason);
        // The third may be on its way while the fourth is refused.
        await SimulatedGrid.Until(async () => (await grid.Store.Results("s")).Length == 3, "three are kept");
        disk.FullAfter = int.MaxValue;
        await sweep.Resume();
        Assert.Equal(SweepPhase.Finished, (await grid.Ended("s")).Phase);
        var results = await grid.Store.Results("s");
        Assert.Equal(results.Length, results.Select(r => r.Trial).Distinct().Count());
    }

    [Fact]
    public async Task Hardware_that_nobody_has_is_refused_with_what_there_is()
    {
        await using var grid = await SimulatedGrid.Start();
        var refused = await Assert.ThrowsAsync<RefusedException>(() => grid.Sweep("s").Submit(SmallPlan.Of().Replace("H100-SXM-80GB", "H200-SXM-141GB"), "tests"));
        Assert.Contains("H200-SXM-141GB", refused.Message);
        Assert.Contains("2 × H100-SXM-80GB", refused.Message);
        Assert.Empty(await grid.Grains.GetGrain<ISweepIndexGrain>("grid").List());
    }

    [Fact]
    public async Task A_restarted_grid_goes_on_where_it_was()
    {
        var directory = Directory.CreateTempSubdirectory("energygrid-");
        try
        {
            int committed;
            await using (var grid = await SimulatedGrid.Start(scale: 200, directory: directory.FullName))
            {
                await grid.Sweep("s").Submit(SmallPlan.Of(), "tests");
                await SimulatedGrid.Until(async () => (await grid.Sweep("s").Status()).CommittedTrials >= 3, "three trials are committed");
                committed = (await grid.Store.Results("s")).Length;
            }
            await using (var grid = await SimulatedGrid.Start(scale: 1000, directory: directory.FullName))
            {
                Assert.True((await grid.Store.Results("s")).Length >= committed);
                await grid.Sweep("s").Wake();
                Assert.Equal(SweepPhase.Finished, (await grid.Ended("s")).Phase);
                var results = await grid.Store.Results("s");
                Assert.Equal(results.Length, results.Select(r => r.Trial).Distinct().Count());
                committed = results.Length;
            }
            await using (var grid = await SimulatedGrid.Start(scale: 1000, directory: directory.FullName))
            {
                // What has ended is told with what it did, also by those who were not there.
                var status = await grid.Sweep("s").Status();
                Assert.Equal((SweepPhase.Finished, committed), (status.Phase, status.CommittedTrials));
            }
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private sealed class FullDisk(IResultStore inner) : IResultStore
    {
        private int _commits;

        public int FullAfter { get; set; } = int.MaxValue;

        public Task Create(string sweep, string planText, ResolvedPlan plan, CancellationToken stop) => inner.Create(sweep, planText, plan, stop);

        public Task<string> Take(string sweep, Fence writer, CancellationToken stop) => inner.Take(sweep, writer, stop);

        public Task Register(string sweep, Fence writer, string order, CancellationToken stop) => inner.Register(sweep, writer, order, stop);

        public async Task<CommitAnswer> Commit(string sweep, string order, TrialResult result, CancellationToken stop)
        {
            // Two devices commit side by side: who comes is counted before the write, not after.
            if (Interlocked.Increment(ref _commits) > FullAfter) throw new StorageTroubleException("No space left on device");
            return await inner.Commit(sweep, order, result, stop);
        }

        public Task<System.Collections.Immutable.ImmutableArray<TrialResult>> Results(string sweep, int from, CancellationToken stop) => inner.Results(sweep, from, stop);

        public Task<SweepEvent> Append(string sweep, Fence writer, string key, string kind, string text, CancellationToken stop) => inner.Append(sweep, writer, key, kind, text, stop);

        public Task Publish(string sweep, Fence writer, SweepRecord record, CancellationToken stop) => inner.Publish(sweep, writer, record, stop);
    }

    [Fact]
    public async Task A_first_stage_that_loses_trials_twice_is_completed_before_the_sweep_ends()
    {
        // F is lost in pass 0, and again in the pass that was added for it.
        await using var grid = await SimulatedGrid.Start(agents: a => new FaultyAgents(a, static (_, _) => { }, amend: static r =>
            r.Trial is { Label: "F", Pass: 0 or 5 } ? r with { Outcome = TrialOutcome.Invalid, Reasons = ["lost in this test"] } : r));
        await grid.Sweep("s").Submit(SmallPlan.Of(workloads: "A, F", devices: 1, max: 9), "tests");
        Assert.Equal(SweepPhase.Finished, (await grid.Ended("s")).Phase);
        var valid = (await grid.Store.Results("s")).Count(r => r.Trial.Label == "F" && r.Outcome == TrialOutcome.Valid);
        Assert.True(valid >= 5, $"{valid} usable passes of F; the first stage has five");
    }
}
