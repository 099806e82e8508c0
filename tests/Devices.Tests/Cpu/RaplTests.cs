using EnergyGrid.Contracts;

namespace EnergyGrid.Devices.Tests;

/// <summary>A figure is measured only if each joule is counted once and the sensor is alive; what is left out is named.</summary>
public sealed class RaplTests
{
    [Fact]
    public void A_socket_that_two_interfaces_show_is_counted_once()
    {
        using var machine = new Powercap().With("intel-rapl:0", "package-0", 50).With("intel-rapl:0:0", "core", 30).With("intel-rapl-mmio:0", "package-0", 50, from: 5);
        var found = RaplSearch.Of(machine.Root);
        Assert.Equal("rapl package-0, without DRAM", found.Counter!.Name);
        Assert.Contains("package-0 is shown by intel-rapl and intel-rapl-mmio, counted once", found.Says);
        Assert.Contains("package-0/core lies inside a package", found.Says);
        Assert.InRange(machine.Watts(found.Counter), 45, 55);
    }

    [Fact]
    public void Where_the_first_interface_is_a_dummy_the_other_counts()
    {
        using var machine = new Powercap().With("intel-rapl:0", "package-0", 0).With("intel-rapl-tpmi:0", "package-0", 50);
        Assert.InRange(machine.Watts(RaplSearch.Of(machine.Root).Counter!), 45, 55);
    }

    [Fact]
    public void Memory_beside_the_packages_is_counted_and_the_whole_machine_is_not()
    {
        using var machine = new Powercap().With("intel-rapl:0", "package-0", 100).With("intel-rapl:0:0", "dram", 35).With("intel-rapl:1", "package-1", 90).With("intel-rapl:1:0", "dram", 25).With("intel-rapl:2", "psys", 400);
        var found = RaplSearch.Of(machine.Root);
        Assert.Equal("rapl package-0 + package-1 + package-0/dram + package-1/dram", found.Counter!.Name);
        Assert.Contains("psys is the whole machine", found.Says);
        Assert.InRange(machine.Watts(found.Counter), 225, 275);
    }

    [Fact]
    public void Dies_of_a_package_are_each_their_own()
    {
        using var machine = new Powercap().With("intel-rapl:0", "package-0-die-0", 60).With("intel-rapl:1", "package-0-die-1", 40).With("intel-rapl:0:0", "dram", 10).With("intel-rapl:1:0", "dram", 5);
        var found = RaplSearch.Of(machine.Root);
        Assert.Equal("rapl package-0-die-0 + package-0-die-1 + package-0-die-0/dram + package-0-die-1/dram", found.Counter!.Name);
        Assert.InRange(machine.Watts(found.Counter), 103, 127);
    }

    [Fact]
    public void A_counter_that_stands_still_is_no_sensor()
    {
        using var machine = new Powercap().With("intel-rapl:0", "package-0", 0);
        var found = RaplSearch.Of(machine.Root);
        Assert.Null(found.Counter);
        Assert.Equal("the counter of package-0 stands still", found.Says);
        using var device = new CpuDevice("here", "local", "r1", TimeProvider.System, new CpuDeviceOptions { PowercapRoot = machine.Root, Threads = 1 });
        Assert.Equal((Provenance.Modelled, null), (device.Info.EnergyProvenance, device.Info.Qualification));
    }

    [Fact]
    public void Of_two_packages_one_alone_is_not_the_machine()
    {
        using var machine = new Powercap().With("intel-rapl:0", "package-0", 50).With("intel-rapl:1", "package-1", 0);
        Assert.Equal((null, "the counter of package-1 stands still"), (RaplSearch.Of(machine.Root).Counter, RaplSearch.Of(machine.Root).Says));
    }

    [Fact]
    public void Memory_whose_counter_stands_still_is_named_as_left_out()
    {
        using var machine = new Powercap().With("intel-rapl:0", "package-0", 50).With("intel-rapl:0:0", "dram", 0);
        Assert.Equal("rapl package-0, without package-0/dram (stands still)", RaplSearch.Of(machine.Root).Counter!.Name);
    }

    [Fact]
    public void A_counter_that_dies_later_is_a_gap_and_not_a_zero()
    {
        var watts = 50.0;
        using var machine = new Powercap().With("intel-rapl:0", "package-0", () => Volatile.Read(ref watts));
        var counter = RaplSearch.Of(machine.Root).Counter!;
        Assert.InRange(machine.Watts(counter), 45, 55);
        Volatile.Write(ref watts, 0);
        Thread.Sleep(50);
        counter.Joules(0.05);
        for (var i = 0; i < 3; i++) counter.Joules(0.25);
        Assert.Contains("package-0 has stood still", Assert.Throws<IOException>(() => counter.Joules(0.25)).Message);
        Volatile.Write(ref watts, 50);
        Assert.InRange(machine.Watts(counter), 45, 55);
    }

    [Fact]
    public void Nothing_to_read_and_nothing_to_count_are_told_apart()
    {
        using var machine = new Powercap();
        Assert.Contains("no energy counter", RaplSearch.Of(machine.Root).Says);
        Assert.Contains("no energy counter", RaplSearch.Of("/nonexistent").Says);
        machine.With("intel-rapl:0", "psys", 100);
        Assert.Equal("no counter of a processor package among psys", RaplSearch.Of(machine.Root).Says);
        machine.With("intel-rapl:1", "package-0", 50).With("intel-rapl:2", "package-0", 50);
        Assert.Contains("2 counters that are all named package-0", RaplSearch.Of(machine.Root).Says);
    }

    [Fact]
    public void Counters_are_unwrapped_and_a_reset_begins_anew()
    {
        using var machine = new Powercap().With("intel-rapl:0", "package-0", 100, from: 262143328850 - 5e6).With("intel-rapl:1", "package-1", 50);
        // The first wraps after 50 ms.
        Assert.InRange(machine.Watts(RaplSearch.Of(machine.Root).Counter!), 135, 165);
        // A step back that would be 262 kJ in a tenth of a second is no wrap.
        using var reset = new Powercap().With("intel-rapl:0", "package-0", 100, from: 1e9);
        var counter = RaplSearch.Of(reset.Root).Counter!;
        Assert.InRange(reset.Watts(counter), 90, 110);
        reset.With("intel-rapl:0", "package-0", 100, from: 5);
        Assert.Equal(0, counter.Joules(0.1));
    }
}
