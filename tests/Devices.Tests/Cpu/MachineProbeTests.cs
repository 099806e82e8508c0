namespace EnergyGrid.Devices.Tests;

public sealed class MachineProbeTests
{
    [Theory]
    [InlineData(2, 24e9, 64 << 20)]
    [InlineData(16, 24e9, 32 << 20)]
    [InlineData(192, 1e12, 2793472)]
    [InlineData(16, 256e6, 999424)]
    [InlineData(2, 100e6, 3121152)]
    public void Looking_at_the_bandwidth_takes_what_the_machine_has_to_spare_and_not_what_its_processors_would_take(int threads, double available, int bytes)
    {
        Assert.Equal(bytes, MachineProbe.BufferBytes(threads, available));
        Assert.True(2.0 * threads * bytes <= Math.Min(1L << 30, available / 8));
    }

    [Fact]
    public void Bandwidth_and_peak_are_those_of_a_machine()
    {
        Assert.InRange(MachineProbe.CopyBytesPerSecond(2, 0.05), 1e8, 1e13);
        Assert.InRange(MachineProbe.PeakFlopsPerSecond(2), 1e8, 1e14);
    }
}
