using System.Globalization;
using EnergyGrid.Devices.Cuda;
using EnergyGrid.Devices.Cuda.Nvml;
using EnergyGrid.Devices.Cuda.Sensing;

namespace EnergyGrid.Devices.Tests.Cuda;

/// <summary>What is wrong with one GPU is that GPU's trouble, whatever code says so and wherever.</summary>
[Collection("cuda")]
public sealed class GpuFaultTests(EmulatedLibraries libraries) : IDisposable
{
    private readonly string _script = Path.GetTempFileName();

    public void Dispose() => File.Delete(_script);

    [Theory]
    [InlineData("nvmlDeviceGetHandleByIndex_v2")]
    [InlineData("nvmlDeviceGetUUID")]
    [InlineData("nvmlDeviceGetName")]
    [InlineData("nvmlDeviceGetSerial")]
    [InlineData("nvmlDeviceGetVbiosVersion")]
    [InlineData("nvmlDeviceGetPciInfo_v3")]
    [InlineData("nvmlDeviceGetEnforcedPowerLimit")]
    [InlineData("nvmlDeviceGetFieldValues")]
    [InlineData("nvmlDeviceGetTotalEnergyConsumption")]
    [InlineData("nvmlDeviceGetTemperature")]
    [InlineData("nvmlDeviceGetClockInfo")]
    [InlineData("nvmlDeviceGetMigMode")]
    [InlineData("nvmlDeviceGetEccMode")]
    [InlineData("nvmlDeviceGetTotalEccErrors")]
    [InlineData("nvmlDeviceGetComputeRunningProcesses_v3")]
    public void A_code_that_nobody_knows_at_any_call_names_call_and_code_and_is_gone_when_it_is_gone(string call)
    {
        using var board = new ScriptedBoard(libraries, "power 0 100");
        var qualification = SensorQualifier.Run(board.Device, board.Time, options: new QualificationOptions { WindowSeconds = 1 });
        foreach (var code in new[] { 999, 20, 4242 })
        {
            board.Command($"fault {call} {code}");
            var fault = Record.Exception(() => Look());
            Assert.True(fault is NvmlException or DeviceLostException, $"{fault}");
            Assert.Contains(code.ToString(CultureInfo.InvariantCulture), fault.Message);
        }
        board.Command($"fault {call} 0");
        Assert.Equal(100, Look(), 1e-6);

        double Look()
        {
            var device = board.Session.ByIndex(0);
            _ = QualificationKey.Of(device, "");
            using var sensor = new BoardSensor(device, board.Clock, qualification, null, polls: false);
            sensor.Condition();
            _ = device.EnergyJoules();
            return device.Field(NvmlField.InstantPower) / 1000;
        }
    }

    [Fact]
    public void A_field_that_answers_any_code_costs_no_other()
    {
        using var board = new ScriptedBoard(libraries, "power 0 100\nfault field:186 999");
        var values = new double[2];
        board.Device.Fields([new(NvmlField.InstantPower), new(NvmlField.AveragePower)], values);
        Assert.True(double.IsNaN(values[0]));
        Assert.Equal(100_000, values[1]);
    }

    [Fact]
    public void Reads_that_fail_for_seconds_make_the_device_lost_and_it_comes_back_when_they_are_answered()
    {
        using var board = new ScriptedBoard(libraries, "power 0 100");
        using var sensor = new NvmlSensor(board.Device, board.Clock);
        Assert.True(sensor.Poll());
        board.Command($"fault nvmlDeviceGetTotalEnergyConsumption 999");
        board.Time.To(1);
        Assert.True(sensor.Poll());
        // A hiccup is a gap.
        Assert.Null(sensor.Lost);
        board.Time.To(4.5);
        Assert.False(sensor.Poll());
        Assert.Contains("999", sensor.Lost!.Message);
        board.Command($"fault nvmlDeviceGetTotalEnergyConsumption 0");
        board.Time.To(6);
        Assert.True(sensor.Poll());
        Assert.Null(sensor.Lost);
        Assert.Equal(2, sensor.FailedReads);
    }

    [Fact]
    public async Task A_device_whose_state_cannot_be_asked_is_quarantined_with_the_code_and_revived_when_it_answers()
    {
        using var script = Script("power 0 120");
        using var device = Assert.Single(LocalGpus.Open(Options(), TimeProvider.System));
        libraries.SensorLine("fault nvmlDeviceGetEnforcedPowerLimit 999");
        Assert.Contains("999", Assert.Throws<DeviceLostException>(() => device.Condition()).Message);
        Assert.Contains("999", device.Quarantine);
        Assert.False(await device.Revive());
        Assert.Contains("999", device.Quarantine);
        libraries.SensorLine("fault nvmlDeviceGetEnforcedPowerLimit 0");
        Assert.True(await device.Revive());
        Assert.Null(device.Quarantine);
        Assert.Null(device.Condition().Hindrance);
    }

    [Fact]
    public async Task A_device_at_rest_whose_sensors_fail_is_quarantined_though_nobody_asks_for_its_state()
    {
        using var script = Script("power 0 120");
        using var device = Assert.Single(LocalGpus.Open(Options(), TimeProvider.System));
        string[] calls = ["nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetPowerUsage", "field:185", "field:186"];
        foreach (var call in calls) libraries.SensorLine($"fault {call} 999");
        for (var i = 0; i < 300 && device.Quarantine is null; i++) await Task.Delay(100);
        Assert.Contains("Its sensors could not be read for 3 s", device.Quarantine);
        Assert.Contains("999", device.Silence);
        Assert.False(await device.Revive());
        foreach (var call in calls) libraries.SensorLine($"fault {call} 0");
        for (var i = 0; i < 300 && !await device.Revive(); i++) await Task.Delay(100);
        Assert.Null(device.Quarantine);
    }

    [Fact]
    public void Indices_are_those_of_the_machine_whatever_the_process_sees_and_in_which_order()
    {
        using var script = Script("devices 4");
        using var order = EmulatedLibraries.Set("EMULATED_CUDA_ORDER", "3");
        var survey = GpuSurvey.Look();
        Assert.Equal([0, 1, 2, 3], survey.Gpus.Select(g => g.Index));
        var board = Assert.Single(survey.Boards);
        // The driver calls it its first, nvidia-smi its fourth.
        Assert.Equal((0, 3), (board.Index, board.BusIndex));
        Assert.All(survey.Gpus, g => Assert.Null(g.Trouble));
        Assert.Equal(board, Assert.Single(LocalGpus.Boards(Options() with { Which = ["3"] })));
        Assert.Contains("there is index 3 (", Assert.Throws<GpuRefusedException>(() => LocalGpus.Boards(Options() with { Which = ["0"] })).Message);
    }

    [Theory]
    [InlineData("nvmlDeviceGetHandleByIndex_v2")]
    [InlineData("nvmlDeviceGetUUID")]
    [InlineData("all")]
    public void One_of_two_that_NVML_cannot_tell_of_keeps_its_index_and_the_other_is_sound(string call)
    {
        foreach (var (mine, other) in new[] { (0, 1), (1, 0) })
        {
            using var script = Script($"devices 2\ndevice {other}\nfault {call} 999");
            using var order = EmulatedLibraries.Set("EMULATED_CUDA_ORDER", $"{mine}");
            var survey = GpuSurvey.Look();
            Assert.Contains("999", survey.Gpus[other].Trouble);
            Assert.Null(survey.Gpus[other].Board);
            Assert.Null(survey.Gpus[mine].Trouble);
            Assert.Equal(mine, survey.Gpus[mine].Board!.BusIndex);
        }

        using (Script($"devices 2\ndevice 1\nfault {call} 999"))
        using (EmulatedLibraries.Set("EMULATED_CUDA_ORDER", "1"))
            Assert.Equal(1, GpuSurvey.Look().Gpus[1].Board!.BusIndex);
    }

    [Theory]
    [InlineData("cuDeviceGetName")]
    [InlineData("cuDeviceGetUuid_v2")]
    [InlineData("cuDeviceGetPCIBusId")]
    [InlineData("cuDeviceTotalMem_v2")]
    [InlineData("cuDeviceGetAttribute")]
    public void A_board_of_which_the_driver_does_not_tell_is_refused_with_its_code_and_may_tell_later(string call)
    {
        using var script = Script("power 0 120");
        CudaBoard board;
        using (EmulatedLibraries.Set("EMULATED_CUDA_FAULT", $"{call}:0:999"))
        {
            board = Assert.Single(LocalGpus.Boards(Options()));
            Assert.Contains("999", board.Trouble);
            Assert.Contains("999", Assert.Throws<GpuRefusedException>(() => LocalGpus.OpenOne(board, Options(), TimeProvider.System)).Message);
            Assert.Contains("cannot be used", Assert.Throws<GpuRefusedException>(() => LocalGpus.Boards(Options() with { Which = ["0"] })).Message);
        }
        Assert.Null(CudaDriver.Describe(board.Index).Trouble);
    }

    [Fact]
    public async Task One_that_was_refused_is_tried_again_ever_more_seldom_until_it_opens()
    {
        var time = new Waits();
        var tries = 0;
        var board = CudaDriver.Boards()[0];
        await LocalGpus.LookAgain([board], b => b == board && ++tries == 3, time, CancellationToken.None);
        Assert.Equal(3, tries);
        Assert.Equal([60, 120, 240], time.Seconds);
    }

    [Fact]
    public void A_board_that_tells_neither_energy_nor_power_is_refused_at_once()
    {
        using var script = Script("lack nvmlDeviceGetTotalEnergyConsumption\nlack nvmlDeviceGetPowerUsage\nlack field:185\nlack field:186");
        var said = new List<string>();
        var refused = Assert.Throws<GpuRefusedException>(() => LocalGpus.OpenOne(CudaDriver.Boards()[0], Options() with { Say = said.Add }, TimeProvider.System));
        Assert.Contains("tells neither energy nor power", refused.Message);
        Assert.Empty(said);
    }

    private static LocalGpuOptions Options() =>
        new("here", "local", "r1") { ExerciseBytes = 1 << 20, Qualification = new QualificationOptions { WindowSeconds = 0.6, SettleSeconds = 0.1, AliasSeconds = 0.3, AliasPhases = 2 } };

    private IDisposable Script(string script)
    {
        File.WriteAllText(_script, script);
        return EmulatedLibraries.Set("EMULATED_NVML_SCRIPT", _script);
    }

    /// <summary>Waits that are over at once, and how long they were to be.</summary>
    private sealed class Waits : TimeProvider
    {
        public List<double> Seconds { get; } = [];

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Seconds.Add(dueTime.TotalSeconds);
            return System.CreateTimer(callback, state, TimeSpan.Zero, period);
        }
    }
}
