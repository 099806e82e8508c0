namespace EnergyGrid.Console;

/// <summary>What the command says to the shell.</summary>
public static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>Finished, and some cell failed; or a check found a difference.</summary>
    public const int Failed = 1;

    /// <summary>Wrong usage, or an invalid plan.</summary>
    public const int Usage = 2;

    /// <summary>No grid answers.</summary>
    public const int Unreachable = 3;

    /// <summary>A quality gate failed.</summary>
    public const int QualityGate = 4;

    /// <summary>Cancelled, by Ctrl-C or on request.</summary>
    public const int Cancelled = 130;
}

/// <summary>A command cannot go on: what to say on standard error, and the exit code.</summary>
public sealed class CommandException(int code, string message) : Exception(message)
{
    public int Code { get; } = code;
}
