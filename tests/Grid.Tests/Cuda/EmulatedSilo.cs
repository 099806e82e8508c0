using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Tests.Cuda;
using EnergyGrid.Grid.Tests.Faults;
using EnergyGrid.Grid.Tests.Sweeps;

namespace EnergyGrid.Grid.Tests.Cuda;

/// <summary><c>energygrid up</c> as a process of its own on two emulated GPUs, which execute the committed PTX, and on scripted sensors.</summary>
internal static class EmulatedSilo
{
    /// <param name="libraries">The driver's and NVML's stand-ins.</param>
    /// <param name="data">Its data directory.</param>
    /// <param name="script">What the sensors show.</param>
    /// <param name="arguments">What it serves.</param>
    /// <param name="hang">The file that makes a kernel hang; null for none.</param>
    public static Task<SiloProcess> Up(EmulatedLibraries libraries, string data, string script, string[] arguments, string? hang = null)
    {
        var file = Path.Combine(data, "sensors.txt");
        File.WriteAllText(file, script);
        return SiloProcess.Start(data, arguments, "exec \"$@\"", new Dictionary<string, string>
        {
            [NativeLibraries.CudaVariable] = libraries.CudaLibrary,
            [NativeLibraries.NvmlVariable] = libraries.NvmlLibrary,
            ["EMULATED_CUDA_DEVICES"] = "2",
            ["EMULATED_CUDA_EXECUTE"] = "ptx",
            ["EMULATED_CUDA_HANG"] = hang ?? "",
            ["EMULATED_NVML_SCRIPT"] = file,
        });
    }

    /// <summary>Its devices, once there are so many.</summary>
    public static async Task<DeviceInfo[]> Devices(SiloProcess silo, int count)
    {
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
                return devices.Length == count;
            }, $"{count} GPUs have announced themselves", 60, () => silo.Log);
        return devices;
    }

    public static string Plan(string model, int devices, int passes = 5) => $$"""
        name: emulated
        operating_point:
          quality: {target: "not applicable: synthetic weights", check: "none: equal arithmetic on seeded random data"}
          service: {milliseconds_per_token: 100000, statistic: mean}
        workload_mix: decode only, 40 tokens of context, no arrivals
        batching: closed batch of 2, all sequences step together
        hardware: {description: emulated GPUs of this machine, model: "{{model}}", devices: {{devices}}}
        boundary: gpu
        stack: cuda
        layers: [1, 3]
        groups:
          - name: small
            baseline: A
            sweep:
              - {workload: [A, F], batch: 2, context: 40, d_model: 256, d_ff: 256, model_layers: 8, vocabulary: 0}
        passes: {min: {{passes}}, max: {{passes}}, half_width: 0.5}
        aa: {delta: 0.5}
        trial: {warmup_s: 0.1, window_s: 0.8, cooldown_s: 0.1, precondition_timeout_s: 10}
        guards: {min_coverage: 0.5, max_clock_error_s: 60}
        traces: none
        """;
}
