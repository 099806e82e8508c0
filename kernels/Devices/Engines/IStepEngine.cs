using EnergyGrid.Contracts;

namespace EnergyGrid.Devices.Engines;

/// <summary>
/// Runs decode steps on one device and counts them: what owns a context, a library, threads, apart from what meters. In this process, or in a process of its own
/// (<see cref="Workers.WorkerEngine"/>). Safe to use from several threads; one caller at a time drains it.
/// </summary>
public interface IStepEngine : IDisposable
{
    /// <summary>Why the trial that runs on it cannot go on, until <see cref="Unload"/>; null if it can.</summary>
    string? Fault { get; }

    /// <summary>Why nothing can run on it until <see cref="Revive"/> has succeeded; null if something can.</summary>
    string? Lost { get; }

    /// <summary>Processes of ours that may be at work on the device now; none while nothing is open.</summary>
    IReadOnlyList<int> Processes { get; }

    /// <summary>Opens it: the first thing that is asked of it.</summary>
    /// <exception cref="InvalidOperationException">It cannot be had: the message says why. So may the driver's own exceptions.</exception>
    Task Open();

    /// <summary>Why it cannot run this, or null. Zero layers are the LM head alone.</summary>
    Task<string?> Refusal(Configuration configuration, int layers);

    /// <summary>Makes it resident, after unloading what was there.</summary>
    Task Load(StepLoad load, CancellationToken stop);

    /// <summary>Starts running steps of what is loaded, back to back.</summary>
    void Start();

    /// <summary>Ends after the steps that are under way; by then all of their marks can be drained.</summary>
    Task Stop();

    /// <summary>Gives the buffers back, and forgets a fault.</summary>
    Task Unload();

    /// <summary>Sets everything up anew. False if that failed: then it is as lost as before.</summary>
    Task<bool> Revive();

    /// <summary>Whether somebody measures or watches the device. Where nobody does, an engine may give back what only work needs.</summary>
    void Attend(bool closely)
    {
    }

    /// <summary>Appends the marks since the last drain, in time order.</summary>
    void Drain(List<EngineMark> marks);
}

/// <summary>What is to be made resident, and what is known of it before it has run.</summary>
/// <param name="Configuration">Resolved.</param>
/// <param name="Layers">L'; 0 is the LM head alone.</param>
/// <param name="StepSeconds">How long a step should take at the device's ceilings, s.</param>
/// <param name="ResidentBytes">Memory that it occupies, B.</param>
public sealed record StepLoad(Configuration Configuration, int Layers, double StepSeconds, double ResidentBytes);

/// <summary>How many steps had ended at an instant. Whoever drains it knows the node's clock; an engine need not.</summary>
/// <param name="Timestamp">Of the monotonic clock that all processes of the machine share.</param>
/// <param name="Steps">Since the engine was made.</param>
public readonly record struct EngineMark(long Timestamp, long Steps);
