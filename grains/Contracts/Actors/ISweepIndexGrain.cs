using System.Collections.Immutable;

namespace EnergyGrid.Contracts;

/// <summary>Which sweeps there are. One grain, key <c>grid</c>.</summary>
[Alias("ISweepIndexGrain")]
public interface ISweepIndexGrain : IGrainWithStringKey
{
    [Alias("Add")]
    Task Add(SweepLine line);

    [Alias("End")]
    Task End(string id);

    /// <summary>Its results have left the grid.</summary>
    [Alias("Remove")]
    Task Remove(string id);

    [Alias("List"), ReadOnly]
    Task<ImmutableArray<SweepLine>> List();
}
