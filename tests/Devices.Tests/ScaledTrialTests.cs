using EnergyGrid.Contracts;
using EnergyGrid.Node;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Tests;

public sealed class ScaledTrialTests
{
    [Fact]
    public async Task Time_that_runs_two_hundred_times_as_fast_on_real_threads_costs_no_accuracy()
    {
        var time = new ScaledTimeProvider(200);
        var site = SimulatedSite.Create(new SimulatedSiteOptions { Racks = 1, NodesPerRack = 1, GpusPerNode = 2, Seed = 5, Defects = new() { PowerVariation = 0, SpeedVariation = 0, Sensor = SensorDesign.Straight } }, time);
        var agent = new NodeAgent(site.Nodes[0], time);
        var grid = new Grid();
        using var stop = new CancellationTokenSource();
        var serving = agent.Serve(grid.Factory, stop.Token);
        var lab = new Laboratory(5, gpus: 2);
        var a = Laboratory.Resolve("A");
        var gpus = site.Nodes[0].Gpus;
        var results = await Task.WhenAll(gpus.Select(g => agent.Run(lab.Order(a) with { Devices = [g.Info.Uuid] }, static _ => { }, default)));
        stop.Cancel();
        await serving;
        foreach (var ((result, _), gpu) in results.Zip(gpus))
        {
            Assert.True(result.Outcome == TrialOutcome.Valid, string.Join("; ", result.Reasons));
            Assert.Equal(gpu.Truth.Curve.Gain, Laboratory.TokenLayerJoules(result, a.Batch) / Laboratory.Truth(gpu, a), 0.006);
            // The pace of the wall decides how long a window is waited for, not how long it is.
            Assert.All(result.Legs, leg => Assert.InRange(leg.WindowSeconds, 30, 30.2));
        }
        var windows = grid.Latest.Where(w => w.Source == gpus[0].Info.Key).OrderBy(w => w.Window).ToArray();
        Assert.True(windows.Length > 60);
        Assert.Equal(windows.Length, windows[^1].Window - windows[0].Window + 1);
    }
}
