using System.Collections.Immutable;
using EnergyGrid.Contracts;

namespace EnergyGrid.Silo.Tests;

/// <summary>What stands where, across the death of silos and of the inventory itself.</summary>
public sealed class InventoryTests
{
    private static NodeInventory Node(string host, string rack = "r1", params string[] devices) => new(
        host, "lab", rack,
        [.. devices.Select((d, i) => new DeviceInfo(host, d, "H100", DeviceKind.Simulated, "lab", rack, i, 8e10, double.NaN, Provenance.Declared, 1e15, 700, 700, "d", "counter", Provenance.Modelled))],
        [new($"{host}/bmc", SourceKind.NodeInput, true, 10_000)]);

    private static IInventoryGrain Inventory(PowerCluster cluster) => cluster.Grains.GetGrain<IInventoryGrain>("grid");

    private static async Task<NodeStanding> One(PowerCluster cluster, string host) => Assert.Single(await Inventory(cluster).Nodes(), n => n.Inventory.Host == host);

    [Fact]
    public async Task A_host_whose_silo_is_gone_is_down_since_then_and_stays_until_it_is_forgotten()
    {
        await using var cluster = await PowerCluster.Start(2);
        var (stays, goes) = (cluster.Silos.Silos[0].Name, cluster.Silos.Silos[1].Name);
        await Inventory(cluster).Announce(Node(stays, "r1", "g0"));
        await Inventory(cluster).Announce(Node($"{goes}~r1n1", "r1", "g0", "g1"));
        Assert.All(await Inventory(cluster).Nodes(), n => Assert.True(n.Up));
        Assert.Contains("is up", (await Assert.ThrowsAsync<RefusedException>(() => Inventory(cluster).Forget(stays))).Message);

        var before = TimeProvider.System.GetUtcNow();
        await cluster.Silos.StopSiloAsync(cluster.Silos.Silos[1]);
        await PowerCluster.Until(async () => !(await One(cluster, $"{goes}~r1n1")).Up, "the host of the stopped silo is down");
        var down = await One(cluster, $"{goes}~r1n1");
        Assert.InRange(down.SinceUtc, before, TimeProvider.System.GetUtcNow());
        Assert.Equal(["g0", "g1"], down.Inventory.Devices.Select(d => d.Uuid));
        Assert.True((await One(cluster, stays)).Up);

        Assert.True(await Inventory(cluster).Forget($"{goes}~r1n1"));
        Assert.False(await Inventory(cluster).Forget($"{goes}~r1n1"));
        Assert.Equal(stays, Assert.Single(await Inventory(cluster).Nodes()).Inventory.Host);
    }

    [Fact]
    public async Task A_process_of_the_same_name_that_began_later_must_say_itself_what_it_has()
    {
        await using var cluster = await PowerCluster.Start(2);
        var silo = cluster.Silos.Silos[1];
        await Inventory(cluster).Announce(Node(silo.Name, "r1", "g0"));
        await Inventory(cluster).Announce(Node($"{silo.Name}~r1n1", "r1", "s0"));
        var first = await One(cluster, silo.Name);
        await cluster.Restart(1);
        // A simulated site that was started once, and not again.
        await PowerCluster.Until(async () => !(await One(cluster, $"{silo.Name}~r1n1")).Up, "what the first process had is down");
        await Inventory(cluster).Announce(Node(silo.Name, "r1", "g0"));
        var again = await One(cluster, silo.Name);
        Assert.True(again.Up && again.SinceUtc > first.SinceUtc);
        Assert.False((await One(cluster, $"{silo.Name}~r1n1")).Up);
    }

    [Fact]
    public async Task The_inventory_survives_its_own_silo_and_is_written_on_change_only()
    {
        await using var cluster = await PowerCluster.Start(1);
        var silo = cluster.Silos.Silos[0].Name;
        var node = Node(silo, "r1", "g0", "g1");
        await Inventory(cluster).Announce(node);
        var written = await Written(cluster);
        // The same by contents, other objects: NaN included.
        for (var i = 0; i < 3; i++) await Inventory(cluster).Announce(Node(silo, "r1", "g0", "g1"));
        Assert.Equal(written, await Written(cluster));
        // A device was quarantined.
        await Inventory(cluster).Announce(node with { Devices = [node.Devices[0]] });
        Assert.NotEqual(written, await Written(cluster));
        await cluster.Restart(0);
        var kept = await One(cluster, silo);
        Assert.Equal(["g0"], kept.Inventory.Devices.Select(d => d.Uuid));
        Assert.False(kept.Up);
        Assert.Equal(silo, Assert.Single(await Inventory(cluster).InRack("lab", "r1")).Host);
        Assert.Empty(await Inventory(cluster).InRack("lab", "r2"));
    }

    private static async Task<string> Written(PowerCluster cluster) => string.Concat(await Task.WhenAll(Directory.GetFiles(cluster.StateDirectory, "grid.json", SearchOption.AllDirectories).Order().Select(f => File.ReadAllTextAsync(f))));
}
