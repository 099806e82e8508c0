using EnergyGrid.Contracts;

namespace EnergyGrid.Node;

/// <summary>What was worked within a window.</summary>
/// <param name="Steps">Steps of all copies; of a serving engine its output tokens. NaN if unknown.</param>
/// <param name="Tokens">Output tokens; NaN if unknown.</param>
/// <param name="Devices">Devices of the group that took part.</param>
/// <param name="P50StepSeconds">Median time of a step, s; NaN if unknown.</param>
/// <param name="P99StepSeconds">99th percentile, s; NaN if unknown.</param>
internal readonly record struct WindowWork(double Steps, double Tokens, int Devices, double P50StepSeconds, double P99StepSeconds);

/// <summary>
/// What a trial runs. A trial is one flow whatever that is: load, work until flat, a window, rest with everything resident, end. What differs is here: how it is loaded, what counts as a token, and
/// which figures it adds.
/// </summary>
internal interface ITrialWork
{
    /// <summary>Why it can never run on the trial's devices, or null.</summary>
    string? Refusal();

    /// <summary>Makes it resident, after what was there before is gone.</summary>
    /// <param name="layers">L' of the leg.</param>
    /// <param name="stop">Gives up.</param>
    Task Load(int layers, CancellationToken stop);

    /// <summary>Starts the work.</summary>
    void Start();

    /// <summary>Whether it has been flat for so long, s.</summary>
    bool IsFlat(double seconds);

    /// <summary>Looks after it while time passes.</summary>
    /// <exception cref="InvalidOperationException">It cannot go on, for the reason that is told.</exception>
    void Look()
    {
    }

    /// <summary>Ends the work; everything stays resident.</summary>
    Task Stop(CancellationToken stop);

    /// <summary>Gives everything back, whatever state it is in.</summary>
    Task Release();

    /// <summary>What was worked within a leg's window; what is wrong with it invalidates the trial.</summary>
    WindowWork Within(TrialLeg leg, List<string> flags);

    /// <summary>What it adds to the result of a trial that ran to its end.</summary>
    (ServedTrial? Served, ReadOnlyMemory<byte> Requests) Figures() => default;
}
