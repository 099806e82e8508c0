namespace EnergyGrid.Silo.Tests;

[CollectionDefinition("cluster")]
public sealed class ClusterCollection : ICollectionFixture<GridCluster>;

/// <summary>Keys that no other test of this process has.</summary>
internal static class Fresh
{
    private static int _next;

    public static string Key(string kind = "t") => $"{kind}-{Interlocked.Increment(ref _next)}";
}
