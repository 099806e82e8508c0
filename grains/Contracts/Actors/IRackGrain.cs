namespace EnergyGrid.Contracts;

/// <summary>One rack: merges the reports of its nodes. Key: <c>site/rack</c>.</summary>
[Alias("IRackGrain")]
public interface IRackGrain : IGrainWithStringKey
{
    /// <summary>What stands in a node: on its start, and whenever it changes.</summary>
    [Alias("Announce")]
    ValueTask Announce(NodeInventory node);

    /// <summary>Once per node and second.</summary>
    [Alias("Report")]
    ValueTask Report(NodeReport report);

    /// <summary>The last closed windows, oldest first.</summary>
    [Alias("Recent"), ReadOnly]
    ValueTask<RackReport> Recent(int windows);
}
