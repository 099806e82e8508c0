using System.Reflection;

namespace EnergyGrid.Devices.Workers;

/// <summary>How workers are started and looked after.</summary>
/// <param name="Command">What starts one.</param>
public sealed record WorkerOptions(WorkerCommand Command)
{
    /// <summary>A running device without a new mark for so long hangs, s; more where its steps take more than a tenth of it.</summary>
    public double HangSeconds { get; init; } = 10;

    /// <summary>What else is asked of a worker may take so long, s: the driver starts, or translates kernels. Loading may take longer by its bytes.</summary>
    public double CallSeconds { get; init; } = 120;

    /// <summary>A worker that nobody needs is given back after so long, s, with its context and its memory.</summary>
    public double IdleSeconds { get; init; } = 60;

    /// <summary>So many workers that end in a row, and none between that ran steps and stopped, quarantine the device.</summary>
    public int MostInRow { get; init; } = 3;

    /// <summary>Told what a worker writes to standard error, a clean line at a time.</summary>
    public Action<string> Log { get; init; } = static _ => { };
}

/// <summary>What starts a worker: a program that calls <see cref="StepWorker.Run(Func{string, Engines.IStepEngine})"/>.</summary>
/// <param name="Program">Its file.</param>
/// <param name="Arguments">Its arguments.</param>
public sealed record WorkerCommand(string Program, IReadOnlyList<string> Arguments)
{
    /// <summary>This program as its own worker; null where it cannot be one (<see cref="StepWorkerHostAttribute"/>).</summary>
    public static WorkerCommand? OfThisProgram()
    {
        if (Assembly.GetEntryAssembly() is not { } entry || entry.GetCustomAttribute<StepWorkerHostAttribute>() is not { } host || Environment.ProcessPath is not { } program) return null;
        // Either an executable of its own, or an assembly that dotnet executes.
        return Path.GetFileNameWithoutExtension(program) == "dotnet" ? new(program, ["exec", entry.Location, host.Command]) : new(program, [host.Command]);
    }
}

/// <summary>Says of a program that it becomes a worker when it is started with this command.</summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class StepWorkerHostAttribute(string command) : Attribute
{
    /// <summary>Its only argument.</summary>
    public string Command { get; } = command;
}
