using EnergyGrid.Contracts;
using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Cuda.Loads;
using EnergyGrid.Devices.Cuda.Sensing;

namespace EnergyGrid.Devices.Tests.Cuda;

[Collection("cuda")]
public sealed class BoardSensorTests(EmulatedLibraries libraries)
{
    private static BoardSensor Open(ScriptedBoard board)
    {
        var qualification = SensorQualifier.Run(board.Device, board.Time, options: new QualificationOptions { WindowSeconds = 2 });
        return new BoardSensor(board.Device, board.Clock, qualification, new BoardSensorOptions { ClockErrorSeconds = 0.001 }, polls: false);
    }

    [Fact]
    public void A_boards_state_is_told_and_an_emulated_boards_energy_is_called_modelled()
    {
        using var board = new ScriptedBoard(libraries, "power 0 100\nlimit 650 200 700\nclock 1755\ncelsius 0 47\nprocess self");
        using var sensor = Open(board);
        var condition = sensor.Condition();
        Assert.Equal(new DeviceCondition(47, 1755, 650, 0, 0.001), condition with { ClockErrorSeconds = 0.001 });
        // One look at each of the two clocks.
        Assert.InRange(condition.ClockErrorSeconds, 0.001, 0.0012);
        Assert.Equal((700.0, 650.0, Provenance.Modelled), (sensor.RatedWatts, sensor.PowerLimitWatts, sensor.EnergyProvenance));
        Assert.True(sensor.Sensor.HasCounter);
        Assert.StartsWith("NVML energy counter, steps every 100.0 ms", sensor.EnergySource);
    }

    [Theory]
    [InlineData("mig on", "MIG is on")]
    [InlineData("ecc off", "ECC is off")]
    public void What_forbids_a_trial_is_said(string script, string hindrance)
    {
        using var board = new ScriptedBoard(libraries, "power 0 100\n" + script);
        using var sensor = Open(board);
        Assert.Contains(hindrance, sensor.Condition().Hindrance);
    }

    [Fact]
    public void A_board_without_ecc_and_mig_is_not_hindered_and_one_with_new_errors_is()
    {
        using var board = new ScriptedBoard(libraries, "power 0 100\nmig none\necc_errors 9 2");
        using var sensor = Open(board);
        Assert.Null(sensor.Condition().Hindrance);
        board.Command($"ecc_errors 9 3");
        Assert.Contains("1 uncorrected ECC error", sensor.Condition().Hindrance);
        board.Command($"ecc none");
        Assert.Null(sensor.Condition().Hindrance);
    }

    [Fact]
    public void Other_processes_are_counted_without_our_own()
    {
        // Numbers of processes that can be seen here, so that none is taken for ours under another name.
        using var board = new ScriptedBoard(libraries, "power 0 100\nprocess self\nprocess 1 50");
        using var sensor = Open(board);
        Assert.Equal(0, sensor.Condition().OtherProcesses);
        board.Time.To(60);
        Assert.Equal(1, sensor.Condition().OtherProcesses);
        Assert.True(sensor.TellsProcesses);
    }

    [Fact]
    public void A_board_that_does_not_tell_its_processes_says_that_it_does_not()
    {
        using var board = new ScriptedBoard(libraries, "power 0 100\nprocess 1\ndeny nvmlDeviceGetComputeRunningProcesses_v3");
        using var sensor = Open(board);
        Assert.False(sensor.TellsProcesses);
        Assert.Equal(0, sensor.Condition().OtherProcesses);
    }

    [Fact]
    public void A_power_limit_that_cannot_be_read_does_not_seem_to_change()
    {
        using var board = new ScriptedBoard(libraries, "power 0 100\ndeny nvmlDeviceGetEnforcedPowerLimit\nlack field:190");
        using var sensor = Open(board);
        Assert.Equal(700, sensor.PowerLimitWatts);
        Assert.Equal(700, sensor.Condition().PowerLimitWatts);
    }

    [Fact]
    public void A_lost_board_throws_and_one_without_sensors_is_refused()
    {
        using (var board = new ScriptedBoard(libraries, "power 0 100\nlost 30"))
        {
            using var sensor = Open(board);
            board.Time.To(30);
            Assert.Throws<DeviceLostException>(() => sensor.Condition());
        }
        using (var board = new ScriptedBoard(libraries, "lack nvmlDeviceGetTotalEnergyConsumption\ndeny field:186\ndeny nvmlDeviceGetPowerUsage"))
            Assert.Contains("neither energy nor power", Assert.Throws<InvalidOperationException>(() => Open(board)).Message);
    }

    [Fact]
    public void A_wall_clock_that_is_moved_widens_the_clock_error_and_moves_no_stamp()
    {
        var time = new Moved();
        var clock = new NodeClock(time);
        var before = clock.NowNanoseconds;
        time.Offset = TimeSpan.FromSeconds(0.25);
        Assert.Equal(before, clock.NowNanoseconds);
        Assert.Equal(0.25, clock.DriftSeconds, 1e-9);
    }

    [Fact]
    public void The_exercise_keeps_filling_until_it_ends()
    {
        var board = CudaDriver.Boards()[0];
        var exercise = new FillExercise(board, TimeProvider.System, 1 << 20);
        using (exercise.OpenContext())
        using (exercise.Pulse(0.01, 0.5, TimeProvider.System.GetTimestamp()))
            Assert.True(SpinWait.SpinUntil(() => exercise.Fills > 20, TimeSpan.FromSeconds(30)));
        var ended = exercise.Fills;
        using var context = CudaDriver.Open(0);
        Assert.Equal(context.GetTotalDeviceMemorySize(), context.GetFreeDeviceMemorySize());
        Assert.Equal(ended, exercise.Fills);
    }

    private sealed class Moved : TimeProvider
    {
        public TimeSpan Offset { get; set; }

        public override DateTimeOffset GetUtcNow() => Laboratory.Start + Offset;

        public override long GetTimestamp() => 0;
    }
}
