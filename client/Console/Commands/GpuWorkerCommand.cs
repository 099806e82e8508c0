using System.CommandLine;
using EnergyGrid.Devices.Cuda.Worker;

[assembly: GpuWorkerHost(EnergyGrid.Console.GpuWorkerCommand.Name)]

namespace EnergyGrid.Console;

/// <summary><c>gpu-worker</c>: what a silo starts for each of its GPUs, and nobody else; so no help names it.</summary>
internal static class GpuWorkerCommand
{
    public const string Name = "gpu-worker";

    public static Command Make()
    {
        var command = new Command(Name, "Runs the GPU work of the silo that started it.") { Hidden = true };
        command.SetAction(_ =>
        {
            GpuWorker.Run();
            return ExitCodes.Ok;
        });
        return command;
    }
}
