using EnergyGrid.Contracts;
using EnergyGrid.Devices.Engines;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices;

/// <summary>Something that runs decode steps on this machine's processor.</summary>
/// <param name="Name">As a configuration names it: <c>reference</c>, <c>llama.cpp</c>.</param>
/// <param name="Refusal">Why it cannot run that, memory apart; null if it can.</param>
/// <param name="ResidentBytes">Memory that it takes while it loads and runs, B.</param>
/// <param name="Engine">Makes what runs it; opened by the device, when it is first needed.</param>
public sealed record CpuStack(string Name, Func<Configuration, int, string?> Refusal, Func<Configuration, int, double> ResidentBytes, Func<TimeProvider, IStepEngine> Engine)
{
    /// <summary>The reference, in this process.</summary>
    /// <param name="threads">Threads of a step.</param>
    public static CpuStack Reference(int threads) => new(
        KernelStacks.Reference, static (_, _) => null, DecodeStep.ResidentBytes,
        time => new ThreadEngine(new ReferenceSteps(threads, new WeightSource(static c => c.WeightsPath)), time, "cpu device"));
}
