using EnergyGrid.Contracts;
using EnergyGrid.Devices.Engines;
using MessagePack;

namespace EnergyGrid.Devices.Workers;

/// <summary>What a worker is asked for.</summary>
public enum WorkerAct
{
    /// <summary>The first: whatever the steps need.</summary>
    Open,
    Refusal,
    Load,

    /// <summary>The only one that is not answered: the marks are the answer.</summary>
    Start,
    Stop,
    Unload,
}

/// <summary>How it went.</summary>
public enum WorkerOutcome
{
    Done,

    /// <summary>It did not, for the reason in the text.</summary>
    Failed,
}

/// <summary>From the silo to a worker.</summary>
/// <param name="Id">The answer bears it.</param>
/// <param name="Act">What is asked for.</param>
/// <param name="Target">Id of the target; of <see cref="WorkerAct.Open"/> alone, as the next.</param>
/// <param name="Build">Of the program that asks: another one may have been installed while it ran.</param>
/// <param name="Configuration">Of <see cref="WorkerAct.Refusal"/> and <see cref="WorkerAct.Load"/>, as the next.</param>
/// <param name="Layers">L'; 0 is the LM head alone.</param>
[MessagePackObject]
public sealed record WorkerRequest(
    [property: Key(0)] long Id,
    [property: Key(1)] WorkerAct Act,
    [property: Key(2)] string? Target = null,
    [property: Key(3)] string? Build = null,
    [property: Key(4)] ConfigurationMessage? Configuration = null,
    [property: Key(5)] int Layers = 0);

/// <summary>From a worker to the silo: an answer, and always what has happened since the last one.</summary>
/// <param name="Id">Of the request that it answers; 0 for none.</param>
/// <param name="Outcome">Of the request.</param>
/// <param name="Text">The refusal that was asked for, or why it failed; null if there is nothing to say.</param>
/// <param name="Timestamps">When marks were, ticks of the monotonic clock that all processes of the machine share.</param>
/// <param name="Steps">How many steps had ended by then, since the worker's start.</param>
/// <param name="Fault">As <see cref="IStepEngine.Fault"/>.</param>
/// <param name="Lost">As <see cref="IStepEngine.Lost"/>.</param>
[MessagePackObject]
public sealed record WorkerReport(
    [property: Key(0)] long Id,
    [property: Key(1)] WorkerOutcome Outcome,
    [property: Key(2)] string? Text,
    [property: Key(3)] long[] Timestamps,
    [property: Key(4)] long[] Steps,
    [property: Key(5)] string? Fault,
    [property: Key(6)] string? Lost);

/// <summary>A <see cref="Contracts.Configuration"/> on its way to a worker.</summary>
[MessagePackObject]
public sealed record ConfigurationMessage(
    [property: Key(0)] string Workload,
    [property: Key(1)] string Weights,
    [property: Key(2)] int Batch,
    [property: Key(3)] int Context,
    [property: Key(4)] int ModelWidth,
    [property: Key(5)] int Heads,
    [property: Key(6)] int KeyValueHeads,
    [property: Key(7)] int FeedForwardWidth,
    [property: Key(8)] int ModelLayers,
    [property: Key(9)] int ShortLayers,
    [property: Key(10)] int LongLayers,
    [property: Key(11)] int Vocabulary,
    [property: Key(12)] string Stack,
    [property: Key(13)] long DataSeed,
    [property: Key(14)] string Data,
    [property: Key(15)] int MiddleLayers,
    [property: Key(16)] string? WeightsPath)
{
    public static ConfigurationMessage Of(Configuration c) => new(
        c.Workload, c.Weights, c.Batch, c.Context, c.ModelWidth, c.Heads, c.KeyValueHeads, c.FeedForwardWidth, c.ModelLayers, c.ShortLayers, c.LongLayers, c.Vocabulary,
        c.Stack, c.DataSeed, c.Data, c.MiddleLayers, c.WeightsPath);

    public Configuration ToConfiguration() => new(
        Workload, Weights, Batch, Context, ModelWidth, Heads, KeyValueHeads, FeedForwardWidth, ModelLayers, ShortLayers, LongLayers, Vocabulary,
        Stack, DataSeed, Data, MiddleLayers, WeightsPath);
}
