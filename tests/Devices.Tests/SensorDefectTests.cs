using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Tests;

/// <summary>The simulated sensors are wrong in the ways that real ones are.</summary>
public sealed class SensorDefectTests
{
    private static readonly Configuration A = Laboratory.Resolve("A");

    [Fact]
    public void The_counter_steps_every_hundred_milliseconds_and_carries_the_devices_gain()
    {
        var lab = new Laboratory(31);
        var (readings, before, after) = Run(lab, seconds: 20);
        var steps = readings.Zip(readings.Skip(1), (a, b) => (b.TimeNanoseconds - a.TimeNanoseconds) / 1e9).ToArray();
        Assert.All(steps, s => Assert.InRange(s, 0.093, 0.107));
        Assert.All(readings.Zip(readings.Skip(1)), pair => Assert.True(pair.Second.CounterJoules > pair.First.CounterJoules));
        Assert.Equal(after.Gain, (readings[^1].CounterJoules - readings[0].CounterJoules) / (after.Joules - before.Joules), 0.01);
    }

    [Fact]
    public void Gains_differ_between_devices_within_five_per_cent()
    {
        var gains = Enumerable.Range(1, 200).Select(s => new Laboratory((ulong)s).Gpus[0].Truth.Gain).ToArray();
        Assert.All(gains, g => Assert.InRange(g, 0.95, 1.05));
        Assert.Equal(1, gains.Average(), 0.01);
        Assert.True(gains.Max() - gains.Min() > 0.08);
    }

    [Fact]
    public void Average_power_lags_a_second_behind_and_instant_power_does_not()
    {
        var lab = new Laboratory(32);
        var (readings, _, _) = Run(lab, seconds: 3);
        var high = readings[^1].InstantWatts;
        var low = readings[0].InstantWatts;
        // The third step after the start: the last quarter of it is all work, the mean of ten is mostly idle.
        var start = readings.FindIndex(r => r.InstantWatts > low + 0.8 * (high - low));
        Assert.True(start >= 0);
        Assert.True(readings[start + 2].AverageWatts < low + 0.6 * (high - low));
        Assert.Equal(1, readings[start + 12].AverageWatts / readings[start + 12].InstantWatts, 0.05);
    }

    [Fact]
    public void Leakage_grows_as_the_board_warms()
    {
        var lab = new Laboratory(33, defects: SimulatedDefects.None);
        var (readings, _, _) = Run(lab, seconds: 90);
        var (cold, warm) = (readings[20], readings[^1]);
        Assert.True(warm.Celsius > cold.Celsius + 10);
        Assert.Equal(0.4 * (warm.Celsius - cold.Celsius), warm.InstantWatts - cold.InstantWatts, 0.5);
    }

    [Fact]
    public void Equal_seeds_give_equal_readings_and_other_seeds_others()
    {
        var (one, two, three) = (Run(new Laboratory(34), 10).Readings, Run(new Laboratory(34), 10).Readings, Run(new Laboratory(35), 10).Readings);
        Assert.Equal(one, two);
        Assert.NotEqual(one[^1].CounterJoules, three[^1].CounterJoules);
    }

    [Fact]
    public void Scaled_time_runs_faster_and_its_timers_never_fire_early()
    {
        var inner = new JumpingTimeProvider(Laboratory.Start);
        var scaled = new ScaledTimeProvider(200, inner);
        inner.Run(async () =>
        {
            var before = scaled.GetUtcNow();
            await Task.Delay(TimeSpan.FromSeconds(30), scaled);
            Assert.InRange((scaled.GetUtcNow() - before).TotalSeconds, 30, 30.3);
            Assert.Equal(0.15, (inner.GetUtcNow() - Laboratory.Start).TotalSeconds, 0.002);
        });
        Assert.Equal(200, ScaledTimeProvider.ScaleOf(scaled));
        Assert.Equal(1, ScaledTimeProvider.ScaleOf(inner));
    }

    private static (List<DeviceReading> Readings, SimulatedTruth Before, SimulatedTruth After) Run(Laboratory lab, int seconds) => lab.Time.Run(async () =>
    {
        var gpu = lab.Gpus[0];
        await gpu.Load(A, Catalogue.Cost(A), 8, default);
        var (readings, marks) = (new List<DeviceReading>(), new List<StepMark>());
        gpu.Drain(readings, marks);
        readings.RemoveRange(0, readings.Count - 1);
        gpu.Start();
        var before = gpu.Truth;
        await Task.Delay(TimeSpan.FromSeconds(seconds), lab.Time);
        var after = gpu.Truth;
        gpu.Drain(readings, marks);
        return (readings, before, after);
    });
}
