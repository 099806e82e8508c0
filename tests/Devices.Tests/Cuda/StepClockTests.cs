using EnergyGrid.Devices.Cuda;

namespace EnergyGrid.Devices.Tests.Cuda;

public sealed class StepClockTests
{
    [Theory]
    [InlineData(30e-6, 1)]
    [InlineData(-30e-6, 2)]
    [InlineData(0, 3)]
    public void Marks_stay_within_the_least_lag_though_the_oscillators_drift_and_the_host_is_late(double drift, int seed)
    {
        var random = new Random(seed);
        const long origin = 1_700_000_000_000_000_000;
        var clock = new StepClock(origin + 40_000);
        var last = long.MinValue;
        for (var i = 1; i <= 20_000; i++)
        {
            // Truth by the node's clock, and what the device's own says; the host looks 20 µs to 3 ms late, now and then 50 ms.
            var truth = i * 5e6;
            var seen = truth + 20e3 + 3e6 * Math.Pow(random.NextDouble(), 3) + (i % 97 == 0 ? 50e6 : 0);
            var mapped = clock.Map(truth * (1 - drift), origin + (long)seen);
            Assert.InRange(mapped - origin - truth, -100e3, 600e3);
            Assert.True(mapped > last);
            last = mapped;
        }
    }
}
