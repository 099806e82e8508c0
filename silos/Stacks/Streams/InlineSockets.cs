namespace EnergyGrid.Stacks;

/// <summary>
/// Lets what waits for a socket go on where the socket was found readable, in place of a queue of the pool: half the processor time a token, and no waiting behind others' work. For a process that does little
/// else than to read streams: it holds for all of its sockets, and whoever blocks there blocks them all.
/// </summary>
public static class InlineSockets
{
    private const string Variable = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    /// <summary>To be called before the process's first use of a socket: it is read once. What the environment says already stands.</summary>
    public static void Prefer()
    {
        if (Environment.GetEnvironmentVariable(Variable) is null) Environment.SetEnvironmentVariable(Variable, "1");
    }

    /// <summary>Whether it was preferred.</summary>
    public static bool ArePreferred => Environment.GetEnvironmentVariable(Variable) == "1";
}
