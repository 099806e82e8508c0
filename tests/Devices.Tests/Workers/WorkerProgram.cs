using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Workers;

namespace EnergyGrid.Devices.Tests.Workers;

/// <summary>This assembly, started by itself, is a worker: as the console is, without what else the console does.</summary>
internal static class WorkerProgram
{
    private const string Name = "step-worker";

    public static WorkerCommand Command { get; } = new("dotnet", ["exec", typeof(WorkerProgram).Assembly.Location, Name]);

    public static int Main(string[] arguments)
    {
        if (arguments is [Name]) StepWorker.Run(BoardWorker.Open);
        return 2;
    }
}
