using EnergyGrid.Contracts;
using EnergyGrid.Devices.Engines;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices;

/// <summary>Makes reference decode steps.</summary>
/// <param name="threads">Threads of a step.</param>
/// <param name="weights">Where values of weights come from that lie in a file; disposed with it.</param>
internal sealed class ReferenceSteps(int threads, WeightSource weights) : IStepMaker
{
    public void Open()
    {
    }

    public string? Refusal(Configuration configuration, int layers) => null;

    public ILoadedStep Make(StepLoad load, CancellationToken stop) =>
        new Loaded(DecodeStep.Create(load.Configuration, load.Layers, threads, weights: weights.Values(load.Configuration, stop)));

    public void Dispose() => weights.Dispose();

    private sealed class Loaded(DecodeStep step) : ILoadedStep
    {
        public void Run() => step.Run();

        public void Dispose() => step.Dispose();
    }
}
