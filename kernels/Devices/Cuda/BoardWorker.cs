using EnergyGrid.Devices.Engines;
using EnergyGrid.Devices.Workers;

namespace EnergyGrid.Devices.Cuda;

/// <summary>A board's work in a process of its own.</summary>
public static class BoardWorker
{
    /// <summary>What a worker of that board is asked for, and how its troubles are told. The stand-ins for the driver read variables of their own.</summary>
    public static WorkerTarget Target(CudaBoard board) => new(board.Uuid, $"gpu {board.Index}", board.Uuid)
    {
        Work = "GPU work",
        Runner = "a kernel",
        Host = "the driver",
        Opened = "opened the board",
        Variables = [NativeLibraries.CudaVariable, NativeLibraries.NvmlVariable, "CUDA_", "NVIDIA_", "EMULATED_", "SIMT_"],
    };

    /// <summary>Within the worker: what runs the steps.</summary>
    /// <param name="board">Its UUID.</param>
    public static IStepEngine Open(string board) => new ContextEngine(CudaDriver.Find(board), TimeProvider.System);
}
