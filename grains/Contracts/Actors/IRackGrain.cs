namespace EnergyGrid.Contracts;

/// <summary>One rack: merges the reports of its nodes. Key: <c>site/rack</c>.</summary>
[Alias("IRackGrain")]
public interface IRackGrain : IGrainWithStringKey
{
    /// <summary>What stands in a node: on its start, and whenever it changes.</summary>
    [Alias("Announce")]
    ValueTask Announce(NodeInventory node);

    /// <summary>Once per node and second. The answer says whether the node must announce itself and say those windows again.</summary>
    [Alias("Report"), ResponseTimeout("00:00:15")]
    ValueTask<ReportAnswer> Report(NodeReport report);

    /// <summary>A node that an operator has taken out of the inventory: it is not expected any more.</summary>
    [Alias("Forget")]
    ValueTask Forget(string host);

    /// <summary>The last closed windows, oldest first.</summary>
    [Alias("Recent"), ReadOnly]
    ValueTask<RackReport> Recent(int windows);
}
