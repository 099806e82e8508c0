using EnergyGrid.Contracts;
using EnergyGrid.Devices.Tests.Cuda;
using EnergyGrid.Grid.Tests.Faults;
using EnergyGrid.Grid.Tests.Sweeps;

namespace EnergyGrid.Grid.Tests.Cuda;

/// <summary>
/// The whole way from a plan to a matrix on GPUs: <c>energygrid up</c> as a process of its own on the emulated driver, which executes the committed PTX, and on
/// scripted sensors.
/// </summary>
[Collection("cuda")]
public sealed class EmulatedGpuTests(EmulatedLibraries libraries)
{
    [Fact]
    public async Task A_sweep_runs_on_two_GPUs_and_goes_on_with_one_when_the_other_falls_off_the_bus()
    {
        using var scratch = new Scratch();
        await using var silo = await EmulatedSilo.Up(libraries, scratch.Path, "devices 2\npower 0 140\ndevice 1\nlost 45", ["--gpus", "all", "--qualify", "0.5"]);
        var devices = await EmulatedSilo.Devices(silo, 2);
        Assert.All(devices, d => Assert.Equal((DeviceKind.Cuda, Provenance.Modelled), (d.Kind, d.EnergyProvenance)));
        Assert.Equal(2, Directory.GetFiles(Path.Combine(scratch.Path, "devices"), "GPU-*.json").Length);

        await silo.Client.Submit(EmulatedSilo.Plan(devices[0].Model, 2, passes: 9), "s");
        var status = await silo.Until(s => s.HasEnded || s.Phase == SweepPhase.Paused, "the sweep ends", 240);
        var files = new SweepFiles(scratch.Path);
        Assert.True(status.Phase == SweepPhase.Finished, $"{status.Phase}: {status.Reason}\n{files.Events()}\n{silo.Log}");
        Assert.Contains("outcome unknown", files.Events());
        Assert.Contains("is given up", files.Events());
        Assert.True(status.VoidedPasses >= 1, files.Events());

        var matrix = files.Matrix();
        Assert.Equal(Provenance.Modelled, matrix.Provenance);
        Assert.Equal(["A", "F"], matrix.Groups[0].Rows.Select(r => r.Label).Where(l => !l.Contains("twin", StringComparison.Ordinal)).Order());
        Assert.All(matrix.Groups[0].Rows, r => Assert.True(r.TokenLayersPerSecond > 0 && r.JoulesPerTokenLayer.Value > 0, r.Label));
        var lost = devices.Single(d => d.Index == 1);
        // Quarantined: its node does not offer it any more.
        await SimulatedGrid.Until(async () => (await silo.Client.Devices()).All(d => d.Device.Uuid != lost.Uuid), "the lost GPU is not offered any more", 30);
        var verified = await SiloProcess.Command("verify", files.Directory);
        Assert.True(verified.Code == 0, verified.Out + verified.Error);
    }

    [Fact]
    public async Task A_GPU_that_is_not_there_is_refused_with_those_that_are()
    {
        using var scratch = new Scratch();
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => EmulatedSilo.Up(libraries, scratch.Path, "power 0 140", ["--gpus", "3", "--qualify", "0.5"]));
        Assert.Contains("No GPU '3': there is index 0 (GPU-", refused.Message);
        Assert.Contains("--gpus none", refused.Message);
    }
}
