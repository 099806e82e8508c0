using EnergyGrid.Devices.Cuda.Sensing;
using EnergyGrid.Metrology;

namespace EnergyGrid.Devices.Tests.Cuda;

[Collection("cuda")]
public sealed class SensorTests(EmulatedLibraries libraries)
{
    private static readonly SensorProfile Profile = new(SensorQuantity.Counter, 0.1, 0, 700);

    private static List<DeviceReading> Watch(ScriptedBoard board, NvmlSensor sensor, double seconds, double everySeconds = 0.01)
    {
        for (var until = board.Time.Seconds + seconds; board.Time.Seconds < until && sensor.Poll();) board.Time.To(board.Time.Seconds + everySeconds);
        var readings = new List<DeviceReading>();
        sensor.Drain(readings);
        return readings;
    }

    private static CounterReading[] Counter(List<DeviceReading> readings) => [.. readings.Select(r => new CounterReading(r.TimeNanoseconds, r.CounterJoules))];

    [Fact]
    public void One_reading_per_step_of_the_counter_and_their_differences_are_the_scripts_energy()
    {
        using var board = new ScriptedBoard(libraries, "power 0 300\npower 3 ramp 500 2\ncounter period 0.0987 phase 0.02\nclock 1980\ncelsius 0 44");
        using var sensor = new NvmlSensor(board.Device, board.Clock);
        var readings = Watch(board, sensor, 10);
        Assert.True(sensor.HasCounter);
        Assert.InRange(readings.Count, 100, 103);
        var (from, to) = CounterEnergy.EdgesOnTicks(Counter(readings), Profile, readings[1].TimeNanoseconds, 8 * UtcNanoseconds.PerSecond)!.Value;
        var energy = CounterEnergy.Between(Counter(readings), from, to, Profile);
        Assert.Equal(1, energy.Coverage, 1e-9);
        // From 0.1 to 8.1 s and a little: 300 W, then the ramp's 800 J, then 500 W; each edge is seen at most one poll late.
        var seconds = (to - from) / 1e9;
        var first = (from - UtcNanoseconds.Of(Laboratory.Start)) / 1e9;
        var truth = 300 * (3 - first) + 800 + 500 * (first + seconds - 5);
        Assert.InRange(energy.Joules - truth, -500 * 0.011, 500 * 0.011);
        Assert.All(readings, r => Assert.Equal((44.0, 1980.0), (r.Celsius, r.Megahertz)));
        Assert.Equal((300, 500), (readings[5].InstantWatts, readings[^1].InstantWatts));
        Assert.Equal((0L, 0), (sensor.Dropped, sensor.CounterEpoch));
    }

    [Theory]
    [InlineData("use 37 5368709120", 0.37, 5368709120.0)]
    [InlineData("use 37 5368709120\nlack nvmlDeviceGetUtilizationRates", double.NaN, 5368709120.0)]
    [InlineData("use 100 1000\ndeny nvmlDeviceGetMemoryInfo", 1.0, double.NaN)]
    public void How_busy_the_board_is_and_what_of_its_memory_is_taken_is_told_beside_the_readings(string script, double utilisation, double bytes)
    {
        using var board = new ScriptedBoard(libraries, "power 0 200\n" + script);
        using var sensor = new NvmlSensor(board.Device, board.Clock);
        Assert.Equal(DeviceUse.Unknown, sensor.Use);
        Assert.NotEmpty(Watch(board, sensor, 2));
        Assert.Equal(new DeviceUse(utilisation, bytes), sensor.Use);
    }

    [Fact]
    public void A_counter_that_begins_anew_is_passed_on_and_begins_an_epoch()
    {
        using var board = new ScriptedBoard(libraries, "power 0 200\ncounter reset 4");
        using var sensor = new NvmlSensor(board.Device, board.Clock);
        var readings = Watch(board, sensor, 8);
        Assert.Equal(1, sensor.CounterEpoch);
        Assert.Equal(1, CounterEnergy.Resets(Counter(readings), Profile));
        Assert.True(readings[0].CounterJoules >= 5000 && readings[^1].CounterJoules < 1000);
        var energy = CounterEnergy.Between(Counter(readings), readings[0].TimeNanoseconds, readings[^1].TimeNanoseconds, Profile);
        // The interval of the reset is a gap, and nothing else is lost or made up.
        Assert.InRange(energy.Joules - energy.CoveredSeconds * 200, -200 * 0.022, 200 * 0.022);
        Assert.InRange(energy.Coverage, 0.98, 0.995);
    }

    [Fact]
    public void Time_under_the_power_cap_and_in_slowdown_comes_from_the_time_counters()
    {
        using var board = new ScriptedBoard(libraries, "throttle power 1 3\nthrottle sw_thermal 2 2.5\nthrottle hw_thermal 4 5\nthrottle brake 5 5.25");
        using var sensor = new NvmlSensor(board.Device, board.Clock);
        var readings = Watch(board, sensor, 8);
        Assert.Equal("time counters", sensor.ThrottleSource);
        Assert.Equal((0.0, 0.0), (readings[0].PowerCapSeconds, readings[0].ThermalSeconds));
        Assert.Equal(2, readings[^1].PowerCapSeconds - readings[0].PowerCapSeconds, 1e-9);
        Assert.Equal(1.75, readings[^1].ThermalSeconds - readings[0].ThermalSeconds, 1e-9);
    }

    [Fact]
    public void Without_the_time_counters_the_reasons_are_sampled_and_without_those_it_is_unknown()
    {
        const string Without = "lack field:74\nlack field:269\nlack field:270\nlack field:271\nthrottle power 1 3\nthrottle hw_thermal 4 5";
        using (var board = new ScriptedBoard(libraries, Without))
        {
            using var sensor = new NvmlSensor(board.Device, board.Clock);
            var readings = Watch(board, sensor, 8);
            Assert.Equal("sampled reasons", sensor.ThrottleSource);
            Assert.InRange(readings[^1].PowerCapSeconds, 1.85, 2.15);
            Assert.InRange(readings[^1].ThermalSeconds, 0.85, 1.15);
        }
        using (var board = new ScriptedBoard(libraries, Without + "\ndeny nvmlDeviceGetCurrentClocksThrottleReasons"))
        {
            using var sensor = new NvmlSensor(board.Device, board.Clock);
            var readings = Watch(board, sensor, 2);
            Assert.Equal("none", sensor.ThrottleSource);
            Assert.All(readings, r => Assert.True(double.IsNaN(r.PowerCapSeconds) && double.IsNaN(r.ThermalSeconds)));
        }
    }

    [Fact]
    public void Where_power_is_integrated_every_reading_counts_also_one_that_repeats_the_last()
    {
        using var board = new ScriptedBoard(libraries, "power 0 150");
        using var sensor = new NvmlSensor(board.Device, board.Clock, new NvmlSensorOptions { Integrate = true });
        var readings = Watch(board, sensor, 2, 0.02);
        Assert.False(sensor.HasCounter);
        Assert.InRange(readings.Count, 98, 101);
        Assert.All(readings, r => Assert.Equal(150, r.InstantWatts));
    }

    [Fact]
    public void A_refused_power_is_unknown_beside_a_counter_and_the_slow_mean_stands_in_without_one()
    {
        using (var board = new ScriptedBoard(libraries, "power 0 150\ndeny field:186"))
        {
            using var sensor = new NvmlSensor(board.Device, board.Clock);
            Assert.All(Watch(board, sensor, 1), r => Assert.True(double.IsNaN(r.InstantWatts) && r.AverageWatts == 150));
        }
        using (var board = new ScriptedBoard(libraries, "power 0 150\ndeny field:186\nlack nvmlDeviceGetTotalEnergyConsumption"))
        {
            using var sensor = new NvmlSensor(board.Device, board.Clock);
            Assert.False(sensor.HasCounter);
            Assert.All(Watch(board, sensor, 1), r => Assert.True(double.IsNaN(r.CounterJoules) && r.InstantWatts == 150));
        }
    }

    [Fact]
    public void A_counter_that_jumps_by_more_than_the_board_can_draw_begins_an_epoch_and_makes_no_energy()
    {
        // 100 MW for a twentieth of a second: 5 MJ at once.
        using var board = new ScriptedBoard(libraries, "power 0 200\npower 4 100000000\npower 4.05 200");
        using var sensor = new NvmlSensor(board.Device, board.Clock);
        var readings = Watch(board, sensor, 8);
        Assert.Equal(1, sensor.CounterEpoch);
        Assert.Equal(1, CounterEnergy.Resets(Counter(readings), Profile));
        var energy = CounterEnergy.Between(Counter(readings), readings[0].TimeNanoseconds, readings[^1].TimeNanoseconds, Profile);
        Assert.InRange(energy.Joules / energy.CoveredSeconds, 198, 202);
        Assert.InRange(energy.Coverage, 0.98, 0.995);
        Assert.All(readings, r => Assert.True(double.IsNaN(r.InstantWatts) || r.InstantWatts == 200));
    }

    [Fact]
    public void A_power_beyond_twice_the_boards_limit_is_no_reading_and_is_said()
    {
        using var board = new ScriptedBoard(libraries, "power 0 4294967");
        using var sensor = new NvmlSensor(board.Device, board.Clock, new NvmlSensorOptions { Integrate = true });
        Assert.All(Watch(board, sensor, 1), r => Assert.True(double.IsNaN(r.InstantWatts) && double.IsNaN(r.AverageWatts)));
        Assert.Equal("its power reads 4294967 W, and it cannot draw more than 1400 W", sensor.Silence);
        board.Command($"power {board.Time.Seconds} 1300");
        Assert.Equal(1300, Watch(board, sensor, 1)[^1].InstantWatts);
        Assert.Null(sensor.Silence);
    }

    [Theory]
    [InlineData("limit 0 0 0", 5000)]
    [InlineData("limit 650 200 700", 1400)]
    [InlineData("limit 4294967 0 4294967", 5000)]
    [InlineData("lack nvmlDeviceGetEnforcedPowerLimit\nlack field:188\nlack field:189\nlack field:190", 5000)]
    public void What_a_board_cannot_draw_follows_from_its_limits_where_they_are_any(string script, double watts)
    {
        using var board = new ScriptedBoard(libraries, script);
        Assert.Equal(watts, board.Device.ImpossibleWatts());
    }

    [Fact]
    public void A_counter_that_has_stood_still_for_seconds_tells_nothing()
    {
        using var board = new ScriptedBoard(libraries, "power 0 200\npower 2 0\npower 8 200");
        using var sensor = new NvmlSensor(board.Device, board.Clock);
        Watch(board, sensor, 4.5);
        Assert.Null(sensor.Silence);
        var dead = Watch(board, sensor, 3);
        Assert.Equal("its energy counter has stood still for 3 s", sensor.Silence);
        Assert.True(double.IsNaN(dead[^1].CounterJoules));
        Assert.True(Watch(board, sensor, 2)[^1].CounterJoules > 0);
        Assert.Null(sensor.Silence);
    }

    [Fact]
    public void A_counter_that_stands_still_is_told_as_standing()
    {
        using var board = new ScriptedBoard(libraries, "power 0 0");
        using var sensor = new NvmlSensor(board.Device, board.Clock);
        var readings = Watch(board, sensor, 2);
        Assert.InRange(readings.Count, 7, 9);
        Assert.All(readings, r => Assert.Equal(readings[0].CounterJoules, r.CounterJoules));
    }

    [Fact]
    public void A_lost_device_ends_the_polling_and_says_why()
    {
        using var board = new ScriptedBoard(libraries, "power 0 150\nlost 1");
        using var sensor = new NvmlSensor(board.Device, board.Clock);
        var readings = Watch(board, sensor, 5);
        Assert.InRange(board.Time.Seconds, 1, 1.1);
        Assert.InRange(readings.Count, 9, 11);
        Assert.Contains("fallen off the bus", sensor.Lost!.Message);
    }

    [Fact]
    public void Readings_that_nobody_drains_are_bounded_and_counted()
    {
        using var board = new ScriptedBoard(libraries, "power 0 150");
        using var sensor = new NvmlSensor(board.Device, board.Clock, new NvmlSensorOptions { MostPending = 10 });
        var readings = Watch(board, sensor, 5);
        Assert.Equal(10, readings.Count);
        Assert.InRange(sensor.Dropped, 39, 42);
        Assert.True((readings[^1].TimeNanoseconds - UtcNanoseconds.Of(Laboratory.Start)) / 1e9 > 4.85);
    }

    [Fact]
    public void The_thread_polls_by_itself_until_it_is_closed()
    {
        using var board = new ScriptedBoard(libraries, "power 0 150\ncounter period 0.02");
        board.Time.To(double.NaN);
        var sensor = new NvmlSensor(board.Device, new NodeClock(TimeProvider.System), new NvmlSensorOptions { PollSeconds = 0.002, UpdatePeriodSeconds = 0.02 });
        sensor.Start();
        var readings = new List<DeviceReading>();
        Assert.True(SpinWait.SpinUntil(
            () =>
            {
                sensor.Drain(readings);
                return readings.Count > 10;
            },
            TimeSpan.FromSeconds(30)));
        sensor.Dispose();
        readings.Clear();
        sensor.Drain(readings);
        sensor.Drain(readings);
        Assert.Equal(readings.OrderBy(r => r.TimeNanoseconds), readings);
    }
}
