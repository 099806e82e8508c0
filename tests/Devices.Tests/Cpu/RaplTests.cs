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
        Assert.Equal((null, "the counter of package-1 stands still: the rest alone is not the processor"), (RaplSearch.Of(machine.Root).Counter, RaplSearch.Of(machine.Root).Says));
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
        // Until its feeder has put what it had counted, and nothing more comes.
        do Thread.Sleep(100);
        while (Record.Exception(() => counter.Joules(0.01)) is null);
        for (var i = 0; i < 3; i++) Assert.Contains("package-0 has not moved", Assert.Throws<IOException>(() => counter.Joules(0.25)).Message);
        Assert.Contains("package-0 has stood still", Assert.Throws<IOException>(() => counter.Joules(0.25)).Message);
        Volatile.Write(ref watts, 50);
        Next(counter, "has stood still");
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
        var before = Next(counter);
        reset.With("intel-rapl:0", "package-0", 100, from: 5);
        Assert.Contains("package-0 went from", Assert.Throws<IOException>(() => counter.Joules(0.1)).Message);
        // Whoever integrates sees that it is another one.
        Assert.True(Next(counter) < before);
    }

    // As soon as its feeder has moved it.
    private static double Next(RaplCounter counter, string until = "has not moved")
    {
        while (true)
        {
            Thread.Sleep(5);
            try { return counter.Joules(0.02); }
            catch (IOException e) when (e.Message.Contains(until, StringComparison.Ordinal)) { }
        }
    }

    [Theory]
    [InlineData("energy_uj", "garbage", "package-1 (intel-rapl:1) says 'garbage' in energy_uj: the rest alone is not the processor")]
    [InlineData("energy_uj", "NaN", "package-1 (intel-rapl:1) says 'NaN' in energy_uj: the rest alone is not the processor")]
    [InlineData("energy_uj", null, "package-1 (intel-rapl:1) has no energy_uj: the rest alone is not the processor")]
    [InlineData("max_energy_range_uj", null, "package-1 (intel-rapl:1) has no max_energy_range_uj: the rest alone is not the processor")]
    [InlineData("max_energy_range_uj", "0", "package-1 (intel-rapl:1) says '0' in max_energy_range_uj: the rest alone is not the processor")]
    [InlineData("max_energy_range_uj", "NaN", "package-1 (intel-rapl:1) says 'NaN' in max_energy_range_uj: the rest alone is not the processor")]
    [InlineData("name", null, "intel-rapl:1 has no name: whether it counts a processor package is not known")]
    [InlineData("name", "", "intel-rapl:1 has an empty name: whether it counts a processor package is not known")]
    [InlineData("name", "socket-1", "socket-1")]
    public void A_package_without_a_sound_counter_makes_no_sensor_of_the_rest_and_the_reason_is_said(string file, string? text, string says)
    {
        using var machine = new Powercap().With("intel-rapl:0", "package-0", 50).With("intel-rapl:1", "package-1", 50).Saying("intel-rapl:1", file, text);
        var found = RaplSearch.Of(machine.Root);
        Assert.Equal((null, ""), (found.Counter, found.Advice));
        Assert.Contains(says, found.Says);
        using var device = new CpuDevice("here", "local", "r1", TimeProvider.System, new CpuDeviceOptions { PowercapRoot = machine.Root, Threads = 1 });
        Assert.Equal(Provenance.Modelled, device.Info.EnergyProvenance);
        Assert.EndsWith($"; not RAPL: {found.Says}", device.Info.EnergySource);
        // Where another interface shows the same package, that one counts; a zone that does not say what it is may be anything.
        machine.With("intel-rapl-mmio:1", "package-1", 50);
        if (file != "name") Assert.InRange(machine.Watts(RaplSearch.Of(machine.Root).Counter!), 90, 110);
        else Assert.Null(RaplSearch.Of(machine.Root).Counter);
    }

    [Fact]
    public void A_package_that_is_not_ours_to_read_is_said_to_be_so_with_what_helps()
    {
        using var machine = new Powercap().With("intel-rapl:0", "package-0", 50).With("intel-rapl:1", "package-1", 50).Denying("intel-rapl:1", "energy_uj");
        var found = RaplSearch.Of(machine.Root);
        Assert.Null(found.Counter);
        Assert.Equal($"package-1 (intel-rapl:1) is not readable by {Environment.UserName}: the rest alone is not the processor", found.Says);
        Assert.StartsWith("As root: chmod a+r ", found.Advice);
        machine.Denying("intel-rapl:0", "energy_uj");
        Assert.Equal($"2 counters, not readable by {Environment.UserName}", RaplSearch.Of(machine.Root).Says);
    }

    [Fact]
    public void A_package_shown_whole_by_one_interface_and_by_dies_by_another_is_counted_once()
    {
        using var machine = new Powercap().With("intel-rapl:0", "package-0-die-0", 50).With("intel-rapl:1", "package-0-die-1", 50).With("intel-rapl-tpmi:0", "package-0", 100)
            .With("intel-rapl:0:0", "dram", 10).With("intel-rapl:1:0", "dram", 10);
        var found = RaplSearch.Of(machine.Root);
        Assert.Equal("rapl package-0 + package-0-die-0/dram + package-0-die-1/dram", found.Counter!.Name);
        Assert.Contains("package-0-die-0 lies inside package-0; package-0-die-1 lies inside package-0", found.Says);
        Assert.InRange(machine.Watts(found.Counter), 108, 132);
        machine.With("intel-rapl-tpmi:0:0", "dram", 20);
        Assert.Equal("rapl package-0 + package-0/dram", RaplSearch.Of(machine.Root).Counter!.Name);
        // A dummy of the whole leaves the dies, and a die without a counter leaves nothing.
        machine.With("intel-rapl-tpmi:0", "package-0", 0);
        Assert.StartsWith("rapl package-0-die-0 + package-0-die-1 + ", RaplSearch.Of(machine.Root).Counter!.Name);
        machine.With("intel-rapl:1", "package-0-die-1", 0);
        Assert.Null(RaplSearch.Of(machine.Root).Counter);
    }

    [Fact]
    public void What_memory_is_left_out_is_named_for_each_package()
    {
        using var machine = new Powercap().With("intel-rapl:0", "package-0", 50).With("intel-rapl:0:0", "dram", 9).With("intel-rapl:1", "package-1", 50);
        Assert.Equal("rapl package-0 + package-1 + package-0/dram, without package-1/dram", RaplSearch.Of(machine.Root).Counter!.Name);
        machine.With("intel-rapl:1:0", "dram", 9).Saying("intel-rapl:1:0", "energy_uj", "?");
        Assert.Equal("rapl package-0 + package-1 + package-0/dram, without package-1/dram (says '?' in energy_uj)", RaplSearch.Of(machine.Root).Counter!.Name);
    }

    [Fact]
    public void Names_are_read_without_case_and_what_lies_in_the_whole_machine_is_not_counted_beside_it()
    {
        using var machine = new Powercap().With("intel-rapl:0", "Package-0", 50).With("intel-rapl:1", "package-1", 50);
        Assert.InRange(machine.Watts(RaplSearch.Of(machine.Root).Counter!), 90, 110);
        using var platform = new Powercap().With("intel-rapl:0", "package-0", 50).With("intel-rapl:1", "psys", 80).With("intel-rapl:1:0", "dram", 9);
        var found = RaplSearch.Of(platform.Root);
        Assert.Equal("rapl package-0, without DRAM", found.Counter!.Name);
        Assert.Contains("psys is the whole machine; psys/dram lies inside psys", found.Says);
        Assert.InRange(platform.Watts(found.Counter), 45, 55);
    }
}
