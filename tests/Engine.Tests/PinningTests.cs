using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;

namespace EnergyGrid.Engine.Tests;

/// <summary>Grains that live on the host in their key, and work that outlasts a turn.</summary>
[Collection("engine")]
public sealed class PinningTests(GridCluster cluster)
{
    private IDeviceGrain Device(int host, int device) => cluster.Grains.GetGrain<IDeviceGrain>($"{cluster.Hosts[host % cluster.Hosts.Length]}/d-{device}");

    // Devices are shared by the tests, and their epochs only grow.
    private static async Task<long> NextEpoch(IDeviceGrain device) => (await device.Look()).Epoch + 10;

    [Fact]
    public async Task A_device_lives_on_its_host()
    {
        for (var host = 0; host < cluster.Hosts.Length; host++)
            Assert.Equal(cluster.Hosts[host], (await Device(host, 0).Look()).Host);
    }

    [Fact]
    public async Task A_simulated_host_lives_on_the_silo_that_simulates_it()
    {
        foreach (var silo in cluster.Hosts)
            Assert.Equal(silo, (await cluster.Grains.GetGrain<IDeviceGrain>($"{silo}~r1n3/d-0").Look()).Host);
    }

    [Theory]
    [InlineData("gpu-7/GPU-1f", "gpu-7", "gpu-7", "GPU-1f")]
    [InlineData("demo~r1n3/SIM-0", "demo", "demo~r1n3", "SIM-0")]
    [InlineData("demo~r1~n3/a/b~c", "demo", "demo~r1~n3", "a/b~c")]
    public void A_key_names_silo_host_and_device(string key, string silo, string host, string device)
        => Assert.Equal((silo, (host, device)), (HostPlacement.SiloOf(key), HostPlacement.Split(key)));

    [Theory]
    [InlineData("gpu-7")]
    [InlineData("/GPU-1f")]
    public void A_key_without_a_host_is_refused(string key)
        => Assert.Contains("host/device", Assert.Throws<ArgumentException>(() => HostPlacement.SiloOf(key)).Message);

    [Fact]
    public async Task An_unknown_host_is_refused()
        => Assert.Contains("nowhere", (await Assert.ThrowsAsync<HostUnavailableException>(() => cluster.Grains.GetGrain<IDeviceGrain>("nowhere/d-0").Look())).Message);

    [Fact]
    public async Task An_unknown_device_is_refused()
        => Assert.Contains("d-77", (await Assert.ThrowsAsync<HostUnavailableException>(() => cluster.Grains.GetGrain<IDeviceGrain>($"{cluster.Hosts[0]}/d-77").Look())).Message);

    [Fact]
    public async Task Long_work_leaves_the_grain_free_and_is_stopped_by_its_epoch_only()
    {
        var device = Device(0, 0);
        var epoch = await NextEpoch(device);
        var order = new Order(Fresh.Key(), epoch, 100, Gated: true);
        var first = await device.Start(order);
        Assert.Equal((Phase.Running, order.Name), (first.Phase, first.Order));
        Assert.False(await device.Stop(epoch - 1));
        Assert.Equal(Phase.Running, (await device.Look()).Phase);
        Assert.True(await device.Stop(epoch));
        Assert.Equal(Phase.Cancelled, (await device.Completion()).Phase);
    }

    [Fact]
    public async Task Long_work_ends_with_its_joules()
    {
        var device = Device(1, 1);
        var order = new Order(Fresh.Key(), await NextEpoch(device), 100, Gated: true);
        await device.Start(order);
        var end = device.Completion();
        Assert.Equal(Phase.Running, (await device.Look()).Phase);
        Hardware.GateOf(order.Name).Set();
        Assert.Equal((Phase.Finished, 200.0), ((await end).Phase, (await end).Joules));
    }

    [Fact]
    public async Task A_lower_epoch_is_refused_and_the_same_order_is_idempotent()
    {
        var device = Device(0, 1);
        var epoch = await NextEpoch(device);
        var order = new Order(Fresh.Key(), epoch, 10);
        var launches = (await device.Start(order)).Launches;
        Assert.Equal(launches, (await device.Start(order)).Launches);
        var stale = await Assert.ThrowsAsync<StaleEpochException>(() => device.Start(order with { Epoch = epoch - 1 }));
        Assert.Equal((epoch - 1, epoch), (stale.Offered, stale.Current));
        var (_, kept) = await cluster.Files.Read<DeviceState>("device", "device", $"{cluster.Hosts[0]}/d-1");
        Assert.Equal(epoch, kept!.Epoch);
    }

    [Fact]
    public async Task One_grain_drives_two_devices()
    {
        var devices = new[] { Device(1, 0), Device(1, 1) };
        var epoch = Math.Max(await NextEpoch(devices[0]), await NextEpoch(devices[1]));
        var found = await cluster.Grains.GetGrain<IDriverGrain>(Fresh.Key()).Drive([.. devices.Select(d => d.GetPrimaryKeyString())], epoch, 20);
        Assert.Equal(2, found.Count);
        Assert.All(found.Values, j => Assert.Equal(2.0, j));
    }

    [Fact]
    public async Task A_device_is_watched_while_it_works()
    {
        var device = Device(0, 0);
        var order = new Order(Fresh.Key(), await NextEpoch(device), 1, Gated: true);
        await device.Start(order);
        var readings = new List<Reading>();
        await foreach (var reading in device.Watch(200))
        {
            readings.Add(reading);
            if (readings.Count == 5) break;
        }
        Hardware.GateOf(order.Name).Set();
        await device.Completion();
        Assert.All(readings, r => Assert.Equal(300, r.Watts));
        Assert.True(readings[^1].At > readings[0].At);
    }
}
