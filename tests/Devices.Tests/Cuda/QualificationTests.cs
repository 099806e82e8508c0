using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda.Sensing;
using EnergyGrid.Metrology;

namespace EnergyGrid.Devices.Tests.Cuda;

[Collection("cuda")]
public sealed class QualificationTests(EmulatedLibraries libraries)
{
    private static BoardQualification Qualify(ScriptedBoard board, bool exercise = true) =>
        SensorQualifier.Run(board.Device, board.Time, exercise ? new ScriptedBoard.Exercise(board) : null);

    [Theory]
    [InlineData(0.1)]
    [InlineData(0.0987)]
    [InlineData(0.0203)]
    public void The_update_period_is_found_within_a_millisecond(double period)
    {
        using var board = new ScriptedBoard(libraries, FormattableString.Invariant($"power 0 70\ncounter period {period} phase 0.013"));
        var found = Qualify(board, exercise: false);
        Assert.Equal(period, found.UpdatePeriodSeconds, 1e-4);
        Assert.InRange(found.UpdateSpreadSeconds, 0, 0.0015);
        Assert.InRange(found.UpdateSteps, (int)(9.5 / period), (int)(10.5 / period));
    }

    [Fact]
    public void A_good_counter_meters_the_device_and_all_of_it_is_told()
    {
        using var board = new ScriptedBoard(libraries, "power 0 70\ncounter period 0.1 phase 0.03\nmodule 500");
        var found = Qualify(board);
        Assert.Equal(Metering.Counter, found.Metering);
        Assert.InRange(Math.Abs(found.Residual), 0, 0.005);
        Assert.Equal(["idle", "idle with a context", "busy"], found.Checks.Select(c => c.Load));
        Assert.Equal(70, found.IdleWatts, 0.5);
        Assert.Equal(110, found.IdleContextWatts, 0.5);
        Assert.Equal(400, found.Checks[2].MeanWatts, 1.0);
        Assert.All(found.Checks, c => Assert.InRange(c.Seconds, 9.7, 10));
        // One look at the clock lies between the two of a read.
        Assert.Equal(ScriptedBoard.LookSeconds, found.ReadMedianSeconds, 1e-6);
        Assert.Equal(ScriptedBoard.LookSeconds, found.ReadP99Seconds, 1e-6);
        Assert.InRange(found.Reads, 10_000, 16_000);
        Assert.Equal(0.01, found.PollSeconds);
        Assert.Equal(500, found.ModuleWatts);
        Assert.Contains("the GPU alone, without the rest of its module", found.EnergySource);
        Assert.Contains("agrees", found.Verdict);

        var sensor = found.ToSensor(0, 700, Provenance.Modelled);
        Assert.True(sensor.HasCounter && sensor.PowerIsIndependent);
        Assert.Equal((found.UpdatePeriodSeconds, 0.01, Provenance.Modelled), (sensor.Profile.NominalPeriodSeconds, sensor.PollSeconds, sensor.Profile.Provenance));
        Assert.False(found.ToOptions().Integrate);
    }

    [Theory]
    [InlineData("power 0 4294967", "the energy counter counts 42949", "its power reads 4294967 W, and the board cannot draw more than 1400 W")]
    [InlineData("power 0 4294967\nlack nvmlDeviceGetTotalEnergyConsumption", "the device has no energy counter", "its power reads 4294967 W, and the board cannot draw more than 1400 W")]
    public void What_no_board_draws_meters_none(string script, string counter, string power)
    {
        using var board = new ScriptedBoard(libraries, script);
        var found = Qualify(board, exercise: false);
        Assert.Equal(Metering.None, found.Metering);
        Assert.StartsWith(counter, found.Verdict);
        Assert.Contains(power, found.Verdict);
        Assert.DoesNotContain("NaN", found.EnergySource);
    }

    [Fact]
    public void A_look_too_short_for_the_counters_period_says_so()
    {
        using var board = new ScriptedBoard(libraries, "power 0 100");
        var found = SensorQualifier.Run(board.Device, board.Time, options: new QualificationOptions { WindowSeconds = 0.5 });
        Assert.Equal(Metering.Counter, found.Metering);
        Assert.StartsWith("NVML energy counter, too few steps were seen to tell its period; ", found.EnergySource);
    }

    [Fact]
    public void A_load_in_step_with_the_sensor_shows_what_part_time_sampling_misses()
    {
        using var board = new ScriptedBoard(libraries, "power 0 70\ncounter period 0.1\nsensor period 0.1 window 0.025");
        var found = Qualify(board);
        Assert.Equal(4, found.Alias.Count);
        Assert.InRange(found.CounterAlias, 0, 0.01);
        // 25 of 100 ms of a sine of ±60 %: the mean over them swings by almost all of it.
        Assert.InRange(found.PowerAlias, 0.7, 1.2);
    }

    [Theory]
    [InlineData(0.05, "+4.8 %")]
    [InlineData(-0.08, "-8.7 %")]
    public void A_counter_that_disagrees_by_more_than_three_percent_is_not_used_and_says_so(double error, string said)
    {
        using var board = new ScriptedBoard(libraries, FormattableString.Invariant($"power 0 70\ncounter error {error}"));
        var found = Qualify(board);
        Assert.Equal(Metering.Integration, found.Metering);
        Assert.Contains($"the counter disagrees with the integrated power by {said}", found.Verdict);
        Assert.StartsWith("NVML power, integrated: the counter disagrees", found.EnergySource);
        // Idle is by the power then, not by the counter.
        Assert.Equal(70, found.IdleWatts, 0.5);
        Assert.True(found.ToOptions().Integrate);
        var sensor = found.ToSensor(0, 700, Provenance.Measured);
        Assert.Equal((SensorQuantity.Power, false), (sensor.Profile.Quantity, sensor.PowerIsIndependent));
        Assert.True(sensor.Profile.NominalPeriodSeconds >= 0.1);
    }

    [Fact]
    public void A_counter_within_three_percent_is_used_and_its_residual_kept()
    {
        using var board = new ScriptedBoard(libraries, "power 0 70\ncounter error 0.02");
        var found = Qualify(board);
        Assert.Equal(Metering.Counter, found.Metering);
        Assert.Equal(0.02 / 1.02, found.Residual, 0.003);
    }

    [Theory]
    [InlineData("lack nvmlDeviceGetTotalEnergyConsumption", Metering.Integration, "the device has no energy counter")]
    [InlineData("counter period 1000", Metering.Integration, "the energy counter does not step")]
    [InlineData("deny field:186\ndeny nvmlDeviceGetPowerUsage", Metering.Counter, "could not be compared")]
    [InlineData("lack nvmlDeviceGetTotalEnergyConsumption\ndeny field:186\ndeny nvmlDeviceGetPowerUsage", Metering.None, "neither energy nor power")]
    public void What_is_missing_decides_how_the_device_is_metered(string script, Metering metering, string verdict)
    {
        using var board = new ScriptedBoard(libraries, "power 0 70\n" + script);
        var found = Qualify(board, exercise: false);
        Assert.Equal(metering, found.Metering);
        Assert.Contains(verdict, found.Verdict);
        Assert.True(double.IsNaN(found.Residual));
        Assert.True(double.IsNaN(found.IdleContextWatts));
        if (metering != Metering.None) Assert.Equal(70, found.IdleWatts, 0.5);
    }

    [Fact]
    public void The_analysis_is_told_period_alias_and_residual_and_that_nothing_could_tell_the_offset()
    {
        using var board = new ScriptedBoard(libraries, "power 0 70\ncounter error 0.02");
        var found = Qualify(board);
        var told = found.ToSensorQualification(650);
        Assert.Equal((found.UpdatePeriodSeconds, found.Residual, 650.0, found.At), (told.UpdatePeriodSeconds, told.CounterResidual, told.RatedWatts, told.AtUtc));
        Assert.True(double.IsNaN(told.OffsetWatts) && double.IsNaN(told.NonLinearityWatts));
        Assert.Contains("no meter of the node", told.OffsetSource);
        // This counter counts all the time: no phase of the load escapes it.
        Assert.InRange(told.Alias, 0, 1e-6);
        Assert.Contains("4 phases", told.Method);
        Assert.Contains("busy for 9.", told.Method);
    }

    [Fact]
    public void A_board_that_is_metered_by_its_power_has_the_alias_of_its_power_sensor()
    {
        // It sees a quarter of each period. A hundred updates in ten seconds leave a tenth of what the phases differ by.
        using var board = new ScriptedBoard(libraries, "power 0 70\ncounter error 0.05\nsensor period 0.1 window 0.025");
        var found = Qualify(board);
        var told = found.ToSensorQualification(700);
        Assert.Equal(0.1 * PartTimeSampling.PerUpdate([.. found.Alias.Select(a => a.PowerWatts)]), told.Alias, 1e-3);
        Assert.InRange(told.Alias, 0.02, 0.06);
        // A power that stands still shows no steps of its own.
        Assert.True(double.IsNaN(found.PowerPeriodSeconds));
        Assert.Equal(found.UpdatePeriodSeconds, told.UpdatePeriodSeconds);
        Assert.StartsWith("integrated power", told.Method);
    }

    [Fact]
    public void What_was_not_looked_at_is_told_to_the_analysis_as_unknown()
    {
        using var board = new ScriptedBoard(libraries, "power 0 70\nlack nvmlDeviceGetTotalEnergyConsumption");
        var told = Qualify(board, exercise: false).ToSensorQualification(700);
        Assert.True(double.IsNaN(told.Alias) && double.IsNaN(told.CounterResidual));
        Assert.Contains("alias not looked at", told.Method);
    }

    [Fact]
    public void Unknown_figures_are_null_in_json_and_known_ones_are_there()
    {
        using var board = new ScriptedBoard(libraries, "power 0 70\nlack nvmlDeviceGetTotalEnergyConsumption");
        using var json = JsonDocument.Parse(Qualify(board, exercise: false).ToJson());
        var root = json.RootElement;
        Assert.Equal("integration", root.GetProperty("metering").GetString());
        Assert.Equal(JsonValueKind.Null, root.GetProperty("updatePeriodSeconds").ValueKind);
        Assert.Equal(70, root.GetProperty("idleWatts").GetDouble(), 0.5);
        Assert.Equal(board.Device.Uuid, root.GetProperty("uuid").GetString());
        Assert.Equal("idle", root.GetProperty("checks")[0].GetProperty("load").GetString());
        Assert.False(root.TryGetProperty("energySource", out _));
    }

    [Fact]
    public void A_device_that_is_lost_meanwhile_is_lost()
    {
        using var board = new ScriptedBoard(libraries, "power 0 70\nlost 4");
        Assert.Throws<DeviceLostException>(() => Qualify(board));
    }

    [Fact]
    public void It_can_be_stopped()
    {
        using var board = new ScriptedBoard(libraries, "power 0 70");
        Assert.Throws<OperationCanceledException>(() => SensorQualifier.Run(board.Device, board.Time, stop: new CancellationToken(true)));
    }
}
