using System.Collections.Immutable;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Grains;

namespace EnergyGrid.Grid.Tests.Sweeps;

/// <summary>Who may use a node's devices.</summary>
public sealed class LeaseTests : IAsyncLifetime
{
    private SimulatedGrid _grid = null!;
    private NodeInventory _node = null!;

    private INodeGrain Node => _grid.Grains.GetGrain<INodeGrain>(_node.Host);

    private string Device(int i) => _node.Devices[i].Uuid;

    public async Task InitializeAsync()
    {
        _grid = await SimulatedGrid.Start(new SimulatedSiteOptions { Racks = 1, NodesPerRack = 1, GpusPerNode = 3 });
        _node = (await _grid.Nodes())[0];
    }

    public async Task DisposeAsync() => await _grid.DisposeAsync();

    private LeaseRequest Request(string holder, string pass, int[] devices, int priority = 0, int second = 0, long fence = 1, double seconds = 60) =>
        new(holder, fence, pass, [.. devices.Select(Device)], priority, DateTimeOffset.UnixEpoch.AddSeconds(second), seconds);

    [Fact]
    public async Task A_group_gets_all_of_its_devices_or_none()
    {
        var one = await Node.Lease(Request("one/0", "p0", [1]));
        Assert.True(one.Granted);
        var both = await Node.Lease(Request("two/0", "p0", [0, 1]));
        Assert.False(both.Granted);
        Assert.Contains("one/0 holds them", both.Why);
        Assert.Equal(["one/0"], (await Node.View()).Held.Select(h => h.Holder));
        await Node.Release("one/0", one.Epoch);
        Assert.True((await Node.Lease(Request("two/0", "p0", [0, 1]))).Granted);
        Assert.Equal([Device(0), Device(1)], Assert.Single((await Node.View()).Held).Devices.ToArray());
    }

    [Fact]
    public async Task One_epoch_covers_all_devices_and_only_grows()
    {
        var first = await Node.Lease(Request("one/0", "p0", [0, 1]));
        Assert.True(await Node.Holds("one/0", first.Epoch, [Device(0), Device(1)]));
        Assert.False(await Node.Holds("one/0", first.Epoch, [Device(0), Device(2)]));
        var second = await Node.Lease(Request("one/0", "p1", [0, 1]));
        Assert.True(second.Epoch > first.Epoch);
        Assert.False(await Node.Renew("one/0", first.Epoch));
        Assert.True(await Node.Renew("one/0", second.Epoch));
        await Assert.ThrowsAsync<StaleEpochException>(() => _grid.Grains.GetGrain<IGpuGrain>(_node.Devices[0].Key).Start(Order("one/0", first.Epoch, [0, 1])));
        // A member is checked as much as the leading device.
        await Assert.ThrowsAsync<StaleEpochException>(() => _grid.Grains.GetGrain<IGpuGrain>(_node.Devices[0].Key).Start(Order("one/0", second.Epoch, [0, 2])));
    }

    [Fact]
    public async Task The_same_pass_again_is_the_same_lease_and_disturbs_nothing()
    {
        var first = await Node.Lease(Request("one/0", "p0", [0]));
        var again = await Node.Lease(Request("one/0", "p0", [0], fence: 2));
        Assert.Equal((true, first.Epoch), (again.Granted, again.Epoch));
        // The copy that is behind is told so, whatever it asks for.
        await Assert.ThrowsAsync<SupersededException>(() => Node.Lease(Request("one/0", "p1", [0], fence: 1)));
        Assert.True(await Node.Renew("one/0", first.Epoch));
    }

    [Fact]
    public async Task Who_waits_stands_in_line_by_priority_and_age_and_a_holder_that_asks_for_more_goes_behind_it()
    {
        var young = await Node.Lease(Request("young/0", "p0", [0], second: 30));
        Assert.False((await Node.Lease(Request("urgent/0", "p0", [0], priority: 1, second: 40))).Granted);
        Assert.False((await Node.Lease(Request("old/0", "p0", [0], second: 10))).Granted);
        Assert.Equal(["urgent/0", "old/0"], (await Node.View()).Waiting.ToArray());
        // Between two passes the devices go to whoever is first in line.
        var next = await Node.Lease(Request("young/0", "p1", [0], second: 30));
        Assert.False(next.Granted);
        Assert.Contains("urgent/0 is first in line", next.Why);
        Assert.False(await Node.Renew("young/0", young.Epoch));
        Assert.False((await Node.Lease(Request("old/0", "p0", [0], second: 10))).Granted);
        var urgent = await Node.Lease(Request("urgent/0", "p0", [0], priority: 1, second: 40));
        Assert.True(urgent.Granted);
        await Node.Release("urgent/0", urgent.Epoch);
        Assert.True((await Node.Lease(Request("old/0", "p0", [0], second: 10))).Granted);
    }

    [Fact]
    public async Task A_holder_without_a_sign_of_life_loses_its_devices_and_a_lease_that_is_renewed_does_not()
    {
        var silent = await Node.Lease(Request("silent/0", "p0", [0], seconds: 0.2));
        var living = await Node.Lease(Request("living/0", "p0", [1], seconds: 0.2));
        Lease taken = null!;
        await SimulatedGrid.Until(async () =>
        {
            Assert.True(await Node.Renew("living/0", living.Epoch));
            return (taken = await Node.Lease(Request("next/0", "p0", [0]))).Granted;
        }, "the devices of the silent one are free");
        Assert.True(taken.Epoch > silent.Epoch);
        Assert.False(await Node.Renew("silent/0", silent.Epoch));
        Assert.False((await Node.Lease(Request("other/0", "p0", [1]))).Granted);
    }

    [Fact]
    public async Task A_lease_past_its_time_that_nobody_took_is_still_its_holders()
    {
        // Its store was away for longer than the lease lasts, and a result waits at the device.
        var lease = await Node.Lease(Request("patient/0", "p0", [0], seconds: 0.1));
        await Task.Delay(300);
        Assert.True(await Node.Renew("patient/0", lease.Epoch));
        await Task.Delay(300);
        var again = await Node.Lease(Request("patient/0", "p0", [0], fence: 2, seconds: 0.1));
        Assert.Equal((true, lease.Epoch), (again.Granted, again.Epoch));
    }

    [Fact]
    public async Task The_epoch_outlives_the_process_and_the_leases_do_not()
    {
        var directory = Directory.CreateTempSubdirectory("energygrid-");
        try
        {
            var site = new SimulatedSiteOptions { Racks = 1, NodesPerRack = 1, GpusPerNode = 1 };
            long epoch;
            await using (var grid = await SimulatedGrid.Start(site, directory: directory.FullName))
            {
                var node = (await grid.Nodes())[0];
                epoch = (await grid.Grains.GetGrain<INodeGrain>(node.Host).Lease(new("one/0", 1, "p0", [node.Devices[0].Uuid], 0, DateTimeOffset.UnixEpoch, 60))).Epoch;
            }
            await using (var grid = await SimulatedGrid.Start(site, directory: directory.FullName))
            {
                var node = (await grid.Nodes())[0];
                var lease = await grid.Grains.GetGrain<INodeGrain>(node.Host).Lease(new("two/0", 1, "p0", [node.Devices[0].Uuid], 0, DateTimeOffset.UnixEpoch, 60));
                Assert.True(lease.Granted && lease.Epoch > epoch, $"{lease}");
            }
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private TrialOrder Order(string holder, long epoch, int[] devices)
    {
        var plan = EnergyGrid.Plans.PlanFile.Load(SmallPlan.Of(), "plan").Plan!;
        var cell = plan.Groups[0].Cells[0];
        return new TrialOrder(new TrialId("s", "dense", cell.Label, cell.ConfigurationSha256, 0, 0), [.. devices.Select(Device)], epoch, 0, cell.Configuration, cell.Cost,
            [cell.Configuration.LongLayers], plan.Timing, plan.Guards, false, "o", holder, 1, 1);
    }
}
