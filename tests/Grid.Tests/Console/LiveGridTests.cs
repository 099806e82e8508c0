using EnergyGrid.Contracts;
using EnergyGrid.Grid.Tests.Faults;
using EnergyGrid.Grid.Tests.Sweeps;
using EnergyGrid.Sdk;

namespace EnergyGrid.Grid.Tests.Console;

/// <summary>The same screens before a silo that measures: simulated devices, at rest and at work.</summary>
[Collection("faults")]
public sealed class LiveGridTests
{
    [Fact]
    public async Task Devices_show_readings_at_rest_and_their_trial_at_work_and_an_ended_sweep_can_be_deleted()
    {
        using var scratch = new Scratch();
        await using var silo = await SiloProcess.Start(Path.Combine(scratch.Path, "data"), scale: 100);
        var url = $"{silo.Client.Address}";
        DeviceLine[] devices = [];
        await Until(() => devices is [_, _] && devices.All(d => d.Watts > 20), "both devices rest and show their power");
        Assert.All(devices, d => Assert.Equal((TrialPhase.Idle, null, null), (d.Phase, d.Trial, d.Fraction)));
        Assert.All(devices, d => Assert.True(d.Celsius > 10 && d.Megahertz > 100));

        await silo.Submit(SmallPlan.Of(workloads: "A, F", min: 2, max: 2));
        await Until(() => devices.All(d => d is { Sweep: "s", Trial.Length: > 0, Fraction: >= 0, Watts: > 20 }), "both devices show their trial");
        var top = await SiloProcess.Command("top", "--url", url);
        Assert.Equal(0, top.Code);
        Assert.Contains("\ts\t", top.Out);
        await silo.Until(s => s.HasEnded, "the sweep ends");
        Assert.Contains("finished", (await SiloProcess.Command("status", "--url", url)).Out);

        var deleted = await SiloProcess.Command("sweep", "delete", "s", "--yes", "--url", url);
        Assert.Equal((0, ""), (deleted.Code, deleted.Error));
        Assert.Equal(404, (int)(await Assert.ThrowsAsync<GridProblemException>(() => silo.Client.Sweep("s"))).Status);

        Task Until(Func<bool> holds, string what) => SimulatedGrid.Until(async () =>
        {
            try { devices = [.. await silo.Client.Devices()]; }
            catch (GridProblemException e) when ((int)e.Status == 503) { return false; } // it has just started
            return holds();
        }, what, now: () => string.Join('\n', devices.Select(d => $"{d}")));
    }
}
