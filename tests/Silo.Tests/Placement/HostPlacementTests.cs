using EnergyGrid.Contracts;
using EnergyGrid.Grains;

namespace EnergyGrid.Silo.Tests;

/// <summary>Grains that live on the host in their key.</summary>
[Collection("cluster")]
public sealed class HostPlacementTests(GridCluster cluster)
{
    private Task<string> Silo(string key) => cluster.Grains.GetGrain<IPlaceGrain>(key).Silo();

    [Fact]
    public async Task A_device_lives_on_its_host()
    {
        foreach (var host in cluster.Hosts) Assert.Equal(host, await Silo($"{host}/d-0"));
    }

    [Fact]
    public async Task A_simulated_host_lives_on_the_silo_that_simulates_it()
    {
        foreach (var silo in cluster.Hosts) Assert.Equal(silo, await Silo($"{silo}~r1n3/d-0"));
    }

    [Theory]
    [InlineData("gpu-7/GPU-1f", "gpu-7", "gpu-7", "GPU-1f")]
    [InlineData("demo~r1n3/SIM-0", "demo", "demo~r1n3", "SIM-0")]
    [InlineData("demo~r1~n3/a/b~c", "demo", "demo~r1~n3", "a/b~c")]
    public void A_key_names_silo_host_and_device(string key, string silo, string host, string device)
        => Assert.Equal((silo, (host, device)), (HostPlacement.SiloOf(key), HostPlacement.Split(key)));

    [Theory]
    [InlineData("gpu-7", "gpu-7")]
    [InlineData("demo~r1n3", "demo")]
    public void A_key_may_be_a_host_alone(string key, string silo) => Assert.Equal(silo, HostPlacement.SiloOf(key));

    [Theory]
    [InlineData("")]
    [InlineData("/GPU-1f")]
    public void A_key_without_a_host_is_refused(string key)
        => Assert.Contains("host/device", Assert.Throws<ArgumentException>(() => HostPlacement.SiloOf(key)).Message);

    [Fact]
    public async Task An_unknown_host_is_refused()
        => Assert.Contains("nowhere", (await Assert.ThrowsAsync<HostUnavailableException>(() => Silo("nowhere/d-0"))).Message);

    [Fact]
    public async Task An_unknown_device_is_refused()
        => Assert.Contains("d-77", (await Assert.ThrowsAsync<HostUnavailableException>(() => Silo($"{cluster.Hosts[0]}/d-77"))).Message);
}
