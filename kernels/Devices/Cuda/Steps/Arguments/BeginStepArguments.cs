using System.Runtime.InteropServices;

namespace EnergyGrid.Devices.Cuda.Steps;

/// <summary>BeginStepArguments of kernels/begin_step.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BeginStepArguments
{
    public ulong Input, Gain, Residual, Panel, Squares;
    public uint Width, BatchTiles, FirstZeroed, SquaresCount;
}
