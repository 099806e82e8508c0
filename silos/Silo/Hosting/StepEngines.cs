using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Engines;
using EnergyGrid.LlamaCpp;

namespace EnergyGrid.Silo;

/// <summary>What a worker process of a silo's can run.</summary>
public static class StepEngines
{
    /// <summary>The engine of a target: llama.cpp's, or that of a board by its UUID.</summary>
    public static IStepEngine Open(string target) => LlamaSteps.Open(target) ?? BoardWorker.Open(target);
}
