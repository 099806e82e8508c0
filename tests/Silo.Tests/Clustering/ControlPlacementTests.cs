using EnergyGrid.Grains;

namespace EnergyGrid.Silo.Tests;

/// <summary>Grains that rest on a silo started with --control where there is one.</summary>
[Collection("cluster")]
public sealed class ControlPlacementTests(GridCluster cluster)
{
    [Fact]
    public async Task Control_grains_live_on_the_control_silo()
    {
        foreach (var n in Enumerable.Range(0, 20)) Assert.Equal(cluster.ControlHost, await cluster.Grains.GetGrain<IControlGrain>($"c-{n}").Silo());
    }

    [Fact]
    public void The_choice_is_stable_and_spreads()
    {
        SiloAddress[] silos = [.. Enumerable.Range(1, 4).Select(n => SiloAddress.New(System.Net.IPAddress.Parse($"10.0.0.{n}"), 11111, n))];
        var grains = Enumerable.Range(0, 400).Select(n => GrainId.Create("sweep", $"s-{n}")).ToArray();
        var first = grains.ToDictionary(g => g, g => ControlPlacementDirector.Choose(g, silos));
        Assert.All(silos, s => Assert.InRange(first.Values.Count(v => v.Equals(s)), 50, 150));
        // Those of a silo that went move; the others stay.
        foreach (var grain in grains.Where(g => !first[g].Equals(silos[0]))) Assert.Equal(first[grain], ControlPlacementDirector.Choose(grain, silos.Skip(1).Reverse()));
    }
}

[Alias("Test.IControlGrain")]
public interface IControlGrain : IGrainWithStringKey
{
    [Alias("Silo")] Task<string> Silo();
}

[ControlPlacement]
public sealed class ControlGrain(Here here) : Grain, IControlGrain
{
    public Task<string> Silo() => Task.FromResult(here.Silo);
}
