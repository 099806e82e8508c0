using EnergyGrid.Contracts;
using EnergyGrid.Grid.Tests.Api;
using EnergyGrid.Sdk;

namespace EnergyGrid.Grid.Tests.Console;

public sealed class DeviceNamesTests
{
    private static readonly DeviceInfo[] Grid =
    [
        Device("n1", "GPU-1a2b3c4d-0000", 0), Device("n1", "GPU-1a2b3c4e-0000", 1), Device("n1", "cpu-0", 0, DeviceKind.Cpu), Device("n2", "GPU-9f000000-0000", 0), Device("n2", "cpu-0", 0, DeviceKind.Cpu),
    ];

    [Fact]
    public void A_short_name_is_the_shortest_that_no_other_device_begins_with()
    {
        var names = DeviceNames.Short(Grid.Select(d => d.Uuid));
        Assert.Equal("GPU-9f00", names["GPU-9f000000-0000"]);
        Assert.Equal(("GPU-1a2b3c4d", "GPU-1a2b3c4e"), (names["GPU-1a2b3c4d-0000"], names["GPU-1a2b3c4e-0000"]));
        Assert.Equal("cpu-0", names["cpu-0"]);
    }

    [Fact]
    public void Many_short_names_are_unique_and_each_finds_its_device()
    {
        DeviceInfo[] many = [.. Enumerable.Range(0, 500).Select(i => Device("n", $"GPU-{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData([(byte)i, (byte)(i >> 8)]))[..12]}", i))];
        var names = DeviceNames.Short(many.Select(d => d.Uuid));
        Assert.Equal(many.Length, names.Values.Distinct().Count());
        Assert.All(many, d => Assert.Equal(d, Assert.Single(DeviceNames.Find(many, names[d.Uuid]))));
    }

    [Theory]
    [InlineData("n1/GPU-1a2b3c4d-0000", "n1/GPU-1a2b3c4d-0000")]
    [InlineData("n1/1", "n1/GPU-1a2b3c4e-0000")]
    [InlineData("n1/0", "n1/GPU-1a2b3c4d-0000")] // the processor counts by itself
    [InlineData("n2/cpu", "n2/cpu-0")]
    [InlineData("GPU-9F", "n2/GPU-9f000000-0000")]
    [InlineData("cpu-0", "n1/cpu-0", "n2/cpu-0")]
    [InlineData("n1/GPU-1a2b", "n1/GPU-1a2b3c4d-0000", "n1/GPU-1a2b3c4e-0000")]
    [InlineData("n3/0")]
    [InlineData("n1/7")]
    [InlineData("")]
    public void A_name_means_what_it_says(string name, params string[] keys) => Assert.Equal(keys, DeviceNames.Find(Grid, name).Select(d => d.Key));

    private static DeviceInfo Device(string host, string uuid, int index, DeviceKind kind = DeviceKind.Cuda) => FakeGrid.Device with { Host = host, Uuid = uuid, Index = index, Kind = kind };
}
