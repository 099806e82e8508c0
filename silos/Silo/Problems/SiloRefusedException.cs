namespace EnergyGrid.Silo;

/// <summary>A silo was told something that cannot be, or cannot keep what it would promise: the message says what is wrong and what would be right. Nothing was left half-started.</summary>
public sealed class SiloRefusedException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>True where the command is right and what it needs is not there (Redis, the cluster): exit code 3; else the command itself is wrong: 2.</summary>
    public bool Unable { get; init; }

    internal static SiloRefusedException NotAble(string message, Exception? inner = null) => new(message, inner) { Unable = true };
}
