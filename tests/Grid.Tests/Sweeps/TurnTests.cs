using EnergyGrid.Contracts;
using EnergyGrid.Devices;

namespace EnergyGrid.Grid.Tests.Sweeps;

/// <summary>Of equal sweeps the older goes first, whatever happens in between.</summary>
public sealed class TurnTests
{
    private static readonly SimulatedSiteOptions OneDevice = new() { Racks = 1, NodesPerRack = 1, GpusPerNode = 1 };

    [Fact]
    public async Task Between_two_stages_the_older_sweep_keeps_its_devices()
    {
        await using var grid = await SimulatedGrid.Start(OneDevice, scale: 1000);
        await grid.Sweep("old").Submit(SmallPlan.Of("old", "A, C", devices: 1, min: 5, max: 9, halfWidth: "0.0001"), "tests");
        await SimulatedGrid.Until(async () => (await grid.Sweep("old").Status()).CommittedTrials >= 1, "the older runs");
        await grid.Sweep("young").Submit(SmallPlan.Of("young", "A, C", devices: 1, min: 5, max: 5), "tests");
        Assert.Equal((SweepPhase.Finished, 2), ((await grid.Ended("old")).Phase, (await grid.Sweep("old").Status()).Stage));
        Assert.Equal(SweepPhase.Finished, (await grid.Ended("young")).Phase);
        var (old, young) = (await grid.Store.Results("old"), await grid.Store.Results("young"));
        Assert.Equal(27, old.Length);
        Assert.True(young.Min(r => r.StartedUtc) >= old.Max(r => r.EndedUtc), "the younger ran before the older had ended");
    }

    [Fact]
    public async Task After_a_restart_the_pass_that_was_open_goes_on_before_anybody_else()
    {
        var directory = Directory.CreateTempSubdirectory("energygrid-");
        try
        {
            await using (var grid = await SimulatedGrid.Start(OneDevice, scale: 100, directory: directory.FullName))
            {
                await grid.Sweep("old").Submit(SmallPlan.Of("old", "A, C, F", devices: 1), "tests");
                await SimulatedGrid.Until(async () => (await grid.Sweep("old").Status()).CommittedTrials >= 1, "the older is in its first pass");
            }
            await using (var grid = await SimulatedGrid.Start(OneDevice, scale: 1000, directory: directory.FullName))
            {
                var device = (await grid.Nodes())[0].Devices[0];
                var node = grid.Grains.GetGrain<INodeGrain>(device.Host);
                LeaseRequest request = new("young/0", 1, "p0", [device.Uuid], 0, DateTimeOffset.UtcNow, 60);
                // The younger asks first: its sweep was found first.
                var refused = await node.Lease(request);
                Assert.False(refused.Granted);
                Assert.Contains("old/0 is first in line", refused.Why);
                await grid.Sweep("old").Wake();
                await SimulatedGrid.Until(async () => (await node.View()).Held is [{ Holder: "old/0" }], "the older has the device");
                Assert.False((await node.Lease(request)).Granted);
                Assert.Equal((SweepPhase.Finished, 0), ((await grid.Ended("old")).Phase, (await grid.Sweep("old").Status()).VoidedPasses));
                Assert.True((await node.Lease(request)).Granted);
            }
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task After_a_restart_a_lease_whose_pass_is_over_keeps_nobody_waiting()
    {
        var directory = Directory.CreateTempSubdirectory("energygrid-");
        try
        {
            await using (var grid = await SimulatedGrid.Start(OneDevice, directory: directory.FullName))
            {
                await grid.Sweep("old").Submit(SmallPlan.Of("old", "A, C", devices: 1), "tests");
                await grid.Ended("old");
            }
            await using (var grid = await SimulatedGrid.Start(OneDevice, directory: directory.FullName))
            {
                var device = (await grid.Nodes())[0].Devices[0];
                var lease = await grid.Grains.GetGrain<INodeGrain>(device.Host).Lease(new("young/0", 1, "p0", [device.Uuid], 0, DateTimeOffset.UtcNow, 60));
                Assert.True(lease.Granted, $"{lease}");
            }
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
