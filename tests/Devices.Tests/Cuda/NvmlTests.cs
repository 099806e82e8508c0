using EnergyGrid.Devices.Cuda.Nvml;

namespace EnergyGrid.Devices.Tests.Cuda;

[Collection("cuda")]
public sealed class NvmlTests(EmulatedLibraries libraries)
{
    [Fact]
    public void A_board_tells_what_it_is_and_is_found_by_index_uuid_and_bus()
    {
        using var board = new ScriptedBoard(libraries, """
            devices 2
            name NVIDIA H100
            device 1
            serial 1650324001234
            limit 650 200 700
            """);
        Assert.Equal((2, "550.54.15", "12.550.54.15"), (board.Session.Count, board.Session.DriverVersion, board.Session.NvmlVersion));
        var second = board.Session.ByIndex(1);
        Assert.Equal(("NVIDIA H100 (emulated)", "GPU-656d756c-6174-6564-0000-000000000001", "00000000:02:00.0", "1650324001234"), (second.Name, second.Uuid, second.PciBusId, second.Serial));
        Assert.Equal(second.Uuid, board.Session.ByUuid(second.Uuid).Uuid);
        Assert.Equal(second.Uuid, board.Session.ByPciBusId("0000:02:00.0").Uuid);
        Assert.Equal((650, 200_000, 700_000), (second.PowerLimitWatts(), second.Field(NvmlField.LeastPowerLimit), second.Field(NvmlField.MostPowerLimit)));
        Assert.Equal(700, board.Device.PowerLimitWatts());
        Assert.Contains("GPU-00", Assert.Throws<ArgumentException>(() => board.Session.ByUuid("GPU-00")).Message);
        Assert.Contains("index 7", Assert.Throws<ArgumentException>(() => board.Session.ByIndex(7)).Message);
    }

    [Fact]
    public void The_board_of_the_driver_is_the_board_of_nvml()
    {
        using var board = new ScriptedBoard(libraries, "devices 1");
        var driver = Assert.Single(EnergyGrid.Devices.Cuda.CudaDriver.Boards());
        Assert.Equal(driver.Uuid, board.Session.Of(driver.Uuid, driver.PciBusId).Uuid);
        // In a virtual machine NVML may know another UUID: then the bus tells.
        Assert.Equal(driver.Uuid, board.Session.Of("GPU-of-another-name", driver.PciBusId).Uuid);
    }

    [Fact]
    public void Energy_power_clocks_and_temperatures_follow_the_script()
    {
        using var board = new ScriptedBoard(libraries, """
            power 0 100
            power 2 ramp 300 2
            power 6 sine 200 50 1
            celsius 0 35
            celsius 5 61
            clock 1755 2619
            """);
        var device = board.Device;
        var before = device.EnergyJoules();
        board.Time.To(2);
        Assert.Equal(200, device.EnergyJoules() - before, 1e-6);
        Assert.Equal((35.0, 50.0, 1755.0, 2619.0), (device.Celsius(), device.MemoryCelsius(), device.Megahertz(), device.MemoryMegahertz()));
        // 2 s at 100 W, then 100 to 300 W within 2 s, then 300 W, then whole turns of a sine about 200 W.
        board.Time.To(8);
        Assert.Equal(200 + 400 + 600 + 400, device.EnergyJoules() - before, 0.01);
        Assert.Equal(61, device.Celsius());
        board.Time.To(4.5);
        Assert.Equal(300, device.Field(NvmlField.InstantPower) / 1000, 1e-6);
        // The mean of the last second: half of it in the ramp's end.
        Assert.Equal(287.5, device.PowerUsageWatts(), 1e-6);
        // Between two steps of the counter it stands.
        board.Time.To(5.01);
        var stands = device.EnergyJoules();
        board.Time.To(5.09);
        Assert.Equal(stands, device.EnergyJoules());
        board.Time.To(5.11);
        Assert.Equal(30, device.EnergyJoules() - stands, 1e-6);
    }

    [Fact]
    public void What_is_refused_or_lacking_is_absent_and_never_zero()
    {
        using var board = new ScriptedBoard(libraries, """
            deny nvmlDeviceGetTotalEnergyConsumption
            deny field:186
            lack field:185
            lack nvmlDeviceGetPowerUsage
            deny nvmlDeviceGetTemperature
            lack field:82
            lack nvmlDeviceGetClockInfo
            deny nvmlDeviceGetMigMode
            deny nvmlDeviceGetComputeRunningProcesses_v3
            deny nvmlDeviceGetCurrentClocksThrottleReasons
            deny nvmlDeviceGetEnforcedPowerLimit
            lack field:190
            lack nvmlDeviceGetSerial
            ecc none
            """);
        var device = board.Device;
        Assert.All(
            [
                device.EnergyJoules(), device.Field(NvmlField.InstantPower), device.Field(NvmlField.AveragePower), device.PowerUsageWatts(), device.Celsius(),
                device.MemoryCelsius(), device.Megahertz(), device.PowerLimitWatts(), device.Field(NvmlField.InstantPower, NvmlScope.Module),
                device.Field((NvmlField)9999),
            ],
            value => Assert.True(double.IsNaN(value), $"{value}"));
        Assert.Null(device.EccEnabled());
        Assert.Null(device.EccErrors());
        Assert.Null(device.MigEnabled());
        Assert.Null(device.ComputeProcesses());
        Assert.Null(device.ThrottleReasons());
        Assert.Null(device.Serial);
        Assert.Null(device.StartGpm());
    }

    [Fact]
    public void Ecc_mig_processes_and_throttling_are_told()
    {
        using var board = new ScriptedBoard(libraries, """
            ecc off
            ecc_errors 3 1
            mig on
            process self
            process 4711 10 20
            throttle power 5 7
            throttle hw_thermal 6 7.5
            module 612.5
            """);
        var device = board.Device;
        Assert.Equal((false, true), (device.EccEnabled(), device.MigEnabled()));
        Assert.Equal((3ul, 1ul), device.EccErrors());
        Assert.Equal([Environment.ProcessId], device.ComputeProcesses()!);
        Assert.Equal(0ul, device.ThrottleReasons());
        board.Time.To(6.5);
        Assert.Equal(0x44ul, device.ThrottleReasons());
        board.Time.To(11);
        Assert.Equal([Environment.ProcessId, 4711], device.ComputeProcesses()!);
        var values = new double[3];
        device.Fields([new(NvmlField.PowerCapTime), new(NvmlField.HardwareThermalTime), new(NvmlField.PowerBrakeTime)], values);
        Assert.Equal([2e9, 1.5e9, 0], values);
        Assert.Equal(612_500, device.Field(NvmlField.InstantPower, NvmlScope.Module));
    }

    [Fact]
    public void More_processes_than_there_is_room_for_at_first_are_all_told()
    {
        using var board = new ScriptedBoard(libraries, string.Join('\n', Enumerable.Range(1000, 40).Select(pid => $"process {pid}")));
        Assert.Equal(Enumerable.Range(1000, 40), board.Device.ComputeProcesses()!);
    }

    [Fact]
    public void Gpm_tells_its_metrics_between_samples_that_are_far_enough_apart()
    {
        using var board = new ScriptedBoard(libraries, "gpm 98.5 61 12.25 12 0 91.5");
        using (var soon = board.Device.StartGpm()) Assert.Empty(soon!.End());
        using var measurement = board.Device.StartGpm();
        board.Time.To(0.2);
        var told = measurement!.End();
        Assert.Equal((98.5, 61, 12.25, 91.5), (told[GpmMetricId.MultiprocessorUtilisation], told[GpmMetricId.Occupancy], told[GpmMetricId.AnyTensor], told[GpmMetricId.MemoryBandwidth]));
    }

    [Fact]
    public void A_gpm_that_is_not_permitted_is_absent()
    {
        using var board = new ScriptedBoard(libraries, "gpm 98.5 61\ndeny nvmlGpmSampleGet");
        Assert.Null(board.Device.StartGpm());
    }

    [Fact]
    public void A_device_that_is_gone_is_lost_whatever_is_asked()
    {
        using var board = new ScriptedBoard(libraries, "lost 3");
        var device = board.Device;
        Assert.False(double.IsNaN(device.EnergyJoules()));
        board.Time.To(3);
        Assert.Contains("GPU_IS_LOST", Assert.Throws<DeviceLostException>(() => device.EnergyJoules()).Message);
        Assert.Throws<DeviceLostException>(() => device.Field(NvmlField.InstantPower));
        Assert.Throws<DeviceLostException>(() => device.MigEnabled());
        Assert.Throws<DeviceLostException>(() => device.ComputeProcesses());
        Assert.Throws<DeviceLostException>(() => board.Session.ByIndex(0));
    }
}
