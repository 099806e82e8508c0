using EnergyGrid.Contracts;
using EnergyGrid.Workloads;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Devices.Tests;

/// <summary>The simulated sensors are wrong in the ways that real ones are.</summary>
public sealed class SensorDefectTests
{
    private static readonly Configuration A = Laboratory.Resolve("A");

    [Fact]
    public void The_counter_steps_every_hundred_milliseconds_and_integrates_what_the_sensor_sees()
    {
        var lab = new Laboratory(31);
        var (readings, before, after) = Run(lab, seconds: 20);
        var steps = readings.Zip(readings.Skip(1), (a, b) => (b.TimeNanoseconds - a.TimeNanoseconds) / 1e9).ToArray();
        Assert.All(steps, s => Assert.InRange(s, 0.093, 0.107));
        Assert.All(readings.Zip(readings.Skip(1)), pair => Assert.True(pair.Second.CounterJoules > pair.First.CounterJoules));
        Assert.Equal(1, (readings[^1].CounterJoules - readings[0].CounterJoules) / (after.SensedJoules - before.SensedJoules), 0.01);
    }

    [Fact]
    public void Gains_differ_between_devices_within_five_per_cent()
    {
        var gains = Enumerable.Range(1, 200).Select(s => new Laboratory((ulong)s).Gpus[0].Truth.Curve.Gain).ToArray();
        Assert.All(gains, g => Assert.InRange(g, 0.95, 1.05));
        Assert.Equal(1, gains.Average(), 0.01);
        Assert.True(gains.Max() - gains.Min() > 0.08);
    }

    [Fact]
    public void One_design_gives_all_devices_of_a_site_one_offset_and_one_curve_and_each_an_offset_of_its_own()
    {
        var designs = Enumerable.Range(1, 200).Select(s => SimulatedSite.Create(new SimulatedSiteOptions { Racks = 2, NodesPerRack = 2, GpusPerNode = 2, Seed = (ulong)s }, new JumpingTimeProvider(Laboratory.Start)))
            .Select(site => site.Nodes.SelectMany(n => n.Gpus).Select(g => g.Truth.Curve).ToArray()).ToArray();
        Assert.All(designs, curves =>
        {
            Assert.Single(curves.Select(c => c.NonLinearityWatts).Distinct());
            Assert.Equal(curves.Length, curves.Select(c => c.OffsetWatts).Distinct().Count());
            // Two offsets of one site are apart by their own parts alone.
            Assert.InRange(curves.Max(c => c.OffsetWatts) - curves.Min(c => c.OffsetWatts), 0, 2 * 2);
            Assert.All(curves, c => Assert.InRange(c.OffsetWatts, -5, 5));
            Assert.All(curves, c => Assert.InRange(c.NonLinearityWatts, -2, 2));
        });
        // The common part does not average out over a site's devices, and is drawn evenly within ±3 W: its standard deviation is √3 W.
        var common = designs.Select(curves => curves.Average(c => c.OffsetWatts)).ToArray();
        Assert.InRange(Math.Sqrt(common.Average(o => o * o)), 1.5, 2.1);
        Assert.InRange(Math.Sqrt(designs.Average(curves => curves[0].NonLinearityWatts * curves[0].NonLinearityWatts)), 1.0, 1.3);
    }

    [Fact]
    public void A_curve_leaves_its_straight_line_by_n_at_half_the_scale_by_nothing_at_its_ends_and_never_by_more()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Gen.Choose(0, 1000).Three().ToArbitrary(), parts =>
        {
            var curve = new TransferCurve(0.95 + 1e-4 * parts.Item1, -5 + 0.01 * parts.Item2, 0.002 * parts.Item2 - 1, 700);
            var line = curve with { NonLinearityWatts = 0 };
            var watts = 0.7 * parts.Item3 / curve.Gain;
            return Math.Abs(curve.Reads(watts) - line.Reads(watts)) <= Math.Abs(curve.NonLinearityWatts) + 1e-9
                && Math.Abs(curve.Reads(350 / curve.Gain) - line.Reads(350 / curve.Gain) - curve.NonLinearityWatts) < 1e-9
                && Math.Abs(curve.Reads(700 / curve.Gain) - line.Reads(700 / curve.Gain)) < 1e-9
                && Math.Abs(line.Reads(watts) - Math.Max(0, curve.Gain * watts + curve.OffsetWatts)) < 1e-9;
        }));
        Assert.Equal(0, new TransferCurve(1, -5, 2, 700).Reads(3));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(-1, 1)]
    [InlineData(-1, -1)]
    public void Offset_and_curve_are_in_the_counter_and_in_the_power(int offset, int curve)
    {
        var lab = new Laboratory(36, defects: SimulatedDefects.None with { Sensor = SensorDesign.Worst(offset, curve) });
        var expected = 70 + 5 * offset + 2 * curve * 4 * 0.1 * 0.9;
        var readings = new List<DeviceReading>();
        lab.Time.Run(async () =>
        {
            await Task.Delay(TimeSpan.FromSeconds(20), lab.Time);
            lab.Gpus[0].Drain(readings, []);
        });
        var (first, last) = (readings[0], readings[^1]);
        Assert.Equal(expected, (last.CounterJoules - first.CounterJoules) / ((last.TimeNanoseconds - first.TimeNanoseconds) / 1e9), 1e-3);
        Assert.Equal(expected, last.InstantWatts, 1e-9);
        Assert.Equal(expected, last.AverageWatts, 1e-9);
    }

    [Fact]
    public void A_device_declares_its_sensors_bounds_and_nothing_of_what_lies_within_them()
    {
        var infos = new[] { SensorDesign.Worst(1, 1), SensorDesign.Worst(-1, -1), new SensorDesign() }.Select(d => new Laboratory(37, defects: new() { Sensor = d }).Gpus[0].Info).ToArray();
        Assert.Equal(infos[0], infos[1]);
        Assert.Equal(infos[0], infos[2]);
        var declared = infos[0].Qualification!;
        Assert.Equal((5.0, 2.0, 0.1, 0.0, 700.0), (declared.OffsetWatts, declared.NonLinearityWatts, declared.UpdatePeriodSeconds, declared.CounterResidual, declared.RatedWatts));
        // 1 % an update, of which a window of 10 s has a hundred.
        Assert.Equal(0.001, declared.Alias, 1e-9);
        Assert.Equal(Laboratory.Start, declared.AtUtc);
        Assert.Contains("±3 W common to the site, ±2 W of each device", declared.OffsetSource);
    }

    [Fact]
    public void What_lies_outside_the_declared_bounds_is_refused()
    {
        Assert.Contains("±3 W", Assert.Throws<ArgumentException>(() => new Laboratory(38, defects: new() { Sensor = new() { CommonOffsetWatts = 3.1 } })).Message);
        Assert.Throws<ArgumentException>(() => new Laboratory(38, defects: new() { Sensor = new() { OwnOffsetWatts = -2.1 } }));
        Assert.Throws<ArgumentException>(() => new Laboratory(38, defects: new() { Sensor = new() { NonLinearityWatts = 2.1 } }));
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
