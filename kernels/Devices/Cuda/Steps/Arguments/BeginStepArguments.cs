using System.Runtime.InteropServices;
namespace EnergyGrid.Devices.Cuda.Steps;
[StructLayout(LayoutKind.Sequential)]
internal struct BeginStepArguments
{
    public ulong A;
}
