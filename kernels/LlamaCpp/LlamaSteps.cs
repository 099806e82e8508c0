using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Devices.Engines;
using EnergyGrid.Devices.Workers;
using EnergyGrid.Workloads;

namespace EnergyGrid.LlamaCpp;

/// <summary>llama.cpp as a stack of the cpu device, in a worker process: its assertions end the process that they are in.</summary>
public sealed class LlamaSteps : IStepMaker
{
    /// <summary>The id of its target begins so, threads behind it.</summary>
    private const string Prefix = "llama.cpp:";

    /// <summary>Sequences of a context, as llama.cpp is built.</summary>
    private const int MostSequences = 256;

    private readonly WeightSource _weights = new(static c => c.WeightsPath);
    private readonly int _threads;

    private LlamaSteps(int threads) => _threads = threads;

    /// <summary>The stack, its work done by processes that this program starts.</summary>
    /// <param name="threads">Threads of a step.</param>
    /// <param name="workers">How they are started.</param>
    public static CpuStack Stack(int threads, WorkerOptions workers) => new(
        KernelStacks.LlamaCpp, RefusalOf, ResidentBytes, time => new WorkerEngine(Target(threads), time, workers));

    /// <summary>Within the worker: what runs the steps, if that id is llama.cpp's; null for another's.</summary>
    public static IStepEngine? Open(string target) => target.StartsWith(Prefix, StringComparison.Ordinal) && int.TryParse(target.AsSpan(Prefix.Length), out var threads)
        ? new ThreadEngine(new LlamaSteps(threads), TimeProvider.System, KernelStacks.LlamaCpp)
        : null;

    void IStepMaker.Open()
    {
        if (LlamaLibrary.Refusal() is { } refusal) throw new InvalidOperationException(refusal);
    }

    string? IStepMaker.Refusal(Configuration configuration, int layers) => RefusalOf(configuration, layers);

    ILoadedStep IStepMaker.Make(StepLoad load, CancellationToken stop) =>
        LlamaStep.Create(load.Configuration, load.Layers, _threads, _weights.Values(load.Configuration, stop), stop);

    void IDisposable.Dispose() => _weights.Dispose();

    private static WorkerTarget Target(int threads) => new($"{Prefix}{threads}", KernelStacks.LlamaCpp, KernelStacks.LlamaCpp)
    {
        Work = "llama.cpp",
        Runner = "llama.cpp",
        Host = "llama.cpp",
        Opened = "opened it",
        Variables = ["OMP_", "GOMP_", "GGML_"],
    };

    private static string? RefusalOf(Configuration c, int layers)
    {
        if (LlamaLibrary.Missed() is { } missed) return missed;
        if (layers == StepLayers.HeadAlone) return "llama.cpp does not run the LM head alone: let the plan name no vocabulary (vocabulary: 0)";
        return c.Batch > MostSequences ? $"llama.cpp takes {MostSequences} sequences at most, not {c.Batch}" : null;
    }

    // The file, which stays, twice where it is repacked; the caches, which are there three times while they are given over; one layer of the reference at a time.
    private static double ResidentBytes(Configuration c, int layers)
    {
        var cost = Catalogue.Cost(c);
        var state = layers * (cost.ResidentBytes - cost.WeightBytes);
        return (WeightFormat.IsInBlocks(c.Weights) ? 2 : 1) * layers * cost.WeightBytes + 3 * state + DecodeStep.ResidentBytes(c, 1);
    }
}
