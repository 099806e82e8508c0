using System.Diagnostics;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Tests.Cuda;
using EnergyGrid.Grid.Tests.Faults;
using EnergyGrid.Grid.Tests.Sweeps;

namespace EnergyGrid.Grid.Tests.Cuda;

/// <summary><c>energygrid up</c> on two emulated GPUs of which one is unfit: the other is offered, and both <c>up</c> and <c>doctor</c> say which and why.</summary>
[Collection("cuda")]
public sealed class GpuFaultsOfASiloTests(EmulatedLibraries libraries)
{
    [Theory]
    [InlineData("lack nvmlDeviceGetTotalEnergyConsumption\nlack nvmlDeviceGetPowerUsage\nlack field:185\nlack field:186", "tells neither energy nor power")]
    [InlineData("fault all 999", "NVML error 999")]
    public async Task One_unfit_GPU_of_two_is_named_and_left_out_and_the_other_is_offered(string fault, string reason)
    {
        using var scratch = new Scratch();
        var script = Path.Combine(scratch.Path, "sensors.txt");
        File.WriteAllText(script, $"devices 2\npower 0 140\ndevice 0\n{fault}");
        var variables = new Dictionary<string, string>
        {
            [NativeLibraries.CudaVariable] = libraries.CudaLibrary,
            [NativeLibraries.NvmlVariable] = libraries.NvmlLibrary,
            ["EMULATED_CUDA_DEVICES"] = "2",
            ["EMULATED_NVML_SCRIPT"] = script,
        };
        // All that it says, from its first line on.
        var log = Path.Combine(scratch.Path, "log.txt");
        await using var silo = await SiloProcess.Start(scratch.Path, ["--gpus", "all", "--qualify", "0.5"], $"exec \"$@\" 2>'{log}'", variables);
        DeviceInfo[] devices = [];
        await SimulatedGrid.Until(
            async () =>
            {
                try
                {
                    devices = [.. (await silo.Client.Devices()).Select(d => d.Device)];
                }
                catch (Sdk.GridProblemException)
                {
                    // It has just started.
                }
                return devices.Length > 0;
            }, "the sound GPU has announced itself");
        Assert.Equal(1, Assert.Single(devices).Index);
        await SimulatedGrid.Until(() => Task.FromResult(File.ReadAllText(log).Contains("gpu 0 (GPU-656d756c-6174-6564-0000-000000000000) is not offered", StringComparison.Ordinal)), "it is said", 30);
        Assert.Contains(reason, File.ReadAllText(log));

        var (code, said) = await Doctor(scratch.Path, variables);
        var found = JsonDocument.Parse(said).RootElement.EnumerateArray().ToDictionary(f => f.GetProperty("check").GetString()!, f => (State: f.GetProperty("state").GetString(), Says: f.GetProperty("found").GetString()));
        Assert.Equal(("wrong", "ok", 1), (found["gpu 0"].State, found["gpu 1"].State, code));
        Assert.Contains(reason, found["gpu 0"].Says);
        Assert.Contains("qualification remembered from ", found["gpu 1"].Says);
    }

    private static async Task<(int Code, string Out)> Doctor(string data, Dictionary<string, string> variables)
    {
        var start = new ProcessStartInfo("dotnet", ["exec", typeof(EnergyGrid.Console.GridCommand).Assembly.Location, "doctor", "--json", "--data", data]) { RedirectStandardOutput = true };
        foreach (var (name, value) in variables) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, said);
    }
}
