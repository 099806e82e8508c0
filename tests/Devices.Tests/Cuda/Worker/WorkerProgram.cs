using EnergyGrid.Devices.Cuda.Worker;

namespace EnergyGrid.Devices.Tests.Cuda.Worker;

/// <summary>This assembly, started by itself, is a worker: as the console is, without what else the console does.</summary>
internal static class WorkerProgram
{
    private const string Name = "gpu-worker";

    public static WorkerCommand Command { get; } = new("dotnet", ["exec", typeof(WorkerProgram).Assembly.Location, Name]);

    public static int Main(string[] arguments)
    {
        if (arguments is [Name]) GpuWorker.Run();
        return 2;
    }
}
