namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>What must not outlive this process, though it be interrupted: other processes, namespaces.</summary>
internal static class AtExit
{
    private static readonly Dictionary<object, Action> Left = [];

    static AtExit() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
    {
        lock (Left)
        {
            foreach (var end in Left.Values.ToArray()) end();
        }
    };

    /// <summary>Does something at the end of this process, unless <see cref="Forget"/> comes first.</summary>
    public static void Do(object owner, Action end)
    {
        lock (Left) Left[owner] = end;
    }

    public static void Forget(object owner)
    {
        lock (Left) Left.Remove(owner);
    }
}
